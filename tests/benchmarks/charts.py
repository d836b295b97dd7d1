"""Results as pictures: ``python -m tests.benchmarks.charts results.json folder``."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.orders import CONTESTANTS
from tests.benchmarks.saying import say

COLOURS: Final = {
    "genscache": "#1a7f37",
    "handwritten": "#0969da",
    "cacheops": "#bf8700",
    "cachalot": "#8250df",
    "none": "#8c959f",
}
NAMES: Final = {"handwritten": "hand-written", "none": "no cache", "function20": "function, 20 objects"}
WIDTH: Final = 760
LEFT: Final = 150
RIGHT: Final = 740
INK: Final = "#24292f"
FAINT: Final = "#d0d7de"
TICKS: Final = 7
"""The most numbers that an axis shows."""

Line = Sequence[tuple[float, float]]


def bars(title: str, rows: Sequence[tuple[str, str, float]], *, unit: str, mark: float | None = None) -> str:
    """Return bars in groups.

    Args:
        title: What is shown.
        rows: Group, contestant and value.
        unit: Of the values.
        mark: A value at which a line is drawn.
    """
    groups = list(dict.fromkeys(group for group, _, _ in rows))
    longest = max(value for _, _, value in rows)
    parts: list[str] = []
    y = 64.0
    for group in groups:
        own = [(name, value) for each, name, value in rows if each == group]
        parts.append(_text(LEFT - 10, y + 7.5 * len(own) + 4, _named(group), anchor="end"))
        for name, value in own:
            width = max(1.0, (RIGHT - 60 - LEFT) * value / longest)
            parts.append(_bar(LEFT, y, width, 12, COLOURS[name]))
            parts.append(_text(LEFT + width + 5, y + 10, f"{value:,.3g}", size=11))
            y += 15
        y += 14
    if mark is not None:
        x = LEFT + (RIGHT - 60 - LEFT) * mark / longest
        place = f'x1="{x:.1f}" y1="56" x2="{x:.1f}" y2="{y - 8:.0f}"'
        parts.append(f'<line {place} stroke="{INK}" stroke-dasharray="3 3"/>')
    there = [name for name in CONTESTANTS if any(name == each for _, each, _ in rows)]
    return _picture(f"{title}, {unit}", there, parts, y)


def lines(title: str, drawn: Mapping[str, Line], *, x: str, y: str, flat: bool = False) -> str:
    """Return lines on logarithmic axes.

    Args:
        title: What is shown.
        drawn: Points by contestant.
        x: What grows.
        y: What is measured.
        flat: The vertical axis begins at 0 and is not logarithmic.
    """
    top, bottom = 64.0, 330.0
    xs = sorted({at for line in drawn.values() for at, _ in line})
    ys = [value for line in drawn.values() for _, value in line]
    across = _scale(xs[0], xs[-1], LEFT - 60, RIGHT - 20)
    up = _linear(max(ys), bottom, top) if flat else _scale(min(ys) * 0.8, max(ys) * 1.2, bottom, top)
    parts = []
    for value in _even(max(ys)) if flat else _tens(min(ys) * 0.8, max(ys) * 1.2):
        parts.append(
            f'<line x1="{LEFT - 60}" y1="{up(value):.1f}" x2="{RIGHT - 20}" y2="{up(value):.1f}" stroke="{FAINT}"/>'
        )
        parts.append(_text(LEFT - 66, up(value) + 4, f"{value:,.6g}", anchor="end", size=11))
    parts += [_text(across(each), bottom + 18, f"{each:,.6g}", anchor="middle", size=11) for each in xs]
    parts.append(_text((LEFT - 60 + RIGHT) / 2, bottom + 38, x, anchor="middle"))
    for name, line in drawn.items():
        points = " ".join(f"{across(at):.1f},{up(value):.1f}" for at, value in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="2.5"/>')
        parts += [
            f'<circle cx="{across(at):.1f}" cy="{up(value):.1f}" r="3.5" fill="{COLOURS[name]}"/>'
            for at, value in line
        ]
    return _picture(f"{title}, {y}", list(drawn), parts, bottom + 52)


def charts(found: Mapping[str, Any]) -> dict[str, str]:
    """Return pictures by the name of their file."""
    made: dict[str, str] = {}
    if "hits" in found:
        rows = [(row["case"], row["contestant"], row["ratio"]["median"]) for row in found["hits"]]
        cached = [row for row in rows if row[1] != "none"]
        made["benchmark-hits.svg"] = bars(
            "A hit", cached, unit="times a raw GET and loads (dashed)", mark=1.0
        )
    if "mixed" in found:
        shares = [
            (f"{row['processes']} processes", row["contestant"], row["ratio"]["median"])
            for row in found["mixed"]
        ]
        if shares:  # where those without a cache took part
            made["benchmark-mixed.svg"] = bars(
                "95 % reads, 5 % writes", shares, unit="processor time against no cache", mark=1.0
            )
    if "growth" in found:
        made |= _grown(found["growth"])
    if "invalidation" in found:
        fuller = [(row["entries"], row["microseconds"]) for row in found["invalidation"]]
        made["benchmark-entries.svg"] = lines(
            "invalidate_model", {"genscache": fuller}, x="entries in the store", y="microseconds", flat=True
        )
    return made


def _grown(grown: Mapping[str, list[dict[str, Any]]]) -> dict[str, str]:
    far = [row for row in grown["delay"] if row["case"] == "list1000"]
    return {
        "benchmark-rows.svg": lines("A hit of a list", _by(grown["rows"]), x="rows", y="microseconds"),
        "benchmark-delay.svg": lines(
            "A hit of 1000 rows over a longer way",
            _by(far),
            x="milliseconds more for a round trip",
            y="microseconds",
        ),
        "benchmark-processes.svg": lines(
            "Hits per second on one processor",
            _by(grown["processes"], "rate"),
            x="processes",
            y="get",
            flat=True,
        ),
    }


def _by(rows: Sequence[dict[str, Any]], value: str = "microseconds") -> dict[str, Line]:
    there = [name for name in CONTESTANTS if any(row["contestant"] == name for row in rows)]
    return {name: [(row["x"], row[value]) for row in rows if row["contestant"] == name] for name in there}


def _scale(low: float, high: float, start: float, stop: float) -> Callable[[float], float]:
    span = math.log(high / low) or 1.0
    return lambda value: start + (stop - start) * math.log(value / low) / span


def _linear(high: float, start: float, stop: float) -> Callable[[float], float]:
    return lambda value: start + (stop - start) * value / (high * 1.15)


def _tens(low: float, high: float) -> list[float]:
    """Return round numbers between two, evenly far apart on a logarithmic axis."""
    tens = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    fine = [step * ten for ten in tens for step in (1, 2, 5)]
    inside = [value for value in fine if low <= value <= high]
    return inside if len(inside) <= TICKS else [value for value in tens if low <= value <= high]


def _even(high: float) -> list[float]:
    step: float = 10 ** math.floor(math.log10(high))
    if high / step < TICKS / 3:
        step /= 5
    return [step * number for number in range(int(high * 1.1 / step) + 1)]


def _picture(title: str, names: Sequence[str], parts: Sequence[str], height: float) -> str:
    x = 16.0
    legend = []
    for name in names:
        legend.append(_bar(x, 36, 11, 11, COLOURS[name]))
        legend.append(_text(x + 16, 46, _named(name), size=12))
        x += 34 + 7 * len(_named(name))
    told = escape(title)
    view = f'viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-labelledby="t"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {view} font-family="system-ui, sans-serif" font-size="13">',
            f'<title id="t">{told}: {escape(", ".join(map(_named, names)))}</title>',
            f'<rect width="{WIDTH}" height="{height:.0f}" rx="8" fill="#ffffff" stroke="{FAINT}"/>',
            f'<text x="16" y="24" font-weight="600" fill="{INK}">{told}</text>',
            *legend,
            *parts,
            "</svg>\n",
        ]
    )


def _bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.1f}" height="{height:.0f}" rx="2" fill="{colour}"/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size}" fill="{INK}">{escape(words)}</text>'


def _named(name: str) -> str:
    return NAMES.get(name, name)


def main() -> None:
    """Draw what a file holds."""
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    for name, picture in charts(json.loads(source.read_text())).items():
        (folder / name).write_text(picture)
        say(f"{folder / name}")


if __name__ == "__main__":
    main()
