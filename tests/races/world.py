"""What races are about: the versions of one row, and what each reader makes of them."""

from __future__ import annotations

from dataclasses import dataclass

TITLES = ("a0", "new", "newer")
"""The title of the row that is written, by version; its ``views`` are the version."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A way to read.

    Attributes:
        run: The script.
        args: What it takes besides the alias.
        versions: What it returns where the row is as in version 0, 1, 2; a composite lists all it may give.
    """

    run: str
    args: tuple[object, ...]
    versions: tuple[object, ...]

    def of(self, value: object) -> list[int]:
        """Return the versions that a value may come from: none, if nobody ever wrote it."""
        return [version for version, each in enumerate(self.versions) if each == value]
