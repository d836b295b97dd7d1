"""The ``execute_wrapper``: sees every statement that goes through a Django cursor, and knows what it reads and writes.

It sees ``save``, ``update()``, bulk operations, fast deletes, many-to-many changes, ``raw()`` and cursors. It does
not see the driver's own cursor (``connection.connection.cursor()``), ``callproc`` and COPY through the driver: after
those, call ``invalidate_model``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypedDict, TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError
from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from genscache import isolation
from genscache.engine import Engine
from genscache.keys import Namespace
from genscache.orm.connection import committing
from genscache.orm.cursors import WatchedCursor
from genscache.orm.reading import before_read
from genscache.orm.rows import EVERYTHING, Effect, Params, birth, effect
from genscache.orm.sql import SqlMemo, Statement, StatementKind
from genscache.recording import current_recording
from genscache.transactions import (
    Transaction,
    driver_error,
    driver_in_transaction,
    in_transaction,
    state_of,
)
from genscache.writes import Ticket

Result = TypeVar("Result")

AND_CHAIN = re.compile(r"\bAND\s+CHAIN\b", re.IGNORECASE)

WRITES = "it writes to the database"


class Context(TypedDict):
    """What Django hands to an ``execute_wrapper``."""

    connection: BaseDatabaseWrapper
    cursor: CursorWrapper


class Watcher:
    """Watches the statements of all connections.

    Args:
        engine: Returns the engine.
    """

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine
        self._memo = SqlMemo()

    def __call__(
        self,
        execute: Callable[[str, Params, bool, Context], Result],
        sql: str,
        params: Params,
        many: bool,  # noqa: FBT001 - the signature is Django's
        context: Context,
    ) -> Result:
        """Run one statement with what it needs before and after."""
        connection = context["connection"]
        state = state_of(connection)
        if state is None or connection.alias == NO_DB_ALIAS:
            return execute(sql, params, many, context)
        engine = self._engine()
        text = _text(connection, sql)
        statement = self._memo.scan(text)
        if statement.isolation:
            state.isolation_changed = True
            # A snapshot that has begun cannot be dated any more.
            state.snapshot = state.snapshot or state.begun
        control = self._control(connection, state, statement, text)
        if control is not None:
            return control(lambda: execute(sql, params, many, context))
        if not state.begun and in_transaction(connection, state):
            isolation.begin(engine, connection, state)
        before_read(engine, connection, state, statement)
        written = effect(engine.catalog, connection.alias, statement, text, None if many else params)
        if not written.before:
            return execute(sql, params, many, context)
        if written is EVERYTHING:
            _unknown(engine, text)
        run = _Write(engine, connection, state, written, context["cursor"])
        return run(statement, lambda: execute(sql, params, many, context))

    def _control(
        self, connection: BaseDatabaseWrapper, state: Transaction, statement: Statement, text: str
    ) -> Callable[[Callable[[], Result]], Result] | None:
        """Return how to run a statement that touches no table, ``None`` for the others."""
        found: Callable[[Callable[[], Result]], Result] | None
        match statement.kind:
            case StatementKind.BEGIN:
                found = partial(self._begin, connection, state, statement)
            case StatementKind.COMMIT if statement.ddl and not state.manual and state.raw:
                # SET autocommit = 1 where it is 1 already ends no transaction.
                found = _just
            case StatementKind.COMMIT:
                state.manual = state.manual and not statement.ddl
                found = partial(self._commit, connection, state, text)
            case StatementKind.ROLLBACK:
                found = partial(self._rollback, connection, state, text)
            case StatementKind.SAVEPOINT:
                found = partial(self._savepoint, connection, state)
            case StatementKind.HARMLESS if statement.ddl and connection.vendor == "mysql" and state.pending():
                found = partial(self._commit, connection, state, text)
            case StatementKind.HARMLESS if statement.complete and not statement.functions:
                found = _just
            case _:
                found = None
        return found

    def _begin(
        self,
        connection: BaseDatabaseWrapper,
        state: Transaction,
        statement: Statement,
        execute: Callable[[], Result],
    ) -> Result:
        """Run a BEGIN: Django's own (SQLite), or one that Django knows nothing of."""
        if state.starting:
            return execute()
        if statement.ddl and connection.vendor == "mysql":
            # SET autocommit = 0: from now on every COMMIT begins the next transaction.
            result = execute()
            state.manual = True
            return result
        if in_transaction(connection, state):
            # PostgreSQL warns and goes on, SQLite refuses, MySQL commits what there was.
            return (
                self._begin_again(connection, state, execute) if connection.vendor == "mysql" else execute()
            )
        state.reset()
        state.raw = True
        if connection.vendor != "postgresql":
            # Some take the snapshot here. PostgreSQL does not, and tells the level only once the transaction is open.
            isolation.begin(self._engine(), connection, state)
        try:
            return execute()
        except BaseException:
            state.reset()
            raise

    def _begin_again(
        self, connection: BaseDatabaseWrapper, state: Transaction, execute: Callable[[], Result]
    ) -> Result:
        """Run a BEGIN that commits the transaction that is open, and opens another one."""
        with committing(connection, self._engine, roll_back=False):
            result = execute()
        state.raw = connection.autocommit and not connection.in_atomic_block
        # It may have taken its snapshot, before which the clock was not read.
        state.begun = state.snapshot = True
        return result

    def _commit(
        self, connection: BaseDatabaseWrapper, state: Transaction, text: str, execute: Callable[[], Result]
    ) -> Result:
        """Run a COMMIT that came as SQL text: what was pending is settled as at Django's own."""
        with committing(connection, self._engine, roll_back=False):
            result = execute()
        _ended(connection, state, text)
        return result

    @staticmethod
    def _rollback(
        connection: BaseDatabaseWrapper, state: Transaction, text: str, execute: Callable[[], Result]
    ) -> Result:
        """Run a ROLLBACK that came as SQL text."""
        result = execute()
        state.reset()
        _ended(connection, state, text)
        return result

    def _savepoint(
        self, connection: BaseDatabaseWrapper, state: Transaction, execute: Callable[[], Result]
    ) -> Result:
        """Run a savepoint statement. On SQLite the outermost one, by itself, begins and ends a transaction."""
        if connection.vendor != "sqlite" or connection.in_atomic_block or state.starting:
            return execute()
        if not state.raw:
            isolation.begin(self._engine(), connection, state)
            result = execute()
            state.raw = driver_in_transaction(connection)
            if not in_transaction(connection, state):
                state.reset()
            return result
        pending = state.pending()
        ticket = Ticket(self._engine(), pending)
        try:
            result = execute()
        except BaseException:
            ticket.release()
            raise
        if driver_in_transaction(connection):
            ticket.release()
        else:
            state.reset()
            ticket.settle(pending)
        return result


class _Write:
    """One statement that writes."""

    def __init__(
        self,
        engine: Engine,
        connection: BaseDatabaseWrapper,
        state: Transaction,
        written: Effect,
        cursor: CursorWrapper,
    ) -> None:
        self._engine = engine
        self._connection = connection
        self._state = state
        self._effect = written
        self._cursor = cursor

    def __call__(self, statement: Statement, execute: Callable[[], Result]) -> Result:
        """Run it: leased and settled at once in autocommit, else pending until COMMIT."""
        recording = current_recording()
        if recording is not None:
            recording.spoil(WRITES)
        if not in_transaction(self._connection, self._state):
            return self._settled(execute)
        self._state.wrote = True
        if statement.ddl and self._connection.vendor == "mysql":
            return self._implicit_commit(execute)
        if self._state.ended_raw or self._effect is EVERYTHING:
            # A text that may do anything may also have ended the transaction.
            self._state.add(self._effect.before)
            return self._settled(execute)
        try:
            result = execute()
        except BaseException:
            self._state.add(self._effect.before)
            raise
        self._state.add(self._after())
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
        if self._effect is EVERYTHING and driver_in_transaction(self._connection):
            # The text has begun a transaction (and perhaps written in it): a later COMMIT bumps again.
            self._state.raw = True
            self._state.wrote = True
            self._state.add(self._effect.before)
        ticket.settle(self._after())
        return result

    def _implicit_commit(self, execute: Callable[[], Result]) -> Result:
        """Run DDL on MySQL, which commits the transaction before it begins."""
        self._state.add(self._effect.before)
        with committing(self._connection, lambda: self._engine, roll_back=False):
            result = execute()
        self._state.wrote = True
        return result

    def _after(self) -> Iterable[Namespace]:
        """Return what is bumped, now that the statement has run."""
        if self._effect.born is None:
            return self._effect.after
        try:
            return self._effect.after | birth(
                self._engine.catalog, self._connection, self._effect.born, self._cursor
            )
        except (DatabaseError, driver_error(self._connection), LookupError, TypeError) as error:
            self._engine.hub.survived(
                "unknown statement", f"the key of a new row could not be told: {error!r}"
            )
            return self._effect.before


def _finish(cursor: CursorWrapper) -> None:
    """Let SQLite commit a statement that returns rows; the other databases have done so when they answer."""
    if isinstance(cursor.cursor, WatchedCursor):
        cursor.cursor.finish()


def _may_still_run(connection: BaseDatabaseWrapper, error: BaseException) -> bool:
    """Tell whether the server may still be running a statement whose answer did not arrive."""
    if connection.vendor == "sqlite":
        return False
    return isinstance(error, OperationalError | InterfaceError) or not isinstance(error, DatabaseError)


def _text(connection: BaseDatabaseWrapper, sql: object) -> str:
    """Return SQL as text: psycopg takes bytes and composed objects, too. What cannot be read may write anything."""
    if isinstance(sql, str):
        return sql
    if isinstance(sql, bytes):
        return sql.decode("utf-8", "replace")
    as_string = getattr(sql, "as_string", None)
    return str(as_string(connection.connection)) if callable(as_string) else "?"


def _just(execute: Callable[[], Result]) -> Result:
    """Run a statement that needs nothing before or after."""
    return execute()


def _ended(connection: BaseDatabaseWrapper, state: Transaction, text: str) -> None:
    """Note what SQL text that ended a transaction has left behind.

    Where Django believes its transaction open, statements may now commit one by one. AND CHAIN begins another one.
    """
    state.ended_raw = connection.in_atomic_block or not connection.autocommit
    if not state.ended_raw:
        state.raw = driver_in_transaction(connection) or AND_CHAIN.search(text) is not None


def _unknown(engine: Engine, sql: str) -> None:
    """Say that a statement was taken for a write to everything, and how to say more."""
    words = sql.split(maxsplit=3)[:2]
    engine.hub.survived(
        "unknown statement",
        f"{' '.join(words)!r} may write anything, so every entry is invalidated. Declare what it writes: "
        'GENSCACHE["DERIVED"] = {"procedure()": ["app.Model"]}.',
    )
