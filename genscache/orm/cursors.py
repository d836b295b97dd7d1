"""SQLite's cursor, with a sense of whether its SELECT is finished.

An unfinished SELECT pins the snapshot of the *whole* connection, in autocommit too: what other statements of that
connection read then is old, however young the generations are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db.backends.sqlite3.base import SQLiteCursorWrapper

if TYPE_CHECKING:
    import sqlite3

    from genscache.transactions import Transaction


class WatchedCursor(SQLiteCursorWrapper):
    """Knows whether rows are left: ``unfinished`` is true from ``execute`` until the last row was fetched."""

    unfinished = False
    _kept: deque[Any] | None = None

    def finish(self) -> None:
        """Run the statement to its end and keep its rows for whoever fetches them.

        In autocommit SQLite commits ``INSERT ... RETURNING`` only when its last row has been fetched.
        """
        if self.unfinished:
            self._kept = deque(super().fetchall())
            self.unfinished = False

    def peek(self) -> tuple[Any, ...]:
        """Return the rows that are left; whoever fetches them gets them all the same."""
        self.finish()
        return tuple(self._kept or ())

    def execute(self, query: str, params: Iterable[Any] | None = None) -> Any:  # type: ignore[override]  # noqa: ANN401 - the cursor itself
        """Execute; a statement that returns rows is unfinished from now on."""
        self._kept = None
        result = super().execute(query, params)
        self.unfinished = self.description is not None
        return result

    def executemany(self, query: str, param_list: Iterable[Iterable[Any]]) -> Any:  # type: ignore[override]  # noqa: ANN401 - the cursor itself
        """Execute many; never leaves rows."""
        self._kept = None
        self.unfinished = False
        return super().executemany(query, param_list)

    def fetchone(self) -> Any:  # noqa: ANN401 - a row
        """Fetch a row; none is left when there is none."""
        if self._kept is not None:
            return self._kept.popleft() if self._kept else None
        row = super().fetchone()
        if row is None:
            self.unfinished = False
        return row

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Fetch rows; fewer than were asked for means that none is left."""
        wanted = self.arraysize if size is None else size
        if self._kept is not None:
            return [self._kept.popleft() for _ in range(min(wanted, len(self._kept)))]
        rows = super().fetchmany(wanted)
        if len(rows) < wanted:
            self.unfinished = False
        return rows

    def fetchall(self) -> list[Any]:
        """Fetch what is left."""
        if self._kept is not None:
            rows = list(self._kept)
            self._kept.clear()
            return rows
        rows = super().fetchall()
        self.unfinished = False
        return rows

    def __next__(self) -> Any:  # noqa: ANN401 - a row
        """Fetch the next row."""
        if self._kept is not None:
            if not self._kept:
                raise StopIteration
            return self._kept.popleft()
        try:
            return super().__next__()
        except StopIteration:
            self.unfinished = False
            raise

    def close(self) -> None:
        """Close; an unfinished SELECT ends."""
        self._kept = None
        self.unfinished = False
        super().close()


def watched_cursor(connection: sqlite3.Connection, state: Transaction) -> WatchedCursor:
    """Return a cursor that the connection's state keeps an eye on."""
    cursor = connection.cursor(factory=WatchedCursor)
    state.watch_cursor(cursor)
    return cursor
