"""A COMMIT whose outcome nobody knows: its lease stays until its deadline and ends with a bump (A9, A10, A11)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connections, transaction

from genscache.stores.base import Settle
from tests.site.news.models import Article
from tests.writes.actors import Cache, databases, elsewhere, every_database
from tests.writes.conftest import Clock
from tests.writes.spy import written
from tests.writes.world import Rows, titles

NEW = ["new", "a1", "a2"]


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


@contextmanager
def driver_commit(alias: str, replacement: Callable[[Callable[[], None]], None]) -> Iterator[None]:
    """Put something in the place of Django's call of the driver's commit."""
    connection: Any = connections[alias]
    original = connection._commit

    def commit() -> None:
        with connection.wrap_database_errors:
            replacement(original)

    connection._commit = commit
    try:
        yield
    finally:
        del connection._commit


@databases("postgres", "mariadb")
@pytest.mark.parametrize("committed", [True, False], ids=["committed", "lost"])
def test_a_commit_whose_answer_is_lost(
    alias: str,
    quick: Cache,
    rows: Rows,
    clock: Clock,
    committed: bool,  # noqa: FBT001
) -> None:
    """Nobody knows: bumped now, leased until the deadline (it may still take effect), then bumped once more (A9)."""
    quick.warm(titles, alias)

    def cut(commit: Callable[[], None]) -> None:
        pid = connections[alias].connection.info.backend_pid if alias == "postgres" else 0
        thread = 0 if alias == "postgres" else connections[alias].connection.thread_id()
        if committed:
            commit()
        elsewhere(lambda: sever(alias, pid or thread))
        connections[alias].connection.cursor().execute("SELECT 1")

    with (
        driver_commit(alias, cut),
        pytest.raises((OperationalError, DatabaseError)),
        quick.store.watch() as seen,
        transaction.atomic(using=alias),
    ):
        rename(alias, rows.pks[0], "new")
    connections[alias].close()

    expected = NEW if committed else ["a0", "a1", "a2"]
    assert "Settle" not in written(seen), "the lease stays"
    assert written(seen)[:2] == ["Lease", "Bump"]
    answer = quick.read(titles, alias)
    assert (answer.value, answer.outcome) == (expected, "bypass")
    assert quick.engine.hub.counts()["survived: commit unknown"] >= 1

    # A COMMIT that arrives late (A11): still leased, so the old value cannot have been stored.
    elsewhere(lambda: late_commit(alias, rows.pks[0]))
    clock.advance(11)

    answer = quick.read(titles, alias)
    assert (answer.value, answer.outcome) == (["late", "a1", "a2"], "miss")
    assert quick.read(titles, alias).outcome == "hit"


def sever(alias: str, session: int) -> None:
    """End another session's connection, and wait until the server has done so."""
    with connections[alias].cursor() as cursor:
        if alias == "mariadb":
            cursor.execute(f"KILL {session}")
        else:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [session])
            assert cursor.fetchone() == (True,)


def late_commit(alias: str, pk: int) -> None:
    """Let a row change without anybody being told."""
    connections[alias].ensure_connection()
    cursor = connections[alias].connection.cursor()
    cursor.execute("UPDATE news_article SET title = 'late' WHERE id = %s", (pk,))
    cursor.close()


@databases("postgres")
def test_a_backend_that_is_terminated_before_commit(
    alias: str, quick: Cache, rows: Rows, clock: Clock
) -> None:
    """A real COMMIT on a connection that the server has closed: the lease stays until its deadline."""
    quick.warm(titles, alias)

    def cut(commit: Callable[[], None]) -> None:
        pid = connections[alias].connection.info.backend_pid
        elsewhere(lambda: sever(alias, pid))
        commit()

    with (
        driver_commit(alias, cut),
        pytest.raises(OperationalError),
        transaction.atomic(using=alias),
    ):
        rename(alias, rows.pks[0], "new")
    connections[alias].close()

    assert quick.read(titles, alias).outcome == "bypass"
    clock.advance(11)
    answer = quick.read(titles, alias)
    assert (answer.value, answer.outcome) == (["a0", "a1", "a2"], "miss")


@every_database
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_exit_in_the_middle_of_commit(
    alias: str, quick: Cache, rows: Rows, clock: Clock, kind: type[BaseException], when: str
) -> None:
    """A signal handler raises inside the driver's commit: the outcome is unknown, and it is told at once (A10)."""
    quick.warm(titles, alias)

    def interrupted(commit: Callable[[], None]) -> None:
        if when == "after":
            commit()
        raise kind

    with (
        driver_commit(alias, interrupted),
        pytest.raises((kind, DatabaseError)),
        transaction.atomic(using=alias),
    ):
        rename(alias, rows.pks[0], "new")
    connections[alias].close()

    expected = list(elsewhere(lambda: _titles(alias)))
    assert quick.read(titles, alias).value == expected
    clock.advance(11)
    assert quick.read(titles, alias).value == expected
    assert quick.read(titles, alias).outcome == "hit"


def _titles(alias: str) -> list[str]:
    return list(Article.objects.using(alias).order_by("pk").values_list("title", flat=True))


@every_database
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_an_exit_in_the_middle_of_settle(
    alias: str, quick: Cache, rows: Rows, kind: type[BaseException]
) -> None:
    """The bump may not have arrived, so it is owed: own reads bypass until it is delivered."""
    quick.warm(titles, alias)

    def interrupt() -> None:
        raise kind

    quick.store.before(Settle, interrupt)

    with pytest.raises(kind), transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")
    if connections[alias].in_atomic_block or not connections[alias].autocommit:
        connections[alias].close()

    assert quick.read(titles, alias).value == NEW
    assert bool(quick.engine.unsettled)
