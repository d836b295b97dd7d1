"""What becomes of a transaction whose COMMIT was not answered, asked by its id; and what enforcing leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, connections, transaction

from genscache import batch_invalidations
from genscache.exceptions import WriteRefused
from genscache.stores.base import Lease
from tests.site.news.models import Article
from tests.writes.actors import Cache, databases, elsewhere
from tests.writes.conftest import Clock
from tests.writes.spy import SpyStore, written
from tests.writes.test_unknown_outcomes import driver_commit, rename, sever
from tests.writes.world import Rows, titles

NEW, OLD = ["new", "a1"], ["a0", "a1"]
TIMEOUT = "idle_in_transaction_session_timeout"


@pytest.fixture
def enforced(install: Callable[..., Cache], memory: SpyStore) -> Cache:
    return install(memory, ENFORCE_LEASES=True)


def lose_the_answer(commit: Callable[[], None]) -> None:
    commit()
    raise psycopg.OperationalError("the answer is lost")


@databases("postgres")
@pytest.mark.parametrize("batch", [False, True], ids=["alone", "batch"])
def test_committed_and_not_answered(alias: str, enforced: Cache, rows: Rows, *, batch: bool) -> None:
    """The server knows: bumped at once, and no lease is left."""
    enforced.warm(titles, alias)

    def write() -> None:
        with driver_commit(alias, lose_the_answer), transaction.atomic(using=alias):
            rename(alias, rows.pks[0], "new")

    with pytest.raises(OperationalError), batch_invalidations() if batch else nullcontext():
        write()
    answer = enforced.read(titles, alias)
    assert (answer.value, answer.outcome) == (NEW, "miss")
    assert enforced.read(titles, alias).outcome == "hit"
    assert "survived: commit unknown" not in enforced.engine.hub.counts()


@databases("postgres")
def test_cut_before_commit_was_sent(alias: str, enforced: Cache, rows: Rows) -> None:
    """The server knows that it was rolled back: the entry stays what it was, a hit."""
    enforced.warm(titles, alias)

    def cut(commit: Callable[[], None]) -> None:
        pid = connections[alias].connection.info.backend_pid
        elsewhere(lambda: sever(alias, pid))
        commit()

    with driver_commit(alias, cut), pytest.raises(OperationalError), transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")
    connections[alias].close()
    answer = enforced.read(titles, alias)
    assert (answer.value, answer.outcome) == (OLD, "hit")


@databases("postgres")
def test_in_progress_stays_leased(alias: str, enforced: Cache, rows: Rows, clock: Clock) -> None:
    """The answer is lost before the server has committed: it may still come, so the lease runs out."""
    enforced.warm(titles, alias)

    def nothing(_: Callable[[], None]) -> None:
        raise psycopg.OperationalError("not even sent")

    with driver_commit(alias, nothing), pytest.raises(OperationalError), transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")
    assert enforced.read(titles, alias).outcome == "bypass"
    clock.advance(11)
    assert enforced.read(titles, alias).outcome == "miss"


@databases("postgres")
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_nobody_who_ends_the_process_waits_for_a_server(
    alias: str, enforced: Cache, rows: Rows, kind: type[BaseException]
) -> None:
    enforced.warm(titles, alias)

    def end(commit: Callable[[], None]) -> None:
        commit()
        raise kind

    with driver_commit(alias, end), pytest.raises(kind), transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")
    connections[alias].close()
    answer = enforced.read(titles, alias)
    assert (answer.value, answer.outcome) == (NEW, "bypass")


def shown(alias: str) -> str:
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SHOW {TIMEOUT}")
        return str(cursor.fetchone()[0])


@databases("postgres")
@pytest.mark.parametrize("commits", [True, False])
def test_the_session_is_as_it_was(alias: str, enforced: Cache, rows: Rows, *, commits: bool) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SET {TIMEOUT} = '77s'")
    seen: list[str] = []

    def look(commit: Callable[[], None]) -> None:
        with connections[alias].connection.cursor() as cursor:
            cursor.execute(f"SELECT setting FROM pg_settings WHERE name = '{TIMEOUT}'")
            seen.append(cursor.fetchone()[0])
        if not commits:
            raise psycopg.errors.SerializationFailure
        commit()

    try:
        with driver_commit(alias, look), transaction.atomic(using=alias):
            rename(alias, rows.pks[0], "new")
    except OperationalError:
        assert not commits
    (within,) = seen
    assert 5_000 < int(within) <= 9_000
    assert shown(alias) == "77s"


@databases("postgres")
def test_a_lease_that_has_run_out_before_commit_is_refused(
    alias: str, install: Callable[..., Cache], memory: SpyStore, rows: Rows
) -> None:
    """One millisecond, of which a fifth is the margin: over before the statement could be sent."""
    cache = install(memory, ENFORCE_LEASES=True, LEASE=0.001)
    cache.warm(titles, alias)
    with pytest.raises(WriteRefused, match="its lease had run out"), transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")
    assert list(Article.objects.using(alias).order_by("pk").values_list("title", flat=True)) == OLD
    Article.objects.using(alias).filter(pk=rows.pks[1]).update(title="a1")
    assert cache.read(titles, alias).value == OLD


@databases("postgres")
def test_a_connection_that_is_lost_before_the_statement(alias: str, enforced: Cache, rows: Rows) -> None:
    """Nothing was asked to commit: the lease is released, and the entry stays."""
    enforced.warm(titles, alias)

    def cut() -> None:
        pid = connections[alias].connection.info.backend_pid
        elsewhere(lambda: sever(alias, pid))

    enforced.store.after(Lease, cut)
    with pytest.raises((OperationalError, InterfaceError)), transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")
    connections[alias].close()
    answer = enforced.read(titles, alias)
    assert (answer.value, answer.outcome) == (OLD, "hit")


@databases("default", "mariadb")
def test_other_databases_go_on_as_before(alias: str, enforced: Cache, rows: Rows) -> None:
    enforced.warm(titles, alias)
    with enforced.store.watch() as operations, transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")
    assert written(operations) == ["Lease", "Settle"]
    assert enforced.read(titles, alias).value == NEW


def idle_limit(alias: str) -> int:
    """Return the session's own limit in seconds, past Django's wrappers."""
    with connections[alias].connection.cursor() as cursor:
        cursor.execute("SELECT @@SESSION.idle_write_transaction_timeout")
        return int(cursor.fetchone()[0])


@databases("mariadb")
@pytest.mark.parametrize(("own", "meanwhile"), [(0, (8,)), (600, (8,)), (2, (2,))])
@pytest.mark.parametrize("fails", [False, True], ids=["commits", "fails"])
def test_the_session_has_its_own_limit_back(
    alias: str, enforced: Cache, rows: Rows, own: int, meanwhile: tuple[int, ...], *, fails: bool
) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SET SESSION idle_write_transaction_timeout = {own}")
    seen: list[int] = []

    def look(commit: Callable[[], None]) -> None:
        seen.append(idle_limit(alias))
        if fails:
            raise IntegrityError("refused")
        commit()

    with (
        pytest.raises(IntegrityError) if fails else nullcontext(),
        driver_commit(alias, look),
        transaction.atomic(using=alias),
    ):
        rename(alias, rows.pks[0], "new")
    assert tuple(seen) == meanwhile
    assert idle_limit(alias) == own


@databases("postgres")
@pytest.mark.parametrize("settings", [{}, {"ENFORCE_LEASES": True, "LEASE": 0}], ids=["off", "no leases"])
def test_nothing_is_sent_where_nothing_is_enforced(
    alias: str, install: Callable[..., Cache], memory: SpyStore, rows: Rows, settings: dict[str, Any]
) -> None:
    install(memory, **settings)
    seen: list[str] = []

    def look(commit: Callable[[], None]) -> None:
        seen.append(shown(alias))
        commit()

    with driver_commit(alias, look), transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")
    assert seen == ["0"]
