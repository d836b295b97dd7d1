"""Tables and chapters in plain ASCII, at most 100 columns wide, so that any terminal, pipe and log can show them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class Chapter:
    """One part of the report.

    Attributes:
        name: Its key in the JSON document.
            body: What people read, line by line.
        data: What programs read: the same facts.
        kept: What was promised has come true.
    """

    name: str
    body: tuple[str, ...]
    data: Mapping[str, object]
    kept: bool = True


def heading(text: str) -> list[str]:
    """Return a heading, underlined."""
    return ["", text, "-" * len(text)]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> tuple[str, ...]:
    """Return an aligned table.

    Args:
        head: What stands above the columns.
        rows: Cells, as many as ``head`` has.
        left: How many columns, from the first on, are text and stand to the left.
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  " + "  ".join(aligned).rstrip()

    return (line(head), line(["-" * width for width in widths]), *map(line, rows))


def prose(text: str) -> tuple[str, ...]:
    """Return a paragraph, wrapped and indented like the tables."""
    return tuple(textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  "))


def milliseconds(seconds: float) -> str:
    """Return a time in milliseconds; every table uses this one unit, so that its rows can be compared."""
    return f"{seconds * 1000:.3f}"
