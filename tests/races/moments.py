"""The moments at which a writer of one row can be stopped, or killed, and what the world looks like then."""

from __future__ import annotations

from typing import Final

import pytest

OPEN: Final = "open"
"""Written, or about to be, and not committed; nobody knows yet: entries are served and filled as before."""

LEASED: Final = "leased"
"""Not committed; readers ask the database, which gives the old row."""

COMMITTED: Final = "committed"
"""Committed and not settled; readers ask the database, which gives the new row."""

SETTLED: Final = "settled"
"""Committed and settled; control has not returned."""

TRANSACTION: Final = [
    ("written", OPEN),
    ("before Lease", OPEN),
    ("after Lease", LEASED),
    ("before commit", LEASED),
    ("after commit", COMMITTED),
    ("before Settle", COMMITTED),
    ("after Settle", SETTLED),
]
STATEMENT: Final = [
    ("before Lease", OPEN),
    ("after Lease", LEASED),
    ("before sql UPDATE", LEASED),
    ("after sql UPDATE", COMMITTED),
    ("before Settle", COMMITTED),
    ("after Settle", SETTLED),
]
OTHERS: Final = {
    "save": [("before sql UPDATE", LEASED), ("after sql UPDATE", COMMITTED)],
    "sql": [("before sql UPDATE", LEASED), ("after sql UPDATE", COMMITTED)],
    "save_atomic": [("written", OPEN), ("after commit", COMMITTED)],
    "sql_atomic": [("written", OPEN), ("after commit", COMMITTED)],
    "locked_save": [("after sql SELECT*FOR UPDATE", OPEN), ("written", OPEN), ("after commit", COMMITTED)],
    "bulk_update": [("written", OPEN), ("after commit", COMMITTED)],
    "nested": [("written", OPEN), ("before commit", LEASED), ("after commit", COMMITTED)],
    "sql_begin": [("written", OPEN), ("before sql COMMIT", LEASED), ("after sql COMMIT", COMMITTED)],
    "without_autocommit": [
        ("written", OPEN),
        ("before commit", LEASED),
        ("after commit", COMMITTED),
        ("committed", SETTLED),
    ],
    "in_batch": [("before sql UPDATE", LEASED), ("written in the batch", COMMITTED)],
    "with_hook": [("in the hook", SETTLED)],
    "with_receiver": [("in the receiver", OPEN)],
}
ALL: Final = [
    *(("update_atomic", *moment) for moment in TRANSACTION),
    *(("update", *moment) for moment in STATEMENT),
    *((writer, *moment) for writer, moments in OTHERS.items() for moment in moments),
]
FEW: Final = [
    ("update_atomic", "before Lease", OPEN),
    ("update_atomic", "before commit", LEASED),
    ("update_atomic", "after commit", COMMITTED),
    ("update", "after sql UPDATE", COMMITTED),
]


def _marks(alias: str, moment: tuple[str, str, str]) -> object:
    writer, point, world = moment
    mark = pytest.mark.django_db(transaction=True, databases=[alias])
    return pytest.param(
        alias, writer, point, world, marks=mark, id=f"{alias}-{writer}-{point.replace(' ', '-')}"
    )


every_moment = pytest.mark.parametrize(
    ("alias", "writer", "point", "world"),
    [*(_marks("postgres", each) for each in ALL), *(_marks("mariadb", each) for each in FEW)],
)
"""Each writer, stopped at each of its points, on PostgreSQL; the simplest ones also on MariaDB."""
