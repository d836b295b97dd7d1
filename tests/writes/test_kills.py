"""Writers that are killed (SIGKILL) at the worst moments: the lease that they leave behind tells (A8)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from genscache.stores.base import Put
from tests.site.news.models import Article
from tests.writes.actors import Cache, Configure, databases, every_database
from tests.writes.spy import SpyStore
from tests.writes.world import Rows, title, titles

OLD = ["a0", "a1", "a2"]
NEW = ["new", "a1", "a2"]
DEADLINE = 30.0


pytestmark = pytest.mark.parametrize("store", ["valkey"], indirect=True)
"""A memory store is not shared with the process that is killed."""


@contextmanager
def stopped(alias: str, url: str, prefix: str, point: str, pk: int) -> Iterator[None]:
    """Start a writer, wait until it is at the point, and kill it at the end of the block."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.writes.victim", alias, url, prefix, point, str(pk)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        yield
    finally:
        process.kill()
        process.communicate()


def until_resolved(cache: Cache, alias: str, expected: list[str]) -> int:
    """Read until the lease has run out; every answer on the way must be right. Return how many were bypasses."""
    bypasses, end = 0, time.monotonic() + DEADLINE
    while time.monotonic() < end:
        answer = cache.read(titles, alias)
        assert answer.value == expected
        if answer.outcome != "bypass":
            assert answer.outcome == "miss", "an entry from before the lease was served"
            return bypasses
        bypasses += 1
    raise AssertionError("The lease of a dead writer never ends.")


@pytest.mark.parametrize(
    ("alias", "point"),
    [
        pytest.param(alias, point, marks=pytest.mark.django_db(transaction=True, databases=[alias]))
        for alias, point in [
            ("default", "committed"),
            ("postgres", "committed"),
            ("mariadb", "committed"),
            ("postgres", "autocommit"),
            ("default", "batch"),
        ]
    ],
)
def test_killed_between_commit_and_settle(
    alias: str, install: Configure, store: SpyStore, valkey_url: str, rows: Rows, point: str
) -> None:
    """The row is new, nobody was told, the old entry is there: bypassed until the deadline, and dead after it."""
    cache = install(store)
    cache.warm(titles, alias)
    cache.warm(title, alias, rows.pks[0])

    with stopped(alias, valkey_url, store.prefix, point, rows.pks[0]):
        answer = cache.read(titles, alias)
        assert (answer.value, answer.outcome) == (NEW, "bypass")

    assert cache.read(title, alias, rows.pks[0]).value == "new"
    assert until_resolved(cache, alias, NEW) >= 1
    assert cache.read(titles, alias).outcome == "hit"
    assert cache.read(title, alias, rows.pks[0]).value == "new"


@every_database
def test_killed_between_lease_and_commit(
    alias: str, install: Configure, store: SpyStore, valkey_url: str, rows: Rows
) -> None:
    """The database rolls back; the store cannot know, so the lease ends with a bump: a miss, and the old row."""
    cache = install(store)
    cache.warm(titles, alias)

    with stopped(alias, valkey_url, store.prefix, "leased", rows.pks[0]):
        answer = cache.read(titles, alias)
        assert (answer.value, answer.outcome) == (OLD, "bypass")

    assert until_resolved(cache, alias, OLD) >= 0
    assert cache.read(titles, alias).outcome == "hit"
    Article.objects.using(alias).filter(pk=rows.pks[0]).update(title="new")
    assert cache.read(titles, alias).value == NEW


@databases("default")
def test_killed_where_nobody_had_read(
    alias: str, install: Configure, store: SpyStore, valkey_url: str, rows: Rows
) -> None:
    """No counter was there to be leased: the mark keeps readers from filling, and goes by itself."""
    cache = install(store)

    with stopped(alias, valkey_url, store.prefix, "committed", rows.pks[0]):
        assert cache.read(titles, alias).outcome == "bypass"

    until_resolved(cache, alias, NEW)
    assert cache.read(titles, alias).outcome == "hit"


@databases("postgres")
def test_a_reader_that_was_filling_when_the_writer_died(
    alias: str, install: Configure, store: SpyStore, valkey_url: str, rows: Rows
) -> None:
    """Its vector is from before the lease, its rows are old, its fill lands after the kill: never served."""
    cache = install(store)
    cache.read(titles, alias)
    Article.objects.using(alias).filter(pk=rows.pks[1]).update(title="a1")
    seen: list[object] = []

    def meanwhile() -> None:
        with stopped(alias, valkey_url, store.prefix, "committed", rows.pks[0]):
            seen.append(cache.read(title, alias, rows.pks[1]).value)

    store.before(Put, meanwhile)
    assert cache.read(titles, alias).value == OLD
    assert seen == ["a1"]

    until_resolved(cache, alias, NEW)
    assert cache.read(titles, alias).value == NEW
