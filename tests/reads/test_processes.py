"""Several processes: one fill at a time with ``lock=True``, the death of its holder, and forks."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
from redis import Redis

from genscache.engine import Engine
from tests.fixtures import ROOT
from tests.reads.elsewhere import PATIENCE
from tests.site.news.models import Section

BOUND = 1.5
"""Seconds that a lock lasts in these tests."""


class Worker:
    """A process that runs ``tests.reads.worker``."""

    def __init__(self, store: str, prefix: str) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error::DeprecationWarning:genscache",
                "-m",
                "tests.reads.worker",
                store,
                prefix,
                str(BOUND),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            cwd=ROOT,
        )

    def tell(self, line: str = "") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, name: str) -> None:
        """Let it call a function, and wait until it does."""
        self.tell(name)
        assert self.said() == "asking"

    def end(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


class Hire(Protocol):
    """Starts a worker."""

    def __call__(self) -> Worker: ...


@pytest.fixture
def hire(on_valkey: Engine, valkey_url: str) -> Iterator[Hire]:
    workers: list[Worker] = []

    def hire() -> Worker:
        workers.append(Worker(valkey_url, on_valkey.settings.prefix))
        assert workers[-1].said() == "ready"
        return workers[-1]

    yield hire
    for worker in workers:
        worker.end()


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def until_polling(raw: Redis) -> None:
    """Wait until somebody has asked the store a few times more: whoever waits for a lock does."""

    def asked() -> int:
        return int(raw.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0))

    before = asked()
    until(lambda: asked() >= before + 3, "nobody waits for the lock")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("function", ["slow", "discovered"])
def test_one_process_fills_and_the_other_is_served(hire: Hire, raw: Redis, function: str) -> None:
    holder, waiter = hire(), hire()
    holder.ask(function)
    assert holder.said() == "computing"
    waiter.ask(function)
    until_polling(raw)

    holder.tell()

    answer = holder.said()
    assert str(holder.process.pid) in answer
    assert waiter.said() == answer, "it computed for itself"


def test_when_the_holder_is_killed_the_waiter_goes_on(hire: Hire, raw: Redis) -> None:
    holder, waiter = hire(), hire()
    holder.ask("slow")
    assert holder.said() == "computing"
    waiter.ask("slow")
    until_polling(raw)

    holder.process.kill()
    begun = time.monotonic()

    assert waiter.said() == "computing"
    # Twice the bound: the lock's own end, and a machine that is busy.
    assert time.monotonic() - begun < 2 * BOUND + 3
    waiter.tell()
    assert waiter.said() == str(waiter.process.pid)


def test_a_holder_that_takes_too_long_is_not_waited_for(hire: Hire, raw: Redis, on_valkey: Engine) -> None:
    holder, waiter = hire(), hire()
    holder.ask("slow")
    assert holder.said() == "computing"
    # Whatever keeps the lock, patience ends.
    (lock,) = raw.scan_iter(match=f"{on_valkey.settings.prefix}*:l:*")
    raw.persist(lock)
    waiter.ask("slow")

    assert waiter.said() == "computing"

    waiter.tell()
    holder.tell()
    assert {waiter.said(), holder.said()} == {str(waiter.process.pid), str(holder.process.pid)}


def test_the_lock_is_given_back(hire: Hire, raw: Redis, on_valkey: Engine) -> None:
    holder = hire()
    holder.ask("slow")
    assert holder.said() == "computing"
    (lock,) = raw.scan_iter(match=f"{on_valkey.settings.prefix}*:l:*")
    assert 0 < raw.pttl(lock) <= BOUND * 1000

    holder.tell()
    holder.said()

    assert list(raw.scan_iter(match=f"{on_valkey.settings.prefix}*:l:*")) == []


@pytest.mark.django_db(transaction=True)
def test_a_waiter_is_never_given_what_was_invalidated_while_it_waited(hire: Hire, raw: Redis) -> None:
    holder, waiter = hire(), hire()
    holder.ask("discovered")
    assert holder.said() == "computing"

    Section.objects.create(name="new")
    waiter.ask("discovered")
    until_polling(raw)
    holder.tell()

    assert holder.said().endswith(", 0)")
    assert waiter.said() == "computing"
    waiter.tell()
    assert waiter.said().endswith(", 1)")


def test_an_invalidation_reaches_the_other_process(hire: Hire, on_valkey: Engine) -> None:
    from genscache import invalidate  # noqa: PLC0415 - one test needs it

    one, two = hire(), hire()
    for worker in (one, two):
        worker.ask("slow")
        if worker is one:
            assert worker.said() == "computing"
            worker.tell()
        assert worker.said() == str(one.process.pid)

    invalidate("slow")

    two.ask("slow")
    assert two.said() == "computing"
    two.tell()
    assert two.said() == str(two.process.pid)


def test_a_fork_in_the_middle_of_a_fill(hire: Hire) -> None:
    """The child computes for itself, is served from the store, and makes tokens of its own."""
    worker = hire()
    worker.ask("fork")

    assert worker.said() == "True 7 True 7 1"
