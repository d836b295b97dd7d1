"""Statements that commit by themselves: settled after the database has committed, never before."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connections

from genscache.stores.base import Lease, Settle
from tests.site.news.models import Article
from tests.writes.actors import Cache, elsewhere, every_database
from tests.writes.spy import written
from tests.writes.world import Rows, database_titles, title, titles


@every_database
def test_a_row_that_was_made_can_be_seen_when_its_write_is_settled(
    alias: str, cache: Cache, rows: Rows
) -> None:
    """SQLite commits INSERT ... RETURNING only when its last row was fetched (settled earlier: poisoned)."""
    cache.warm(titles, alias)
    after: list[object] = []
    cache.store.after(Settle, lambda: elsewhere(lambda: after.append(cache.read(titles, alias).value)))

    Article.objects.using(alias).create(title="born", section=rows.section, author=rows.author)

    assert after == [["a0", "a1", "a2", "born"]]
    assert cache.read(titles, alias).value == ["a0", "a1", "a2", "born"]


@every_database
def test_an_update_that_returns_rows(alias: str, cache: Cache, rows: Rows) -> None:
    """The same for raw SQL whose rows nobody has fetched yet; they are still there to be fetched."""
    if alias == "mariadb":
        text = "DELETE FROM news_article WHERE title <> %s RETURNING title"
    else:
        text = "UPDATE news_article SET title = 'new' WHERE title <> %s RETURNING title"
    cache.warm(titles, alias)
    after: list[object] = []
    cache.store.after(Settle, lambda: elsewhere(lambda: after.append(cache.read(titles, alias).value)))

    with connections[alias].cursor() as cursor:
        cursor.execute(text, ["a0"])
        assert after == [database_titles(alias)]
        if alias == "mariadb":
            assert [cursor.fetchone(), *cursor.fetchmany(5), *cursor.fetchall()] == [("a1",), ("a2",)]
        else:
            assert [cursor.fetchone(), *cursor.fetchmany(5), *cursor.fetchall()] == [("new",), ("new",)]
        assert cursor.fetchone() is None

    assert cache.read(titles, alias).value == database_titles(alias)


@every_database
def test_a_statement_that_fails_is_bumped_all_the_same(alias: str, cache: Cache, rows: Rows) -> None:
    """An engine without transactions keeps what a failed statement has done; and nobody stays leased."""
    cache.warm(titles, alias)

    with pytest.raises(IntegrityError), cache.store.watch() as seen:
        Article.objects.using(alias).create(
            pk=rows.pks[0], title="x", section=rows.section, author=rows.author
        )

    assert written(seen) == ["Lease", "Settle"]
    assert cache.read(titles, alias).outcome == "miss"
    assert cache.read(titles, alias).outcome == "hit"


@every_database
def test_a_statement_that_is_interrupted_keeps_its_lease(alias: str, cache: Cache, rows: Rows) -> None:
    """Nobody knows whether the server goes on with it: bumped now, and once more when the lease ends."""
    cache.warm(title, alias, rows.pks[0])
    other = rows.pks[1]
    cache.warm(title, alias, other)

    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    with connections[alias].execute_wrapper(interrupted), pytest.raises(KeyboardInterrupt):
        Article.objects.using(alias).filter(pk=rows.pks[0]).update(title="new")

    answer = cache.read(title, alias, rows.pks[0])
    if alias == "default":
        # SQLite runs in this process: the statement cannot go on.
        assert (answer.value, answer.outcome) == ("a0", "miss")
    else:
        assert (answer.value, answer.outcome) == ("a0", "bypass")
        assert cache.engine.hub.counts()["survived: commit unknown"] == 1
    assert cache.read(title, alias, other).outcome == "hit"


@every_database
def test_one_statement_costs_two_round_trips(alias: str, cache: Cache, rows: Rows) -> None:
    with cache.store.watch() as seen:
        Article.objects.using(alias).filter(pk=rows.pks[0]).update(title="new")

    assert [type(each) for each in seen] == [Lease, Settle]
