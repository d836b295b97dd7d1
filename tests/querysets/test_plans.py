"""What a queryset depends on: complete, and as fine as its conditions allow."""

# ruff: noqa: PLW0108 - a queryset is made for each test, and not when the module is read

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import (
    Avg,
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    FilteredRelation,
    IntegerField,
    Max,
    OuterRef,
    Prefetch,
    Q,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)  # fmt: skip
from django.db.models.functions import Coalesce, Rank

from genscache.engine import Engine, current_engine
from genscache.filling import Job
from genscache.querysets.options import Caching
from genscache.querysets.plans import MOST_OBJECTS
from genscache.querysets.subjects import job
from tests.reads.conftest import Use
from tests.site.news.models import (
    Article,
    Asset,
    Author,
    Column,
    Country,
    PopularArticle,
    Section,
    Tag,
    Topic,
)

pytestmark = pytest.mark.django_db(transaction=True)

A, T, S, C = Article.objects, Topic.objects, Section.objects, Column.objects
KEY = uuid.UUID(int=5)


def everything_related(queryset: Any) -> Any:
    """Return what ``select_related()`` without arguments makes, of which Django 6.1 warns."""
    queryset.query.select_related = True
    return queryset


def depends(queryset: Any, op: str = "list") -> str:
    """Return what a queryset depends on: tables whose rows count, and ``table=key`` for objects."""
    found = job(current_engine(), queryset._genscache_asked(op), Caching(), lambda _shape: None)
    assert isinstance(found, Job), found
    declared = found.call.declared
    tables = {each.owner.removeprefix("default.news_") for each in declared if each.kind == "model"}
    fine = [
        f"{each.owner.removeprefix('default.news_')}={each.detail}"
        for each in declared
        if each.kind == "object" or (each.kind == "match" and "=" in each.detail)
    ]
    rows = [each.owner.removeprefix("default.news_") for each in declared if each.kind == "rows"]
    assert tables == {name.split("=")[0] for name in (*rows, *fine)}
    return " ".join(sorted([*rows, *fine]))


OBJECTS: list[tuple[Callable[[], Any], str]] = [
    (lambda: A.filter(pk=5), "article=5"),
    (lambda: A.filter(id="5"), "article=5"),
    (lambda: A.filter(Q(pk=5) & Q(views=1)), "article=5"),
    (lambda: A.filter(views=1).filter(pk=5).exclude(title="x"), "article=5"),
    (lambda: A.filter(pk__in=[6, 5, 5]), "article=5 article=6"),
    (lambda: A.filter(pk__in={5}, pk=5), "article=5"),
    (lambda: A.filter(pk__in=[5, 6], id=5), "article=5"),
    (lambda: A.filter(pk=5).order_by("title")[:3], "article=5"),
    (lambda: A.filter(pk=5).values("title"), "article=5"),
    (lambda: A.filter(pk=5).only("title"), "article=5"),
    (lambda: A.filter(pk=5).select_related("author"), "article=5 author"),
    (lambda: A.filter(pk=5).select_related("column"), "article=5 column=5"),
    (lambda: A.filter(pk=5).annotate(n=Count("tags")), "article=5 article_tags"),
    (lambda: A.filter(pk=5, tags__name="x"), "article=5 article_tags tag"),
    (lambda: A.filter(pk=5, assets__isnull=True), "article=5 asset"),
    (lambda: A.filter(pk=5).annotate(r=Window(Rank(), order_by="views")), "article=5"),
    (lambda: PopularArticle.objects.filter(pk=5), "article=5"),
    (lambda: C.filter(pk=5), "article=5 column=5"),
    (lambda: C.filter(article_ptr=5), "article=5 column=5"),
    (lambda: C.filter(id=5), "article=5 column=5"),
    (lambda: C.filter(pk=5).select_related("author"), "article=5 author column=5"),
    (lambda: Asset.objects.filter(pk=str(KEY)), f"asset={KEY}"),
    (lambda: Country.objects.filter(pk="DE"), "country=DE"),
    (lambda: T.filter(pk=5), "topic=5"),
    (lambda: A.filter(pk__in=list(range(MOST_OBJECTS + 1))), "article"),
    (lambda: A.filter(Q(pk=5) | Q(pk=6)), "article"),
    (lambda: A.filter(Q(pk=5) | Q(views=6)), "article"),
    (lambda: A.filter(~Q(pk=5)), "article"),
    (lambda: A.exclude(pk=5), "article"),
    (lambda: A.filter(pk__gt=5), "article"),
    (lambda: A.filter(pk=F("views")), "article"),
    (lambda: A.filter(pk__in=A.filter(views=1)), "article"),
    (lambda: A.filter(pk=5) | A.filter(pk=6), "article"),
    (lambda: A.filter(pk=5) & A.filter(views=6), "article=5"),
    (lambda: A.filter(pk=5).union(A.filter(pk=6)), "article"),
    (lambda: A.filter(pk=5).filter(Exists(A.filter(views=1))), "article"),
    (lambda: A.filter(pk=5).annotate(n=Subquery(A.values("views")[:1])), "article"),
    (lambda: A.filter(pk=5).extra(select={"n": "(select count(*) from news_tag)"}), "article tag"),
    (lambda: T.filter(pk=5).select_related("parent"), "topic"),
    (lambda: T.filter(parent=5), "topic"),
    (lambda: T.filter(pk=5, children__name="x"), "topic"),
    (lambda: T.filter(children__pk=5), "topic"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(OBJECTS)))
def test_objects(engine: Engine, number: int) -> None:
    make, expected = OBJECTS[number]

    assert depends(make()) == expected


@pytest.mark.parametrize(
    ("op", "queryset", "expected"),
    [
        ("get", A.filter(pk=5), "article=5"),
        ("count", A.filter(pk=5), "article=5"),
        ("exists", A.filter(pk=5).select_related("author"), "article=5"),
        ("count", A.select_related("author").order_by("section__name"), "article"),
        ("exists", A.filter(author__id=5), "article"),
        ("count", A.filter(author__name="x"), "article author"),
        ("count", C.all(), "column"),
        ("count", C.filter(views=1), "article column"),
        ("count", A.order_by("section__name")[:5], "article section"),
        ("count", A.annotate(n=Count("tags")), "article article_tags"),
        ("count", A.filter(pk=1).union(S.values_list("pk")), "article section"),
    ],
)
def test_operations_that_need_less(engine: Engine, op: str, queryset: Any, expected: str) -> None:
    assert depends(queryset.all(), op) == expected


def test_aggregates(engine: Engine) -> None:
    def of(queryset: Any, **named: Any) -> str:
        asked = queryset._genscache_asked_aggregate((), named)
        found = job(engine, asked, Caching(), lambda _shape: None)
        assert isinstance(found, Job), found
        return " ".join(
            sorted(
                each.owner.removeprefix("default.news_")
                for each in found.call.declared
                if each.kind == "rows"
            )
        )

    assert of(A.all(), n=Sum("views")) == "article"
    assert of(A.all(), n=Count("tags__name")) == "article article_tags tag"
    assert of(A.filter(pk=5), n=Count("pk", filter=Q(author__name="x"))) == "article author"
    assert of(A.filter(pk=5), n=Count("pk", filter=Exists(Asset.objects.all()))) == "article asset"
    assert of(A.annotate(n=Count("assets")), m=Max("n")) == "article asset"


TABLES: list[tuple[Callable[[], Any], str]] = [
    (lambda: A.filter(tags=3), "article article_tags"),
    (lambda: A.exclude(tags__name="x"), "article article_tags tag"),
    (lambda: Tag.objects.filter(articles__isnull=True), "article_tags tag"),
    (lambda: Author.objects.filter(articles__isnull=True), "article author"),
    (lambda: Author.objects.filter(articles__column__series="x"), "article author column"),
    (lambda: A.order_by("author__name"), "article author"),
    (lambda: A.order_by("author"), "article"),
    (lambda: A.annotate(n=Coalesce(Subquery(Tag.objects.values("pk")[:1]), 0)), "article tag"),
    (lambda: A.annotate(n=Case(When(Exists(Asset.objects.filter(article=OuterRef("pk"))), then=Value(1)))),
     "article asset"),
    (lambda: A.annotate(n=Count("pk", filter=Q(section__name="x"))), "article section"),
    (lambda: A.annotate(t=FilteredRelation("tags", condition=Q(tags__name="x"))).filter(t__isnull=False),
     "article article_tags tag"),
    (lambda: A.alias(n=Exists(Asset.objects.all())).filter(n=True), "article asset"),
    (lambda: A.annotate(n=ExpressionWrapper(Q(author__name="x"), output_field=IntegerField())), "article author"),
    (lambda: A.values("section__name").annotate(n=Avg("views")), "article section"),
    (lambda: A.filter(section__in=S.filter(articles__author__name="x")), "article author section"),
    (lambda: A.order_by(Subquery(Asset.objects.values("path")[:1])), "article asset"),
    (lambda: A.filter(pk__in=A.filter(assets__path="x").union(C.values("pk")).values("pk")), "article asset column"),
    (lambda: A.select_related("section", "author"), "article author section"),
    (lambda: A.select_related("column__section"), "article column section"),
    (lambda: everything_related(A.all()), "article author section"),
    (lambda: C.all(), "article column"),
    (lambda: PopularArticle.objects.all(), "article"),
    (lambda: A.extra(tables=["news_tag"]), "article tag"),
    (lambda: A.extra(where=["exists (select 1 from news_asset)"]), "article asset"),
    (lambda: A.dates("published", "day"), "article"),
    (lambda: A.prefetch_related(Prefetch("tags", Tag.objects.all())), "article"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(TABLES)))
def test_tables(engine: Engine, number: int) -> None:
    make, expected = TABLES[number]

    assert depends(make()) == expected
    queryset = make()
    if not queryset.query.combinator:
        list(queryset)
        assert depends(queryset.all()) == expected


MATCH = {"news.Article": {"match": [["section"], ["section", "views"], ["title"]]}}


@pytest.mark.parametrize(
    ("queryset", "expected"),
    [
        (A.filter(section=3), "article=section=3"),
        (A.filter(section_id="3").exclude(title="x"), "article=section=3"),
        (A.filter(section=3, views=4), "article=section=3,views=4"),
        (A.filter(section__pk=3, author__name="x"), "article=section=3 author"),
        (A.filter(pk=5, section=3), "article=5"),
        (A.filter(section__in=[3]), "article=section=3"),
        (A.filter(section__in=[3, 4]), "article"),
        (A.filter(section=None), "article"),
        (A.filter(views=4), "article"),
        (A.filter(section__name="x"), "article section"),
        (A.filter(section=F("views")), "article"),
        (A.filter(Q(section=3) | Q(section=4)), "article"),
        (A.filter(section=3).filter(Exists(A.filter(views=OuterRef("views")))), "article"),
        (C.filter(section=3), "article column"),
        (PopularArticle.objects.filter(section=3), "article=section=3"),
    ],
)
def test_match(use: Use, queryset: Any, expected: str) -> None:
    use(MODELS=MATCH)

    assert depends(queryset.all()) == expected
    assert depends(queryset.all(), "count") == expected


def test_a_text_is_matched_exactly(use: Use) -> None:
    use(MODELS=MATCH)

    names = {depends(A.filter(title=title)) for title in ("x", "X", "x ", "1", "")}
    assert len(names) == 5
    assert depends(A.filter(title__iexact="x")) == "article"
