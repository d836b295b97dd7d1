"""Queries that are written differently and ask the same; and shapes, which leave values out."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils.functional import SimpleLazyObject, lazystr
from django.utils.safestring import mark_safe

from genscache.fingerprints import Structure, structure_of
from tests.fingerprints.describing import describe
from tests.site.news.models import Article, Asset, Author, Column, Topic

Rows = QuerySet[Any]
EVERY = Article.objects.all()


def structure(rows: Rows) -> Structure:
    """Return the fingerprint of a queryset."""
    return structure_of(rows.query, "default", describe)


def text(word: str) -> str:
    """Return a new text, not an interned one."""
    return "".join(list(word))


SAME: dict[str, tuple[Callable[[], Rows], Callable[[], Rows]]] = {
    "order of IN": (lambda: EVERY.filter(pk__in=[1, 2, 3]), lambda: EVERY.filter(pk__in=[3, 1, 2])),
    "kinds of collection": (lambda: EVERY.filter(pk__in=[1, 2]), lambda: EVERY.filter(pk__in={2, 1})),
    "generator": (lambda: EVERY.filter(pk__in=(1, 2)), lambda: EVERY.filter(pk__in=(n for n in (1, 2)))),
    "repetitions in IN": (lambda: EVERY.filter(pk__in=[1, 1, 2]), lambda: EVERY.filter(pk__in=[1, 2])),
    "order of texts in IN": (
        lambda: EVERY.filter(title__in=["a", "b"]),
        lambda: EVERY.filter(title__in={"b", "a"}),
    ),
    "uuids as texts": (
        lambda: Asset.objects.filter(pk=uuid.UUID(int=1)),
        lambda: Asset.objects.filter(pk=str(uuid.UUID(int=1))),
    ),
    "numbers as texts": (lambda: EVERY.filter(pk="1"), lambda: EVERY.filter(pk=1)),
    "exclude and not": (lambda: EVERY.exclude(pk=1), lambda: EVERY.filter(~Q(pk=1))),
    "keyword order": (
        lambda: EVERY.filter(pk=1, views=2),
        lambda: EVERY.filter(views=2, pk=1),
    ),
    "pk and id": (lambda: EVERY.filter(pk=1), lambda: EVERY.filter(id=1)),
    "exact": (lambda: EVERY.filter(pk=1), lambda: EVERY.filter(pk__exact=1)),
    "object and key": (lambda: EVERY.filter(author=Author(pk=1)), lambda: EVERY.filter(author=1)),
    "lazy object": (
        lambda: EVERY.filter(Q(("author", SimpleLazyObject(lambda: Author(pk=1))))),
        lambda: EVERY.filter(author=Author(pk=1)),
    ),
    "lazy text": (lambda: EVERY.filter(title=lazystr("x")), lambda: EVERY.filter(title="x")),
    "text that is another object": (lambda: EVERY.filter(title=text("xyz")), lambda: EVERY.filter(title="xyz")),
    "only": (lambda: EVERY.only("title", "body"), lambda: EVERY.only("body", "title")),
    "clones": (lambda: EVERY.filter(pk=1).all().all(), lambda: EVERY.filter(pk=1)),
    "slice of a slice": (lambda: EVERY[2:10][1:3], lambda: EVERY[3:5]),
    "order that was given up": (lambda: EVERY.order_by("title").order_by("views"), lambda: EVERY.order_by("views")),
    "a join that another filter uses": (
        lambda: EVERY.filter(author__name="x", author__pk=1),
        lambda: EVERY.filter(author__pk=1, author__name="x"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("pair", SAME.values(), ids=SAME.keys())
def test_what_asks_the_same_has_one_fingerprint(pair: tuple[Callable[[], Rows], Callable[[], Rows]]) -> None:
    assert structure(pair[0]()) == structure(pair[1]())


def missing(**where: object) -> Rows:
    """Return articles without an asset that fulfils a condition."""
    return EVERY.filter(~Exists(Asset.objects.filter(article=OuterRef("pk"), **where)))


ONE_SHAPE: dict[str, tuple[Callable[[], Rows], Callable[[], Rows]]] = {
    "keys": (lambda: EVERY.filter(pk=1), lambda: EVERY.filter(pk=2)),
    "texts": (lambda: EVERY.filter(title="x"), lambda: EVERY.filter(title="long" * 99)),
    "lengths of IN": (lambda: EVERY.filter(pk__in=[1]), lambda: EVERY.filter(pk__in=[1, 2, 3])),
    "kinds of collection": (
        lambda: EVERY.filter(title__in=["x"]),
        lambda: EVERY.filter(title__in={"x", "y"}),
    ),
    "pages": (lambda: EVERY[10:20], lambda: EVERY[20:30]),
    "Value": (lambda: EVERY.annotate(x=Value("a")), lambda: EVERY.annotate(x=Value("b"))),
    "in a subquery": (lambda: missing(path="x"), lambda: missing(path="y")),
    "raw": (
        lambda: EVERY.extra(where=["views > %s"], params=[1]),
        lambda: EVERY.extra(where=["views > %s"], params=[2]),
    ),
    "moments": (
        lambda: EVERY.filter(published__lt=datetime(2026, 1, 1, tzinfo=UTC)),
        lambda: EVERY.filter(published__lt=datetime(2026, 1, 2, tzinfo=UTC)),
    ),
}

OTHER_SHAPE: dict[str, tuple[Callable[[], Rows], Callable[[], Rows]]] = {
    "an IN that is empty": (lambda: missing(path__in=["x"]), lambda: missing(path__in=[])),
    "an IN of None": (lambda: missing(path__in=["x"]), lambda: missing(path__in=[None])),
    "a key that no column holds": (lambda: missing(article__views=1), lambda: missing(article__views=2**70)),
    "a key below all": (lambda: missing(article__views=1), lambda: missing(article__views=-(2**70))),
    "a key that a short column does not hold": (lambda: missing(article__views=1),
        lambda: missing(article__views=2**31),
    ),
    "an IN of keys that no column holds": (
        lambda: missing(article__views__in=[1, 2]),
        lambda: missing(article__views__in=[2**70]),
    ),
    "null or not": (lambda: EVERY.filter(author__isnull=True), lambda: EVERY.filter(author__isnull=False)),
    "a default of None": (
        lambda: EVERY.annotate(x=Coalesce(F("title"), Value("a"))),
        lambda: EVERY.annotate(x=Coalesce(F("title"), Value(None))),
    ),
    "sliced or not": (lambda: EVERY[:5], lambda: EVERY[5:]),
    "a text in raw SQL": (
        lambda: EVERY.extra(where=["views > %s"], params=[1]),
        lambda: EVERY.extra(where=["views < %s"], params=[1]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("pair", ONE_SHAPE.values(), ids=ONE_SHAPE.keys())
def test_what_differs_in_values_has_one_shape(pair: tuple[Callable[[], Rows], Callable[[], Rows]]) -> None:
    one, other = structure(pair[0]()), structure(pair[1]())
    assert one.shape == other.shape
    assert one.content != other.content
    assert one.tables == other.tables


@pytest.mark.parametrize("pair", OTHER_SHAPE.values(), ids=OTHER_SHAPE.keys())
def test_values_that_decide_what_is_compiled_are_part_of_the_shape(
    pair: tuple[Callable[[], Rows], Callable[[], Rows]],
) -> None:
    assert structure(pair[0]()).shape != structure(pair[1]()).shape


def test_a_safe_text_is_not_taken_for_another() -> None:
    contents = {
        structure(EVERY.filter(title=title)).content for title in ("x", mark_safe("x"), "y", mark_safe("y"))
    }
    assert len(contents) == 4


def test_joins_that_compiling_left_behind_do_not_count() -> None:
    executed = Topic.objects.filter(parent__parent__pk=5).order_by("children__name").select_related("parent")
    fresh = structure(executed)
    str(executed.query)
    assert structure(executed.all()).content == fresh.content
    assert structure(Column.objects.order_by("author__name")).content != fresh.content
