"""Rows of a database to parts, without instances in between; see ``parts`` for the form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from genscache.dismantling import Dismantled, Writing, progression
from genscache.parts import Kind, NotParts, State, What


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in a row the attributes of an instance are, all of them in their order, and what is loaded with it.

    Attributes:
        kind: Its class.
        start: The place of its first attribute.
        key: The place of what is ``None`` where there is no such instance.
        relations: What is loaded with it, by name.
    """

    kind: Kind
    start: int
    key: int
    relations: tuple[tuple[str, Layout], ...] = ()


@dataclass(slots=True)
class _Crop:
    """The instances of one part of a layout.

    Attributes:
        layout: The part.
        rows: The rows that have one.
        related: What is loaded with them, by name; ``None`` where that is nothing in all rows.
        first: The number of the first one.
    """

    layout: Layout
    rows: Sequence[int]
    related: list[tuple[str, _Crop | None]] = field(default_factory=list)
    first: int = 0


def harvest(layout: Layout, state: State, rows: Sequence[Sequence[object]]) -> Dismantled:
    """Return a list of instances in parts.

    Args:
        layout: What is in a row.
        state: The state of all instances.
        rows: One or more.

    Raises:
        NotParts: There is a value that can be changed: the instance that the caller gets has the original, not a copy.
    """
    columns = [*zip(*rows, strict=True)]
    crops = [_Crop(layout, range(len(rows)))]
    # The list grows on the way.
    for crop in crops:
        for name, inner in crop.layout.relations:
            keys = columns[inner.key]
            there = crop.rows if None not in keys else [row for row in crop.rows if keys[row] is not None]
            related = _Crop(inner, there) if there else None
            crop.related.append((name, related))
            if related is not None:
                crops.append(related)
    # What is loaded with others has to be there before them.
    crops.reverse()
    kinds = list(dict.fromkeys(crop.layout.kind for crop in crops))
    writing, groups, first = Writing(), [], 1
    for crop in crops:
        crop.first = first
        first += len(crop.rows)
        start, end = crop.layout.start, crop.layout.start + len(crop.layout.kind.names)
        whole = len(crop.rows) == len(rows)
        letters = [
            writing.column(column if whole else [column[row] for row in crop.rows])
            for column in columns[start:end]
        ]
        relations = tuple([(name, _numbers(crop, related)) for name, related in crop.related])
        index = kinds.index(crop.layout.kind)
        groups.append((index, len(crop.rows), None, state, relations, "".join(letters)))
    if writing.rest:
        raise NotParts
    main = crops[-1]
    plan = What.INSTANCES, progression([*range(main.first, first)]), len(rows)
    return Dismantled((tuple(groups), plan), tuple(writing.columns), kinds, [])


def _numbers(crop: _Crop, related: _Crop | None) -> tuple[int, int] | list[int]:
    """Return the numbers of what is loaded with instances."""
    if related is None:
        return 0, 0
    if len(related.rows) == len(crop.rows):
        return progression([*range(related.first, related.first + len(crop.rows))])
    numbers = dict(zip(related.rows, range(related.first, related.first + len(related.rows)), strict=True))
    return progression([numbers.get(row, 0) for row in crop.rows])
