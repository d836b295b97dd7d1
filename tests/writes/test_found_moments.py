"""Moments between two steps of a write or a read, at which something was found to happen that must not."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from contextvars import copy_context

import pytest
from django.db import connections, transaction

from genscache import batch_invalidations
from genscache.batches import current_batch, open_batch
from genscache.keys import Kind
from genscache.namespaces import table_namespace
from genscache.orm.writing import Write
from genscache.protocol import write
from genscache.stores.base import Ensure, Settle
from tests.site.news.models import Article
from tests.writes.actors import PATIENCE, Cache, databases, elsewhere, every_database, sql, unseen
from tests.writes.spy import written
from tests.writes.world import Rows, titles

OLD = ["a0", "a1", "a2"]
NEW = ["new", "a1", "a2"]


class TooLate(Exception):
    """What a signal handler raises: a task's time limit."""


@pytest.fixture
def signal_after_the_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a signal arrive between a statement's answer and the note of what it wrote; once."""

    def arrive(_self: Write, *_given: object) -> None:
        monkeypatch.undo()
        raise TooLate

    monkeypatch.setattr(Write, "_after", arrive)


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


def renamed(alias: str, pk: int, name: str) -> None:
    sql(alias, "UPDATE news_article SET title = %s WHERE id = %s", [name, pk])


@every_database
def test_a_signal_after_a_statement_of_a_transaction(
    alias: str, quick: Cache, rows: Rows, request: pytest.FixtureRequest
) -> None:
    quick.warm(titles, alias)
    request.getfixturevalue("signal_after_the_statement")

    with transaction.atomic(using=alias), suppress(TooLate):
        renamed(alias, rows.pks[0], "new")

    assert quick.read(titles, alias).value == NEW


@every_database
def test_a_signal_after_a_statement_of_a_batch(
    alias: str, quick: Cache, rows: Rows, request: pytest.FixtureRequest
) -> None:
    """The batch ends in the middle of a write: its leases stay until they run out."""
    quick.warm(titles, alias)
    request.getfixturevalue("signal_after_the_statement")

    with suppress(TooLate), batch_invalidations():
        renamed(alias, rows.pks[0], "new")

    assert quick.read(titles, alias).value == NEW
    assert elsewhere(lambda: quick.read(titles, alias).value) == NEW


@databases("postgres", "mariadb")
def test_a_batch_that_ends_while_a_thread_writes(alias: str, cache: Cache, rows: Rows) -> None:
    """The thread's statement was leased by the batch; until it is settled, others ask the database."""
    cache.warm(titles, alias)
    started, go = threading.Event(), threading.Event()
    between: list[object] = []

    def look() -> None:
        between.append(elsewhere(lambda: cache.read(titles, alias).value))

    def hold(execute: object, *args: object) -> object:
        assert callable(execute)
        started.set()
        assert go.wait(PATIENCE)
        return execute(*args)

    def work() -> None:
        with connections[alias].execute_wrapper(hold):
            rename(alias, rows.pks[0], "new")
        connections.close_all()

    with batch_invalidations():
        thread = threading.Thread(target=copy_context().run, args=(work,))
        thread.start()
        assert started.wait(PATIENCE)
    elsewhere(lambda: cache.read(titles, alias))
    elsewhere(lambda: cache.read(titles, alias))
    cache.store.before(Settle, look)
    go.set()
    thread.join(PATIENCE)

    assert between == [NEW]
    assert cache.read(titles, alias).value == NEW


@databases("default")
def test_a_process_forked_inside_a_batch(
    alias: str, quick: Cache, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child's writes are its own: it must not leave them to the batch of its parent."""
    quick.warm(titles, alias)
    mine = os.getpid()

    with quick.store.watch() as seen, batch_invalidations():
        assert open_batch() is current_batch.get() is not None
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: mine + 1)
            assert open_batch() is None
            rename(alias, rows.pks[0], "new")
            assert written(seen) == ["Lease", "Settle"]
        assert quick.read(titles, alias).value == NEW


@databases("default")
def test_a_write_that_is_settled_between_the_two_steps_of_a_read(
    alias: str, cache: Cache, rows: Rows
) -> None:
    """It bumps ROWS and releases MODEL: of two states at two moments, no vector may be made."""
    cache.warm(titles, alias)
    engine = cache.engine
    leased = engine.counters([table_namespace(Kind.MODEL, alias, "news_article")])
    bump = engine.counters([table_namespace(Kind.ROWS, alias, "news_article")])
    token = engine.token()
    engine.run(write.lease(leased, token=token, duration=60_000))
    unseen(alias, f"UPDATE news_article SET title = 'new' WHERE id = {rows.pks[0]}")
    connections[alias].connection.commit()
    settled: list[object] = []

    def settle() -> None:
        engine.run(write.settle(token, bump=bump, release=leased))
        settled.append(Settle)

    cache.store.before(Ensure, settle)

    assert cache.read(titles, alias).value == NEW
    assert settled
    assert cache.warm(titles, alias) == NEW
