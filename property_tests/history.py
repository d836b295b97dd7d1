"""The model: what every row was, in the order of commits, and what nobody may be given any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

Row: TypeAlias = tuple[str, int]
"""A table's short name and a primary key."""

Version: TypeAlias = int | None
"""Each write has a number of its own; ``None``: there is no such row."""

Rows: TypeAlias = dict[Row, Version]
Places: TypeAlias = dict[Row, int]
"""How far down its history a row is, for each row."""


class History:
    """Every version of every row that was committed.

    Args:
        state: What is committed at the beginning.

    Attributes:
        floor: The place of each row below which no read that starts from now on may fall.
        untold: Places of versions that were written behind everybody's back and not announced.
    """

    def __init__(self, state: Mapping[Row, Version]) -> None:
        self.versions: dict[Row, list[Version]] = {row: [version] for row, version in state.items()}
        self.floor: Places = dict.fromkeys(state, 0)
        self.untold: set[tuple[Row, int]] = set()

    def observe(self, state: Mapping[Row, Version], *, told: bool) -> Places:
        """Append what has changed since the last look; return where.

        Args:
            state: What is committed now.
            told: Whether the library could see the write.
        """
        changed: Places = {}
        for row, version in state.items():
            if self.versions[row][-1] == version:
                continue
            self.versions[row].append(version)
            changed[row] = len(self.versions[row]) - 1
            if not told:
                self.untold.add((row, changed[row]))
        return changed

    def now(self, rows: Iterable[Row]) -> Places:
        """Return where rows are now."""
        return {row: len(self.versions[row]) - 1 for row in rows}

    def raise_floor(self, places: Mapping[Row, int]) -> None:
        """From now on, nobody may be given anything older than ``places``."""
        for row, place in places.items():
            self.floor[row] = max(self.floor[row], place)

    def place(self, row: Row, version: Version) -> int | None:
        """Return the latest place of a version, ``None`` if it was never committed."""
        versions = self.versions[row]
        return next((at for at in range(len(versions) - 1, -1, -1) if versions[at] == version), None)

    def seen(self, row: Row, version: Version) -> None:
        """Somebody has seen a version: nobody goes back behind it, unless nobody told of the write."""
        place = self.place(row, version)
        if place is not None and (row, place) not in self.untold:
            self.raise_floor({row: place})
