"""Queries by name, no two of which ask the same."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.aggregates import ArrayAgg, StringAgg
from django.db import models
from django.db.models import (
    Avg,
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    FilteredRelation,
    Max,
    Min,
    OrderBy,
    OuterRef,
    Q,
    RowRange,
    Subquery,
    Sum,
    Value,
    ValueRange,
    When,
    Window,
)  # fmt: skip
from django.db.models.expressions import RawSQL
from django.db.models.functions import (
    Cast,
    Coalesce,
    Collate,
    Concat,
    ExtractYear,
    Greatest,
    Lag,
    Lead,
    Length,
    Lower,
    Rank,
    RowNumber,
    TruncDay,
    TruncMonth,
    Upper,
)  # fmt: skip

from genscache.fingerprints import structure_of
from tests.fingerprints.describing import describe
from tests.site.news.models import Article, Asset, Author, Column, Country, PopularArticle, Topic

Builder = Callable[[], Any]
"""Makes a new query."""

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def catalogue() -> dict[str, Builder]:
    """Return the queries."""
    return {**plain(), **conditions(), **expressions(), **orders()}


def plain() -> dict[str, Builder]:
    """Return queries that differ in what they take of which rows."""
    every = Article.objects
    return {
        "all": every.all,
        "authors": Author.objects.all,
        "child model": Column.objects.all,
        "proxy": PopularArticle.objects.all,
        "proxy's rows without its manager": PopularArticle._base_manager.all,
        "none": every.none,
        "first three": lambda: every.all()[:3],
        "next three": lambda: every.all()[3:6],
        "from the third": lambda: every.all()[3:],
        "empty slice": lambda: every.all()[3:3],
        "distinct": every.distinct,
        "only": lambda: every.only("title", "body"),
        "defer": lambda: every.defer("title", "body"),
        "defer of a relation": lambda: every.select_related("author").defer("author__name"),
        "values": lambda: every.values("title", "views"),
        "values in another order": lambda: every.values("views", "title"),
        "values of a relation": lambda: every.values("author__name"),
        "values_list of m2m": lambda: every.values_list("tags__name"),
        "select_related": lambda: every.select_related("author"),
        "select_related of all": every.select_related,
        "select_related of two": lambda: every.select_related("author", "section"),
        "select_related, deep": lambda: Asset.objects.select_related("article__author"),
        "select_related to itself": lambda: Topic.objects.select_related("parent__parent"),
        "union": lambda: every.filter(pk=1).union(every.filter(pk=2)),
        "union all": lambda: every.filter(pk=1).union(every.filter(pk=2), all=True),
        "intersection": lambda: every.filter(pk=1).intersection(every.filter(pk=2)),
        "difference": lambda: every.filter(pk=1).difference(every.filter(pk=2)),
        "union, ordered": lambda: every.filter(pk=1).union(every.filter(pk=2)).order_by("title")[:3],
        "for update": every.select_for_update,
        "for update, no wait": lambda: every.select_for_update(nowait=True),
        "extra select": lambda: every.extra(select={"x": "views + %s"}, select_params=[1]),
        "extra where": lambda: every.extra(where=["views > %s"], params=[1]),
        "extra where, other value": lambda: every.extra(where=["views > %s"], params=[2]),
        "extra tables": lambda: every.extra(tables=["news_tag"], where=["news_tag.id = 1"]),
        "extra order": lambda: every.extra(order_by=["-views"]),
        "parent's field": lambda: Column.objects.filter(title="x"),
        "through the parent link": lambda: Article.objects.filter(column__series="x"),
        "reverse relation is null": lambda: every.filter(assets__isnull=True),
        "reverse relation is not null": lambda: every.filter(assets__isnull=False),
        "exclude over m2m": lambda: every.exclude(tags__name="x"),
        "exclude over reverse": lambda: Author.objects.exclude(articles__title="x"),
        "m2m twice in one filter": lambda: every.filter(tags__name="x", tags__pk=1),
        "m2m twice in two filters": lambda: every.filter(tags__name="x").filter(tags__pk=1),
        "tree": lambda: Topic.objects.filter(parent__parent__name="x"),
        "children": lambda: Topic.objects.filter(children__children__name="x"),
        "or": lambda: every.filter(Q(pk=1) | Q(views=1)),
        "and": lambda: every.filter(Q(pk=1) & Q(views=1)),
        "xor": lambda: every.filter(Q(pk=1) ^ Q(views=1)),
        "nested": lambda: every.filter(Q(pk=1) | (Q(views=1) & ~Q(title="x"))),
        "or over an outer join": lambda: Asset.objects.filter(Q(article__title="x") | Q(path="y")),
        "and over an inner join": lambda: Asset.objects.filter(article__title="x", path="y"),
    }


def conditions() -> dict[str, Builder]:
    """Return queries that differ in a lookup or a value."""
    every = Article.objects
    lookups: dict[str, Any] = {
        "pk": 1,
        "pk__in": [1, 2],
        "pk__exact": 2,
        "pk__gt": 1,
        "pk__gte": 1,
        "pk__lt": 1,
        "pk__lte": 1,
        "pk__range": (1, 2),
        "title": "x",
        "title__iexact": "x",
        "title__contains": "x",
        "title__icontains": "x",
        "title__startswith": "x",
        "title__istartswith": "x",
        "title__endswith": "x",
        "title__iendswith": "x",
        "title__regex": "x",
        "title__iregex": "x",
        "title__isnull": True,
        "title__in": ["x", "y"],
        "title__gt": "x",
        "published": NOON,
        "published__gt": NOON,
        "published__date": date(2026, 3, 1),
        "published__date__gt": date(2026, 3, 1),
        "published__year": 2026,
        "published__year__gt": 2026,
        "published__iso_year": 2026,
        "published__month": 3,
        "published__day": 1,
        "published__week": 1,
        "published__week_day": 1,
        "published__iso_week_day": 1,
        "published__quarter": 1,
        "published__time": NOON.time(),
        "published__hour": 1,
        "published__minute": 1,
        "published__second": 1,
        "score": Decimal("1.00"),
        "author": 1,
        "author__name": "x",
        "author__in": [1, 2],
        "author__isnull": True,
        "author__gt": 1,
        "tags": 1,
        "tags__in": [1],
    }
    values: dict[str, tuple[str, Any]] = {
        "pk = 10**30": ("pk", 10**30),
        "pk = -1": ("pk", -1),
        "pk in ()": ("pk__in", []),
        "pk in (1)": ("pk__in", [1]),
        "pk in (None)": ("pk__in", [None]),
        "pk in (1, None)": ("pk__in", [1, None]),
        "title = empty": ("title", ""),
        "title = 1": ("title", "1"),
        "title = X": ("title", "X"),
        "title in one": ("title__in", ["x,y"]),
        "pk not null": ("pk__isnull", False),
        "published in Berlin": ("published", NOON.astimezone(ZoneInfo("Europe/Berlin"))),
        "published at an offset": ("published", NOON.astimezone(timezone(timedelta(hours=1)))),
        "published later": ("published", NOON + timedelta(microseconds=1)),
        "score = 1.0": ("score", Decimal("1.0")),
        "score = 2": ("score", Decimal(2)),
    }

    return {
        **{f"{name} filter": partial(filtered, name, value) for name, value in lookups.items()},
        **{name: partial(filtered, where, value) for name, (where, value) in values.items()},
        "two filters": lambda: every.filter(title="x", body="y"),
        "two filters exchanged": lambda: every.filter(title="y", body="x"),
        "uuid": lambda: Asset.objects.filter(pk=uuid.UUID(int=1)),
        "uuid in": lambda: Asset.objects.filter(pk__in=[uuid.UUID(int=1), uuid.UUID(int=2)]),
        "text key": lambda: Country.objects.filter(pk="de"),
        "exclude": lambda: every.exclude(pk=1),
        "column against column": lambda: every.filter(views__gt=F("score")),
        "column against another model's": lambda: every.filter(title=F("author__name")),
        "column in columns": lambda: every.filter(views__in=[F("id"), 1]),
        "column between columns": lambda: every.filter(views__range=(F("id"), 100)),
        "in a subquery": lambda: every.filter(author__in=Author.objects.filter(name="x")),
        "in another subquery": lambda: every.filter(author__in=Author.objects.filter(name="y")),
        "in values of a subquery": lambda: every.filter(title__in=Author.objects.values("name")),
        "equal to a subquery": lambda: every.filter(
            title=Subquery(Author.objects.filter(pk=OuterRef("author")).values("name")[:1])
        ),
    }


def expressions() -> dict[str, Builder]:
    """Return queries that differ in an expression."""
    every = Article.objects
    annotated: dict[str, Builder] = {
        "count": lambda: Count("tags"),
        "count distinct": lambda: Count("tags", distinct=True),
        "count filtered": lambda: Count("tags", filter=Q(tags__name="x")),
        "count filtered otherwise": lambda: Count("tags", filter=Q(tags__name="y")),
        "count of assets": lambda: Count("assets"),
        "count of all": lambda: Count("*"),
        "sum": lambda: Sum("tags__pk"),
        "sum with default": lambda: Sum("tags__pk", default=0),
        "avg": lambda: Avg("tags__pk"),
        "max": lambda: Max("tags__pk"),
        "min": lambda: Min("tags__pk"),
        "F": lambda: F("views"),
        "F of a relation": lambda: F("author__name"),
        "plus": lambda: F("views") + 1,
        "plus two": lambda: F("views") + 2,
        "plus 1.0": lambda: ExpressionWrapper(F("views") + 1.0, models.FloatField()),
        "minus": lambda: F("views") - 1,
        "turned minus": lambda: 1 - F("views"),
        "date arithmetic": lambda: F("published") + timedelta(days=1),
        "temporal subtraction": lambda: F("published") - F("published"),
        "wrapped as an integer": lambda: ExpressionWrapper(F("views") * 1, models.IntegerField()),
        "wrapped as a decimal": lambda: ExpressionWrapper(
            F("views") * 1, models.DecimalField(max_digits=9, decimal_places=2)
        ),
        "wrapped as a longer decimal": lambda: ExpressionWrapper(
            F("views") * 1, models.DecimalField(max_digits=9, decimal_places=3)
        ),
        "value": lambda: Value(1),
        "value as text": lambda: Value("1"),
        "value as bool": lambda: Value(True),
        "value as Decimal": lambda: Value(Decimal(1)),
        "value as float": lambda: Value(1.0),
        "value None": lambda: Value(None, output_field=models.IntegerField()),
        "value None as text": lambda: Value(None, output_field=models.CharField()),
        "value as date": lambda: Value(date(2026, 3, 1)),
        "value as datetime": lambda: Value(NOON.replace(tzinfo=None)),
        "value as datetime with zone": lambda: Value(NOON),
        "value as uuid": lambda: Value(uuid.UUID(int=1)),
        "value as JSON": lambda: Value({"a": [1, 2]}, output_field=models.JSONField()),
        "value as JSON of strings": lambda: Value({"a": ["1", 2]}, output_field=models.JSONField()),
        "case": lambda: Case(When(views__gt=1, then=Value("a")), default=Value("b")),
        "case, other result": lambda: Case(When(views__gt=1, then=Value("c")), default=Value("b")),
        "case, other condition": lambda: Case(When(views__gt=2, then=Value("a")), default=Value("b")),
        "case over a relation": lambda: Case(When(author__name="x", then=Value("a")), default=Value("b")),
        "case on a subquery": lambda: Case(When(Exists(assets()), then=Value("a")), default=Value("b")),
        "exists": lambda: Exists(assets()),
        "exists, other value": lambda: Exists(assets("y")),
        "not exists": lambda: ~Exists(assets()),
        "subquery": lambda: Subquery(assets().values("path")[:1]),
        "subquery of another column": lambda: Subquery(assets().values("id")[:1]),
        "subquery with type": lambda: Subquery(assets().values("path")[:1], output_field=models.TextField()),
        "coalesce of a subquery": lambda: Coalesce(Subquery(assets().values("path")[:1]), Value("")),
        "coalesce": lambda: Coalesce("title", "author__name"),
        "coalesce, turned": lambda: Coalesce("author__name", "title"),
        "cast": lambda: Cast("views", models.CharField(max_length=5)),
        "cast to integer": lambda: Cast("title", models.IntegerField()),
        "lower": lambda: Lower("title"),
        "upper": lambda: Upper("title"),
        "length": lambda: Length("title"),
        "concat": lambda: Concat("title", Value(" "), "author__name"),
        "collate": lambda: Collate("title", "nocase"),
        "collate, other": lambda: Collate("title", "rtrim"),
        "greatest": lambda: Greatest("views", "author__articles__views"),
        "year": lambda: ExtractYear("published"),
        "year in Berlin": lambda: ExtractYear("published", tzinfo=ZoneInfo("Europe/Berlin")),
        "day": lambda: TruncDay("published"),
        "month": lambda: TruncMonth("published"),
        "month as a date": lambda: TruncMonth("published", output_field=models.DateField()),
        "month in Berlin": lambda: TruncMonth("published", tzinfo=ZoneInfo("Europe/Berlin")),
        "row number": lambda: Window(RowNumber(), order_by="views"),
        "row number, down": lambda: Window(RowNumber(), order_by="-views"),
        "row number by author": lambda: Window(RowNumber(), partition_by=["author"], order_by="views"),
        "rank": lambda: Window(Rank(), order_by="views"),
        "lag": lambda: Window(Lag("views", offset=1), order_by="views"),
        "lag of two": lambda: Window(Lag("views", offset=2), order_by="views"),
        "lead": lambda: Window(Lead("views", offset=1), order_by="views"),
        "rows": lambda: Window(Sum("views"), order_by="views", frame=RowRange(start=-1, end=0)),
        "other rows": lambda: Window(Sum("views"), order_by="views", frame=RowRange(start=-2, end=0)),
        "range": lambda: Window(Sum("views"), order_by="views", frame=ValueRange(start=None, end=0)),
        "raw": lambda: RawSQL("views + %s", [1]),
        "raw, other value": lambda: RawSQL("views + %s", [2]),
        "raw, other text": lambda: RawSQL("views - %s", [1]),
        "condition": lambda: Q(views__gt=1),
        "array": lambda: ArrayAgg("tags__name"),
        "array, ordered": lambda: ArrayAgg("tags__name", order_by=["tags__name"]),
        "joined text": lambda: StringAgg("tags__name", delimiter=Value(",")),
        "joined text with semicolons": lambda: StringAgg("tags__name", delimiter=Value(";")),
    }  # fmt: skip
    return {
        **{f"annotated with {name}": partial(with_x, make) for name, make in annotated.items()},
        "another name": lambda: every.annotate(y=Value(1)),
        "alias": lambda: every.alias(x=Value(1)),
        "annotation filtered": lambda: every.annotate(n=Count("tags")).filter(n__gt=1),
        "annotation filtered before": lambda: every.filter(tags__pk=1).annotate(n=Count("tags")),
        "grouped": lambda: every.values("author").annotate(n=Count("id")),
        "grouped by two": lambda: every.values("author", "section").annotate(n=Count("id")),
        "filtered relation": lambda: Author.objects.annotate(
            r=FilteredRelation("articles", condition=Q(articles__views__gt=1))
        ).filter(r__title="x"),
        "filtered relation, other value": lambda: Author.objects.annotate(
            r=FilteredRelation("articles", condition=Q(articles__views__gt=2))
        ).filter(r__title="x"),
        "exists as a filter": lambda: every.filter(Exists(assets())),
        "exists as a filter, other value": lambda: every.filter(Exists(assets("y"))),
        "exists in a list of conditions": lambda: every.filter(Q(Exists(assets())) | Q(pk=1)),
        "window filtered": lambda: every.annotate(r=Window(RowNumber(), order_by="views")).filter(r__lt=3),
        "dates": lambda: every.dates("published", "year"),
        "dates of months": lambda: every.dates("published", "month"),
        "datetimes": lambda: every.datetimes("published", "hour"),
        "datetimes in Berlin": lambda: every.datetimes("published", "hour", tzinfo=ZoneInfo("Europe/Berlin")),
    }


def filtered(where: str, value: object) -> Any:
    """Return the articles for which one condition holds."""
    return Article.objects.filter(**{where: value})


def with_x(make: Builder) -> Any:
    """Return the articles with an annotation."""
    return Article.objects.annotate(x=make())


def assets(path: str = "x") -> Any:
    """Return the assets of an outer query's article."""
    return Asset.objects.filter(article=OuterRef("pk"), path=path)


def orders() -> dict[str, Builder]:
    """Return queries that differ in their order."""
    every = Article.objects
    return {
        "by title": lambda: every.order_by("title"),
        "by title, down": lambda: every.order_by("-title"),
        "by title, reversed": lambda: every.order_by("title").reverse(),
        "by title and views": lambda: every.order_by("title", "views"),
        "by views and title": lambda: every.order_by("views", "title"),
        "by a relation": lambda: every.order_by("author"),
        "by a relation's key": lambda: every.order_by("author_id"),
        "by a relation's name": lambda: every.order_by("author__name"),
        "by m2m": lambda: every.order_by("tags__name"),
        "by a reverse relation": lambda: every.order_by("assets__path"),
        "by itself": lambda: Topic.objects.order_by("parent__name"),
        "by an expression": lambda: every.order_by(Lower("title")),
        "by an expression, down": lambda: every.order_by(Lower("title").desc()),
        "by F": lambda: every.order_by(F("title").asc()),
        "by F, nulls first": lambda: every.order_by(F("title").asc(nulls_first=True)),
        "by F, nulls last": lambda: every.order_by(F("title").asc(nulls_last=True)),
        "by F of a relation": lambda: every.order_by(OrderBy(F("author__name"))),
        "by a difference": lambda: every.order_by(F("views") - F("id")),
        "in no order": lambda: every.order_by("title").order_by().select_related("section"),
        "related and by a reverse relation": lambda: Topic.objects.filter(parent__parent__pk=5).order_by(
            "children__name"
        ),
    }


def fingerprints() -> dict[str, str]:
    """Return the content of each query's fingerprint."""
    return {
        name: structure_of(build().query, "default", describe).content.hex()
        for name, build in catalogue().items()
    }


def main() -> None:
    """Print the fingerprints."""
    sys.stdout.write(json.dumps(fingerprints()))
