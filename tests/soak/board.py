"""Memory that all processes share, outside of the cache: which versions must not be undercut, and what was counted.

Each process has cells of its own and is alone in writing them, so nothing is ever lost; who looks takes the maximum.
A cell is eight aligned bytes: it is written as a whole, and survives the death of its writer.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.soak.slots import SLOTS

COUNTS: Final = (
    "reads", "checked", "writes", "failed", "refused", "hit", "miss", "bypass", "stale1", "stale2",
)  # fmt: skip
WINDOW: Final = len(COUNTS)
CELLS: Final = WINDOW + 1


class Board:
    """The shared cells.

    Args:
        path: The file behind them; made if it is not there.
        actors: How many processes have cells.
    """

    def __init__(self, path: Path, actors: int) -> None:
        self.actors = actors
        size = 8 * (actors * (2 * SLOTS + CELLS) + 1)
        if not path.exists():
            path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._cells = memoryview(mmap.mmap(file.fileno(), size)).cast("Q")

    def floors(self) -> tuple[list[int], list[int]]:
        """Return for each slot the newest version whose write has returned, and the newest that anybody has seen."""
        returned = self._columns(0)
        seen = self._columns(self.actors * SLOTS)
        return returned, list(map(max, returned, seen))

    def returned(self, actor: int, versions: Iterable[tuple[int, int]]) -> None:
        """Note that writes have returned to their caller."""
        self._raise(actor * SLOTS, versions)

    def seen(self, actor: int, versions: Iterable[tuple[int, int]]) -> None:
        """Note what a read was given."""
        self._raise((self.actors + actor) * SLOTS, versions)

    def count(self, actor: int, name: str, by: int = 1) -> None:
        """Add to a count of a process."""
        self._cells[self._own(actor) + COUNTS.index(name)] += by

    def total(self, name: str) -> int:
        """Return a count of all processes."""
        return sum(self._cells[self._own(actor) + COUNTS.index(name)] for actor in range(self.actors))

    def set_window(self, actor: int, inside: bool) -> None:  # noqa: FBT001 - its only argument
        """Note whether a writer may be between lease and settle."""
        self._cells[self._own(actor) + WINDOW] = int(inside)

    def in_window(self, actor: int) -> bool:
        """Tell whether a writer may be between lease and settle."""
        return bool(self._cells[self._own(actor) + WINDOW])

    @property
    def over(self) -> bool:
        """Tell whether the processes are to end."""
        return bool(self._cells[-1])

    def end(self) -> None:
        """Let the processes end."""
        self._cells[-1] = 1

    def _own(self, actor: int) -> int:
        return self.actors * 2 * SLOTS + actor * CELLS

    def _columns(self, start: int) -> list[int]:
        rows = [
            self._cells[start + actor * SLOTS : start + (actor + 1) * SLOTS].tolist()
            for actor in range(self.actors)
        ]
        return [max(column) for column in zip(*rows, strict=True)]

    def _raise(self, start: int, versions: Iterable[tuple[int, int]]) -> None:
        for slot, version in versions:
            self._cells[start + slot] = max(version, self._cells[start + slot])
