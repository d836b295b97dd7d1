"""Transactions that read an old snapshot: they poison nothing, and a hit is what their snapshot shows (design 3.5)."""

from __future__ import annotations

import pytest
from django.db import transaction

from tests.site.news.models import Article, Section
from tests.writes.actors import Cache, databases, elsewhere, sql
from tests.writes.blocks import BLOCKS, Block
from tests.writes.world import Rows, both, found_titles, sections, title, titles

OLD = ["a0", "a1", "a2"]
NEW = ["new", "a1", "a2"]

every_snapshot = pytest.mark.parametrize(
    ("alias", "block"),
    [
        pytest.param(
            alias, block, marks=pytest.mark.django_db(transaction=True, databases=[alias]), id=block.__name__
        )
        for alias, block in BLOCKS
    ],
)


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


@every_snapshot
@pytest.mark.parametrize("reader", [titles, found_titles])
def test_an_old_snapshot_poisons_nothing(
    alias: str, quick: Cache, rows: Rows, block: Block, reader: object
) -> None:
    """The fill would put old rows under the new generation: served to everybody, and no later check could tell."""
    assert callable(reader)
    quick.warm(reader, alias)
    with block(alias):
        assert Section.objects.using(alias).count() == 1
        elsewhere(lambda: rename(alias, rows.pks[0], "new"))
        assert quick.read(reader, alias).value == OLD, "the snapshot is older than the write"
        assert quick.read(reader, alias).value == OLD

    answer = elsewhere(lambda: quick.read(reader, alias))
    assert answer.value == NEW
    assert elsewhere(lambda: quick.read(reader, alias).value) == NEW


@every_snapshot
def test_a_hit_is_what_the_snapshot_shows(alias: str, quick: Cache, rows: Rows, block: Block) -> None:
    """Somebody else has filled the new value meanwhile: it is not for a reader who lives in the past."""
    quick.warm(titles, alias)

    def meanwhile() -> None:
        rename(alias, rows.pks[0], "new")
        assert quick.warm(titles, alias) == NEW

    with block(alias):
        Section.objects.using(alias).count()
        elsewhere(meanwhile)
        answer = quick.read(titles, alias)
        assert (answer.value, answer.outcome) == (OLD, "bypass")

    assert quick.read(titles, alias).value == NEW


@every_snapshot
def test_what_is_older_than_the_snapshot_is_used(alias: str, quick: Cache, rows: Rows, block: Block) -> None:
    """Hits and fills go on for everything that was not written since: a bypass of everything would be too easy."""
    quick.warm(sections, alias)
    quick.warm(title, alias, rows.pks[1])
    quick.read(titles, alias)
    rename(alias, rows.pks[0], "newer")

    with block(alias):
        assert Section.objects.using(alias).count() == 1
        elsewhere(lambda: rename(alias, rows.pks[0], "new"))
        assert quick.read(sections, alias).outcome == "hit"
        assert quick.read(title, alias, rows.pks[1]).outcome == "hit"
        assert quick.read(both, alias).value == (["newer", "a1", "a2"], ["World"])

    assert quick.read(both, alias).value == (NEW, ["World"])


@every_snapshot
def test_a_fill_in_a_snapshot_serves_others(alias: str, quick: Cache, rows: Rows, block: Block) -> None:
    quick.read(titles, alias)
    rename(alias, rows.pks[0], "new")
    elsewhere(lambda: quick.read(sections, alias))

    with block(alias):
        assert quick.read(titles, alias).value == NEW
        assert elsewhere(lambda: quick.read(titles, alias).value) == NEW

    assert quick.read(titles, alias).value == NEW


@databases("postgres", "mariadb")
def test_read_committed_sees_each_write(alias: str, cache: Cache, rows: Rows) -> None:
    """A statement's snapshot is younger than its vector: hits and fills as in autocommit."""
    cache.warm(titles, alias)

    with transaction.atomic(using=alias):
        assert cache.read(titles, alias).outcome == "hit"
        elsewhere(lambda: rename(alias, rows.pks[0], "new"))
        first, second = cache.read(titles, alias), cache.read(titles, alias)
        assert (first.value, first.outcome) == (NEW, "miss")
        assert second.outcome == "hit"

    assert elsewhere(lambda: cache.read(titles, alias).outcome) == "hit"


@databases("postgres")
def test_a_level_that_changes_in_the_middle_is_not_trusted(alias: str, quick: Cache, rows: Rows) -> None:
    """The cache was used at READ COMMITTED; then the transaction, which has read no row yet, becomes strict."""
    quick.warm(titles, alias)

    with transaction.atomic(using=alias):
        assert quick.read(titles, alias).outcome == "hit"
        sql(alias, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        assert Section.objects.using(alias).count() == 1
        elsewhere(lambda: rename(alias, rows.pks[0], "new"))
        assert quick.read(titles, alias).value == OLD

    assert quick.read(titles, alias).value == NEW
