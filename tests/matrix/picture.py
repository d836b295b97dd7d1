"""One run as a picture: a square for each pair."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import Final

from tests.matrix.findings import ASKED, BROKEN, KEPT, STALE, UNCACHED, Findings

SIDE: Final = 9
LEFT: Final = 230
TOP: Final = 190
COLOURS: Final = {KEPT: "#2da44e", ASKED: "#b6d7f2", UNCACHED: "#d0d7de", STALE: "#cf222e", BROKEN: "#8250df"}
MEANINGS: Final = {
    KEPT: "right, and the entry survived the write",
    ASKED: "right, the database was asked again",
    STALE: "stale",
}


def picture(findings: Findings) -> str:
    """Return the SVG."""
    width = LEFT + SIDE * len(findings.cells) + 90
    height = TOP + SIDE * len(findings.shapes) + 20
    total = findings.totals()
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t d"'
            ' font-family="system-ui, sans-serif" font-size="7.5">'
        ),
        f'<title id="t">{len(findings.shapes)} queries against {len(findings.cells)} writes</title>',
        f'<desc id="d">{escape(findings.title)}: {total.pairs} pairs, {total.stale} stale.</desc>',
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff" stroke="#d0d7de"/>',
    ]
    for index, (sign, meaning) in enumerate(MEANINGS.items()):
        y = 16 + 16 * index
        parts += [
            f'<rect x="16" y="{y}" width="10" height="10" fill="{COLOURS[sign]}"/>',
            f'<text x="32" y="{y + 9}" font-size="10" fill="#24292f">{meaning}</text>',
        ]
    parts += [_column(index, write) for index, write in enumerate(findings.cells)]
    parts += [_row(findings, index, shape) for index, shape in enumerate(findings.shapes)]
    return "\n".join([*parts, _lines(findings), "</svg>\n"])


def _column(index: int, write: str) -> str:
    x = LEFT + SIDE * index + SIDE - 2
    return f'<text transform="translate({x} {TOP - 5}) rotate(-60)" fill="#24292f">{escape(write)}</text>'


def _row(findings: Findings, index: int, shape: str) -> str:
    """Return a row: neighbours of one colour are one bar, to keep the file small."""
    y = TOP + SIDE * index
    label = f'<text x="{LEFT - 6}" y="{y + 7}" text-anchor="end" fill="#24292f">{escape(shape)}</text>'
    bars: dict[str, str] = {}
    place = 0
    for sign, group in groupby(column[index].sign for column in findings.cells.values()):
        width = SIDE * len(list(group))
        bars[sign] = bars.get(sign, "") + f"M{LEFT + place} {y}h{width}v8h-{width}"
        place += width
    return label + "".join(f'<path d="{bar}" fill="{COLOURS[sign]}"/>' for sign, bar in bars.items())


def _lines(findings: Findings) -> str:
    """Return what parts the columns."""
    height = SIDE * len(findings.shapes)
    lines = "".join(f"M{LEFT + SIDE * place - 0.5} {TOP}v{height}" for place in range(1, len(findings.cells)))
    return f'<path d="{lines}" stroke="#ffffff"/>'
