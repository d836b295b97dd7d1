"""Transactions that come as SQL text, behind Django's back: BEGIN, COMMIT, ROLLBACK, savepoints, ``SET autocommit``."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from django.db.backends.base.base import BaseDatabaseWrapper

from genscache import isolation
from genscache.engine import Engine
from genscache.keys import SITE
from genscache.orm.connection import committing
from genscache.orm.sql import Statement, StatementKind
from genscache.orm.writing import perhaps_committing
from genscache.transactions import (
    Transaction,
    driver_in_transaction,
    in_transaction,
)
from genscache.writes import Ticket, invalidate_now

Result = TypeVar("Result")

AND_CHAIN = re.compile(r"\bAND\s+CHAIN\b", re.IGNORECASE)


class Control:
    """Runs the statements that begin and end transactions, and keeps the connection's state in step.

    Args:
        engine: Returns the engine.
    """

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine

    def of(
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
            case StatementKind.ROLLBACK | StatementKind.SAVEPOINT if state.live and not state.starting:
                found = partial(self._undoing, connection, state, statement, text)
            case StatementKind.ROLLBACK:
                found = partial(self._rollback, connection, state, text)
            case StatementKind.SAVEPOINT:
                found = partial(self._savepoint, connection, state)
            case StatementKind.HARMLESS if statement.ddl and connection.vendor == "mysql" and state.pending():
                found = partial(perhaps_committing, self._engine(), state)
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

    def _undoing(
        self,
        connection: BaseDatabaseWrapper,
        state: Transaction,
        statement: Statement,
        text: str,
        execute: Callable[[], Result],
    ) -> Result:
        """Run what may undo writes that were settled at once, since a test lets the cache live: everything goes."""
        try:
            if statement.kind is StatementKind.ROLLBACK:
                return self._rollback(connection, state, text, execute)
            return execute()
        finally:
            invalidate_now(self._engine(), {SITE})

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
