"""An unfinished SELECT pins the snapshot of a whole SQLite connection, in autocommit too (2b)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connections, transaction

from genscache import cached
from tests.site.news.models import Article, Tag
from tests.writes.actors import Cache, databases, elsewhere
from tests.writes.world import Rows, found_titles, sections, titles

OLD = ["a0", "a1", "a2"]
NEW = ["new", "a1", "a2"]


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


@databases("default")
@pytest.mark.parametrize("reader", [titles, found_titles])
def test_an_open_iterator_poisons_nothing(alias: str, cache: Cache, rows: Rows, reader: object) -> None:
    assert callable(reader)
    cache.warm(reader, alias)
    iterator = Tag.objects.using(alias).iterator(chunk_size=1)
    next(iterator)
    elsewhere(lambda: rename(alias, rows.pks[0], "new"))

    answer = cache.read(reader, alias)
    assert (answer.value, answer.outcome) == (OLD, "bypass")
    assert elsewhere(lambda: cache.read(reader, alias).value) == NEW

    list(iterator)
    assert cache.read(reader, alias).value == NEW
    assert cache.read(reader, alias).outcome == "hit"


@databases("default")
def test_a_cursor_that_was_not_read_to_its_end(alias: str, cache: Cache, rows: Rows) -> None:
    cache.warm(titles, alias)
    cache.warm(found_titles, alias)
    cursor = connections[alias].cursor()
    cursor.execute("SELECT id FROM news_tag")
    cursor.fetchone()
    elsewhere(lambda: rename(alias, rows.pks[0], "new"))

    assert cache.read(titles, alias).outcome == "bypass"
    cursor.close()

    assert cache.read(titles, alias).value == NEW
    assert cache.read(titles, alias).outcome == "hit"


@databases("default")
def test_a_transaction_that_begins_under_an_open_iterator(alias: str, cache: Cache, rows: Rows) -> None:
    """The block inherits the iterator's snapshot, which is older than the clock at its BEGIN, and keeps it."""
    cache.warm(titles, alias)
    cache.warm(found_titles, alias)
    iterator = Tag.objects.using(alias).iterator(chunk_size=1)
    next(iterator)
    elsewhere(lambda: rename(alias, rows.pks[0], "new"))

    with transaction.atomic(using=alias):
        assert Article.objects.using(alias).get(pk=rows.pks[0]).title == "a0"
        list(iterator)
        assert cache.read(found_titles, alias).value == OLD
        assert cache.read(titles, alias).value == OLD

    assert elsewhere(lambda: cache.read(found_titles, alias).value) == NEW
    assert elsewhere(lambda: cache.read(titles, alias).value) == NEW


@databases("default")
def test_an_iterator_that_outlives_its_transaction(alias: str, cache: Cache, rows: Rows) -> None:
    cache.warm(titles, alias)
    cache.warm(found_titles, alias)
    with transaction.atomic(using=alias):
        iterator = Tag.objects.using(alias).iterator(chunk_size=1)
        next(iterator)
    elsewhere(lambda: rename(alias, rows.pks[0], "new"))

    assert cache.read(titles, alias).outcome == "bypass"
    list(iterator)
    assert cache.read(titles, alias).value == NEW


@databases("default")
def test_an_iterator_inside_the_function(alias: str, cache: Cache, rows: Rows) -> None:
    """What a function reads while its own iterator is open is as old as the iterator: not stored, but right."""

    @cached(timeout=60)
    def pairs() -> list[tuple[str, int]]:
        tags = Tag.objects.using(alias).order_by("pk").iterator(chunk_size=1)
        return [(tag.name, Article.objects.using(alias).count()) for tag in tags]

    assert cache.read(pairs).value == [("one", 3), ("two", 3)]
    Article.objects.using(alias).filter(pk=rows.pks[0]).delete()

    assert cache.read(pairs).value == [("one", 2), ("two", 2)]


@databases("default")
def test_an_immediate_transaction(alias: str, cache: Cache, rows: Rows) -> None:
    """BEGIN IMMEDIATE takes its snapshot at once, and lets nobody else write: hits, fills, and no poison."""
    connection: Any = connections[alias]
    before = connection.transaction_mode
    connection.transaction_mode = "IMMEDIATE"
    cache.warm(sections, alias)
    cache.read(titles, alias)
    rename(alias, rows.pks[0], "new")
    try:
        with transaction.atomic(using=alias):
            assert cache.read(sections, alias).outcome == "hit"
            assert cache.read(titles, alias).value == NEW
            assert cache.read(titles, alias).outcome == "hit"
    finally:
        connection.transaction_mode = before

    assert elsewhere(lambda: cache.read(titles, alias).value) == NEW
