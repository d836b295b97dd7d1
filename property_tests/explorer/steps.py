"""What an actor can be about to do besides a store operation, what it can be told, and what it tells the judge."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from genscache.stores.base import Operation

Row: TypeAlias = int
"""The number of a row, which is also the number of its table: each table has one row."""

Versions: TypeAlias = tuple[int, ...]
"""The version of each row; a COMMIT that has written a row makes it one more."""


class Deed(Enum):
    """What is done in the database."""

    QUERY = "SELECT"
    UPDATE = "UPDATE"
    COMMIT = "COMMIT"
    AUTOCOMMIT = "UPDATE (autocommit)"
    ROLLBACK = "ROLLBACK"
    SNAPSHOT = "SELECT 1 (takes the snapshot)"


@dataclass(frozen=True, slots=True)
class Sql:
    """One statement; it is atomic."""

    deed: Deed
    rows: tuple[Row, ...] = ()
    snapshot: bool = False
    """The transaction reads a snapshot, which its first statement takes."""


Step: TypeAlias = Operation[object] | Sql


class Failure(Enum):
    """What an actor is told instead of an answer."""

    UNAVAILABLE = "no answer"
    REFUSED = "the database refuses the COMMIT"
    UNKNOWN = "the connection is lost"
    CONFLICT = "could not serialize access"


@dataclass(frozen=True, slots=True)
class Begins:
    """A read begins with the next step."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Gives:
    """A read has given its caller versions of rows; ``snapshot``: it must be what the snapshot shows."""

    rows: tuple[Row, ...]
    found: tuple[int, ...]
    snapshot: bool
    how: str


@dataclass(frozen=True, slots=True)
class Returns:
    """A write has returned to its caller, who knows now that these versions are committed."""

    rows: tuple[Row, ...]
    versions: tuple[int, ...]


Said: TypeAlias = Gives | Returns

Event: TypeAlias = Begins | Said
