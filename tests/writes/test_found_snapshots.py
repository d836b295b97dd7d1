"""Snapshots that were found to be older than the cache believed, and rows that were never committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections, transaction

from genscache import cached
from genscache.stores.memory import AsyncMemoryStore, MemoryStore
from tests.site.news.models import Article, Section
from tests.writes.actors import Cache, databases, elsewhere, sql
from tests.writes.blocks import by_options_mariadb, by_options_repeatable, option
from tests.writes.world import Rows, found_titles, titles

OLD = ["a0", "a1", "a2"]
NEW = ["new", "a1", "a2"]


@cached(Article, timeout=300)
async def awaited_titles(alias: str) -> list[str]:
    """List declared, in a coroutine."""
    rows = Article.objects.using(alias).order_by("pk").values_list("title", flat=True)
    return [title async for title in rows]


@cached(timeout=300)
async def awaited_found_titles(alias: str) -> list[str]:
    """List discovered, in a coroutine."""
    rows = Article.objects.using(alias).order_by("pk").values_list("title", flat=True)
    return [title async for title in rows]


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


def driver(alias: str) -> Any:
    connections[alias].ensure_connection()
    return connections[alias].connection


@databases("postgres")
@pytest.mark.parametrize("reader", [titles, found_titles])
def test_an_imported_snapshot(
    alias: str, quick: Cache, rows: Rows, reader: Callable[[str], list[str]]
) -> None:
    """It is older than the transaction that imports it, by nobody knows how much."""
    quick.warm(reader, alias)
    exporter = connections.create_connection(alias)
    exporter.set_autocommit(False)
    with exporter.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT pg_export_snapshot()")
        (name,) = cursor.fetchone()
    elsewhere(lambda: rename(alias, rows.pks[0], "new"))

    with transaction.atomic(using=alias):
        sql(alias, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        sql(alias, f"SET TRANSACTION SNAPSHOT '{name}'")
        assert quick.read(reader, alias).value == OLD
    exporter.rollback()
    exporter.close()

    assert quick.read(reader, alias).value == NEW


def _attribute(alias: str) -> None:
    from psycopg import IsolationLevel  # noqa: PLC0415 - a driver of one database

    driver(alias).isolation_level = IsolationLevel.REPEATABLE_READ


def _unseen(alias: str) -> None:
    driver(alias).execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def _parameter(alias: str) -> None:
    sql(alias, "SELECT set_config(%s, 'repeatable read', false)", ["default_transaction_isolation"])


def _composed(alias: str) -> None:
    sql(alias, "SELECT set_config('default_transaction_'||'isolation', 'repeatable read', false)")


def _pg_settings(alias: str) -> None:
    text = "UPDATE pg_settings SET setting = 'repeatable read' WHERE name = %s"
    sql(alias, text, ["default_transaction_isolation"])


@databases("postgres")
@pytest.mark.parametrize("change", [_attribute, _unseen, _parameter, _composed, _pg_settings])
def test_a_level_that_no_text_shows(
    alias: str, quick: Cache, rows: Rows, change: Callable[[str], None]
) -> None:
    """The level was asked for once in this connection; then it changes."""
    with transaction.atomic(using=alias):
        quick.warm(titles, alias)
    change(alias)

    with transaction.atomic(using=alias):
        assert Section.objects.using(alias).count() == 1
        elsewhere(lambda: rename(alias, rows.pks[0], "new"))
        assert quick.read(titles, alias).value == OLD
    connections[alias].close()

    assert quick.read(titles, alias).value == NEW


@contextmanager
def plain(alias: str) -> Iterator[None]:
    """SQLite has snapshots without being asked."""
    with transaction.atomic(using=alias):
        yield


every_level = pytest.mark.parametrize(
    ("alias", "block"),
    [
        pytest.param(alias, block, marks=pytest.mark.django_db(transaction=True, databases=[alias]), id=alias)
        for alias, block in [
            ("default", plain),
            ("postgres", by_options_repeatable),
            ("mariadb", by_options_mariadb),
        ]
    ],
)


@every_level
def test_a_read_before_the_snapshot_begins(
    alias: str, quick: Cache, rows: Rows, block: Callable[[str], Any]
) -> None:
    """The first read could be a hit of the past and the second one a query of the present."""
    quick.warm(titles, alias)

    with block(alias):
        # Outside the transaction on a connection that stays, statements have run that fix nothing here.
        first = quick.read(titles, alias).value
        elsewhere(lambda: rename(alias, rows.pks[0], "new"))
        second = quick.read(titles, alias).value
        third = list(Article.objects.using(alias).order_by("pk").values_list("title", flat=True))
    assert (first, second, third) == (OLD, OLD, OLD)

    assert quick.read(titles, alias).value == NEW


@databases("default")
def test_a_read_before_the_transaction_fixes_nothing(alias: str, quick: Cache, rows: Rows) -> None:
    quick.warm(titles, alias)
    assert Section.objects.using(alias).count() == 1

    with transaction.atomic(using=alias):
        assert quick.read(titles, alias).outcome == "hit"
        elsewhere(lambda: rename(alias, rows.pks[0], "new"))
        assert list(Article.objects.using(alias).order_by("pk").values_list("title", flat=True)) == OLD


@databases("mariadb")
@pytest.mark.parametrize("locking", [True, False])
def test_a_lock_or_a_write_fixes_no_snapshot_of_innodb(
    alias: str, quick: Cache, rows: Rows, *, locking: bool
) -> None:
    quick.warm(titles, alias)

    with by_options_mariadb(alias):
        if locking:
            Section.objects.using(alias).select_for_update().get()
        else:
            Section.objects.using(alias).update(name="Elsewhere")
        first = quick.read(titles, alias).value
        elsewhere(lambda: rename(alias, rows.pks[0], "new"))
        assert quick.read(titles, alias).value == first


@databases("mariadb")
def test_a_row_that_is_rolled_back_is_not_stored(alias: str, quick: Cache, rows: Rows) -> None:
    """READ UNCOMMITTED shows it."""
    quick.warm(titles, alias)
    rename(alias, rows.pks[0], "a0")
    writer = connections.create_connection(alias)
    writer.set_autocommit(False)
    with writer.cursor() as cursor:
        cursor.execute("UPDATE news_article SET title = 'undone' WHERE id = %s", [rows.pks[0]])
    with option(alias, "read uncommitted"):
        answer = elsewhere(lambda: quick.read(titles, alias))
    writer.rollback()
    writer.close()

    assert answer.value == ["undone", "a1", "a2"]
    assert quick.read(titles, alias).value == OLD


@databases("postgres")
@pytest.mark.parametrize("reader", [awaited_titles, awaited_found_titles])
def test_a_coroutine_on_a_thread_whose_connection_is_in_a_snapshot(
    alias: str, quick: Cache, rows: Rows, reader: Callable[[str], Any]
) -> None:
    """All tasks of a loop share one thread's connections, and so one task's transaction."""

    def begin() -> None:
        transaction.set_autocommit(False, using=alias)
        sql(alias, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        Section.objects.using(alias).count()

    async def snapshot(began: asyncio.Event, go: asyncio.Event) -> None:
        await sync_to_async(begin)()
        began.set()
        await go.wait()
        await sync_to_async(connections.close_all)()

    async def main() -> tuple[object, object]:
        await reader(alias)
        began, go = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(snapshot(began, go))
        await began.wait()
        await asyncio.to_thread(elsewhere, lambda: rename(alias, rows.pks[0], "new"))
        inside = await reader(alias)
        go.set()
        await task
        after = await reader(alias)
        await sync_to_async(connections.close_all)()
        return inside, after

    # One memory for both kinds of caller, as every shared store is.
    assert isinstance(quick.store.inner, MemoryStore)
    quick.engine._async_store = AsyncMemoryStore(quick.store.inner)
    inside, after = asyncio.run(main())
    assert (inside, after) == (OLD, NEW)
