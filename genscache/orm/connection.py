"""The one module that owns what genscache needs of Django's connection object.

A watched connection keeps its class's behaviour and gets a subclass of its own class, made once per class: nothing of
Django is patched, and other connections of the same class are left alone. The subclass settles at COMMIT: after the
database has committed and before control returns, hence before any ``on_commit`` hook runs, whether or not an earlier
hook raises.

Relied on, each with a test: ``commit``, ``rollback``, ``close``, ``set_autocommit``, ``savepoint``,
``savepoint_commit``, ``savepoint_rollback``, ``create_cursor``, ``in_atomic_block``, ``autocommit``,
``execute_wrappers``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import (
    DatabaseError,
)
from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLiteDatabaseWrapper

from genscache import isolation
from genscache.delivery import pay_debts
from genscache.engine import Engine
from genscache.exceptions import WriteRefused
from genscache.keys import SITE
from genscache.orm.cursors import watched_cursor
from genscache.orm.enforcing import enforce
from genscache.orm.outcomes import after_failure
from genscache.transactions import ATTRIBUTE, Transaction, remember, state_of
from genscache.writes import Ticket, invalidate_now

SQLITE_CREATE_CURSOR = SQLiteDatabaseWrapper.create_cursor

Wrapper = Callable[..., object]


class Watch:
    """Watches connections: gives each its state, its subclass, and the wrapper around its statements.

    Args:
        engine: Returns the engine; asked at each use, since settings may change (tests).
        wrapper: The ``execute_wrapper``.
    """

    def __init__(self, engine: Callable[[], Engine], wrapper: Wrapper) -> None:
        self._engine = engine
        self._wrapper = wrapper
        self._classes: dict[type[BaseDatabaseWrapper], type[BaseDatabaseWrapper]] = {}

    def adopt(self, connection: BaseDatabaseWrapper) -> None:
        """Watch a connection that has just connected, for the first time or again."""
        if connection.alias == NO_DB_ALIAS:
            return
        state = state_of(connection)
        if state is None:
            setattr(connection, ATTRIBUTE, Transaction())
        else:
            state.reconnected()
        if not isinstance(connection, _Settling):
            connection.__class__ = self._subclass(type(connection))
        # First in the list: a caller's own execute_wrapper() block pops the last one when it ends, and that must
        # not be ours.
        if self._wrapper not in connection.execute_wrappers:
            connection.execute_wrappers.insert(0, self._wrapper)

    def release(self, connection: BaseDatabaseWrapper) -> None:
        """Stop watching: give the connection its class back."""
        if self._wrapper in connection.execute_wrappers:
            connection.execute_wrappers.remove(self._wrapper)
        if isinstance(connection, _Settling):
            connection.__class__ = type(connection).__mro__[2]
        connection.__dict__.pop(ATTRIBUTE, None)

    def _subclass(self, kind: type[BaseDatabaseWrapper]) -> type[BaseDatabaseWrapper]:
        if kind not in self._classes:
            # Named as before, so that what prints a connection prints the same.
            members = {"genscache_engine": staticmethod(self._engine), "__module__": kind.__module__}
            self._classes[kind] = type(kind.__name__, (_Settling, kind), members)
        return self._classes[kind]


class _Settling(BaseDatabaseWrapper):
    """Put in front of a connection's own class; without a state (a copy that never connected) it does nothing."""

    genscache_engine: Callable[[], Engine]

    def commit(self) -> None:
        """Lease what the transaction wrote, commit, settle."""
        with committing(self, self.genscache_engine):
            super().commit()

    def rollback(self) -> None:
        """Roll back; what was pending is forgotten, and the generations stay as they are."""
        super().rollback()
        self._undone(state_of(self))
        _reset(self)

    def close(self) -> None:
        """Close; the database rolls back what was not committed."""
        super().close()
        self._undone(state_of(self))
        _reset(self)

    def set_autocommit(  # the signature is Django's
        self,
        autocommit: bool,  # noqa: FBT001
        force_begin_transaction_with_broken_autocommit: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Switch autocommit; switching it on may commit what is pending, as MySQL does."""
        state = state_of(self)
        if autocommit and state is not None and state.pending():
            with committing(self, self.genscache_engine):
                super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
            state.manual = False
            return
        if state is None or autocommit:
            super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
            if state is not None:
                state.manual = False
                self._pay(state)
            return
        self.ensure_connection()
        remember(self)
        if self.vendor == "sqlite":
            # BEGIN IMMEDIATE takes its snapshot here, so the clock comes before it.
            isolation.begin(self.genscache_engine(), self, state)
        state.starting = True
        try:
            super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
        finally:
            state.starting = False

    def _pay(self, state: Transaction) -> None:
        """Let a store inside this database know what it could not be told; it uses transactions itself."""
        if not state.paying:
            state.paying = True
            try:
                pay_debts(self.genscache_engine(), self.alias)
            finally:
                state.paying = False

    def savepoint(self) -> str | None:
        """Set a savepoint and begin to note what is written inside it."""
        state = state_of(self)
        if state is not None and state.live and not state.nested and self.vendor == "sqlite":
            # It stands for a BEGIN, which takes the snapshot.
            isolation.begin(self.genscache_engine(), self, state)
        with _by_django(state):
            sid = super().savepoint()
        if sid is not None and state is not None:
            state.savepoint(sid)
        return sid

    def savepoint_rollback(self, sid: str) -> None:
        """Roll back to a savepoint and forget what was written inside it."""
        state = state_of(self)
        with _by_django(state):
            super().savepoint_rollback(sid)
        if state is not None and not state.knows(sid):
            self._undone(state)
        if state is not None and self.in_atomic_block and self.features.uses_savepoints:
            state.savepoint_rollback(sid)

    def savepoint_commit(self, sid: str) -> None:
        """Release a savepoint; what was written inside it belongs to the level outside."""
        state = state_of(self)
        if state is not None and state.is_outermost(sid):
            self._end_block(sid, state)
            return
        with _by_django(state):
            super().savepoint_commit(sid)
        if state is not None:
            state.savepoint_release(sid)

    def _end_block(self, sid: str, state: Transaction) -> None:
        """Release a savepoint that stands for a transaction, in a test in which the cache lives."""
        changed = state.locally_changed
        try:
            with committing(self, self.genscache_engine, roll_back=False), _by_django(state):
                super().savepoint_commit(sid)
        except WriteRefused:
            with _by_django(state):
                super().savepoint_rollback(sid)
            state.reset()
            raise
        finally:
            # SET LOCAL ends with the test's transaction, not with the block.
            state.locally_changed = changed

    def _undone(self, state: Transaction | None) -> None:
        """Invalidate everything where the cache lives in a test: writes that were settled at once are gone."""
        if state is not None and state.live:
            invalidate_now(self.genscache_engine(), {SITE})

    def create_cursor(self, name: str | None = None) -> Any:  # noqa: ANN401 - a driver's cursor
        """Create the driver's cursor; SQLite's tells whether a SELECT is unfinished."""
        state = state_of(self)
        if state is not None and getattr(super().create_cursor, "__func__", None) is SQLITE_CREATE_CURSOR:
            return watched_cursor(self.connection, state)
        return super().create_cursor(name)


def _by_django(state: Transaction | None) -> AbstractContextManager[None]:
    """Tell the watcher of SQL that Django sends a savepoint's statement, where that makes a difference."""
    return state.by_django() if state is not None and state.live else nullcontext()


@contextmanager
def committing(
    connection: BaseDatabaseWrapper, engine: Callable[[], Engine], *, roll_back: bool = True
) -> Iterator[None]:
    """Surround whatever commits: lease before, settle after, and keep the lease where the outcome is unknown.

    Raises:
        WriteRefused: No lease can be had; the transaction has been rolled back, unless ``roll_back`` is false:
            then it is still open.
    """
    state = state_of(connection)
    pending = None if state is None else state.pending()
    if state is None or not pending:
        yield
        _reset(connection)
        return
    try:
        ticket = Ticket(engine(), pending)
    except BaseException:
        # Atomic rolls back by itself only after a DatabaseError; the promise is that nothing was written.
        if roll_back:
            connection.rollback()
        raise
    try:
        enforced = enforce(engine(), connection, state, ticket)
    except BaseException as error:
        ticket.release()
        if roll_back and not isinstance(error, DatabaseError):
            _give_up(connection)
        raise
    try:
        yield
    except BaseException as error:
        after_failure(connection, ticket, pending, enforced, error)
        raise
    else:
        _reset(connection)
        ticket.settle(pending)
    finally:
        # The store first: others wait for it.
        if enforced is not None:
            enforced.end()


def _give_up(connection: BaseDatabaseWrapper) -> None:
    """Roll back a transaction whose session the server may have ended already; as Atomic does."""
    try:
        connection.rollback()
    except DatabaseError:
        connection.close()


def _reset(connection: BaseDatabaseWrapper) -> None:
    state = state_of(connection)
    if state is not None:
        state.reset()
