"""Transactions and savepoints: what is committed is invalidated, what is rolled back leaves every entry valid."""

from __future__ import annotations

from django.db import connections, transaction

from tests.site.news.models import Article, Section
from tests.writes.actors import Cache, elsewhere, every_database, undone
from tests.writes.spy import bumped, written
from tests.writes.world import Rows, sections, title, titles

OLD = ["a0", "a1", "a2"]


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


@every_database
def test_a_rollback_leaves_entries_valid(alias: str, cache: Cache, rows: Rows) -> None:
    cache.warm(titles, alias)
    cache.warm(title, alias, rows.pks[0])

    with cache.store.watch() as seen, undone(alias):
        rename(alias, rows.pks[0], "new")

    assert written(seen) == []
    answer = cache.read(titles, alias)
    assert (answer.value, answer.outcome) == (OLD, "hit")
    assert cache.read(title, alias, rows.pks[0]).outcome == "hit"


@every_database
def test_nothing_is_invalidated_before_the_outermost_commit(alias: str, cache: Cache, rows: Rows) -> None:
    cache.warm(titles, alias)

    with transaction.atomic(using=alias):
        with transaction.atomic(using=alias):
            rename(alias, rows.pks[0], "new")
        answer = elsewhere(lambda: cache.read(titles, alias))
        assert (answer.value, answer.outcome) == (OLD, "hit")

    assert elsewhere(lambda: cache.read(titles, alias)).value == ["new", "a1", "a2"]


@every_database
def test_an_inner_rollback_forgets_only_what_was_inside(alias: str, quick: Cache, rows: Rows) -> None:
    for pk in rows.pks:
        quick.warm(title, alias, pk)
    quick.warm(sections, alias)

    with transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")
        with undone(alias):
            rename(alias, rows.pks[1], "undone")
            with transaction.atomic(using=alias):
                Section.objects.using(alias).update(name="undone, though released")

    assert quick.read(title, alias, rows.pks[0]).value == "new"
    assert quick.read(title, alias, rows.pks[1]).outcome == "hit"
    assert quick.read(sections, alias).outcome == "hit"


@every_database
def test_a_released_savepoint_belongs_to_the_level_outside(alias: str, quick: Cache, rows: Rows) -> None:
    for pk in rows.pks:
        quick.warm(title, alias, pk)

    with transaction.atomic(using=alias):
        with transaction.atomic(using=alias):
            rename(alias, rows.pks[0], "kept")
        with undone(alias):
            Section.objects.using(alias).count()
        with transaction.atomic(using=alias):
            rename(alias, rows.pks[1], "kept, too")

    assert quick.read(title, alias, rows.pks[0]).value == "kept"
    assert quick.read(title, alias, rows.pks[1]).value == "kept, too"
    assert quick.read(title, alias, rows.pks[2]).outcome == "hit"


@every_database
def test_a_savepoint_by_hand_that_is_used_twice(alias: str, quick: Cache, rows: Rows) -> None:
    """Rolled back to, a savepoint is still there: what follows is inside it, and may be rolled back again."""
    for pk in rows.pks:
        quick.warm(title, alias, pk)

    with transaction.atomic(using=alias):
        sid = str(connections[alias].savepoint())
        rename(alias, rows.pks[0], "undone")
        transaction.savepoint_rollback(sid, using=alias)
        rename(alias, rows.pks[1], "undone as well")
        transaction.savepoint_rollback(sid, using=alias)
        rename(alias, rows.pks[2], "new")
        transaction.savepoint_commit(sid, using=alias)

    assert quick.read(title, alias, rows.pks[0]).outcome == "hit"
    assert quick.read(title, alias, rows.pks[1]).outcome == "hit"
    assert quick.read(title, alias, rows.pks[2]).value == "new"


@every_database
def test_a_savepoint_by_sql_is_not_followed_but_bumped(alias: str, quick: Cache, rows: Rows) -> None:
    """ROLLBACK TO by text ends no transaction: what was written before it must still be bumped at COMMIT."""
    quick.warm(title, alias, rows.pks[0])

    with transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")
        with connections[alias].cursor() as cursor:
            cursor.execute("SAVEPOINT mine")
            rename(alias, rows.pks[1], "undone")
            cursor.execute("ROLLBACK TO SAVEPOINT mine")
            cursor.execute("RELEASE SAVEPOINT mine")

    assert quick.read(title, alias, rows.pks[0]).value == "new"
    assert quick.read(title, alias, rows.pks[1]).value == "a1"


@every_database
def test_a_block_without_a_savepoint_that_fails(alias: str, quick: Cache, rows: Rows) -> None:
    """``savepoint=False`` has nothing to roll back to: the outer block does, whatever it had in mind."""
    quick.warm(titles, alias)

    with transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "undone")
        with undone(alias, savepoint=False):
            rename(alias, rows.pks[1], "undone")

    answer = quick.read(titles, alias)
    assert (answer.value, answer.outcome) == (OLD, "hit")


@every_database
def test_a_block_without_a_savepoint_that_succeeds(alias: str, quick: Cache, rows: Rows) -> None:
    quick.warm(titles, alias)

    with transaction.atomic(using=alias, durable=True), transaction.atomic(using=alias, savepoint=False):
        rename(alias, rows.pks[0], "new")

    assert quick.read(titles, alias).value == ["new", "a1", "a2"]


@every_database
def test_set_rollback(alias: str, quick: Cache, rows: Rows) -> None:
    quick.warm(titles, alias)

    with transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "undone")
        transaction.set_rollback(True, using=alias)

    assert quick.read(titles, alias).outcome == "hit"


@every_database
def test_a_transaction_costs_two_round_trips_whatever_it_writes(alias: str, cache: Cache, rows: Rows) -> None:
    with cache.store.watch() as seen, transaction.atomic(using=alias):
        for pk in rows.pks:
            rename(alias, pk, "new")
            rename(alias, pk, "newer")
        Section.objects.using(alias).update(name="Sport")

    assert [type(each).__name__ for each in seen if type(each).__name__ != "ReadClock"] == ["Lease", "Settle"]
    # Three objects, their list, what guards values, and the sections.
    assert len(bumped(seen)) == len(set(bumped(seen))) == 6


@every_database
def test_a_transaction_that_only_reads_writes_nothing_to_the_store(
    alias: str, cache: Cache, rows: Rows
) -> None:
    cache.warm(titles, alias)

    with cache.store.watch() as seen, transaction.atomic(using=alias):
        Article.objects.using(alias).count()
        cache.read(titles, alias)

    assert written(seen) == []
