"""``explain`` says what the next read does, and leaves no trace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, connections, transaction
from django.db.models import Count, Q, Sum
from django.db.models.query import QuerySet

from genscache import (
    aexplain,
    batch_invalidations,
    bypass,
    cached,
    explain,
    invalidate,
    invalidate_all,
    obj,
    stats,
)
from genscache.engine import Engine, current_engine
from genscache.events import Event, Read
from genscache.exceptions import StoreUnavailable, UncacheableArgument
from genscache.explanations import Explanation
from genscache.keys import SITE
from genscache.stores.base import Answer, Fetch, Lease, Operation, Settle, Store
from tests.reads.conftest import Use
from tests.site.news.models import Article, Author, Hoard, Section

pytestmark = pytest.mark.django_db(transaction=True)


# Django's stubs do not know what genscache adds to managers.
articles: Any = Article.objects
authors: Any = Author.objects


@cached(timeout=60)
def titles(prefix: str = "") -> list[str]:
    return list(
        Article.objects.filter(title__startswith=prefix).order_by("pk").values_list("title", flat=True)
    )


@cached(depends_on=lambda pk: [obj(Article, pk)], timeout=60)
def headline(pk: int) -> str | None:
    return Article.objects.filter(pk=pk).values_list("title", flat=True).first()


@cached("prices", timeout=60)
async def price(number: int) -> int:
    return number


@cached("prices", timeout=0)
def never() -> int:
    return 1


def article(title: str = "One") -> Article:
    author, _ = Author.objects.get_or_create(name="Ada")
    section, _ = Section.objects.get_or_create(name="home")
    return Article.objects.create(title=title, author=author, section=section)


class Ear:
    """Hears what reads do."""

    def __init__(self, engine: Engine) -> None:
        self.reads: list[Read] = []
        engine.hub.subscribe(self)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Read):
            self.reads.append(event)


class Spy(Store):
    """Counts everything but what only looks."""

    def __init__(self, store: Store) -> None:
        self.capabilities = store.capabilities
        self._store = store
        self.changes: list[object] = []

    def execute(self, operation: Operation[Answer]) -> Answer:
        if type(operation).__name__ not in ("Fetch", "ReadClock", "TimeLeft"):
            self.changes.append(operation)
        return self._store.execute(operation)

    def close(self) -> None:
        self._store.close()


def agrees(explained: Callable[[], Explanation], read: Callable[[], object]) -> Explanation:
    """Explain twice, then read: the read does what was said, and the explaining did nothing."""
    engine = current_engine()
    spy = engine._store = Spy(engine.store)
    before = stats()
    first = explained()
    assert explained() == first or first.ttl is not None
    assert spy.changes == []
    assert stats() == before
    ear = Ear(engine)
    read()
    engine._store = spy._store
    found = ear.reads[0]
    assert (first.what, first.outcome) == (found.what, found.outcome), first
    if found.reason:
        assert first.reason == found.reason
    json.dumps(first.as_dict())
    assert str(first).startswith(f"{first.outcome.upper()}  {first.what}")
    return first


@contextmanager
def pending(*_: object) -> Iterator[None]:
    """A transaction that has written."""
    with transaction.atomic():
        article("Three")
        yield


def leased() -> AbstractContextManager[Any]:
    """Somebody else's write is not settled."""
    stack = ExitStack()
    engine = current_engine()
    counter = engine.counters([SITE])
    engine.store.execute(Lease(counter, "another", 10_000))
    stack.callback(engine.store.execute, Settle("another", counter))
    return stack


SITUATIONS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "plain": nullcontext,
    "bypass": bypass,
    "transaction": transaction.atomic,
    "written": pending,
    "batch": batch_invalidations,
    "leased": leased,
}
READS: dict[str, tuple[tuple[Any, ...], Callable[[], object]]] = {
    "function": ((titles,), titles),
    "argument": ((titles, "O"), lambda: titles("O")),
    "declared": ((headline, 1), lambda: headline(1)),
    "never": ((never,), never),
    "async": ((price, 1), lambda: async_to_sync(price)(1)),
}


@pytest.mark.parametrize("warmth", ["cold", "warm", "invalidated", "lost", "flushed"])
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("read", READS)
def test_a_read_does_what_was_explained(engine: Engine, situation: str, read: str, warmth: str) -> None:
    article()
    arguments, call = READS[read]
    if warmth != "cold":
        call()
        call()
    if warmth == "invalidated":
        article("Two")
        invalidate("prices")
    if warmth == "lost":
        engine.forget()
    if warmth == "flushed":
        engine._store = None
        engine._async_store = None
    with SITUATIONS[situation]():
        agrees(lambda: explain(*arguments), call)


QUERYSETS: dict[str, tuple[Callable[[], Any], tuple[Any, ...], Callable[[Any], object]]] = {
    "list": (lambda: articles.cache(60), (), list),
    "filtered": (lambda: articles.cache().filter(title="One")[:5], ("list",), list),
    "get": (lambda: articles.cache().filter(title="One"), ("get",), lambda q: q.get()),
    "count": (articles.cache, ("count",), lambda q: q.count()),
    "exists": (articles.cache, ("exists",), lambda q: q.exists()),
    "aggregate": (
        articles.cache,
        ("aggregate", Count("pk"), Sum("views")),
        lambda q: q.aggregate(Count("pk"), Sum("views")),
    ),
    "raw": (lambda: articles.raw("SELECT * FROM news_article").cache(), (), list),
    "get with a condition": (
        articles.cache,
        ("get", Q(title="One")),
        lambda q: q.get(Q(title="One")),
    ),
    "first": (articles.cache, ("first",), lambda q: q.first()),
    "last": (lambda: articles.cache().order_by("title"), ("last",), lambda q: q.last()),
    "latest": (articles.cache, ("latest", "views"), lambda q: q.latest("views")),
    "in_bulk": (articles.cache, ("in_bulk", [1, 2]), lambda q: q.in_bulk([1, 2])),
    "volatile": (lambda: articles.cache().order_by("?"), (), list),
}


@pytest.mark.parametrize("warmth", ["cold", "warm", "invalidated"])
@pytest.mark.parametrize("situation", ["plain", "bypass", "transaction", "written", "leased"])
@pytest.mark.parametrize("name", QUERYSETS)
def test_a_queryset_does_what_was_explained(engine: Engine, situation: str, name: str, warmth: str) -> None:
    article()
    make, arguments, read = QUERYSETS[name]
    if warmth != "cold":
        read(make())
    if warmth == "invalidated":
        article("Two")
    with SITUATIONS[situation]():
        agrees(lambda: explain(make(), *arguments), lambda: read(make()))


def test_everything_about_a_hit_is_told(every_store: Engine) -> None:
    began = datetime.now(UTC) - timedelta(seconds=5)
    article()
    titles("O")

    found = explain(titles, "O")

    kinds = [each.kind for each in found.dependencies]
    assert kinds == sorted(kinds)
    assert set(kinds) == {"call", "function", "model", "rows", "site"}
    assert {each.what for each in found.dependencies} >= {
        "any row of news.Article on default",
        "news.Article on default as a whole",
        "everything on this site",
    }
    assert all(
        began < each.bumped_at < datetime.now(UTC) + timedelta(seconds=5)
        for each in found.dependencies
        if each.bumped_at
    )
    assert all(each.generation and not each.leased for each in found.dependencies)
    assert found.key is not None
    stored = every_store.store.execute(Fetch((), found.key)).entry
    assert stored is not None
    assert found.size == len(stored)
    assert found.timeout == 60
    assert found.ttl is None or 50 < found.ttl <= 60
    assert (found.ttl is None) == every_store.store.capabilities.name.startswith("django")
    assert found.key.startswith(titles.key("O"))


def test_a_miss_names_what_was_invalidated(engine: Engine) -> None:
    one = article()
    headline(one.pk)
    Article.objects.filter(pk=one.pk).update(title="Uno")

    assert explain(headline, one.pk).reason.startswith("invalidated since this process last met it: ")
    assert "of news.Article on default" in explain(headline, one.pk).reason
    invalidate_all()
    assert "everything on this site" in explain(headline, one.pk).reason


def test_values_are_not_shown(engine: Engine) -> None:
    titles("a secret argument")
    article("a secret title")
    found = explain(titles, "a secret argument")

    assert "secret" not in str(found)
    assert "secret" not in json.dumps(found.as_dict())
    assert "secret" not in str(explain(articles.cache().filter(title="a secret title")))


def test_the_reason_of_an_earlier_refusal_is_kept(engine: Engine) -> None:
    @cached
    def tables() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM sqlite_master")
            return 1

    tables()
    found = explain(tables)

    assert found.outcome == "miss"
    assert 'it reads "sqlite_master", no table' in found.last_refused
    assert found.last_refused in str(found)


def test_so_is_that_a_result_was_too_large(use: Use) -> None:
    use(MAX_ENTRY_BYTES=100)

    @cached
    def big() -> list[int]:
        return [(number * 7919) % 65_521 for number in range(1000)]

    big()

    assert 'larger than GENSCACHE["MAX_ENTRY_BYTES"]' in explain(big).last_refused


@pytest.mark.parametrize(
    ("queryset", "op", "reason"),
    [
        (articles.all, "list", "no policy for news.Article"),
        (Author.objects.all, "list", 'caches "get", not "list" (GENSCACHE["MODELS"] "*.Author")'),
        (authors.nocache, "get", ".nocache() was called"),
        (lambda: articles.cache(ops=["get"]), "count", '.cache(ops=["get"]) leaves out "count"'),
        (lambda: QuerySet(Article), "list", "this queryset knows no cache"),
        (lambda: articles.raw("SELECT * FROM news_article"), None, "only where .cache() was called"),
        (lambda: articles.cache().select_for_update(), None, "it locks rows"),
        (lambda: articles.cache(0), None, "its timeout is 0"),
        (lambda: articles.none().cache(), None, "it asks nothing of the database"),
    ],
)
def test_why_nothing_is_cached(use: Use, queryset: Callable[[], Any], op: str | None, reason: str) -> None:
    use(MODELS={"*.Author": {"cache": ["get"]}})

    found = explain(queryset(), op) if op else explain(queryset())

    assert found.outcome == "bypass"
    assert reason in found.reason


def test_a_policy_is_missing_and_the_rest_is_explained_all_the_same(engine: Engine) -> None:
    found = explain(articles.filter(pk=5))

    assert any("object 5 of news.Article" in each.what for each in found.dependencies)
    assert found.key is not None


def test_a_manager_and_an_evaluated_queryset(engine: Engine) -> None:
    rows = articles.cache()
    list(rows)

    assert explain(Article.objects).what == "news.Article.list"
    assert "has its rows already" in explain(rows).notes[0]
    assert explain(Hoard.objects).outcome == "bypass"


def test_what_cannot_be_explained_is_refused_with_the_cure(engine: Engine) -> None:
    with pytest.raises(TypeError, match=r"f, not f\(\)"):
        explain(titles())
    with pytest.raises(ValueError, match=r"nothing is cached under that name\. Use 'count'"):
        explain(articles.all(), "counts")
    with pytest.raises(ValueError, match=r"'all'\): nothing is cached"):
        explain(articles.all(), "all")
    with pytest.raises(ValueError, match="takes no more arguments"):
        explain(articles.all(), "count", title="x")
    with pytest.raises(ValueError, match="Django refuses"):
        explain(articles.all(), "aggregate", Sum("nonsense"))
    with pytest.raises(TypeError):
        explain(titles, 1, 2, 3)
    with pytest.raises(UncacheableArgument):
        explain(titles, object())


def test_a_store_that_is_down_is_a_reason(engine: Engine) -> None:
    class Dead(Store):
        capabilities = engine.store.capabilities

        def execute(self, operation: Operation[Answer]) -> Answer:
            raise StoreUnavailable("no answer")

        def close(self) -> None: ...

    engine._store = Dead()
    before = stats()

    found = explain(titles)

    assert found.outcome == "bypass"
    assert found.reason == "the store failed: no answer"
    assert all(each.generation is None for each in found.dependencies)
    assert stats() == before


def test_a_coroutine_explains(engine: Engine) -> None:
    async def run() -> tuple[Explanation, Explanation]:
        before = await aexplain(price, 7)
        await price(7)
        return before, await aexplain(price, 7)

    before, after = async_to_sync(run)()

    assert (before.outcome, after.outcome) == ("miss", "hit")


@pytest.mark.django_db(transaction=True, databases=["default", "postgres"])
def test_a_transaction_does_not_take_its_snapshot_for_an_explanation(engine: Engine) -> None:
    """Else what is committed between the explanation and the first query would not be seen."""
    postgres = connections["postgres"]
    author = Author.objects.using("postgres").create(name="Ada")

    @cached
    def names() -> list[str]:
        return list(Author.objects.using("postgres").values_list("name", flat=True))

    names()
    other = postgres.copy()
    with transaction.atomic("postgres"):
        with postgres.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert explain(names).outcome == "hit"
        with other.cursor() as cursor:
            cursor.execute("UPDATE news_author SET name = 'Eva' WHERE id = %s", [author.pk])
        other.close()
        assert list(Author.objects.using("postgres").values_list("name", flat=True)) == ["Eva"]
