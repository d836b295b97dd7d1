"""The moment of COMMIT: leased before, settled right after, whatever goes wrong or runs in between (A7, A9, A10)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction

from genscache.stores.base import Lease, Settle
from tests.site.news.models import Article
from tests.writes.actors import Cache, databases, elsewhere, every_database, sql
from tests.writes.spy import written
from tests.writes.world import Rows, title, titles

NEW = ["new", "a1", "a2"]


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


@every_database
def test_between_commit_and_settle_everybody_asks_the_database(alias: str, cache: Cache, rows: Rows) -> None:
    """Somebody who hits then would go back in time: others have already seen the new row (A7)."""
    cache.warm(titles, alias)
    found: list[object] = []

    def look() -> None:
        answer = cache.read(titles, alias)
        found.append((answer.value, answer.outcome))

    cache.store.before(Settle, lambda: elsewhere(look))

    with transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")

    assert found == [(NEW, "bypass")]
    assert cache.read(titles, alias).value == NEW


@every_database
def test_between_lease_and_commit_nothing_is_stored(alias: str, cache: Cache, rows: Rows) -> None:
    """Also where nobody had read before: a lease on a counter that does not exist leaves a mark."""
    found: list[object] = []

    def look() -> None:
        answer = cache.read(titles, alias)
        found.append((answer.value, answer.outcome))

    cache.store.after(Lease, lambda: elsewhere(look))

    with transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")

    assert found == [(["a0", "a1", "a2"], "bypass")]
    assert cache.read(titles, alias).value == NEW


@every_database
def test_a_hook_that_raises_comes_too_late_to_do_harm(alias: str, cache: Cache, rows: Rows) -> None:
    cache.warm(titles, alias)

    def fail() -> None:
        raise LookupError("a user's hook")

    with pytest.raises(LookupError), transaction.atomic(using=alias):  # noqa: PT012 - its end is what raises
        transaction.on_commit(fail, using=alias)
        rename(alias, rows.pks[0], "new")

    answer = cache.read(titles, alias)
    assert (answer.value, answer.outcome) == (NEW, "miss")


@every_database
def test_a_hook_that_was_registered_first_reads_fresh(alias: str, cache: Cache, rows: Rows) -> None:
    cache.warm(titles, alias)
    found: list[object] = []

    with transaction.atomic(using=alias):
        transaction.on_commit(lambda: found.append(cache.read(titles, alias)), using=alias)
        rename(alias, rows.pks[0], "new")

    assert [(answer.value, answer.outcome) for answer in found] == [(NEW, "miss")]
    assert cache.read(titles, alias).outcome == "hit"


@databases("postgres")
def test_a_commit_that_the_database_refuses(alias: str, cache: Cache, rows: Rows) -> None:
    """A deferred constraint fails at COMMIT: a rollback, so the lease ends and the entries stay."""
    cache.warm(titles, alias)
    cache.warm(title, alias, rows.pks[0])

    with (
        pytest.raises(IntegrityError),
        cache.store.watch() as seen,
        transaction.atomic(using=alias),
    ):
        Article.objects.using(alias).filter(pk=rows.pks[0]).update(title="new", section_id=4711)

    assert written(seen) == ["Lease", "Settle"]
    assert cache.read(title, alias, rows.pks[0]).outcome == "hit"
    assert cache.read(titles, alias).outcome == "hit"


@databases("default")
def test_a_commit_that_sqlite_refuses(alias: str, cache: Cache, rows: Rows) -> None:
    cache.warm(titles, alias)

    with pytest.raises(IntegrityError), transaction.atomic(using=alias):
        Article.objects.using(alias).filter(pk=rows.pks[0]).update(title="new", section_id=4711)

    answer = cache.read(titles, alias)
    assert (answer.value, answer.outcome) == (["a0", "a1", "a2"], "hit")


@every_database
def test_a_user_wrapper_nested_around(alias: str, quick: Cache, rows: Rows) -> None:
    """A caller's own wrapper block neither hides statements nor drops ours when it ends."""
    seen: list[str] = []

    def watch(execute: Any, text: str, params: Any, many: Any, context: Any) -> Any:
        seen.append(text)
        return execute(text, params, many, context)

    quick.warm(titles, alias)
    with connections[alias].execute_wrapper(watch):
        rename(alias, rows.pks[0], "new")
        assert quick.warm(titles, alias) == NEW
        with transaction.atomic(using=alias), connections[alias].execute_wrapper(watch):
            rename(alias, rows.pks[1], "newer")
    assert quick.warm(titles, alias) == ["new", "newer", "a2"]
    assert any("UPDATE" in text for text in seen)

    sql(alias, "UPDATE news_article SET title = 'newest'")
    assert quick.read(titles, alias).value == ["newest"] * 3


@every_database
def test_a_connection_that_is_opened_inside_a_user_wrapper(alias: str, quick: Cache, rows: Rows) -> None:
    """The block pops the last wrapper when it ends, whichever that is: ours must be the first."""

    def just(execute: Any, text: str, params: Any, many: Any, context: Any) -> Any:
        return execute(text, params, many, context)

    def somebody() -> None:
        with connections[alias].execute_wrapper(just):
            rename(alias, rows.pks[0], "new")
        assert quick.warm(titles, alias) == NEW
        rename(alias, rows.pks[0], "newer")

    quick.warm(titles, alias)
    elsewhere(somebody)

    assert quick.read(titles, alias).value == ["newer", "a1", "a2"]
