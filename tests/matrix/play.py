"""Play the pairs: fill every entry, write, and compare what the cache answers with what the database says.

All shapes are filled before one write and looked at after it; entries of one shape are kept apart from those of
another, so this finds what a write for each pair would. An entry that a write did not touch is there for the next.
Half of the shapes are read first by the thread that wrote, half by another one with a connection of its own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from django.db import connections

from tests.matrix import shapes
from tests.matrix.asking import Answer, Asker, Read, named, watching, written
from tests.matrix.findings import ASKED, BROKEN, KEPT, STALE, UNCACHED, Cell, Findings
from tests.matrix.keeping import Kept
from tests.matrix.libraries import library
from tests.matrix.orders import Orders
from tests.matrix.writes import EVERYTHING, OWN, TOUCHED, WRITES, Write, opened

T = TypeVar("T")

_VIEWS: Final = frozenset({"news_sectionsummary"})
_BEHIND: Final[Mapping[str, frozenset[str]]] = {
    "news_sectionsummary": frozenset({"news_section", "news_article", "news_article_tags"}),
    "extras_tally": frozenset({"news_article", "news_article_tags"}),
}
"""What the views and trigger targets in ``DERIVED`` derive from; a model stands for its m2m tables, too."""

_DECLARED: Final[Mapping[str, frozenset[str]]] = {
    "@cached": frozenset({"news_article_tags"}),
    "@cached, of one object": frozenset({"news_article_tags"}),
}
"""What shapes declare beyond what they read."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A cell, and what the database said after the write."""

    cell: Cell
    truth: Answer


def play(orders: Orders) -> Findings:
    """Play what is ordered in the database that is ready."""
    return Play(orders).run()


class Play:
    """One run in one process.

    Args:
        orders: What to do.
    """

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._library = library(orders)
        self._asker = Asker(self._library)
        every = shapes.ASKED if orders.mode == "asked" else shapes.AUTOMATIC
        self._shapes = _chosen(every, orders.shapes)
        own = OWN if orders.library != "genscache" else frozenset[str]()
        found = [name for name in _chosen(WRITES, orders.writes) if name not in own]
        self._writes = {name: WRITES[name] for name in found[orders.part :: orders.parts]}
        self._kept = Kept()
        self._tables = frozenset(self._kept.tables) | _VIEWS
        self._before = {name: self._asker.truth(read) for name, read in self._shapes.items()}
        self._lost: Sequence[str] = tuple(self._shapes)
        self._state: dict[str, str] = {}
        self._reads = {name: self._tables_of(name) for name in self._shapes}

    def run(self) -> Findings:
        """Play every write."""
        began = time.monotonic()
        findings = Findings(self._title(), tuple(self._shapes), tuple(self._writes))
        with ThreadPoolExecutor(1) as other:
            for number, (name, write) in enumerate(self._writes.items()):
                findings.cells[name] = self._column(number, name, write, other)
            other.submit(connections.close_all).result()
        findings.seconds = time.monotonic() - began
        return findings

    # -- inside

    def _column(self, number: int, name: str, write: Write, other: ThreadPoolExecutor) -> list[Cell]:
        gone = self._library.renew(self._lost)
        for shape in self._shapes if gone is None else gone:
            self._state[shape] = self._filled(shape, self._shapes[shape])
        wrong = dict(self._state)
        with watching() as sql:
            write()
        assert not opened(), f"{name} has left a transaction open"
        touched = self._touched(name, tuple(sql))
        turn = number + self._orders.second_reader
        mine = [shape for index, shape in enumerate(self._shapes) if (index + turn) % 2 == 0]
        theirs = [shape for shape in self._shapes if shape not in mine]
        seen = self._cells(mine, touched, wrong)
        seen |= other.submit(self._cells, theirs, touched, wrong).result()
        again = other.submit(self._again, mine, seen).result() | self._again(theirs, seen)
        self._kept.restore()
        assert not self._kept.changed(), f"the rows are not as they were before {name}"
        cells = {shape: again.get(shape) or seen[shape].cell for shape in self._shapes}
        self._lost = [shape for shape, cell in cells.items() if cell.sign != KEPT]
        return list(cells.values())

    def _filled(self, shape: str, read: Read) -> str:
        """Fill an entry and return what is wrong already; "-": nothing is cached."""
        expected = self._before[shape]
        for _ in range(2):
            answer = self._asker.cached(shape, read)
            if answer.form != expected.form:
                return _difference("before the write", answer, expected)
        return "" if answer.hit else UNCACHED

    def _cells(
        self, names: Sequence[str], touched: frozenset[str] | None, wrong: Mapping[str, str]
    ) -> dict[str, Seen]:
        """Read after the write, in the thread that this is called in."""
        return {shape: self._seen(shape, touched, wrong[shape]) for shape in names}

    def _seen(self, shape: str, touched: frozenset[str] | None, wrong: str) -> Seen:
        unrelated = touched is not None and not touched & self._reads[shape]
        before, read = self._before[shape], self._shapes[shape]
        if wrong not in {"", UNCACHED}:
            return Seen(Cell(STALE, changed=False, unrelated=unrelated, detail=wrong), before)
        try:
            answer, truth = self._asker.cached(shape, read), self._asker.truth(read)
        except Exception as error:  # noqa: BLE001 - it is what is looked for
            detail = f"{type(error).__name__}: {error}"
            return Seen(Cell(BROKEN, changed=False, unrelated=unrelated, detail=detail), before)
        assert truth.sql, f"the truth of {shape} did not come from the database"
        changed = truth.form != before.form
        if answer.form != truth.form:
            return Seen(Cell(STALE, changed, unrelated, _difference("after the write", answer, truth)), truth)
        return Seen(Cell(UNCACHED if wrong else KEPT if answer.hit else ASKED, changed, unrelated), truth)

    def _again(self, names: Sequence[str], seen: Mapping[str, Seen]) -> dict[str, Cell]:
        """Read in this thread what the other one has filled after the write; return the cells that are wrong."""
        found = {}
        for shape in names:
            cell, truth = seen[shape].cell, seen[shape].truth
            if cell.sign not in {STALE, BROKEN}:
                answer = self._asker.cached(shape, self._shapes[shape])
                if answer.form != truth.form:
                    detail = _difference("read again", answer, truth)
                    found[shape] = Cell(STALE, cell.changed, cell.unrelated, detail)
        return found

    def _touched(self, name: str, sql: tuple[str, ...]) -> frozenset[str] | None:
        """Return the tables that a write has touched; ``None``: it is meant to touch all."""
        if name in EVERYTHING:
            return None
        if name in TOUCHED:
            return TOUCHED[name]
        return written(sql, self._tables) | self._kept.changed()

    def _tables_of(self, shape: str) -> frozenset[str]:
        """Return the tables that a shape's SQL names, and what is behind them."""
        found = named(self._before[shape].sql, self._tables) | _DECLARED.get(shape, frozenset())
        return found.union(*(_BEHIND.get(table, frozenset()) for table in found))

    def _title(self) -> str:
        orders = self._orders
        store = orders.store.partition(":")[0]
        library = "" if orders.library == "genscache" else f"{orders.library}, "
        return f"{library}{orders.database}, {orders.mode}, {store}"


def _chosen(every: Mapping[str, T], words: Sequence[str]) -> dict[str, T]:
    return {name: each for name, each in every.items() if not words or any(word in name for word in words)}


def _difference(when: str, answer: Answer, truth: Answer) -> str:
    got, expected = repr(answer.form), repr(truth.form)
    at = next(
        (i for i, (a, b) in enumerate(zip(got, expected, strict=False)) if a != b),
        min(len(got), len(expected)),
    )
    start = max(0, at - 60)
    return f"{when}, got ...{got[start : at + 120]}, not ...{expected[start : at + 120]}"
