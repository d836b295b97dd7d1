"""What a fingerprint tells besides: volatile, zoned, raw."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.postgres.functions import RandomUUID, TransactionNow
from django.db import models
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    Window,
)
from django.db.models.expressions import OrderBy, RawSQL
from django.db.models.functions import Coalesce, Lower, Now, Random, RowNumber, TruncDay

from genscache.fingerprints import Structure, structure_of
from tests.fingerprints.describing import describe
from tests.site.news.models import Article, Asset

Rows = QuerySet[Any]
EVERY = Article.objects.all()


def structure(rows: Rows) -> Structure:
    """Return the fingerprint of a queryset."""
    return structure_of(rows.query, "default", describe)


def assets(**where: object) -> Rows:
    """Return the assets of an outer query's articles."""
    return Asset.objects.filter(article=OuterRef("pk"), **where)


VOLATILE: dict[str, tuple[str, Callable[[], Rows]]] = {
    "now": ("Now", lambda: EVERY.filter(published__lt=Now())),
    "now in a Q": ("Now", lambda: EVERY.filter(Q(pk=1) | Q(published__lt=Now()))),
    "now in a subquery": ("Now", lambda: EVERY.filter(Exists(assets(article__published__lt=Now())))),
    "now in a case": ("Now", lambda: EVERY.annotate(x=Case(When(published__lt=Now(), then=Value(1))))),
    "now in a filtered aggregate": (
        "Now",
        lambda: EVERY.annotate(n=Count("tags", filter=Q(published__lt=Now()))),
    ),
    "now in a combined query": ("Now", lambda: EVERY.union(EVERY.filter(published__lt=Now()))),
    "now minus": ("Now", lambda: EVERY.annotate(x=Now() - F("published"))),
    "now in an IN": ("Now", lambda: EVERY.filter(published__in=[Now()])),
    "random": ("Random", lambda: EVERY.annotate(x=Random())),
    "order by random": ("Random", lambda: EVERY.order_by(Random())),
    "order by random in a window": (
        "Random",
        lambda: EVERY.annotate(x=Window(RowNumber(), order_by=Random())),
    ),
    "order by ?": ('order_by("?")', lambda: EVERY.order_by("?")),
    "order by ? in a subquery": (
        'order_by("?")',
        lambda: EVERY.annotate(x=Subquery(assets().order_by("?").values("path")[:1])),
    ),
    "transaction's now": ("TransactionNow", lambda: EVERY.filter(published__lt=TransactionNow())),
    "random UUID": ("RandomUUID", lambda: EVERY.annotate(x=RandomUUID())),
}

ZONED: dict[str, Callable[[], Rows]] = {
    "date": lambda: EVERY.filter(published__date=date(2026, 1, 1)),
    "year": lambda: EVERY.filter(published__year=2026),
    "hour": lambda: EVERY.filter(published__hour__gt=1),
    "trunc": lambda: EVERY.annotate(x=TruncDay("published")),
    "in a subquery": lambda: EVERY.filter(Exists(assets(article__published__year=2026))),
    "in an order": lambda: EVERY.order_by(TruncDay("published")),
    "dates": lambda: EVERY.dates("published", "year"),
}

NOT_ZONED: dict[str, Callable[[], Rows]] = {
    "zone given": lambda: EVERY.annotate(x=TruncDay("published", tzinfo=ZoneInfo("Europe/Berlin"))),
    "moment": lambda: EVERY.filter(published__isnull=False).order_by("published"),
}

RAW: dict[str, Callable[[], Rows]] = {
    "RawSQL": lambda: EVERY.annotate(x=RawSQL("1", [])),
    "RawSQL in a subquery": lambda: EVERY.filter(Exists(assets(path=RawSQL("x", [])))),
    "extra select": lambda: EVERY.extra(select={"x": "1"}),
    "extra where": lambda: EVERY.extra(where=["1"]),
    "extra tables": lambda: EVERY.extra(tables=["news_tag"]),
    "extra order": lambda: EVERY.extra(order_by=["views"]),
    "Func": lambda: EVERY.annotate(x=Func(F("title"), function="now", output_field=models.TextField())),
    "template": lambda: EVERY.annotate(x=Lower("title", template="(SELECT name FROM news_tag)")),
    "template of a subquery": lambda: EVERY.annotate(
        x=Subquery(assets().values("path")[:1], template="now()")
    ),
    "attribute of an instance": lambda: EVERY.annotate(x=renamed(Lower("title"))),
    "connector": lambda: EVERY.annotate(x=joined("||now()||")),
}

NOT_RAW: dict[str, Callable[[], Rows]] = {
    "functions": lambda: EVERY.annotate(x=Coalesce(Lower("title"), Value(""))),
    "exists": lambda: EVERY.filter(Exists(assets())),
    "subquery": lambda: EVERY.annotate(x=Subquery(assets().values("path")[:1])),
    "aggregates": lambda: EVERY.annotate(n=Count("tags", distinct=True, filter=Q(pk__gt=1))),
    "arithmetic": lambda: EVERY.annotate(x=F("views") % 2),
    "order": lambda: EVERY.order_by(OrderBy(F("title"), nulls_last=True)),
}


def renamed(function: Func) -> Func:
    """Return an expression that is another function than its class says."""
    function.function = "RANDOM"
    return function


def joined(connector: str) -> Any:
    """Return an expression with a connector that Django does not know."""
    return F("title")._combine("x", connector, reversed=False)


@pytest.mark.parametrize("case", VOLATILE.values(), ids=VOLATILE.keys())
def test_what_depends_on_the_moment_says_so(case: tuple[str, Callable[[], Rows]]) -> None:
    assert structure(case[1]()).volatile == f"it depends on the moment: {case[0]}"


def test_a_default_order_by_chance_is_volatile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Article._meta, "ordering", ["?"])
    assert structure(EVERY.all()).volatile
    assert structure(Asset.objects.order_by("article")).volatile
    assert not structure(EVERY.order_by("title")).volatile
    assert not structure(Asset.objects.order_by("article_id")).volatile


@pytest.mark.parametrize("build", ZONED.values(), ids=ZONED.keys())
def test_what_depends_on_the_current_zone_says_so(build: Callable[[], Rows]) -> None:
    assert structure(build()).zoned


@pytest.mark.parametrize("build", NOT_ZONED.values(), ids=NOT_ZONED.keys())
def test_what_does_not_depend_on_the_current_zone_says_so(build: Callable[[], Rows]) -> None:
    assert not structure(build()).zoned


@pytest.mark.parametrize("build", RAW.values(), ids=RAW.keys())
def test_what_users_wrote_is_raw(build: Callable[[], Rows]) -> None:
    assert structure(build()).raw


@pytest.mark.parametrize("build", [*NOT_RAW.values(), *NOT_ZONED.values()], ids=[*NOT_RAW, *NOT_ZONED])
def test_what_django_wrote_is_not_raw(build: Callable[[], Rows]) -> None:
    found = structure(build())
    assert not found.raw
    assert not found.volatile
