"""Which transactions read an old snapshot, and the store's clock before they do (design 3.5).

A statement at READ COMMITTED sees what was committed before the statement; the vector was read before it, so a fill
is safe. At REPEATABLE READ and SERIALIZABLE the first statement fixes what all later ones see, so a vector that is
read later can be younger than the rows: the one error that no later check can find.
"""

from __future__ import annotations

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from genscache.engine import Engine
from genscache.exceptions import StoreError
from genscache.stores.base import ReadClock
from genscache.transactions import Transaction, driver_error, remember

STATEMENT_LEVELS = ("read committed", "read uncommitted")


def begin(engine: Engine, connection: BaseDatabaseWrapper, state: Transaction) -> None:
    """Take the store's clock before the first statement of a transaction that will read a snapshot."""
    if state.begun:
        return
    state.begun = True
    remember(connection)
    state.snapshot = reads_snapshot(connection, state)
    if not state.snapshot or not engine.settings.enabled or not engine.store.capabilities.ordered:
        return
    if state.pinned:
        # SQLite: the transaction inherits the snapshot of a SELECT that is unfinished since before the clock.
        return
    try:
        # A clock that has given no reading yet is 0: older than every generation, those made from now on included.
        state.clock = engine.store.execute(ReadClock())
    except StoreError as error:
        engine.trouble(error, "a snapshot transaction does without the cache")


def reads_snapshot(connection: BaseDatabaseWrapper, state: Transaction) -> bool:
    """Tell whether the statements of the current transaction share one snapshot; in doubt, they do."""
    match connection.vendor:
        case "postgresql":
            return _postgresql_level(connection, state) not in STATEMENT_LEVELS
        case "mysql":
            level = getattr(connection, "isolation_level", None)
            return state.isolation_changed or level not in STATEMENT_LEVELS
        case "oracle":
            return state.isolation_changed
        case _:
            return True


def _postgresql_level(connection: BaseDatabaseWrapper, state: Transaction) -> str:
    """Ask the server: its own, the role's and the database's defaults count, which no client setting shows.

    SHOW takes no snapshot, so it may come before the first statement. It is asked once for a connection, and for
    every transaction from the moment that some SQL text has touched the level.
    """
    if state.isolation is not None and not state.isolation_changed:
        return state.isolation
    level = "unknown"
    try:
        with connection.connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            level = str(cursor.fetchone()[0])
    except (DatabaseError, driver_error(connection)):
        return level
    if not state.isolation_changed:
        state.isolation = level
    return level
