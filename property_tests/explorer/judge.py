"""What the promise says of one read, and of what a caller knows."""

from __future__ import annotations

from typing import TypeAlias

from property_tests.explorer.database import Database
from property_tests.explorer.steps import Gives, Returns, Versions

Floors: TypeAlias = tuple[int, ...] | None
"""For each row that a read under way asks for, the version that it must not fall short of."""


def judge(
    event: Gives, floors: Floors, snapshot: Versions | None, database: Database, actor: int, *, told: bool
) -> str:
    """Say how a read breaks the promise; empty where it keeps it.

    Level 1 compares with what had returned to a writer's caller when the read began; level 2 with what was committed
    then: somebody may have looked at the database at any moment, so whatever is committed counts as seen.

    Args:
        event: What the read has given.
        floors: What it must not fall short of.
        snapshot: Of its transaction, if that reads one.
        database: What is committed and locked now.
        actor: Who reads.
        told: The library knows of everything that the actor's own transaction has written.
    """
    for index, row in enumerate(event.rows):
        found = event.found[index]
        own = database.owners[row] == actor
        if event.snapshot:
            shown = None if snapshot is None else snapshot[row] + own
            if found != shown:
                return f"is given v{found} inside a snapshot that shows v{shown}"
        elif own:
            if told and found != database.versions[row] + 1:
                return f"is given v{found} and has itself written v{database.versions[row] + 1}"
        elif found > database.versions[row]:
            return f"is given v{found}, which nobody has committed"
        elif floors is not None and found < floors[index]:
            return f"is given v{found} after v{floors[index]}"
    return ""


def returned(known: Versions, event: Returns) -> Versions:
    """Return which versions callers know of, when one more knows of some."""
    newest = dict(zip(event.rows, event.versions, strict=True))
    return tuple(max(version, newest.get(row, 0)) for row, version in enumerate(known))
