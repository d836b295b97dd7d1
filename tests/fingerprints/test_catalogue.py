"""Each query of the catalogue has a fingerprint of its own, whenever and wherever it is built."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import NotSupportedError

from genscache.fingerprints import Structure, compiled, compiled_in_place, structure_of
from genscache.orm.sql import scan
from genscache.tables import fold
from tests.fingerprints.catalogue import Builder, catalogue, fingerprints
from tests.fingerprints.describing import describe

PROGRAM = "import django; django.setup(); from tests.fingerprints.catalogue import main; main()"
ROOT = Path(__file__).resolve().parent.parent.parent
QUERIES = catalogue()
ONLY_ELSEWHERE = {"annotated with array", "annotated with array, ordered"}
"""What SQLite cannot be asked."""

ADDED: dict[str, set[str]] = {
    "child model": {"news_article"},
    "defer of a relation": {"news_author"},
    "select_related": {"news_author"},
    "select_related of all": {"news_author", "news_section"},
    "select_related of two": {"news_author", "news_section"},
    "select_related, deep": {"news_article", "news_author"},
    "by a relation's name": {"news_author"},
    "by m2m": {"news_tag", "news_article_tags"},
    "by a reverse relation": {"news_asset"},
    "by F of a relation": {"news_author"},
    "in no order": {"news_section"},
}
"""Tables that join a query only when it is compiled."""

pytestmark = [
    pytest.mark.filterwarnings("ignore:DateTimeField:RuntimeWarning"),
    # Django 6.1 would like neither to be used any longer.
    pytest.mark.filterwarnings("ignore:Calling select_related"),
    pytest.mark.filterwarnings("ignore:The PostgreSQL specific StringAgg"),
]
each_query = pytest.mark.parametrize(
    "build", [pytest.param(build, id=name) for name, build in QUERIES.items()]
)


def structure(rows: Any) -> Structure:
    """Return the fingerprint of a queryset or a query."""
    return structure_of(getattr(rows, "query", rows), "default", describe)


def test_no_two_queries_have_the_same_fingerprint() -> None:
    found: dict[bytes, str] = {}
    for name, build in QUERIES.items():
        assert found.setdefault(structure(build()).content, name) == name


@each_query
def test_built_twice_it_has_one_fingerprint(build: Builder) -> None:
    assert structure(build()) == structure(build())


@each_query
def test_compiling_does_not_change_its_fingerprint(build: Builder) -> None:
    rows = build()
    fresh = structure(rows)
    try:
        compiled_in_place(rows.query, "default")
    except NotSupportedError:
        return
    executed = structure(rows)
    assert (executed.content, executed.shape) == (fresh.content, fresh.shape)


@each_query
def test_its_copies_have_its_fingerprint(build: Builder) -> None:
    query = build().query
    for copied in (query.clone(), query.chain(), copy.deepcopy(query), pickle.loads(pickle.dumps(query))):
        assert structure(copied) == structure(build())


@each_query
def test_taking_a_fingerprint_does_not_change_the_query(
    build: Builder, request: pytest.FixtureRequest
) -> None:
    rows = build()
    structure(rows)
    try:
        before = compiled(build().query, "default")
    except NotSupportedError:
        return
    assert compiled(rows.query, "default") == before


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_its_tables_are_those_of_its_sql(name: str) -> None:
    rows = QUERIES[name]()
    try:
        found = compiled(rows.query, "default")
    except NotSupportedError:
        return
    if found is not None:
        tables = {fold(relation.name) for relation in scan(found[0]).reads}
        assert structure(rows).tables == tables - ADDED.get(name, set())


def test_another_process_with_another_hash_seed_finds_the_same_fingerprints() -> None:
    for seed in ("1", "2"):
        printed = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        assert json.loads(printed.stdout) == fingerprints()
