"""Everything that a queryset can be asked is answered from the store the second time, and as Django answers it."""

# ruff: noqa: E501, PLW0108, RUF015 - a table of operations, each on its line, each as a user writes it

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import models
from django.db.models import Avg, Count, F, Max, Prefetch, Sum

from genscache import stats
from genscache.engine import Engine
from tests.querysets.reading import Site, is_hit, seen
from tests.reads.conftest import Use
from tests.reads.wire import Wire
from tests.site.news.models import Article, Author, Column, PopularArticle, Section, Tag

pytestmark = pytest.mark.django_db(transaction=True)

Q = models.QuerySet[Any]

OPERATIONS: dict[str, Callable[[Q], object]] = {
    "list": list,
    "get": lambda q: q.get(title="Title 1"),
    "get after filter": lambda q: q.filter(pk__gt=0).get(title="Title 1"),
    "len": len,
    "bool": bool,
    "item": lambda q: q.order_by("pk")[1],
    "slice": lambda q: list(q.order_by("pk")[1:3]),
    "stepped slice": lambda q: q.order_by("pk")[0:3:2],
    "count": lambda q: q.count(),
    "count of a slice": lambda q: q[:2].count(),
    "exists": lambda q: q.filter(views=2).exists(),
    "exists not": lambda q: q.filter(views=99).exists(),
    "contains": lambda q: q.contains(Article(pk=1)),
    "first": lambda q: q.first(),
    "last": lambda q: q.last(),
    "earliest": lambda q: q.earliest("views"),
    "latest": lambda q: q.latest("views"),
    "in_bulk": lambda q: q.in_bulk([1, 2]),
    "in_bulk all": lambda q: q.in_bulk(),
    "aggregate": lambda q: q.aggregate(Sum("views"), most=Max("views")),
    "aggregate over a relation": lambda q: q.aggregate(n=Count("tags", distinct=True)),
    "aggregate over an annotation": lambda q: q.annotate(n=Count("tags")).aggregate(Avg("n")),
    "aggregate an expression": lambda q: q.aggregate(n=Sum(F("views") * 2, filter=models.Q(tags__name="blue"))),
    "values": lambda q: list(q.values("title", "author__name")),
    "values_list": lambda q: list(q.values_list("title", "views")),
    "flat": lambda q: list(q.values_list("title", flat=True)),
    "named": lambda q: list(q.values_list("title", "views", named=True)),
    "values with a count": lambda q: list(q.values("section__name").annotate(n=Count("pk")).order_by("section__name")),
    "dates": lambda q: list(q.dates("published", "day")),
    "datetimes": lambda q: list(q.datetimes("published", "hour")),
    "annotate": lambda q: [each.n for each in q.annotate(n=Count("tags"))],
    "select_related": lambda q: [each.author.name for each in q.select_related("author", "section")],
    "prefetch_related": lambda q: [[tag.name for tag in each.tags.all()] for each in q.prefetch_related("tags")],
    "prefetch with a queryset": lambda q: [
        [tag.name for tag in each.found] for each in q.prefetch_related(Prefetch("tags", Tag.objects.filter(name="blue"), "found"))
    ],
    "prefetch a foreign key": lambda q: [each.section.name for each in q.prefetch_related("section")],
    "nested prefetch": lambda q: [
        [[a.title for a in tag.articles.all()] for tag in each.tags.all()] for each in q.prefetch_related("tags__articles")
    ],
    "only": lambda q: [each.get_deferred_fields() for each in q.only("title")],
    "defer": lambda q: [each.get_deferred_fields() for each in q.defer("body")],
    "distinct": lambda q: list(q.filter(tags__isnull=False).distinct()),
    "ordered by a relation": lambda q: list(q.order_by("section__name", "-pk")),
    "union": lambda q: list(q.filter(views=1).union(q.filter(views=2)).order_by("pk")),
    "values of a union, ordered by another column": lambda q: list(q.filter(views=1).union(q.filter(views=2)).order_by("-pk").values_list("title", flat=True)),
    "intersection": lambda q: list(q.filter(views__gt=0).intersection(q.filter(views__lt=2))),
    "difference": lambda q: list(q.difference(q.filter(views=2)).order_by("pk")),
    "extra": lambda q: [each.double for each in q.extra(select={"double": "views * 2"})],
    "alias": lambda q: list(q.alias(n=Count("tags")).filter(n=1)),
    "using": lambda q: list(q.using("default")),
}  # fmt: skip


def plain(result: object) -> object:
    """Return a result in a form that compares by content and type."""
    if isinstance(result, models.Model):
        state = {key: value for key, value in vars(result).items() if not key.startswith("_")}
        return (type(result), sorted(state.items()), result._state.db, result._state.adding)
    if isinstance(result, dict):
        return {key: plain(value) for key, value in result.items()}
    if isinstance(result, list | tuple):
        return type(result).__name__, [plain(each) for each in result], getattr(result, "_fields", None)
    if isinstance(result, set):
        return sorted(result)
    return type(result), result


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_second_time_comes_from_the_store(engine: Engine, site: Site, name: str) -> None:
    operation = OPERATIONS[name]
    expected = plain(operation(Article.objects.all()))

    first = seen(lambda: operation(Article.objects.cache()))
    second = seen(lambda: operation(Article.objects.cache()))

    assert first.queries > 0
    assert "hit" not in first.counts
    assert "bypass" not in first.counts
    assert second.queries == 0
    assert second.counts["hit"] == first.counts["miss"]
    assert plain(first.result) == plain(second.result) == expected


@pytest.mark.parametrize("name", ["get", "list", "count", "exists", "aggregate", "named", "select_related"])
def test_on_every_store(every_store: Engine, site: Site, name: str) -> None:
    operation = OPERATIONS[name]

    operation(Article.objects.cache())

    assert is_hit(lambda: operation(Article.objects.cache()))
    site.articles[0].delete()
    assert not is_hit(lambda: operation(Article.objects.cache()))


def test_a_hit_is_one_round_trip_and_a_miss_is_two(use: Use, wire: Wire, site: Site) -> None:
    use(STORE=wire.url)
    Article.objects.cache().get(pk=1)
    for name in ("get", "list", "count", "exists", "aggregate"):
        operation = OPERATIONS[name]
        # Counters that nobody has used yet are made in a round trip of their own, once.
        operation(Article.objects.cache().filter(views__lt=50))
        with wire.counting() as miss:
            operation(Article.objects.cache().filter(views__lt=51))
        with wire.counting() as hit:
            operation(Article.objects.cache().filter(views__lt=51))
        assert (miss, hit) == ([2], [1]), name


def test_queries_that_nobody_asked_to_cache_are_left_alone(engine: Engine, site: Site) -> None:
    before = stats()

    for operation in OPERATIONS.values():
        operation(Article.objects.all())

    assert stats() == before


def test_related_managers(engine: Engine, site: Site) -> None:
    reads: list[Callable[[], Iterable[object]]] = [
        lambda: list(site.author.articles.cache()),
        lambda: list(site.tag.articles.cache().filter(views=1)),
        lambda: list(site.articles[0].tags.cache()),
        lambda: [Article.objects.get(pk=1).tags.cache().count()],
    ]
    for read in reads:
        assert read() == read()
        found = seen(read)
        assert found.counts.get("hit") == 1

    assert list(site.author.articles.cache())[0].author is site.author


def test_inheritance_and_proxies(engine: Engine, site: Site) -> None:
    column = Column.objects.create(
        title="Column", section=site.sections[0], author=site.author, series="Monday", views=500
    )
    reads: list[Callable[[], object]] = [
        lambda: plain(Column.objects.cache().get(pk=column.pk)),
        lambda: plain(list(PopularArticle.objects.cache())),
        lambda: plain(Article.objects.cache().select_related("column").get(pk=column.pk).column),
        lambda: plain(Author.objects.cache().filter(articles__column__series="Monday").count()),
    ]
    for read in reads:
        assert read() == read()
        assert is_hit(read)

    Article.objects.filter(pk=column.pk).update(title="New")

    assert Column.objects.cache().get(pk=column.pk).title == "New"
    assert PopularArticle.objects.cache().get().title == "New"


def test_a_foreign_key_is_served_where_its_model_is_cached(use: Use, site: Site) -> None:
    use(MODELS={"news.author": {"cache": ["get"]}})
    assert Article.objects.get(pk=1).author == site.author

    found = seen(lambda: Article.objects.get(pk=1).author)

    assert found.result == site.author
    assert found.queries == 1
    assert found.counts["hit"] == 1


def test_two_aliases_are_two_entries(engine: Engine, site: Site) -> None:
    first = Article.objects.cache().using("default").get(pk=1)

    assert first._state.db == "default"
    assert first.pk == Article.objects.cache().get(pk=1).pk


def test_async_twins(engine: Engine, site: Site) -> None:
    articles = Article.objects.cache().order_by("pk")

    async def everything() -> list[object]:
        return [
            await articles.aget(title="Title 1"),
            await articles.acount(),
            await articles.aexists(),
            await articles.acontains(site.articles[0]),
            await articles.aaggregate(n=Sum("views")),
            await articles.afirst(),
            await articles.alast(),
            await articles.aearliest("views"),
            await articles.alatest("views"),
            await articles.ain_bulk([1, 2]),
            [each async for each in articles.all()],
            [each async for each in articles.values_list("title", named=True)],
        ]

    expected = [
        Article.objects.get(title="Title 1"), 3, True, True, {"n": 3}, site.articles[0], site.articles[2],
        site.articles[0], site.articles[2], {1: site.articles[0], 2: site.articles[1]}, list(site.articles),
        [*Article.objects.order_by("pk").values_list("title", named=True)],
    ]  # fmt: skip
    assert async_to_sync(everything)() == expected
    found = seen(lambda: async_to_sync(everything)())
    assert found.result == expected
    assert found.queries == 0
    assert found.counts == {"hit": 12}


def test_an_async_hit_needs_no_thread(engine: Engine, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    articles = Article.objects.cache().order_by("pk")

    async def everything() -> list[object]:
        return [
            await articles.aget(pk=1),
            await articles.acount(),
            await articles.afirst(),
            await articles.alatest("views"),
            [each async for each in articles.all()],
        ]

    async_to_sync(everything)()

    async def run() -> None:
        with monkeypatch.context() as patch:
            patch.setattr("asgiref.sync.SyncToAsync.__call__", None)
            await everything()

    async_to_sync(run)()


def test_errors_are_django_s_own(engine: Engine, site: Site) -> None:
    articles = Article.objects.cache()

    async def none() -> None:
        await articles.aget(pk=99)

    async def several() -> None:
        await articles.aget(author=site.author)

    for _ in range(2):
        with pytest.raises(Article.DoesNotExist, match="Article matching query does not exist"):
            articles.get(pk=99)
        with pytest.raises(Article.MultipleObjectsReturned, match="it returned 3"):
            articles.get(author=site.author)
        with pytest.raises(Article.DoesNotExist, match="Article matching query does not exist"):
            async_to_sync(none)()
        with pytest.raises(Article.MultipleObjectsReturned, match="it returned 3"):
            async_to_sync(several)()
    with pytest.raises(TypeError, match="Complex aggregates require an alias"):
        articles.aggregate(Sum(F("views") + 1))
    with pytest.raises(ValueError, match="earliest\\(\\) and latest\\(\\) require"):
        articles.latest()
    assert stats()["hit"] == 6


def test_what_does_not_exist_is_stored_until_it_does(engine: Engine, site: Site) -> None:
    assert Section.objects.cache().filter(name="new").first() is None
    assert not Section.objects.cache().filter(pk=77).exists()
    assert is_hit(lambda: Section.objects.cache().filter(pk=77).exists())

    Section.objects.create(pk=77, name="new")

    assert Section.objects.cache().filter(pk=77).exists()
    assert Section.objects.cache().filter(name="new").first() is not None


def test_a_filter_on_a_related_manager_means_the_join_of_the_relation(engine: Engine, site: Site) -> None:
    """Django keeps that in mind until the first filter: ``.cache()``, ``.nocache()`` and ``.get()`` must not come between."""
    other = Tag.objects.create(name="red")
    site.articles[0].tags.add(other)
    plain: Q = models.QuerySet(Article).filter(tags=site.tag).filter(tags__name="red")
    assert list(plain) == [site.articles[0]]

    assert list(site.tag.articles.filter(tags__name="red")) == []
    assert list(site.tag.articles.cache().filter(tags__name="red")) == []
    assert list(site.tag.articles.nocache().filter(tags__name="red")) == []
    assert list(site.tag.articles.filter(tags__name="red").cache()) == []
    with pytest.raises(Article.DoesNotExist):
        site.tag.articles.get(tags__name="red")
    with pytest.raises(Article.DoesNotExist):
        site.tag.articles.cache().get(tags__name="red")


def test_an_aggregate_that_is_named_like_an_annotation(engine: Engine, site: Site) -> None:
    def read(queryset: Any) -> object:
        return queryset.values("pk", n=F("views")).aggregate(n=Max("tags__name"))

    assert read(Article.objects.cache()) == read(Article.objects.cache()) == read(Article.objects.all())
