"""Results as tables, which are Markdown as well: ``python -m tests.benchmarks.tables results.json [page.md]``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.orders import CONTESTANTS
from tests.benchmarks.saying import tell

Found = dict[str, Any]
NAMES: Final = {
    "handwritten": "hand-written",
    "none": "no cache",
    "function20": "decorated function, 20 objects",
}
MARK: Final = "<!-- What follows is written by: make bench-page -->"
TITLES: Final = {
    "hits": "Hits",
    "breakdown": "A hit, step by step",
    "writes": "Writes",
    "batch": "Many invalidations at once",
    "misses": "Misses",
    "bypass": "Switched off",
    "mixed": "Reads and writes",
    "invalidation": "Invalidating a model",
    "sizes": "Sizes",
    "growth": "How costs grow",
}
MISSES: Final = {"get": 1.5, "get of a known row": 1.5, "list20": 1.25}
GOALS: Final = {"get": 2.3, "list20": 1.5, "list1000": 0.45, "count": 3.0, "function20": 0.6}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (cell.ljust(width) if place == 0 else cell.rjust(width)
                        for place, (cell, width) in enumerate(zip(cells, widths, strict=True)))  # fmt: skip
        return f"| {' | '.join([first, *rest])} |"

    rule = (
        "|"
        + "|".join("-" * (width + 1) + (":" if place else "-") for place, width in enumerate(widths))
        + "|"
    )
    return "\n".join([line(lines[0]), rule, *map(line, lines[1:])])


def hits(found: Found) -> str:
    """Hits, as multiples of a raw GET."""
    rows = found["hits"]
    parts = [_grid(rows, "a hit, against a raw GET and loads", _ratio, GOALS)]
    parts.append(_grid(rows, "microseconds, p50 (p99)", lambda row: _p(row["microseconds"])))
    parts.append(_grid(rows, "processor time, µs", lambda row: f"{row['cpu']:.0f}"))
    parts.append(
        _grid(rows, "round trips / commands", lambda row: f"{row['round_trips']:g} / {row['commands']:g}")
    )
    parts.append(
        _grid(
            rows,
            "bytes sent / received",
            lambda row: f"{row['bytes_sent']:.0f} / {row['bytes_received']:.0f}",
        )
    )
    return "\n\n".join(parts)


def breakdown(found: Found) -> str:
    """Hits, step by step."""
    rows = found["breakdown"]
    parts = []
    for case, name in dict.fromkeys((row["case"], row["contestant"]) for row in rows):
        own = [row for row in rows if row["case"] == case and row["contestant"] == name]
        parts.append(
            table(
                (f"{_named(name)}: {_named(case)}", "µs"),
                ((row["step"], f"{row['microseconds']:.1f}") for row in own),
            )
        )
    return "\n\n".join(parts)


def beside(part: str, title: str, goals: dict[str, float]) -> Callable[[Found], str]:
    """Return what makes tables of multiples of what plain Django takes for the same."""

    def made(found: Found) -> str:
        rows = found[part]
        tables = [
            _grid(rows, title, _ratio, goals),
            _grid(rows, "microseconds, p50 (p99)", lambda row: _p(row["microseconds"])),
        ]
        if all("round_trips" in row for row in rows):
            tables.append(_grid(rows, "round trips to the store", lambda row: f"{row['round_trips']:g}"))
        return "\n\n".join(tables)

    return made


def batch(found: Found) -> str:
    """Invalidations by hand, many at a time."""
    rows = [{**row, "case": f"{row['rows']:,} rows"} for row in found["batch"]]
    return _grid(
        rows,
        "invalidated by hand: ms (round trips)",
        lambda row: f"{row['microseconds'] / 1000:.0f} ({row['round_trips']:g})",
    )


def invalidation(found: Found) -> str:
    """``invalidate_model``."""
    return table(
        ("entries in the store", "invalidate_model, µs", "against INCR", "round trips", "store blocked, µs", "longest"),
        (
            (
                f"{row['entries']:,}", f"{row['microseconds']:.0f}", _ratio(row), f"{row['round_trips']:g}",
                f"{row['blocked_p50']}", f"{row['blocked']}",
            )
            for row in found["invalidation"]
        ),
    )  # fmt: skip


def mixed(found: Found) -> str:
    """Reads and writes."""
    rows = [{**row, "case": f"{row['processes']} processes"} for row in found["mixed"]]
    return _grid(
        rows,
        "95 % reads, 5 % writes: processor time",
        lambda row: f"{_ratio(row)} {row['cpu']:.0f} µs" if "ratio" in row else f"{row['cpu']:.0f} µs",
    )


def sizes(found: Found) -> str:
    """Sizes."""
    return table(
        ("bytes in the store", "entry", "pickled instances", "ratio", "besides", "of these, the key"),
        (
            (
                _named(row["case"]), f"{row['payload']}", f"{row['pickled']}", f"{row['payload'] / row['pickled']:.2f}",
                f"{row['beyond']}", f"{row['key']}",
            )
            for row in found["sizes"]
        ),
    )  # fmt: skip


def growth(found: Found) -> str:
    """How costs grow."""
    grown = found["growth"]
    parts = [
        _grid(_by_x(grown["rows"], "rows"), "rows: a hit in µs (against raw)", _both),
        _grid(_by_x(grown["namespaces"], "names"), "namespaces of an entry", _both),
        _grid(_by_x(grown["entries"], "entries"), "entries in the store: a get in µs (against raw)", _both),
        _grid(
            [{**row, "case": f"{row['case']}, +{row['x']:g} ms"} for row in grown["delay"]],
            "a longer way: a hit in µs (against raw)",
            _both,
        ),
        _grid(
            [{**row, "case": f"{row['x']} at once"} for row in grown["processes"]],
            "hits per second on one processor",
            lambda row: f"{row['rate']:,.0f}",
        ),
    ]
    return "\n\n".join(parts)


TABLES: Final[dict[str, Callable[[Found], str]]] = {
    "hits": hits,
    "breakdown": breakdown,
    "writes": beside("writes", "a write, against plain Django", {"save": 1.3}),
    "batch": batch,
    "misses": beside("misses", "a miss with its fill, against plain Django", MISSES),
    "bypass": beside("bypass", "switched off, against plain Django", {"get": 1.03, "list20": 1.03}),
    "mixed": mixed,
    "invalidation": invalidation,
    "sizes": sizes,
    "growth": growth,
}


def _grid(
    rows: list[dict[str, Any]],
    title: str,
    cell: Callable[[dict[str, Any]], str],
    goals: dict[str, float] | None = None,
) -> str:
    """Return a table with a line for each case and a column for each contestant."""
    cases = list(dict.fromkeys(row["case"] for row in rows))
    there = [name for name in CONTESTANTS if any(row["contestant"] == name for row in rows)]
    cells = {(row["case"], row["contestant"]): cell(row) for row in rows}
    head = [title, *map(_named, there), *(["goal"] if goals else [])]
    return table(
        head,
        (
            [
                _named(case), *(cells.get((case, name), "-") for name in there),
                *([f"<= {goals[case]}" if case in goals else "-"] if goals else []),
            ]
            for case in cases
        ),
    )  # fmt: skip


def _by_x(rows: list[dict[str, Any]], unit: str) -> list[dict[str, Any]]:
    return [{**row, "case": f"{row['x']:,} {unit}"} for row in rows]


def _ratio(row: dict[str, Any]) -> str:
    ratio = row["ratio"]
    return f"{ratio['median']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"


def _both(row: dict[str, Any]) -> str:
    return f"{row['microseconds']:,.0f} ({row['ratio']:.2f})"


def _p(microseconds: dict[str, float]) -> str:
    return f"{microseconds['p50']:.0f} ({microseconds['p99']:.0f})"


def _named(name: str) -> str:
    return NAMES.get(name, name)


def page(text: str, found: Found) -> str:
    """Return a page with the tables of new results in place of those that it had; they begin after ``MARK``."""
    kept, mark, _ = text.partition(MARK)
    if not mark:
        raise ValueError(f"the page has no line {MARK!r}")
    measured = found["machine"]
    told = ", ".join(
        f"{name} {value}" for name, value in measured.items() if value != "" and not isinstance(value, bool)
    )
    pinned = "one processor for everything" if measured["pinned"] else "not kept on one processor"
    parts = [f"Measured with `{found['command']}`, {found['rounds']} rounds, {pinned}: {told}."]
    parts += [f"## {TITLES[part]}\n\n{make(found)}" for part, make in TABLES.items() if part in found]
    return f"{kept}{mark}\n\n" + "\n\n".join(parts) + "\n"


def main() -> None:
    """Print the tables of a file of results, or put them into a page."""
    results = json.loads(Path(sys.argv[1]).read_text())
    if len(sys.argv) > 2:
        home = Path(sys.argv[2])
        home.write_text(page(home.read_text(), results))
    else:
        tell("\n\n".join(make(results) for part, make in TABLES.items() if part in results))


if __name__ == "__main__":
    main()
