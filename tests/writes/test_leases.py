"""Write leases: several at once, ended by a reader with a bump, switched off, and what they cost."""

from __future__ import annotations

import pytest
from django.db import transaction

from genscache.stores.base import Ensure, Lease, Settle
from tests.site.news.models import Article
from tests.writes.actors import Cache, Configure, elsewhere, every_database, undone
from tests.writes.conftest import Clock
from tests.writes.spy import SpyStore, bumped, written
from tests.writes.world import Rows, title, titles

NEW = ["new", "a1", "a2"]


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


def commit(alias: str, pk: int, name: str) -> None:
    with transaction.atomic(using=alias):
        rename(alias, pk, name)


@every_database
def test_two_writers_of_one_row(alias: str, cache: Cache, rows: Rows) -> None:
    """The second has come and gone while the first is not settled: still leased, since each has its own token."""
    cache.warm(titles, alias)
    found: list[object] = []

    def meanwhile() -> None:
        commit(alias, rows.pks[0], "second")
        answer = cache.read(titles, alias)
        found.append((answer.value, answer.outcome))

    cache.store.before(Settle, lambda: elsewhere(meanwhile))
    commit(alias, rows.pks[0], "first")

    assert found == [(["second", "a1", "a2"], "bypass")]
    assert cache.read(titles, alias).value == ["second", "a1", "a2"]
    assert cache.read(titles, alias).outcome == "hit"


@every_database
def test_a_writer_that_is_rolled_back_does_not_end_the_lease_of_another(
    alias: str, cache: Cache, rows: Rows
) -> None:
    cache.warm(titles, alias)
    found: list[object] = []

    def meanwhile() -> None:
        with undone(alias):
            rename(alias, rows.pks[0], "undone")
        answer = cache.read(titles, alias)
        found.append((answer.value, answer.outcome))

    cache.store.before(Settle, lambda: elsewhere(meanwhile))
    commit(alias, rows.pks[0], "new")

    assert found == [(NEW, "bypass")]
    assert cache.read(titles, alias).value == NEW


@every_database
def test_a_lease_that_has_run_out_is_ended_by_a_reader_with_a_bump(
    alias: str, quick: Cache, clock: Clock, rows: Rows
) -> None:
    """The writer died after COMMIT (its settle never came): the old entry must not come back to life (A8)."""
    quick.warm(titles, alias)

    class Died(BaseException):
        """The process is gone."""

    def die() -> None:
        raise Died

    quick.store.before(Settle, die)
    with pytest.raises(Died):
        commit(alias, rows.pks[0], "new")
    quick.engine.forget()  # what this process owes dies with it

    answer = quick.read(titles, alias)
    assert (answer.value, answer.outcome) == (NEW, "bypass")
    clock.advance(9.9)
    assert quick.read(titles, alias).outcome == "bypass"
    clock.advance(0.2)
    with quick.store.watch() as seen:
        answer = quick.read(titles, alias)
    assert (answer.value, answer.outcome) == (NEW, "miss")
    assert any(isinstance(each, Ensure) for each in seen)
    assert quick.read(titles, alias).outcome == "hit"


@every_database
def test_a_commit_that_takes_longer_than_its_lease(
    alias: str, quick: Cache, clock: Clock, rows: Rows
) -> None:
    """Readers have resolved the lease and filled old rows; the settle bumps all the same (level 1 without a crash)."""
    quick.warm(titles, alias)

    def meanwhile() -> None:
        clock.advance(11)
        quick.warm(titles, alias)

    quick.store.before(Settle, lambda: elsewhere(meanwhile))
    commit(alias, rows.pks[0], "new")
    assert quick.read(titles, alias).value == NEW

    quick.store.after(Lease, lambda: elsewhere(meanwhile))
    commit(alias, rows.pks[0], "newer")
    assert quick.read(titles, alias).value == ["newer", "a1", "a2"]


@every_database
def test_the_length_of_a_lease_is_a_setting(
    alias: str, install: Configure, memory: SpyStore, rows: Rows
) -> None:
    cache = install(memory, LEASE=2.5)

    with memory.watch() as seen:
        rename(alias, rows.pks[0], "new")

    assert [each.duration for each in seen if hasattr(each, "duration")] == [2500]
    assert cache.read(titles, alias).value == NEW


@every_database
@pytest.mark.parametrize("off", [0, None, False])
def test_leases_off(alias: str, install: Configure, memory: SpyStore, rows: Rows, off: object) -> None:
    """One round trip a write; and the window between COMMIT and bump, that every other library has."""
    cache = install(memory, LEASE=off)
    cache.warm(titles, alias)

    with memory.watch() as seen:
        rename(alias, rows.pks[0], "new")
    assert written(seen) == ["Settle"]
    assert cache.warm(titles, alias) == NEW

    found: list[object] = []
    memory.before(Settle, lambda: found.append(elsewhere(lambda: cache.read(titles, alias).outcome)))
    with memory.watch() as seen:
        commit(alias, rows.pks[0], "newer")
    assert written(seen) == ["Settle"]
    assert found == ["hit"]
    assert cache.read(titles, alias).value == ["newer", "a1", "a2"]


@every_database
def test_one_lease_and_one_settle_name_the_same(alias: str, cache: Cache, rows: Rows) -> None:
    """What is leased is what is bumped: a counter that is leased and not settled would be dead for its length."""
    with cache.store.watch() as seen:
        commit(alias, rows.pks[0], "new")

    leased = {key for each in seen if isinstance(each, Lease) for key in each.counters}
    assert leased == bumped(seen)


@every_database
def test_a_birth_ends_the_lease_of_the_model_without_a_bump(alias: str, cache: Cache, rows: Rows) -> None:
    cache.warm(title, alias, rows.pks[0])

    Article.objects.using(alias).create(title="x", section=rows.section, author=rows.author)

    assert cache.read(title, alias, rows.pks[0]).outcome == "hit", "neither leased any more nor bumped"
