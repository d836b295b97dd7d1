"""Python source with holes, and the few values that fill them: so few that what is read is what is written."""

from __future__ import annotations

from collections.abc import Sequence
from string import Formatter

from hypothesis import strategies as st

# What stands there twice is chosen twice as often. Some differ only in type.
POOLS: dict[str, Sequence[str]] = {
    "pk": ("1", "1", "2", "3", "4", "9", "'1'"),
    "id": ("1", "1", "2", "3", "4", "9"),
    "two": ("1", "2", "2"),
    "name": ("'a'", "'a'", "'b'", "'c'"),
    "views": ("0", "1", "1", "2", "100"),
    "score": ("Decimal('1.0')", "Decimal('2.5')", "1"),
    "when": ("at(0)", "at(1)", "at(2)"),
    "day": ("date(2024, 1, 1)", "date(2024, 1, 2)"),
    "code": ("'aa'", "'aa'", "'bb'", "'cc'"),
    "asset": ("uuid(1)", "uuid(1)", "uuid(2)", "uuid(3)"),
}
_HOLES = Formatter()


@st.composite
def filled(draw: st.DrawFn, template: str) -> str:
    """Fill each hole of a template, ``{pk}`` or ``{pk:another}``, with a value of its own."""
    parts = []
    for text, hole, _, _ in _HOLES.parse(template):
        parts.append(text)
        if hole is not None:
            parts.append(draw(st.sampled_from(POOLS[hole])))
    return "".join(parts)


def one_of(templates: Sequence[str]) -> st.SearchStrategy[str]:
    """Choose a template and fill it."""
    return st.sampled_from(templates).flatmap(filled)
