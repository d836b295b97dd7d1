"""What a miss does instead of Django comes to the same: SQL to the letter, and instances to the last attribute."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import EmptyResultSet
from django.db import DatabaseError
from django.db.models import Model
from django.db.models.base import ModelState
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from genscache.codec import Content
from genscache.engine import current_engine
from genscache.filling import Made
from genscache.fingerprints import apart
from genscache.querysets.harvests import Asking, Harvester
from genscache.querysets.prepared import PreparedCompiler, Preparer, lend
from property_tests.queries import Description, build
from property_tests.test_fingerprints import answers, compilable, fingerprint, pairs, searching, some_rows

__all__ = ["some_rows"]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # naive datetimes
    pytest.mark.filterwarnings("ignore:Calling select_related"),  # without arguments, in Django 6.1
]

REFUSED = (DatabaseError, OverflowError, ValueError, TypeError, ArithmeticError, AttributeError)
"""What comes of queries that make no sense to the database, or to Django's converters (the sum of UUIDs, on SQLite)."""

NESTED: Description = [
    "Article",
    [["select_related", ["author", "section"]], ["filter", ["leaf", "views__gt", ["int", 1]]]],
]
SENSELESS: Description = ["Article", [["annotate", ["a", ["sum", "assets", 0]]]]]
WHOLE: Description = [
    "Topic",
    [["select_related", ["parent__parent"]], ["filter", ["leaf", "pk__gt", ["int", 0]]]],
]


def sql(rows: Any, preparer: Preparer | None) -> tuple[type, object]:
    """Return the class that compiles a queryset, and the SQL and parameters that it makes."""
    query = apart(rows.query.clone())
    known = fingerprint(rows)
    compiler = preparer and preparer.compiler(query, "default", known.shape, known.content)
    compiler = compiler or query.get_compiler("default")
    try:
        found, parameters = compiler.as_sql()
    except EmptyResultSet:
        return type(compiler), "nothing"
    columns = [(text, alias) for _, (text, _), alias in compiler.select]
    return type(compiler), (found, tuple(map(repr, parameters)), columns, compiler.col_count)


@searching
@given(pairs(values_only=True), st.booleans())
@example(
    (
        ["Article", [["select_related", ["author"]], ["filter", ["leaf", "views__gt", ["int", 1]]]]],
        ["Article", [["select_related", ["author"]], ["filter", ["leaf", "views__gt", ["int", 2]]]]],
    ),
    False,
)
@example(
    (
        ["Article", [["filter", ["leaf", "pk__in", ["list", [["int", 1]]]]]]],
        ["Article", [["filter", ["leaf", "pk__in", ["list", [["int", 1], ["int", 2]]]]]]],
    ),
    True,
)
def test_pieces_make_what_django_makes(pair: tuple[Description, Description], asked_before: Any) -> None:
    one, other = map(build, pair)
    assume(compilable(one) and compilable(other))
    assume(fingerprint(one).shape == fingerprint(other).shape)
    if asked_before:
        # It holds joins now that compiling has added.
        answered(one)
    preparer = Preparer(current_engine())
    for rows in (one, build(pair[0])):
        sql(rows, preparer)
    # New ones, since some lookups change when they are compiled.
    kind, found = sql(build(pair[1]), preparer)
    event(f"prepared: {issubclass(kind, PreparedCompiler)}")
    assert found == sql(build(pair[1]), None)[1]
    # The very same questions again, of which all SQL may be known now.
    assert found == sql(build(pair[1]), preparer)[1]
    assert sql(build(pair[0]), preparer)[1] == sql(build(pair[0]), None)[1]
    if issubclass(kind, PreparedCompiler) and found != "nothing":
        rows = build(pair[1])
        compiler = preparer.compiler(rows.query, "default", fingerprint(rows).shape)
        assert compiler is not None
        lend(compiler)
        assert answered(rows) == answered(build(pair[1]))


@searching
@given(pairs(values_only=True))
@example((NESTED, NESTED))
@example((WHOLE, WHOLE))
@example((SENSELESS, SENSELESS))
def test_instances_are_those_that_django_makes(pair: tuple[Description, Description]) -> None:
    one, other = map(build, pair)
    assume(compilable(one) and compilable(other))
    shape = fingerprint(one).shape
    assume(shape == fingerprint(other).shape)
    harvester = Harvester(current_engine(), least=1)
    found: object = None
    for described in (pair[0], pair[0], pair[0], pair[1]):
        rows = build(described)
        asking = Asking(
            rows.query, rows._iterable_class(rows), "default", getattr(rows, "_fetch_mode", None), shape
        )
        try:
            found = harvester.rows(asking)
        except REFUSED:
            assume(False)
    event(f"harvested: {isinstance(found, Made)}")
    if isinstance(found, Made):
        assert current_engine().codec.decode(sealed(found.content), key="k") is not None
        found = found.value
    assert all_of(found) == all_of([*build(pair[1])])


def sealed(content: Content) -> bytes:
    """Return a payload."""
    return current_engine().codec.seal(content, key="k")


def all_of(thing: Any) -> object:
    """Return everything that a result holds, in its order and with all types."""
    if isinstance(thing, list | tuple):
        return type(thing), [all_of(each) for each in thing]
    if isinstance(thing, dict):
        return type(thing), [(name, all_of(each)) for name, each in thing.items()]
    if isinstance(thing, ModelState):
        # Which has an order of its own, and relations once somebody has asked for them.
        return type(thing), sorted(
            (name, all_of(each)) for name, each in {"fields_cache": {}, **vars(thing)}.items()
        )
    if isinstance(thing, Model):
        return type(thing), [(name, all_of(each)) for name, each in vars(thing).items()]
    return type(thing), thing


def answered(rows: Any) -> list[object] | None:
    """Return what the database says, ``None`` where it refuses to."""
    try:
        return answers(rows)
    except REFUSED:
        return None
