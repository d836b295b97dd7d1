"""The matrix sees what is wrong: a genscache with a bug in it gets crosses, or loses what it should keep."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import genscache
from property_tests.mutants import apply
from property_tests.mutations import Edit
from tests.matrix.findings import Findings
from tests.matrix.orders import Orders
from tests.matrix.runs import run

pytestmark = pytest.mark.timeout(300)

PLANNED = (
    "        tables = frozenset(fold(relation.name) for relation in statement.reads)\n        if not rows:"
)
FORGETFUL = Edit(
    PLANNED,
    PLANNED.replace(
        "in statement.reads)",
        "in statement.reads if fold(relation.name) == fold(query.model._meta.db_table))",
    ),
)
UNWATCHED = Edit(
    "    tables = recording.uncovered(engine.catalog.primary(connection.alias), tables)\n",
    "    tables = ()\n",
)


def played(
    tmp_path: Path, edits: tuple[Edit, ...], shapes: tuple[str, ...], writes: tuple[str, ...]
) -> Findings:
    """Play pairs with a copy of genscache that has a bug."""
    source = Path(str(genscache.__file__)).parent
    copy = tmp_path / "genscache"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    apply(edits, copy)
    return run(Orders("sqlite", shapes=shapes, writes=writes), home=tmp_path)


STALE: dict[str, tuple[tuple[Edit, ...], str, str]] = {
    "the planner forgets what is joined, and nobody watches the fill": (
        (FORGETFUL, UNWATCHED),
        "select_related, nullable",
        "save of a related row",
    ),
    "a row counts as pinned although the table is read again": (
        (Edit('(?!\\s*\\.)", self._sql)) == 1', '(?!\\s*\\.)", self._sql)) >= 1'),),
        "get with subquery on its own table",
        "delete a child",
    ),
    "what is in DERIVED is not reached": (
        (Edit("            waiting.extend(self._derived.get(table, ()))\n", ""),),
        "trigger's target (DERIVED)",
        "trigger",
    ),
    "a write in a transaction is not settled with a bump": (
        (Edit("            self._state.add(written)\n", "            pass\n"),),
        "all",
        "committed",
    ),
    "several lists of parameters are none": (
        (Edit("        if written.before:\n", "        if written.before and not many:\n"),),
        "all",
        "executemany",
    ),
}


@pytest.mark.parametrize("bug", list(STALE))
def test_a_bug_gets_a_cross(tmp_path: Path, bug: str) -> None:
    edits, shape, write = STALE[bug]

    found = played(tmp_path, edits, (shape,), (write,))

    assert (shape, write) in {(one, other) for one, other, cell in found.wrong() if cell.sign == "X"}


def test_the_second_net_holds_where_the_first_is_torn(tmp_path: Path) -> None:
    """The fill adds what the plan has forgotten."""
    found = played(tmp_path, (FORGETFUL,), ("select_related", "over"), ("save",))

    assert found.wrong() == []


def test_who_invalidates_everything_is_found_out(tmp_path: Path) -> None:
    everything = Edit(
        "    rows = _rows(catalog, database, statement, params)\n    if rows is None:\n",
        "    return EVERYTHING\n    rows = _rows(catalog, database, statement, params)\n    if rows is None:\n",
    )

    found = played(tmp_path, (everything,), ("get", "all"), ("save", "an unrelated table"))

    assert found.wrong() == []
    assert ("all", "an unrelated table") in found.lost()
    assert found.totals().isolation == 0
