"""A hit that is compared with the database: what is proven, what is not, and what the caller notices of it."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import OperationalError, connections, transaction
from django.db.models import Sum

from genscache import batch_invalidations, cached
from genscache.auditing import DATABASE, MOVED, NO_LEASES, ORDER, SLICED, UNSTEADY
from genscache.events import Audited, Event
from genscache.stores.base import Bump, Fetch, Lease
from tests.reads.conftest import Use
from tests.site.news.models import Article
from tests.writes.actors import Cache, databases, elsewhere, every_database, unseen
from tests.writes.spy import SpyStore
from tests.writes.world import Rows, found_titles, title, titles

OLD = ["a0", "a1", "a2"]
articles: Any = Article.objects
SPOILT = "UPDATE news_article SET title = 'spoilt'"


@cached(timeout=300)
async def atitles(alias: str) -> list[str]:
    rows = Article.objects.using(alias).order_by("pk").values_list("title", flat=True)
    return [each async for each in rows]


@cached(timeout=300)
def around(alias: str) -> list[list[str]]:
    return [found_titles(alias), titles(alias)]


@cached(timeout=300)
def steps(alias: str) -> float:
    """Other each time, without a reason in the database."""
    return random.random() + len(titles(alias))


def heard(cache: Cache) -> list[Audited]:
    found: list[Audited] = []

    def listen(event: Event) -> None:
        if isinstance(event, Audited):
            found.append(event)

    cache.engine.hub.subscribe(listen)
    return found


def behind_our_back(alias: str) -> None:
    """Write as psql would: nobody is told."""
    unseen(alias, SPOILT)


def rows_of(alias: str) -> Any:
    return articles.using(alias).cache()


READS: dict[str, Callable[[str], object]] = {
    "function": titles,
    "discovering": found_titles,
    "around others": around,
    "list": lambda alias: [each.title for each in rows_of(alias).order_by("pk")],
    "values": lambda alias: list(rows_of(alias).values_list("title", flat=True)),
    "get": lambda alias: rows_of(alias).get(pk=Article.objects.using(alias).first().pk),  # type: ignore[union-attr]
    "count": lambda alias: rows_of(alias).filter(title__startswith="a").count(),
    "exists": lambda alias: rows_of(alias).filter(title="a1").exists(),
    "aggregate": lambda alias: rows_of(alias).filter(title__startswith="a").aggregate(n=Sum("id")),
    "async list": lambda alias: async_to_sync(_alist)(alias),  # noqa: PLW0108 - it is defined below
}


async def _alist(alias: str) -> list[Article]:
    return [each async for each in rows_of(alias)]


@every_database
@pytest.mark.parametrize("name", READS)
def test_a_right_hit_is_right_and_a_wrong_one_is_proven(
    alias: str, audited: Cache, rows: Rows, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller is given the hit either way; the log names everything but the values."""
    read = READS[name]
    first = read(alias)
    events = heard(audited)

    assert read(alias) == first
    assert {each.outcome for each in events} == {"right"}
    assert caplog.records == []

    behind_our_back(alias)
    assert read(alias) == first
    assert [(each.outcome, each.reason) for each in events[1:]] == [("violation", "")]
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    message = record.getMessage()
    assert events[-1].what in message
    assert "{*}:site = " in message
    assert "news_article" in message or "titles" in message
    assert "spoilt" not in message
    assert audited.engine.hub.counts()["audit: violation"] == 1


@databases("default")
def test_the_shadow_read_counts_nowhere_else(alias: str, audited: Cache, rows: Rows) -> None:
    """Cached functions and querysets that are called inside it ask the database, and are no bypasses."""
    around(alias)
    before = audited.engine.hub.counts()
    around(alias)
    after = audited.engine.hub.counts()
    changed = {
        name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name)
    }
    assert changed == {"hit": 1, "audit: right": 1}


@databases("default")
def test_what_was_read_in_an_audit_is_no_dependency_of_whoever_called(
    alias: str, audited: Cache, rows: Rows
) -> None:
    """An inner hit is audited in the middle of an outer fill, which is stored all the same, and hit after that."""
    titles(alias)
    assert audited.read(around, alias).outcome == "miss"
    assert audited.read(around, alias).outcome == "hit"


@databases("default")
@pytest.mark.parametrize("leased", [False, True], ids=["bumped", "leased"])
def test_a_write_meanwhile_proves_nothing(
    alias: str, audited: Cache, memory: SpyStore, rows: Rows, *, leased: bool
) -> None:
    """The write comes between the two looks, or stands between its lease and its bump."""
    titles(alias)
    events = heard(audited)
    counters = audited.engine.counters(audited.engine.catalog.reading_tables(alias, ("news_article",)))

    def meanwhile() -> None:
        unseen(alias, SPOILT)
        if leased:
            memory.inner.execute(Lease(counters, "somebody", 1000))
        else:
            memory.inner.execute(Bump(counters))

    # The first look is the hit's.
    memory.after(Fetch, lambda: memory.before(Fetch, lambda: elsewhere(meanwhile)))
    assert titles(alias) == OLD
    assert [(each.outcome, each.reason) for each in events] == [("inconclusive", MOVED)]


@databases("default")
def test_without_leases_a_difference_proves_nothing(
    alias: str, install: Callable[..., Cache], memory: SpyStore, rows: Rows
) -> None:
    cache = install(memory, AUDIT=1, LEASE=0)
    titles(alias)
    events = heard(cache)
    titles(alias)
    behind_our_back(alias)
    titles(alias)
    assert [(each.outcome, each.reason) for each in events] == [("right", ""), ("inconclusive", NO_LEASES)]


@databases("default")
def test_nothing_is_audited_in_a_transaction_or_a_batch(alias: str, audited: Cache, rows: Rows) -> None:
    titles(alias)
    events = heard(audited)
    with transaction.atomic(using=alias):
        titles(alias)
    with batch_invalidations():
        titles(alias)
    assert events == []


@databases("default")
def test_a_share_of_nothing_and_what_is_excepted(
    alias: str, install: Callable[..., Cache], memory: SpyStore, rows: Rows
) -> None:
    for settings in ({}, {"AUDIT": 1, "AUDIT_EXCEPT": ["tests.writes.*"]}):
        cache = install(memory, **settings)
        titles(alias)
        events = heard(cache)
        assert cache.read(titles, alias).outcome == "hit"
        assert events == []


@databases("default")
def test_a_function_that_gives_something_else_each_time_is_not_accused(
    alias: str, audited: Cache, rows: Rows
) -> None:
    steps(alias)
    events = heard(audited)
    steps(alias)
    assert [(each.outcome, each.reason) for each in events if each.what.endswith("steps")] == [
        ("inconclusive", UNSTEADY)
    ]


def swapped(alias: str, rows: Rows) -> None:
    """Let the rows have one another's titles."""
    unseen(alias, "UPDATE news_article SET title = 'x' WHERE title = 'a0'")
    unseen(alias, "UPDATE news_article SET title = 'a0' WHERE title = 'a2'")
    unseen(alias, "UPDATE news_article SET title = 'a2' WHERE title = 'x'")


@databases("default")
def test_the_order_of_rows(alias: str, audited: Cache, rows: Rows) -> None:
    """Nobody asked for one: right; somebody did, and it may be a tie: nothing is proven; a slice may be any."""
    flat = {"flat": True}
    reads: dict[tuple[str, str], Callable[[], object]] = {
        ("right", ""): lambda: list(rows_of(alias).values_list("title", **flat)),
        ("inconclusive", ORDER): lambda: list(rows_of(alias).order_by("id").values_list("title", **flat)),
        ("inconclusive", SLICED): lambda: list(rows_of(alias).values_list("title", **flat)[:1]),
    }
    for expected, read in reads.items():
        read()
        events = heard(audited)
        swapped(alias, rows)
        read()
        assert [(each.outcome, each.reason) for each in events] == [expected]
        swapped(alias, rows)


@databases("default")
def test_a_row_that_is_gone_is_a_difference(alias: str, audited: Cache, rows: Rows) -> None:
    @cached(Article)
    def one(alias: str) -> str:
        return Article.objects.using(alias).get(title="a0").title

    one(alias)
    events = heard(audited)
    behind_our_back(alias)
    assert one(alias) == "a0"
    assert [each.outcome for each in events] == ["violation"]


@databases("default")
def test_a_database_that_fails_in_an_audit_fails_nobody(alias: str, audited: Cache, rows: Rows) -> None:
    titles(alias)
    events = heard(audited)

    def fail(*_: object) -> None:
        raise OperationalError("gone")

    with connections[alias].execute_wrapper(fail):
        assert titles(alias) == OLD
    assert [(each.outcome, each.reason) for each in events] == [("inconclusive", DATABASE)]


@databases("default")
def test_an_audit_that_fails_is_counted_and_fails_nobody(
    alias: str, audited: Cache, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    found = Odd()

    @cached(Article)
    def odd(alias: str) -> Odd:
        return found

    odd(alias)
    assert isinstance(odd(alias), Odd)
    assert audited.engine.hub.counts()["survived: audit failed"] == 1
    assert "The audit of" in caplog.text


class Odd:
    """Can be stored once, and then tells nobody what it is."""

    told = 0

    def __reduce__(self) -> tuple[type[Odd], tuple[()]]:
        Odd.told += 1
        if Odd.told > 1:
            raise ValueError("no more")
        return Odd, ()


@databases("default")
def test_a_coroutine_is_audited_in_its_own_task(alias: str, use: Use, rows: Rows) -> None:
    engine = use(AUDIT=1)

    async def read() -> list[str]:
        await atitles(alias)
        await atitles(alias)
        await sync_to_async(behind_our_back)(alias)
        return await atitles(alias)

    assert async_to_sync(read)() == OLD
    counts = engine.hub.counts()
    assert {name: count for name, count in counts.items() if name.startswith("audit")} == {
        "audit: right": 1,
        "audit: violation": 1,
    }


@databases("default")
def test_one_object(alias: str, audited: Cache, rows: Rows) -> None:
    title(alias, rows.pks[0])
    events = heard(audited)
    title(alias, rows.pks[0])
    Article.objects.using(alias).filter(pk=rows.pks[0]).update(title="told")
    assert title(alias, rows.pks[0]) == "told"
    assert title(alias, rows.pks[0]) == "told"
    assert [each.outcome for each in events] == ["right", "right"]
