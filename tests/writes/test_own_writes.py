"""Inside a transaction that wrote: own writes are seen, and nothing uncommitted ever reaches the store (A4)."""

from __future__ import annotations

import pytest
from django.db import connections, transaction

from genscache import bypass, cached, invalidate_model
from genscache.stores.base import Put
from tests.site.news.models import Article, Section, Tag
from tests.writes.actors import Cache, elsewhere, every_database, sql, undone
from tests.writes.world import Rows, both, found_titles, sections, tags_of, title, titles

OLD = ["a0", "a1", "a2"]


def fills(cache: Cache) -> int:
    """Count what was stored."""
    return sum(isinstance(each, Put) for each in cache.store.seen)


@every_database
@pytest.mark.parametrize("reader", [titles, found_titles])
def test_own_writes_are_seen_and_not_stored(alias: str, cache: Cache, rows: Rows, reader: object) -> None:
    assert callable(reader)
    cache.warm(reader, alias)
    before = fills(cache)

    with undone(alias):
        Article.objects.using(alias).filter(pk=rows.pks[0]).update(title="mine")
        for _ in range(2):
            answer = cache.read(reader, alias)
            assert (answer.value, answer.outcome) == (["mine", "a1", "a2"], "bypass")
        answer = elsewhere(lambda: cache.read(reader, alias))
        assert (answer.value, answer.outcome) == (OLD, "hit")

    assert fills(cache) == before
    answer = cache.read(reader, alias)
    assert (answer.value, answer.outcome) == (OLD, "hit")


@every_database
@pytest.mark.parametrize("reader", [titles, found_titles, both])
def test_nothing_is_stored_by_whoever_has_written(
    alias: str, cache: Cache, rows: Rows, reader: object
) -> None:
    """No entry was there before: the first to ask is the one who has written, then somebody else."""
    assert callable(reader)

    with undone(alias):
        Article.objects.using(alias).filter(pk=rows.pks[0]).update(title="mine")
        cache.read(reader, alias)
        assert fills(cache) == 0

    value = elsewhere(lambda: cache.read(reader, alias)).value
    assert value in (OLD, (OLD, ["World"]))
    assert fills(cache) == 1


@every_database
def test_a_row_that_never_existed(alias: str, cache: Cache, rows: Rows) -> None:
    unborn = rows.pks[-1] + 1

    with undone(alias):
        made = Article.objects.using(alias).create(title="x", section=rows.section, author=rows.author)
        assert cache.read(title, alias, made.pk).value == "x"
        assert cache.read(titles, alias).value == [*OLD, "x"]

    assert cache.read(title, alias, unborn).value is None
    assert cache.read(titles, alias).value == OLD


@every_database
def test_what_was_not_written_is_served_and_not_stored(alias: str, cache: Cache, rows: Rows) -> None:
    """A hit on another table is right; a fill could hold what a trigger of this transaction has changed."""
    cache.warm(sections, alias)
    cache.warm(title, alias, rows.pks[1])
    Article.objects.using(alias).filter(pk=rows.pks[1]).update(title="a1")
    before = fills(cache)

    with transaction.atomic(using=alias):
        Article.objects.using(alias).filter(pk=rows.pks[0]).update(title="mine")
        assert cache.read(sections, alias).outcome == "hit"
        answer = cache.read(title, alias, rows.pks[1])
        assert (answer.value, answer.outcome) == ("a1", "bypass")
        assert cache.read(tags_of, alias, rows.pks[0]).value == []

    assert fills(cache) == before


@every_database
def test_a_write_that_a_savepoint_has_undone_still_fills_nothing(
    alias: str, cache: Cache, rows: Rows
) -> None:
    with transaction.atomic(using=alias):
        with undone(alias):
            Article.objects.using(alias).filter(pk=rows.pks[0]).update(title="undone")
        assert cache.read(titles, alias).value == OLD

    assert fills(cache) == 0


@every_database
def test_sql_that_may_have_written_anything(alias: str, cache: Cache, rows: Rows) -> None:
    cache.warm(sections, alias)
    text = {
        "default": "VACUUM_UNKNOWN",
        "postgres": "DO $$ BEGIN UPDATE news_section SET name = 'x'; END $$",
        "mariadb": "BEGIN NOT ATOMIC UPDATE news_section SET name = 'x'; END",
    }[alias]

    with undone(alias):
        if alias == "default":
            with pytest.raises(Exception, match="syntax"):
                sql(alias, text)
        else:
            sql(alias, text)
        assert cache.read(sections, alias).outcome == "bypass"

    expected = ["World"] if alias != "mariadb" else list(_sections(alias))
    assert elsewhere(lambda: cache.read(sections, alias).value) == expected


def _sections(alias: str) -> list[str]:
    return list(Section.objects.using(alias).order_by("pk").values_list("name", flat=True))


@every_database
def test_a_write_while_the_function_runs(alias: str, cache: Cache, rows: Rows) -> None:
    """A function that opens a transaction, writes and reads its own rows is not stored."""

    @cached(timeout=60)
    def careless() -> int:
        with transaction.atomic(using=alias):
            Tag.objects.using(alias).create(name="three")
            count = Tag.objects.using(alias).count()
            transaction.set_rollback(True, using=alias)
        return count

    assert cache.read(careless).value == 3
    assert fills(cache) == 0
    assert cache.read(careless).value == 3
    assert Tag.objects.using(alias).count() == 2


@every_database
def test_an_invalidation_by_hand_is_sent_at_once_and_again_at_commit(
    alias: str, cache: Cache, rows: Rows
) -> None:
    """Others may have filled the old row between the call and the COMMIT that it announced."""
    cache.warm(titles, alias)

    with transaction.atomic(using=alias):
        connections[alias].connection.cursor().execute("UPDATE news_article SET title = 'unseen'")
        invalidate_model(Article)
        assert cache.read(titles, alias).value == ["unseen"] * 3
        answer = elsewhere(lambda: cache.read(titles, alias))
        assert (answer.value, answer.outcome) == (OLD, "miss")
        assert elsewhere(lambda: cache.read(titles, alias)).outcome == "hit"

    assert elsewhere(lambda: cache.read(titles, alias)).value == ["unseen"] * 3


@every_database
def test_read_committed_in_a_block_hits_and_fills(alias: str, cache: Cache, rows: Rows) -> None:
    """ATOMIC_REQUESTS puts every read into a transaction; that must not be the end of the cache."""
    outcomes = []
    for _ in range(3):
        with transaction.atomic(using=alias):
            outcomes.append(cache.read(titles, alias).outcome)
            with bypass():
                assert cache.read(titles, alias).outcome == "bypass"

    # SQLite reads snapshots: its first block only makes the counters, which are younger than the snapshot.
    assert outcomes == (["bypass", "miss", "hit"] if alias == "default" else ["miss", "hit", "hit"])
    assert elsewhere(lambda: cache.read(titles, alias).outcome) == "hit"
