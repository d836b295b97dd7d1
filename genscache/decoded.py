"""Payloads that were read, and why some cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique

from genscache.opcodes import ForbiddenOpcode, TooManyTuples, TooManyValues
from genscache.unpickling import ForbiddenClass


@unique
class Reason(StrEnum):
    """Why bytes could not be read."""

    TRUNCATED = "truncated"
    FOREIGN = "foreign"
    SIGNATURE = "signature"
    FORBIDDEN = "forbidden class"
    CHANGED = "changed model"
    CORRUPT = "corrupt"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What ``decode`` returns in place of a value."""

    reason: Reason


class Refused(Exception):
    """Bytes are not read any further."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Decoded:
    """A payload that has been checked: it builds its value any number of times.

    It is immutable, and may be kept and used by many threads. Values share no mutable object with one another.

    Attributes:
        size: Bytes that it takes in memory, about.
    """

    __slots__ = ("_load", "size")

    def __init__(self, load: Callable[[], object], size: int) -> None:
        self._load = load
        self.size = size

    def build(self) -> object | Unreadable:
        """Return a value that nobody else has, or why there is none; it raises nothing."""
        return guarded(self._load)


def guarded(load: Callable[[], object]) -> object | Unreadable:
    """Return what ``load`` does; what it raises becomes the reason why bytes cannot be read."""
    try:
        return load()
    except Refused as refused:
        return Unreadable(refused.reason)
    except (ForbiddenClass, ForbiddenOpcode):
        return Unreadable(Reason.FORBIDDEN)
    except (TooManyTuples, TooManyValues):
        return Unreadable(Reason.TOO_LARGE)
    except Exception:  # noqa: BLE001 - bytes from outside: whatever they cause is a miss
        return Unreadable(Reason.CORRUPT)
