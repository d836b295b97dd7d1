"""Two queries with one fingerprint are one query; one query has one fingerprint, wherever it is built."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import EmptyResultSet
from django.db import DatabaseError
from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st

from genscache.fingerprints import Structure, UncacheableQuery, compiled, structure_of
from genscache.fingerprints.memory import Memory
from genscache.fingerprints.walk import Walk
from genscache.orm.sql import SqlMemo
from genscache.tables import fold
from property_tests.queries import (
    CONDITIONS,
    DESCRIPTIONS,
    SCALARS,
    STEPS,
    VALUES,
    Description,
    build,
    content,
)
from tests.fingerprints.describing import describe
from tests.site.news.models import Article, Asset, Author, Column, Section, Tag, Topic

PROGRAM = "import django; django.setup(); from property_tests.queries import answer; answer()"
ROOT = Path(__file__).resolve().parent.parent
MEMO = SqlMemo()
ALIAS = re.compile(r"\bT\d+\b")
PLACES = re.compile(r"IN \((%s(?:, %s)*)\)|%s")

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # naive datetimes
    pytest.mark.filterwarnings("ignore:Calling select_related"),  # without arguments, in Django 6.1
]


@pytest.fixture(autouse=True, scope="module")
def some_rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Give the queries something to find."""
    with django_db_blocker.unblock():
        section = Section.objects.create(name="x")
        authors = [Author.objects.create(pk=pk, name=name) for pk, name in enumerate(["x", "1", ""], 1)]
        for pk in (1, 2, 3):
            article = Article.objects.create(
                pk=pk, title="x" * pk, section=section, author=authors[pk - 1], views=pk * 60, score=pk
            )
            article.tags.add(Tag.objects.create(name=f"x{pk}"))
            Asset.objects.create(article=article, path="x")
            Topic.objects.create(pk=pk, name="x", parent_id=pk - 1 or None)
        Column.objects.create(title="1", section=section, author=authors[0], series="x")
        yield
        for model in (Asset, Column, Article, Tag, Topic, Author, Section):
            model.objects.all().delete()


def fingerprint(rows: Any) -> Structure:
    """Return the fingerprint of a queryset whose query can be told from others."""
    try:
        return structure_of(rows.query, "default", describe)
    except UncacheableQuery:
        assume(False)
        raise


def asked(rows: Any) -> tuple[object, ...]:
    """Return SQL and parameters, without what a fingerprint leaves out: numbers of aliases and the order in an IN."""
    found = compiled(rows.query, "default")
    if found is None:
        return ("nothing",)
    sql, parameters = found
    rest = list(parameters)
    ordered: list[object] = []
    for place in PLACES.finditer(sql):
        count = place.group().count("%s")
        some, rest = rest[:count], rest[count:]
        ordered.extend(sorted(map(typed, some)))
    names: dict[str, str] = {}
    return (
        ALIAS.sub(lambda alias: names.setdefault(alias.group(), f"A{len(names)}"), sql),
        tuple(ordered),
        len(rest),
    )


def typed(given: object) -> tuple[str, str]:
    """Return a value such that ``1``, ``1.0`` and ``True`` differ."""
    return type(given).__name__, repr(given)


def answers(rows: Any) -> list[object]:
    """Return what the database says, with the types of all values."""
    found: list[object] = []
    for row in rows:
        state = {name: held for name, held in getattr(row, "__dict__", {}).items() if name != "_state"} or {
            "row": row
        }
        found.append({name: typed(held) for name, held in state.items()})
    return found


def compilable(rows: Any) -> bool:
    """Tell whether Django can compile a query at all."""
    try:
        compiled(rows.query, "default")
    except Exception:  # noqa: BLE001 - what it raises here, it raises when it is asked
        return False
    return True


def varied(described: Any, draw: Any, *, values_only: bool) -> Any:
    """Return a description that differs from another one in one place, or in none."""
    places = list(_places(described[1], values_only))
    if not places:
        return described
    copy = json.loads(json.dumps(described))
    path, strategy = draw(st.sampled_from(places))
    inner = copy[1]
    for index in path[:-1]:
        inner = inner[index]
    inner[path[-1]] = json.loads(json.dumps(draw(strategy)))
    return copy


def _is(kind: str, drawn: Any) -> bool:
    return bool(drawn[0] == kind)


def _places(part: Any, values_only: Any, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    for index, each in enumerate(part):
        here = (*path, index)
        if not isinstance(each, list) or not each:
            continue
        kind = each[0] if isinstance(each[0], str) else ""
        if kind in {"int", "str", "bool", "float", "decimal", "uuid", "date", "datetime", "none"}:
            yield here, SCALARS
        elif kind in {"list", "set", "tuple"}:
            yield here, VALUES.filter(partial(_is, kind))
            yield from _places(each[1], values_only, (*here, 1))
        else:
            if not values_only and not path:
                yield here, STEPS
            if not values_only and kind == "leaf":
                yield here, CONDITIONS
            yield from _places(each, values_only, here)


@st.composite
def pairs(draw: Any, *, values_only: bool = False) -> tuple[Description, Description]:
    """Draw two descriptions that differ in one place."""
    described = draw(DESCRIPTIONS.filter(lambda drawn: bool(drawn[1])))
    return described, varied(described, draw, values_only=values_only)


searching = settings(
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    max_examples=settings().max_examples * 4,
)


@searching
@given(pairs())
@example(
    (
        ["Article", [["filter", ["leaf", "pk", ["int", 1]]]]],
        ["Article", [["filter", ["leaf", "pk", ["bool", True]]]]],
    )
)
def test_two_queries_with_one_fingerprint_are_one_query(pair: tuple[Description, Description]) -> None:
    one, other = map(build, pair)
    assume(compilable(one) and compilable(other))
    same = fingerprint(one).content == fingerprint(other).content
    event(f"same content: {same}, same description: {pair[0] == pair[1]}")
    if not same:
        return
    assert asked(one) == asked(other)
    try:
        assert answers(one) == answers(other)
    except (DatabaseError, OverflowError, ValueError, TypeError, ArithmeticError):
        event("the database refuses it")


@searching
@given(DESCRIPTIONS)
def test_one_query_has_one_fingerprint_before_and_after_it_is_asked(described: Description) -> None:
    one = build(described)
    assume(compilable(one))
    before = compiled(one.query, "default")
    found = fingerprint(one)
    assert found == fingerprint(build(described))
    assert compiled(one.query, "default") == before
    executed = build(described)
    try:
        list(executed)
    except (DatabaseError, OverflowError, ValueError, TypeError, ArithmeticError):
        return
    event(f"raw: {found.raw}")
    if not found.raw:
        again = fingerprint(executed)
        assert (again.content, again.shape) == (found.content, found.shape)


@searching
@given(pairs(values_only=True))
@example(
    (
        ["Article", [["filter", ["missing", ["int", 1], 0]]]],
        ["Article", [["filter", ["missing", ["none", 0], 0]]]],
    )
)
def test_queries_of_one_shape_read_the_same_tables(pair: tuple[Description, Description]) -> None:
    one, other = map(build, pair)
    assume(compilable(one) and compilable(other))
    shapes = [fingerprint(each) for each in (one, other)]
    event(f"same shape: {shapes[0].shape == shapes[1].shape}")
    if shapes[0].shape == shapes[1].shape:
        assert tables(one) == tables(other)
        assert shapes[0].tables == shapes[1].tables
        assert [each.volatile for each in shapes] == [shapes[0].volatile] * 2


def tables(rows: Any) -> frozenset[str]:
    """Return the folded names of the tables in a query's SQL."""
    found = compiled(rows.query, "default")
    return frozenset() if found is None else frozenset(fold(each.name) for each in MEMO.scan(found[0]).reads)


@searching
@given(DESCRIPTIONS)
def test_no_table_of_the_sql_is_missing_but_those_of_joins_that_compiling_adds(
    described: Description,
) -> None:
    rows = build(described)
    assume(compilable(rows))
    found = fingerprint(rows)
    walk = Walk(Memory(describe))
    walk.visit(rows.query)
    known = {id(join) for query in walk.queries for join in query.alias_map.values()}
    in_sql = tables(rows)
    with contextlib.suppress(EmptyResultSet):
        rows.query.get_compiler("default").as_sql()
    joins = [join for query in walk.queries for join in query.alias_map.values()]
    added = {fold(join.table_name) for join in joins if id(join) not in known}
    unused = {
        fold(join.table_name)
        for query in walk.queries
        for alias, join in query.alias_map.items()
        if not query.alias_refcount[alias]
    }
    event(f"compiling adds tables: {not in_sql <= found.tables}")
    assert in_sql <= found.tables | added | unused
    assert found.tables <= {fold(join.table_name) for join in joins}


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Any]:
    """Run another process with another hash seed, and return a function that asks it for fingerprints."""
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "DJANGO_SETTINGS_MODULE": "tests.settings"}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
    )  # fmt: skip
    questions, replies = process.stdin, process.stdout
    assert questions is not None
    assert replies is not None

    def ask(described: Description) -> str:
        questions.write(json.dumps(described) + "\n")
        questions.flush()
        return replies.readline().strip()

    yield ask
    questions.close()
    replies.close()
    assert process.wait(30) == 0


@searching
@given(DESCRIPTIONS)
@example(
    ["Article", [["filter", ["leaf", "title__in", ["set", [["str", "x"], ["str", "1"], ["str", "é"]]]]]]]
)
@example(["Article", [["only", ["title", "views", "score"]], ["select_related", ["author", "section"]]]])
def test_another_process_finds_the_same_fingerprint(elsewhere: Any, described: Description) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert elsewhere(described) == content(described)
