"""Stampedes in one process: threads that ask for one key at the same time share one computation."""

# ruff: noqa: PLW0108 - a lambda has a name of this module's own; the bound method that it calls has not

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
from django.db import transaction

from genscache import cached, invalidate_model, stats
from genscache.engine import Engine
from genscache.flights import PATIENCE, Flight
from tests.reads.conftest import Use, counted
from tests.reads.elsewhere import Gate, Started
from tests.reads.waiting import until_waiting
from tests.site.news.models import Section

THREADS = 12


class Gated:
    """A body that stops at a gate in its first run only."""

    def __init__(self, body: Callable[[], Any]) -> None:
        self.gate = Gate()
        self._body = body
        self._first = [True]

    def __call__(self) -> Any:
        found = self._body()
        if self._first:
            self._first.pop()
            self.gate.stop()
        return found


def crowd(engine: Engine, function: Callable[[], Any], gate: Gate) -> list[Started[Any]]:
    """Let one thread compute, and the others wait for it."""
    leader = Started(function)
    gate.reached()
    others = [Started(function) for _ in range(THREADS - 1)]
    until_waiting(engine, THREADS - 1)
    return [leader, *others]


def test_many_threads_compute_once_and_share_nothing_mutable(every_store: Engine) -> None:
    gated = Gated(lambda: {"rows": [1, 2]})
    rows = counted(lambda: gated(), "prices")

    threads = crowd(every_store, rows, gated.gate)
    gated.gate.open()
    found = [thread.result() for thread in threads]

    assert found == [{"rows": [1, 2]}] * THREADS
    assert rows.count == 1
    assert len({id(each) for each in found} | {id(each["rows"]) for each in found}) == 2 * THREADS
    assert (stats()["miss"], stats()["fill"], stats()["hit"]) == (1, 1, THREADS - 1)


@pytest.mark.django_db(transaction=True)
def test_so_do_threads_that_discover_the_tables(every_store: Engine) -> None:
    gated = Gated(lambda: Section.objects.count())
    count = counted(lambda: gated())

    threads = crowd(every_store, count, gated.gate)
    gated.gate.open()

    assert [thread.result() for thread in threads] == [0] * THREADS
    assert count.count == 1


def test_where_the_leader_raises_the_others_compute(engine: Engine) -> None:
    gate = Gate()
    failed: list[int] = []

    def body() -> str:
        if not failed:
            failed.append(1)
            gate.stop()
            raise LookupError("the leader's")
        return "well"

    fails = counted(body)
    leader, *others = crowd(engine, fails, gate)
    gate.open()

    with pytest.raises(LookupError, match="the leader's"):
        leader.result()
    assert [other.result() for other in others] == ["well"] * (THREADS - 1)


def test_where_the_result_may_not_be_stored_everybody_computes(use: Use) -> None:
    engine = use(MAX_ENTRY_BYTES=1000)
    gated = Gated(lambda: [(number * 7919) % 65_521 for number in range(5000)])
    big = counted(lambda: gated())

    threads = crowd(engine, big, gated.gate)
    gated.gate.open()

    assert all(len(thread.result()) == 5000 for thread in threads)
    assert big.count == THREADS


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("declared", [(Section,), ()], ids=["declared", "discovered"])
@pytest.mark.parametrize("warm", [True, False], ids=["tables known", "first run"])
def test_who_starts_after_an_invalidation_is_never_given_the_older_value(
    every_store: Engine,
    declared: tuple[type, ...],
    warm: bool,  # noqa: FBT001
) -> None:
    """The leader has read the old rows and is still computing when somebody writes and then asks."""
    gated = Gated(lambda: Section.objects.count())
    armed: list[int] = []
    count = counted(lambda: gated() if armed else Section.objects.count(), *declared)
    if warm:
        count()
        count.invalidate()
    armed.append(1)
    leader = Started(count)
    gated.gate.reached()

    Section.objects.create(name="new")
    late = Started(count)
    waits = not declared and not warm
    if waits:
        # It cannot know yet that it depends on the table, so it waits; what it is given then must be looked at.
        until_waiting(every_store, 1)
        gated.gate.open()
    assert late.result() == 1
    gated.gate.open()
    assert leader.result() == 0
    assert count() == 1


@pytest.mark.django_db(transaction=True)
def test_who_is_in_a_transaction_does_not_wait(engine: Engine) -> None:
    """It may hold rows that the leader waits for."""
    gated = Gated(lambda: 1)
    one = counted(lambda: gated(), "prices")
    leader = Started(one)
    gated.gate.reached()

    with transaction.atomic():
        list(Section.objects.all())
        assert one() == 1
    gated.gate.open()

    assert leader.result() == 1
    assert one.count == 2


def test_a_function_that_calls_itself(engine: Engine) -> None:
    @cached
    def depth(number: int) -> int:
        return 0 if number == 0 else 1 + depth(number - 1)

    assert Started(lambda: depth(5)).result() == 5
    assert stats()["fill"] == 6


def test_a_function_that_calls_itself_with_the_same_arguments_does_not_wait_for_itself(
    engine: Engine,
) -> None:
    left = [1, 1]

    @cached
    def again() -> int:
        if left:
            left.pop()
            return 1 + again()
        return 0

    begun = time.monotonic()
    assert Started(again).result() == 2
    assert time.monotonic() - begun < PATIENCE / 2


def test_two_functions_that_call_each_other_crosswise(engine: Engine) -> None:
    """Each thread leads one and needs the other: were both to wait, they would wait for one another's patience."""
    gates = {"f": Gate(), "g": Gate()}
    depth: ContextVar[int] = ContextVar("depth", default=0)

    def body(name: str, other: Callable[[], str]) -> str:
        if depth.get():
            return name
        depth.set(1)
        gates[name].stop()
        return name + other()

    f = counted(lambda: body("f", lambda: str(g())), "prices")
    g = counted(lambda: body("g", lambda: str(f())), "prices")
    threads = [Started(f), Started(g)]
    for gate in gates.values():
        gate.reached()
    begun = time.monotonic()
    for gate in gates.values():
        gate.open()

    # The later of the two may find the other's whole result.
    assert [each.result()[:2] for each in threads] == ["fg", "gf"]
    assert time.monotonic() - begun < PATIENCE / 2


def test_who_looked_before_a_fill_and_comes_after_it_does_not_fill_again(
    use: Use, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = use(STORE=valkey_url)
    one = counted(lambda: 1, "prices")
    late, held = Gate(), [1]
    join = engine.flights.join

    def slow_join(key: str, asked: int) -> tuple[Flight | None, bool]:
        if held:
            held.pop()
            late.stop()
        return join(key, asked)

    monkeypatch.setattr(engine.flights, "join", slow_join)
    thread = Started(one)
    late.reached()
    assert one() == 1
    late.open()

    assert thread.result() == 1
    assert one.count == 1


def test_other_arguments_do_not_wait(engine: Engine) -> None:
    gate = Gate()

    def body(n: int) -> int:
        if n == 1:
            gate.stop()
        return n * 2

    double = counted(body)
    slow = Started(lambda: double(1))
    gate.reached()

    assert double(2) == 4

    gate.open()
    assert slow.result() == 2


def test_an_invalidation_by_hand_is_not_undone_by_a_fill_under_way(every_store: Engine) -> None:
    values = ["new", "old"]
    gated = Gated(lambda: values.pop())
    letter = counted(lambda: gated(), "prices")
    slow = Started(letter)
    gated.gate.reached()

    letter.invalidate()
    gated.gate.open()

    assert slow.result() == "old"
    assert letter() == "new"
    invalidate_model(Section)
    assert letter() == "new"
