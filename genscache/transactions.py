"""What one database connection has written and not committed, savepoint by savepoint, and what its snapshot is."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, cast

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from genscache.keys import Namespace
from genscache.types import Generation

ATTRIBUTE = "_genscache_transaction"
"""Under this name the state hangs on Django's connection object."""

_begun: ContextVar[tuple[weakref.ref[BaseDatabaseWrapper], ...]] = ContextVar("genscache_begun", default=())


class Cursor(Protocol):
    """A cursor that knows whether it has rows left."""

    unfinished: bool


class Transaction:
    """The state of a connection's transaction; empty between transactions.

    Attributes:
        wrote: A statement that may write has run, also if a savepoint has undone it: nothing may be filled.
        begun: A statement has run, or the clock was taken for it.
        snapshot: Statements read an old snapshot (REPEATABLE READ, SERIALIZABLE, SQLite).
        fixed: A statement has made the database take its snapshot.
        verified: The server has told the level of this very transaction.
        clock: The bump clock before the snapshot began; ``None`` where the store could not tell.
        manual: SQL text has switched autocommit off (MySQL): a transaction follows the other.
        raw: The transaction was begun by SQL text, without Django's knowledge.
        ended_raw: SQL text has committed Django's transaction: what follows may be committed statement by statement.
        isolation_changed: SQL text has touched the isolation level of this connection.
        isolation: The level that the server told, once for the connection.
        session_changed: SQL text has changed what later SQL on this connection means (``sessions``).
        locally_changed: The same, until this transaction ends.
        live: A test lets the cache live inside a transaction that nobody will commit (``testing.live_cache``): only
            savepoints that were set since then count as transactions.
    """

    def __init__(self, *, live: bool = False) -> None:
        self.live = live
        self.isolation_changed = False
        self.session_changed = False
        self.isolation: str | None = None
        self.starting = False
        self.paying = False
        self.manual = False
        self._cursors: weakref.WeakSet[Cursor] = weakref.WeakSet()
        self.reset()

    def reset(self) -> None:
        """Begin anew: the transaction is over."""
        self._frames: list[tuple[str | None, dict[Namespace, None]]] = [(None, {})]
        self.wrote = False
        self.begun = False
        self.snapshot = False
        self.fixed = False
        self.verified = False
        self.clock: Generation | None = None
        self.raw = False
        self.ended_raw = False
        self.locally_changed = False

    def reconnected(self) -> None:
        """Forget what was known of the server's session."""
        self.isolation_changed = False
        self.session_changed = False
        self.isolation = None
        self.manual = False
        self._cursors.clear()
        self.reset()

    # -- a test's transaction, in which the cache lives

    def elsewhere(self, *, live: bool) -> Transaction:
        """Return a state for the same connection while a test uses another store, which knows nothing of this one.

        Args:
            live: Only savepoints count as transactions. Otherwise the transaction goes on, with what it has written,
                and if it reads a snapshot, that cannot be dated on the other store's clock.
        """
        found = Transaction(live=live)
        found.isolation_changed, found.isolation = self.isolation_changed, self.isolation
        found.session_changed, found.locally_changed = self.session_changed, self.locally_changed
        found._cursors = self._cursors
        if not live:
            found.begun, found.fixed, found.snapshot = self.begun, self.fixed, self.snapshot
            found.verified, found.ended_raw = self.verified, self.ended_raw
            found.wrote, found.raw, found.manual = self.wrote, self.raw, self.manual
            found.add(self.pending())
        return found

    def outlived(self, other: Transaction, everything: Namespace) -> None:
        """Take over from such a state: what was written meanwhile is not committed, and may be anything."""
        self.isolation_changed = self.isolation_changed or other.isolation_changed
        self.session_changed = self.session_changed or other.session_changed
        self.locally_changed = self.locally_changed or other.locally_changed
        self.wrote = True
        self.add([everything])

    @contextmanager
    def by_django(self) -> Iterator[None]:
        """Tell the watcher of SQL that Django itself sends what comes now, and that its methods take care of it."""
        self.starting = True
        try:
            yield
        finally:
            self.starting = False

    @property
    def nested(self) -> bool:
        """Tell whether a savepoint is set."""
        return len(self._frames) > 1

    def is_outermost(self, sid: str) -> bool:
        """Tell whether releasing a savepoint is what committing is elsewhere: the cache lives, and none is outside."""
        return self.live and self._position(sid) == 1

    def knows(self, sid: str) -> bool:
        """Tell whether a savepoint was set since the state began."""
        return self._position(sid) > 0

    # -- pending bumps

    def add(self, namespaces: Iterable[Namespace]) -> None:
        """Keep namespaces to be bumped at COMMIT."""
        self._frames[-1][1].update(dict.fromkeys(namespaces))

    def pending(self) -> dict[Namespace, None]:
        """Return everything that waits for COMMIT."""
        return {namespace: None for _, frame in self._frames for namespace in frame}

    def touches(self, namespaces: Collection[Namespace]) -> bool:
        """Tell whether a read of ``namespaces`` must see what this transaction has not committed."""
        return any(frame and not frame.keys().isdisjoint(namespaces) for _, frame in self._frames)

    # -- unfinished SELECTs (SQLite)

    def watch_cursor(self, cursor: Cursor) -> None:
        """Keep an eye on a cursor that may leave a SELECT unfinished."""
        self._cursors.add(cursor)

    @property
    def pinned(self) -> bool:
        """Tell whether an unfinished SELECT holds the connection's snapshot."""
        return bool(self._cursors) and any(cursor.unfinished for cursor in tuple(self._cursors))

    # -- savepoints

    def savepoint(self, sid: str) -> None:
        """Begin a frame: what is added from now on goes if the savepoint is rolled back."""
        self._frames.append((sid, {}))

    def savepoint_rollback(self, sid: str) -> None:
        """Forget what was written since the savepoint; an unknown one changes nothing, which bumps too much."""
        position = self._position(sid)
        if position:
            del self._frames[position + 1 :]
            self._frames[position][1].clear()

    def savepoint_release(self, sid: str) -> None:
        """Give what was written since the savepoint to the level outside it."""
        position = self._position(sid)
        if position:
            outer = self._frames[position - 1][1]
            for _, frame in self._frames[position:]:
                outer.update(frame)
            del self._frames[position:]

    def _position(self, sid: str) -> int:
        # From the inside: clean_savepoints() lets names come again, and the database means the youngest.
        return next(
            (index for index in range(len(self._frames) - 1, 0, -1) if self._frames[index][0] == sid), 0
        )


def state_of(connection: BaseDatabaseWrapper) -> Transaction | None:
    """Return the state of a connection, ``None`` if genscache does not watch it."""
    # No cast(): each read asks several times, and that is a call.
    state: Transaction | None = getattr(connection, ATTRIBUTE, None)
    return state


def in_transaction(connection: BaseDatabaseWrapper, state: Transaction) -> bool:
    """Tell whether statements on ``connection`` wait for a COMMIT."""
    if state.live:
        return state.nested
    return connection.in_atomic_block or not connection.autocommit or state.raw or state.manual


def remember(connection: BaseDatabaseWrapper) -> None:
    """Let the coroutines that this context runs (``async_to_sync``) know of the transaction that begins here.

    They run in another thread, which has connections of its own; what they do through ``sync_to_async`` is done on
    this one.
    """
    known = _begun.get()
    if not any(each() is connection for each in known):
        alive = (each for each in known if each() is not None)
        _begun.set((*alive, weakref.ref(connection)))


def own_connections() -> Sequence[BaseDatabaseWrapper]:
    """Return the connections that this thread has."""
    return connections.all(initialized_only=True)


def is_quiet(own: Sequence[BaseDatabaseWrapper]) -> bool:
    """Tell whether no connection is in a transaction, reads a pinned snapshot, or was changed by SQL text.

    Most reads find it so, and need not ask for each of these.

    Args:
        own: What ``own_connections`` has just returned.
    """
    for each in _begun.get():
        waiting = each()
        if waiting is not None and waiting not in own:
            return False
    for connection in own:
        state = state_of(connection)
        if (
            state is not None
            and connection.connection is not None
            and (
                state.session_changed
                or state.locally_changed
                or in_transaction(connection, state)
                or state.pinned
            )
        ):
            return False
    return True


def open_transactions(
    own: Sequence[BaseDatabaseWrapper] | None = None,
) -> Iterator[tuple[BaseDatabaseWrapper, Transaction]]:
    """Yield connections that are inside a transaction or read a pinned snapshot.

    They are those of this thread, and of the thread that waits for this coroutine.

    Args:
        own: What ``own_connections`` has just returned, if anybody knows.
    """
    if own is None:
        own = own_connections()
    begun = _begun.get()
    waiting = [found for each in begun if (found := each()) is not None and found not in own] if begun else ()
    for connection in (*own, *waiting):
        state = state_of(connection)
        if state is None or connection.connection is None:
            continue
        if in_transaction(connection, state) or state.pinned:
            yield connection, state


def driver_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Ask the driver whether a transaction is open; false where it cannot tell."""
    driver = connection.connection
    match connection.vendor:
        case "sqlite":
            return bool(driver.in_transaction)
        case "postgresql":
            return bool(driver.info.transaction_status)
        case _:
            return False


def driver_error(connection: BaseDatabaseWrapper) -> type[Exception]:
    """Return the base class of the driver's own errors, which Django does not wrap outside its cursors."""
    return cast("type[Exception]", connection.Database.Error)  # type: ignore[attr-defined]  # each backend has it
