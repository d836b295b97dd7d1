"""Batches around and inside transactions: one round trip at the end, whatever was gathered."""

from __future__ import annotations

import pytest
from django.db import transaction

from genscache import batch_invalidations, invalidate, invalidate_model, invalidate_obj, obj
from genscache.stores.base import Lease, Settle
from tests.site.news.models import Article, Section
from tests.writes.actors import Cache, databases, elsewhere, every_database, undone
from tests.writes.spy import bumped, written
from tests.writes.world import Rows, sections, title, titles

OLD = ["a0", "a1", "a2"]
NEW = ["new", "a1", "a2"]


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


@databases("default")
@pytest.mark.parametrize("count", [1, 10_000])
def test_one_round_trip_for_any_number(alias: str, cache: Cache, rows: Rows, count: int) -> None:
    cache.warm(title, alias, rows.pks[0])

    with cache.store.watch() as seen, batch_invalidations():
        for index in range(count):
            invalidate_obj(obj(Article, rows.pks[0] + index))
            invalidate("a name")
        assert written(seen) == []
    assert written(seen) == ["Settle"]

    assert cache.read(title, alias, rows.pks[0]).outcome == "miss"


@every_database
def test_writes_in_a_batch(alias: str, cache: Cache, rows: Rows) -> None:
    """One lease a model when the batch first meets it, one settle at the end; own reads see the writes."""
    for reader in (titles, sections):
        cache.warm(reader, alias)

    with cache.store.watch() as seen, batch_invalidations():
        for number in range(20):
            rename(alias, rows.pks[0], f"n{number}")
            rename(alias, rows.pks[1], f"m{number}")
        answer = cache.read(titles, alias)
        assert (answer.value, answer.outcome) == (["n19", "m19", "a2"], "bypass")
        assert elsewhere(lambda: cache.read(titles, alias).value) == ["n19", "m19", "a2"]
        assert cache.read(sections, alias).outcome == "hit"

    assert written(seen) == ["Lease", "Settle"]
    assert cache.warm(titles, alias) == ["n19", "m19", "a2"]


@every_database
def test_a_block_inside_a_batch(alias: str, cache: Cache, rows: Rows) -> None:
    """Leased at COMMIT, settled when the batch ends: until then others ask the database."""
    cache.warm(titles, alias)
    cache.warm(title, alias, rows.pks[2])

    with cache.store.watch() as seen, batch_invalidations():
        for name in ("newish", "new"):
            with transaction.atomic(using=alias):
                rename(alias, rows.pks[0], name)
        with undone(alias):
            rename(alias, rows.pks[2], "undone")
        answer = elsewhere(lambda: cache.read(titles, alias))
        assert (answer.value, answer.outcome) == (NEW, "bypass")

    assert written(seen) == ["Lease", "Settle"]
    assert cache.read(titles, alias).value == NEW
    assert cache.read(title, alias, rows.pks[2]).outcome == "hit"


@every_database
def test_a_batch_inside_a_block(alias: str, cache: Cache, rows: Rows) -> None:
    """The batch ends before COMMIT: the writes wait for it all the same, and a rollback forgets them."""
    cache.warm(titles, alias)
    cache.warm(sections, alias)

    with transaction.atomic(using=alias):
        with cache.store.watch() as seen, batch_invalidations():
            rename(alias, rows.pks[0], "new")
        assert written(seen) == []
        answer = elsewhere(lambda: cache.read(titles, alias))
        assert (answer.value, answer.outcome) == (OLD, "hit")
    assert elsewhere(lambda: cache.read(titles, alias)).value == NEW

    with undone(alias), batch_invalidations():
        Section.objects.using(alias).update(name="undone")
    assert cache.read(sections, alias).outcome == "hit"


@every_database
def test_an_invalidation_by_hand_in_a_batch_in_a_block(alias: str, cache: Cache, rows: Rows) -> None:
    """Sent at the end of the batch, and again at COMMIT."""
    cache.warm(titles, alias)

    with cache.store.watch() as seen, transaction.atomic(using=alias):
        with batch_invalidations():
            invalidate_model(Article)
            invalidate_model(Article)
        assert elsewhere(lambda: cache.read(titles, alias)).outcome == "miss"

    assert written(seen) == ["Settle", "Lease", "Settle"]
    assert elsewhere(lambda: cache.read(titles, alias)).outcome == "miss"


@every_database
def test_a_batch_that_raises(alias: str, cache: Cache, rows: Rows) -> None:
    """What was written in autocommit is there, so it is told; the error is the caller's own."""
    cache.warm(titles, alias)

    with pytest.raises(LookupError, match="mine"), batch_invalidations():  # noqa: PT012 - the block is what fails
        rename(alias, rows.pks[0], "new")
        raise LookupError("mine")

    assert cache.read(titles, alias).value == NEW
    assert cache.read(titles, alias).outcome == "hit"


@every_database
def test_a_batch_is_not_another_threads(alias: str, cache: Cache, rows: Rows) -> None:
    """Somebody else's write during my batch is settled at once."""
    cache.warm(titles, alias)

    with batch_invalidations():
        with cache.store.watch() as seen:
            elsewhere(lambda: rename(alias, rows.pks[0], "new"))
        assert [type(each) for each in seen] == [Lease, Settle]
        assert cache.read(titles, alias).value == NEW
        assert cache.read(titles, alias).outcome == "hit"


@every_database
def test_a_function_that_is_a_batch(alias: str, cache: Cache, rows: Rows) -> None:
    cache.warm(titles, alias)

    @batch_invalidations
    def feed() -> None:
        for pk in rows.pks:
            rename(alias, pk, "fed")
        with batch_invalidations():
            Section.objects.using(alias).update(name="fed")

    with cache.store.watch() as seen:
        feed()

    assert written(seen) == ["Lease", "Lease", "Settle"]
    assert len(bumped(seen)) == 6  # three objects, their list, what guards values, and the sections
    assert cache.read(titles, alias).value == ["fed"] * 3
