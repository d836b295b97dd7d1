"""Queries from descriptions that JSON can hold, so that another process can build the same ones.

A description is the name of a model and a list of steps; a step that Django refuses is left out.
"""

from __future__ import annotations

import json
import sys
import warnings
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldError, ValidationError
from django.db import NotSupportedError
from django.db import models as fields
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    FilteredRelation,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, ExtractYear, Lower, RowNumber, TruncDay
from hypothesis import strategies as st

from genscache.fingerprints import UncacheableQuery, structure_of
from tests.fingerprints.describing import describe
from tests.site.news import models
from tests.site.news.models import Article, Author

Description = list[Any]
"""``[model, [step, ...]]``."""

TEXTS = st.sampled_from(["", "x", "1", "a%", "é", "T2"])
NUMBERS = st.sampled_from([0, 1, 2, 3, -1, 40_000, 2**40, 10**30])
SCALARS = st.one_of(
    st.tuples(st.just("int"), NUMBERS),
    st.tuples(st.just("str"), TEXTS),
    st.tuples(st.just("bool"), st.booleans()),
    st.tuples(st.just("float"), st.sampled_from([1.0, 0.5, -0.0])),
    st.tuples(st.just("decimal"), st.sampled_from(["1", "1.0", "1.00", "2"])),
    st.tuples(st.just("uuid"), st.sampled_from([1, 2])),
    st.tuples(st.just("date"), st.sampled_from(["2026-03-01", "2026-03-02"])),
    st.tuples(
        st.just("datetime"),
        st.sampled_from(["2026-03-01T12:00+00:00", "2026-03-01T13:00+01:00", "2026-03-01T12:00"]),
    ),
    st.just(("none", 0)),
)
VALUES = st.one_of(
    SCALARS,
    st.tuples(st.sampled_from(["list", "set", "tuple"]), st.lists(SCALARS, max_size=3)),
    st.tuples(st.just("F"), st.sampled_from(["pk", "views", "title", "name", "author__name"])),
    st.tuples(st.just("authors"), SCALARS),
)
NAMES = st.sampled_from([
    "pk", "id", "title", "views", "score", "published", "author", "author_id", "author__name", "section__name",
    "tags", "tags__name", "assets", "assets__path", "name", "path", "article", "article__title", "articles__title",
    "articles__views", "parent", "parent__name", "parent__parent", "parent__parent__name", "children__name",
    "children__children", "series", "article_ptr", "article__author__name", "a", "b", "r__title",
])  # fmt: skip
LOOKUPS = st.sampled_from([
    "", "", "__exact", "__in", "__in", "__gt", "__lte", "__isnull", "__range", "__contains", "__iexact", "__year",
    "__date", "__month__gt", "__regex",
])  # fmt: skip
LEAVES = st.one_of(
    st.tuples(st.just("leaf"), st.tuples(NAMES, LOOKUPS).map("".join), VALUES),
    st.tuples(st.just("leaf"), st.sampled_from(["pk", "views__gte", "title", "name", "pk__in"]), VALUES),
    st.tuples(st.sampled_from(["exists", "missing"]), VALUES, st.just(0)),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or", "xor"]), st.lists(inner, min_size=1, max_size=3), st.just(0)),
        st.tuples(st.just("not"), inner, st.just(0)),
    ),
    max_leaves=4,
)
EXPRESSIONS = st.one_of(
    st.tuples(st.just("value"), SCALARS, st.just(0)),
    st.tuples(st.just("typed"), SCALARS, st.sampled_from(["int", "text", "float", "decimal2", "decimal3"])),
    st.tuples(st.just("F"), NAMES, st.just(0)),
    st.tuples(
        st.sampled_from(["count", "distinct", "sum", "max", "lower", "year", "day"]), NAMES, st.just(0)
    ),
    st.tuples(st.just("plus"), NAMES, SCALARS),
    st.tuples(st.just("coalesce"), NAMES, SCALARS),
    st.tuples(st.just("counted"), NAMES, CONDITIONS),
    st.tuples(st.just("case"), CONDITIONS, SCALARS),
    st.tuples(st.sampled_from(["exists", "subquery"]), VALUES, st.just(0)),
    st.tuples(st.just("window"), NAMES, NAMES),
    st.tuples(st.just("raw"), SCALARS, st.just(0)),
)
SOME_NAMES = st.lists(NAMES, min_size=1, max_size=3)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["filter", "filter", "exclude"]), CONDITIONS),
    st.tuples(
        st.sampled_from(["annotate", "annotate", "alias"]),
        st.tuples(st.sampled_from(["a", "b"]), EXPRESSIONS),
    ),
    st.tuples(
        st.just("order_by"), st.lists(st.tuples(st.sampled_from(["", "-"]), NAMES).map("".join), max_size=3)
    ),
    st.tuples(st.just("relation"), CONDITIONS),
    st.tuples(st.sampled_from(["reverse", "distinct", "none"]), st.just(0)),
    st.tuples(st.just("slice"), st.tuples(st.integers(0, 3), st.one_of(st.none(), st.integers(0, 6)))),
    st.tuples(st.sampled_from(["select_related", "only", "defer", "values", "values_list"]), SOME_NAMES),
    st.tuples(st.just("everything_related"), st.just(0)),
    st.tuples(st.just("extra"), st.tuples(st.sampled_from(["1 = %s", "2 > %s"]), SCALARS)),
    st.tuples(st.sampled_from(["union", "intersection"]), CONDITIONS),
)
MODELS = ["Article", "Article", "Article", "Asset", "Topic", "Author", "Column", "PopularArticle"]
DESCRIPTIONS = st.tuples(st.sampled_from(MODELS), st.lists(STEPS, max_size=5)).map(
    lambda made: json.loads(json.dumps(made))
)


def value(described: Any) -> Any:  # noqa: PLR0911 - a table
    """Return what is described as ``[kind, ...]``."""
    kind, given = described
    match kind:
        case "none":
            return None
        case "decimal":
            return Decimal(given)
        case "uuid":
            return UUID(int=given)
        case "date":
            return datetime.fromisoformat(given).date()
        case "datetime":
            return datetime.fromisoformat(given)
        case "list" | "set" | "tuple":
            return {"list": list, "set": set, "tuple": tuple}[kind](value(each) for each in given)
        case "F":
            return F(given)
        case "authors":
            return Author.objects.filter(name=value(given))
        case _:
            return given


def single(described: Any) -> Any:
    """Return what is described, but for a set: of one, Django makes a text in whatever order the set has."""
    if described[0] == "set":
        raise TypeError("a set is no single value")
    return value(described)


def condition(described: Any) -> Any:
    """Return what is described as ``[kind, ..., ...]``."""
    kind, first, second = described
    match kind:
        case "leaf":
            return Q(**{first: value(second) if first.endswith("__in") else single(second)})
        case "not":
            return ~condition(first)
        case "exists":
            return Q(Exists(Article.objects.filter(author=OuterRef("pk"), title=single(first))))
        case "missing":
            return ~Q(Exists(Article.objects.filter(pk=OuterRef("pk"), pk__in=[single(first)])))
    both = condition(first[0])
    for each in first[1:]:
        other = condition(each)
        both = both & other if kind == "and" else both | other if kind == "or" else both ^ other
    return both


def expression(described: Any) -> Any:  # noqa: C901, PLR0911 - a table
    """Return what is described as ``[kind, ..., ...]``."""
    types: dict[str, Any] = {
        "int": fields.IntegerField(),
        "text": fields.CharField(),
        "float": fields.FloatField(),
        "decimal2": fields.DecimalField(max_digits=9, decimal_places=2),
        "decimal3": fields.DecimalField(max_digits=9, decimal_places=3),
    }
    kind, first, second = described
    simple = {
        "F": F,
        "count": Count,
        "sum": Sum,
        "max": Max,
        "lower": Lower,
        "year": ExtractYear,
        "day": TruncDay,
    }
    if kind in simple:
        return simple[kind](first)
    match kind:
        case "distinct":
            return Count(first, distinct=True)
        case "value":
            return Value(value(first))
        case "typed":
            return Value(value(first), output_field=types[second])
        case "plus":
            return F(first) + value(second)
        case "coalesce":
            return Coalesce(F(first), Value(value(second)))
        case "counted":
            return Count(first, filter=condition(second))
        case "case":
            return Case(When(condition(first), then=Value(value(second))), default=Value(None))
        case "exists":
            return Exists(Article.objects.filter(author=OuterRef("pk"), title=single(first)))
        case "subquery":
            return Subquery(
                Article.objects.filter(pk=OuterRef("pk"), title=single(first)).values("views")[:1]
            )
        case "window":
            return Window(RowNumber(), partition_by=[first], order_by=second)
        case _:
            return RawSQL("%s", [value(first)])


def step(rows: Any, kind: str, given: Any) -> Any:  # noqa: PLR0911 - a table
    """Return a queryset with one step more."""
    match kind:
        case "filter" | "exclude":
            return getattr(rows, kind)(condition(given))
        case "annotate" | "alias":
            return getattr(rows, kind)(**{given[0]: expression(given[1])})
        case "relation":
            return rows.annotate(r=FilteredRelation("articles", condition=condition(given)))
        case "reverse" | "distinct" | "none":
            return getattr(rows, kind)()
        case "slice":
            return rows[given[0] : given[1]]
        case "everything_related":
            # What ``select_related()`` sets, of which Django 6.1 warns.
            rows = rows.select_related("pk").select_related(None)  # refused where Django refuses relations
            rows.query.select_related = True
            return rows
        case "extra":
            return rows.extra(where=[given[0]], params=[value(given[1])])  # noqa: S610
        case "union" | "intersection":
            return getattr(rows, kind)(rows.filter(condition(given)))
        case _:
            return getattr(rows, kind)(*given)


def build(description: Description) -> Any:
    """Return a new queryset; what Django refuses is left out."""
    name, steps = description
    rows = getattr(models, name).objects.all()
    for kind, given in steps:
        try:
            rows = step(rows, kind, given)
        except (
            ArithmeticError, AttributeError, FieldError, LookupError, NotImplementedError, NotSupportedError, TypeError,
            ValidationError, ValueError,
        ):  # fmt: skip
            continue
    return rows


def answer() -> None:
    """Answer descriptions, one a line, with the contents of their fingerprints."""
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        sys.stdout.write(content(json.loads(line)) + "\n")
        sys.stdout.flush()


def content(description: Description) -> str:
    """Return the content of a fingerprint, or why there is none."""
    try:
        return structure_of(build(description).query, "default", describe).content.hex()
    except UncacheableQuery:
        return "uncacheable"
    except Exception as error:  # noqa: BLE001 - whatever it is, another process has it, too
        return type(error).__name__
