"""No answer is stale, whatever is asked and written; and what a write has nothing to do with survives it."""

from __future__ import annotations

import pytest

from tests.matrix.orders import Orders
from tests.matrix.runs import run

pytestmark = pytest.mark.timeout(600)

PARTS = 3
"""The writes are divided, so that several workers can play them."""

ASKED = [
    pytest.param(database, part, marks=[pytest.mark.whole] if part != always else [])
    for database, always in (("sqlite", 0), ("postgres", 1), ("mariadb", 2))
    for part in range(PARTS)
]
"""A third of the writes on each database; the other two are played with the whole."""

GRANULARITY = 0.6
"""Measured: see docs/explanation/matrix.md. Below it, something is invalidated that was not."""

SURVIVES = {
    ("get by pk", "save another"),
    ("get by pk", "save of a tag"),
    ("get by pk", "bulk_create"),
    ("get by pk", "m2m add"),
    ("get by pk", "reverse FK create"),
    ("get another by pk", "save existing"),
    ("get: DoesNotExist by pk", "save existing"),
    ("get a child", "save existing"),
    ("get with select_related", "save another"),
    ("pk in", "save another"),
    ("in_bulk", "save of a related row"),
    ("exists by pk", "save another"),
    ("using another alias", "save of a tag"),
    ("over FK", "m2m add"),
    ("count", "rolled back"),
    ("count over m2m", "rolled back"),
    ("over m2m", "inner rolled back"),
    ("all", "get_or_create, found"),
    ("values_list flat", "save existing"),
}
"""What a write must leave alone, although it may be of the same table."""


@pytest.fixture
def port(request: pytest.FixtureRequest, database: str) -> int:
    """Return the port of the database server."""
    return 0 if database == "sqlite" else int(request.getfixturevalue(database).port)


def check(orders: Orders, *, floor: float = GRANULARITY) -> None:
    """Play, and assert what must be so."""
    found = run(orders)
    total = found.totals()

    assert [f"{shape} | {write}: {cell.detail}" for shape, write, cell in found.wrong()] == []
    assert found.lost() == []
    assert found.uncached() == []
    assert total.changed > total.pairs / 10, "writes that change nothing prove nothing"
    assert total.unrelated > total.pairs / 4
    assert total.granularity > floor
    signs = {(shape, write): cell.sign for shape, write, cell in found.pairs()}
    assert {pair for pair in SURVIVES & signs.keys() if signs[pair] != "."} == set()


@pytest.mark.parametrize(("database", "part"), ASKED)
def test_with_cache(database: str, port: int, part: int) -> None:
    """``Model.objects.cache()``."""
    check(Orders(database, "asked", port=port, part=part, parts=PARTS))


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("database", ["sqlite"])
def test_automatically(database: str, port: int, part: int) -> None:
    """``MODELS = {"*": {"cache": "all"}}``; the other thread is the first to read."""
    check(Orders(database, "automatic", port=port, part=part, parts=PARTS, second_reader=True))


@pytest.mark.parametrize("database", ["sqlite", "postgres", "mariadb"])
def test_matched(database: str, port: int) -> None:
    """``match``: the queries that it makes finer, and those around them, against the writes of their tables."""
    shapes = ("by FK", "by two FK", "count by FK", "by unique", "over FK", "get by pk", "values_list flat")
    check(Orders(database, "matched", port=port, shapes=shapes))


def test_on_valkey(valkey_url: str) -> None:
    """The same with entries and generations in Valkey, for the writes that a store can tell apart."""
    writes = ("save", "update()", "bulk", "delete", "committed", "rolled back", "batch", "invalidate")
    check(Orders("sqlite", "automatic", store=valkey_url, shapes=("get", "count", "over"), writes=writes))
