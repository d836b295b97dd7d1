"""The words of genscache as types: no behaviour, no imports from the rest of the package."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, TypeAlias


class _Missing(Enum):
    """The one value that stands for "there is nothing"; ``None`` is a cacheable value."""

    MISSING = "MISSING"

    def __bool__(self) -> Literal[False]:
        """Be false, so that ``if value`` reads naturally for containers of values."""
        return False

    def __repr__(self) -> str:
        """Show the name that users import."""
        return "MISSING"


MISSING: Final = _Missing.MISSING
Missing: TypeAlias = Literal[_Missing.MISSING]

Generation: TypeAlias = int
"""A reading of the store's bump clock in microseconds, below 2**53; never repeats."""

NO_GENERATION: Final[Generation] = 0
"""What a counter that was never created has: no entry can depend on it."""


@dataclass(frozen=True, slots=True)
class CounterState:
    """What the store knows of one namespace.

    ``generation`` is ``NO_GENERATION`` when only a lease mark exists; ``leased`` is true while at least one lease
    (expired or not) is recorded on it, ``quarantined`` if one of them is the fence's and no write's. ``fresh`` tells of
    the operation and not of the namespace: it has made or bumped the counter, so nothing can lie under the generation.
    """

    generation: Generation
    leased: bool
    quarantined: bool = False
    fresh: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer to one fetch.

    Attributes:
        states: Counters in the order asked; ``None``: no such counter.
        entry: The entry's bytes; ``None`` where there is none, or where a mark was named.
        same: The entry has the mark that was named.
    """

    states: tuple[CounterState | None, ...]
    entry: bytes | None
    same: bool = False


class Mode(Enum):
    """What a read may do with the cache."""

    USE = "use"
    READ_ONLY = "read-only"
    BYPASS = "bypass"
