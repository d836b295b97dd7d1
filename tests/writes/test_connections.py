"""Autocommit switched off, connections closed and opened again, and several databases at once."""

from __future__ import annotations

import pytest
from django.db import InterfaceError, OperationalError, connections, transaction

from genscache.stores.base import Settle
from genscache.transactions import state_of
from tests.site.news.models import Article
from tests.writes.actors import Cache, databases, elsewhere, every_database, sql, undone
from tests.writes.spy import written
from tests.writes.world import Rows, found_titles, seed, titles

OLD = ["a0", "a1", "a2"]
NEW = ["new", "a1", "a2"]


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


def others_titles(quick: Cache, alias: str) -> object:
    return elsewhere(lambda: quick.read(titles, alias).value)


@every_database
def test_autocommit_off_and_commit(alias: str, quick: Cache, rows: Rows) -> None:
    quick.warm(titles, alias)

    transaction.set_autocommit(False, using=alias)
    rename(alias, rows.pks[0], "new")
    assert others_titles(quick, alias) == OLD
    transaction.commit(using=alias)
    assert others_titles(quick, alias) == NEW
    rename(alias, rows.pks[1], "newer")
    assert others_titles(quick, alias) == NEW, "the next transaction is open already"
    transaction.commit(using=alias)
    transaction.set_autocommit(True, using=alias)

    assert others_titles(quick, alias) == ["new", "newer", "a2"]


@every_database
def test_autocommit_off_and_rollback(alias: str, quick: Cache, rows: Rows) -> None:
    quick.warm(titles, alias)

    transaction.set_autocommit(False, using=alias)
    rename(alias, rows.pks[0], "undone")
    transaction.rollback(using=alias)
    transaction.set_autocommit(True, using=alias)

    answer = quick.read(titles, alias)
    assert (answer.value, answer.outcome) == (OLD, "hit")


@databases("mariadb")
def test_autocommit_switched_on_commits_what_is_pending(alias: str, quick: Cache, rows: Rows) -> None:
    quick.warm(titles, alias)
    between: list[object] = []

    transaction.set_autocommit(False, using=alias)
    rename(alias, rows.pks[0], "new")
    quick.store.before(Settle, lambda: between.append(others_titles(quick, alias)))
    with quick.store.watch() as seen:
        transaction.set_autocommit(True, using=alias)

    assert written(seen) == ["Lease", "Settle"]
    assert between == [NEW]
    assert others_titles(quick, alias) == NEW
    rename(alias, rows.pks[1], "newer")
    assert others_titles(quick, alias) == ["new", "newer", "a2"], "autocommit: settled at once"


@every_database
def test_a_connection_that_is_closed_in_a_block_takes_its_writes_with_it(
    alias: str, quick: Cache, rows: Rows
) -> None:
    quick.warm(titles, alias)

    with undone(alias):
        rename(alias, rows.pks[0], "undone")
        connections[alias].close()

    answer = quick.read(titles, alias)
    assert (answer.value, answer.outcome) == (OLD, "hit")
    rename(alias, rows.pks[0], "new")
    assert others_titles(quick, alias) == NEW


@every_database
def test_a_connection_that_is_opened_again_is_watched_once(alias: str, quick: Cache, rows: Rows) -> None:
    quick.warm(titles, alias)

    for _ in range(3):
        connections[alias].close()
        with quick.store.watch() as seen:
            rename(alias, rows.pks[0], "new")
        assert written(seen) == ["Lease", "Settle"]

    assert quick.read(titles, alias).value == NEW
    kinds = [kind for kind in type(connections[alias]).__mro__ if "genscache_engine" in vars(kind)]
    assert len(kinds) == 1


@databases("postgres", "mariadb")
def test_a_connection_that_the_server_has_lost(alias: str, quick: Cache, rows: Rows) -> None:
    """A statement that was cut off: its lease stays; the next connection begins with a clean slate."""
    quick.warm(titles, alias)
    driver = connections[alias].connection
    session = driver.info.backend_pid if alias == "postgres" else driver.thread_id()
    end = f"SELECT pg_terminate_backend({session}, 10000)" if alias == "postgres" else f"KILL {session}"
    elsewhere(lambda: sql(alias, end))

    with pytest.raises((OperationalError, InterfaceError)):
        rename(alias, rows.pks[0], "never arrived")
    connections[alias].close()

    state = state_of(connections[alias])
    assert state is None or not state.pending()
    answer = quick.read(titles, alias)
    assert (answer.value, answer.outcome) == (OLD, "bypass")
    rename(alias, rows.pks[0], "new")
    assert quick.read(titles, alias).value == NEW


@pytest.mark.django_db(transaction=True, databases=["default", "sqlite2", "postgres", "mariadb"])
def test_each_database_has_transactions_and_namespaces_of_its_own(quick: Cache) -> None:
    aliases = ["default", "sqlite2", "postgres", "mariadb"]
    rows = {alias: seed(alias) for alias in aliases}
    for alias in aliases:
        quick.warm(found_titles, alias)

    with transaction.atomic(using="postgres"):
        rename("postgres", rows["postgres"].pks[0], "new")
        with undone("mariadb"):
            rename("mariadb", rows["mariadb"].pks[0], "undone")
        with transaction.atomic(using="default"):
            rename("default", rows["default"].pks[0], "new")
        assert elsewhere(lambda: quick.read(found_titles, "default").value) == NEW
        assert elsewhere(lambda: quick.read(found_titles, "postgres").value) == OLD
        assert elsewhere(lambda: quick.read(found_titles, "postgres").outcome) == "hit"

    found = {alias: quick.read(found_titles, alias) for alias in aliases}
    assert [found[alias].value for alias in aliases] == [NEW, OLD, NEW, OLD]
    assert found["sqlite2"].outcome == "hit"
    assert found["mariadb"].outcome == "hit"
