"""One statement that writes: leased and settled around it in autocommit, else pending until COMMIT."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from genscache.engine import Engine
from genscache.keys import Namespace
from genscache.orm.cursors import WatchedCursor
from genscache.orm.observing import Observer, Values, observer
from genscache.orm.rows import EVERYTHING, Effect, births, known_effect
from genscache.orm.sql import Statement
from genscache.recording import current_recording
from genscache.transactions import (
    Transaction,
    driver_error,
    driver_in_transaction,
    in_transaction,
)
from genscache.writes import Ticket

Result = TypeVar("Result")

WRITES = "it writes to the database"


class Write:
    """One statement that writes.

    Args:
        engine: The engine.
        connection: Where it runs.
        state: The state of the connection.
        written: What it writes.
        cursor: What runs it.
        text: Its text.
    """

    def __init__(
        self,
        engine: Engine,
        connection: BaseDatabaseWrapper,
        state: Transaction,
        written: Effect,
        cursor: CursorWrapper,
        text: str,
    ) -> None:
        self._engine = engine
        self._connection = connection
        self._state = state
        self._effect = written
        self._cursor = cursor
        self._text = text

    def __call__(self, statement: Statement, execute: Callable[[], Result]) -> Result:
        """Run it: leased and settled at once in autocommit, else pending until COMMIT."""
        recording = current_recording()
        if recording is not None:
            recording.spoil(WRITES)
        if not in_transaction(self._connection, self._state):
            if self._observer() is None or not self._may_begin():
                return self._settled(execute)
            # The values before, the statement and the values after belong together.
            with transaction.atomic(using=self._connection.alias):
                return self._pending(execute, finish=True)
        self._state.wrote = True
        if statement.ddl and self._connection.vendor == "mysql":
            self._state.add(self._effect.before)
            return perhaps_committing(self._engine, self._state, execute)
        if self._state.ended_raw or self._effect is EVERYTHING:
            # A text that may do anything may also have ended the transaction.
            self._state.add(self._effect.before)
            return self._settled(execute)
        return self._pending(execute)

    def _pending(self, execute: Callable[[], Result], *, finish: bool = False) -> Result:
        """Run a statement whose effect waits for COMMIT.

        Args:
            execute: Runs it.
            finish: The COMMIT follows at once, and must not find the statement unfinished.
        """
        self._state.wrote = True
        observing = self._observer()
        written: Iterable[Namespace] = self._effect.before
        try:
            old = observing.before() if observing else None
            result = execute()
            if finish:
                _finish(self._cursor)
            written = self._after(observing, old)
        finally:
            # Also when a signal raises between the statement and this line, and the caller goes on to commit.
            self._state.add(written)
        return result

    def _settled(self, execute: Callable[[], Result]) -> Result:
        """Run a statement that commits by itself."""
        ticket = Ticket(self._engine, self._effect.before)
        try:
            result = execute()
            _finish(self._cursor)
        except BaseException as error:
            if _may_still_run(self._connection, error):
                ticket.abandon(self._effect.before, error)
            else:
                # Not only released: an engine without transactions keeps what a failed statement has done.
                ticket.settle(self._effect.before)
            raise
        if self._effect is EVERYTHING:
            # The text may have begun a transaction, and written in it: a later COMMIT bumps again.
            # Where the driver cannot tell, what was known before stays known.
            if driver_in_transaction(self._connection):
                self._state.raw = self._state.wrote = True
            self._state.add(self._effect.before)
        if answered_early(self._connection, self._text):
            ticket.abandon(self._effect.before, NotRunYet())
        else:
            ticket.settle(self._after())
        return result

    def _observer(self) -> Observer | None:
        return observer(self._engine, self._connection, self._state, self._effect)

    def _may_begin(self) -> bool:
        """Tell whether ``atomic`` would begin a transaction, and here: not where somebody has done so in the driver."""
        known = connections[self._connection.alias] is self._connection
        return known and not driver_in_transaction(self._connection)

    def _after(self, observing: Observer | None = None, old: Values | None = None) -> Iterable[Namespace]:
        """Return what is bumped, now that the statement has run."""
        after, known, catalog = self._effect.after, self._effect.known, self._engine.catalog
        if known is None:
            return after
        if known.keys is None:
            try:
                known = replace(known, keys=births(self._connection, known, self._cursor))
            except (DatabaseError, driver_error(self._connection), LookupError, TypeError) as error:
                self._engine.hub.survived(
                    "unknown statement", f"the keys of new rows could not be told: {error!r}"
                )
                return self._effect.before
            after |= known_effect(catalog, self._connection.alias, known).after
        rows = observing.after(old, known.keys or ()) if observing else None
        return (
            after if rows is None else catalog.matched(self._connection.alias, known.table.name, after, rows)
        )


class NotRunYet(Exception):
    """The server has answered, or the driver has queued the statement, before it has run."""


def answered_early(connection: BaseDatabaseWrapper, text: str) -> bool:
    """Tell whether a statement may still have to run although the driver has returned.

    So it is in psycopg's pipeline mode, and for what follows the first of several statements in one text on MySQL.
    """
    if connection.vendor == "postgresql":
        return bool(getattr(getattr(connection.connection, "pgconn", None), "pipeline_status", 0))
    return connection.vendor == "mysql" and ";" in text.rstrip("; \t\r\n")


def perhaps_committing(engine: Engine, state: Transaction, execute: Callable[[], Result]) -> Result:
    """Run what MySQL may or may not commit the open transaction for: bump now, and again at the COMMIT to come."""
    pending = state.pending()
    ticket = Ticket(engine, pending)
    try:
        return execute()
    finally:
        ticket.settle(pending)


def _finish(cursor: CursorWrapper) -> None:
    """Let SQLite commit a statement that returns rows; the other databases have done so when they answer."""
    if isinstance(cursor.cursor, WatchedCursor):
        with cursor.db.wrap_database_errors:
            cursor.cursor.finish()


def _may_still_run(connection: BaseDatabaseWrapper, error: BaseException) -> bool:
    """Tell whether the server may still be running a statement whose answer did not arrive."""
    if connection.vendor == "sqlite":
        return False
    return isinstance(error, OperationalError | InterfaceError) or not isinstance(error, DatabaseError)
