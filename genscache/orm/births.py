"""The keys of rows that an INSERT has just made, told without taking them from whoever asked for them."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from genscache.orm.cursors import WatchedCursor
from genscache.tables import Table


def new_keys(
    connection: BaseDatabaseWrapper, table: Table, cursor: CursorWrapper, *, single: bool
) -> tuple[object, ...]:
    """Return the primary keys of the rows that an INSERT has made; nothing where they cannot be told.

    Where the statement returns them, the cursor goes to its last row and back. SQLite and MySQL tell the generated key
    of a single row by themselves.

    Args:
        connection: Where it ran.
        table: What it wrote.
        cursor: What ran it.
        single: The statement makes exactly one row.
    """
    inner = cursor.cursor
    # What is returned first need not be the key: generated columns are returned, too.
    names = [str(each[0]).casefold() for each in getattr(inner, "description", None) or ()]
    column = str(table.pk_column).casefold()
    if column in names:
        at = names.index(column)
        return tuple(row[at] for row in _peek(inner))
    generated = isinstance(table.pk_field, models.AutoField) and connection.vendor in ("sqlite", "mysql")
    last = getattr(inner, "lastrowid", None) if single and generated else None
    return (last,) if last else ()


def _peek(inner: object) -> Sequence[Sequence[object]]:
    """Return the rows that a driver's cursor holds, and leave them there."""
    if isinstance(inner, WatchedCursor):
        return inner.peek()
    if not hasattr(inner, "scroll") or not hasattr(inner, "fetchall"):
        return ()
    rows: Sequence[Sequence[object]] = inner.fetchall()
    if rows:
        inner.scroll(0, mode="absolute")
    return rows
