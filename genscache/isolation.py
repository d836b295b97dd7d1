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
from genscache.transactions import Transaction, driver_error, in_transaction, remember
from genscache.types import Generation

STATEMENT_LEVELS = ("read committed", "read uncommitted")
UNKNOWN = "unknown"
DIRTY_LEVEL = "read uncommitted"


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


def changed(connection: BaseDatabaseWrapper, state: Transaction, text: str) -> None:
    """Note that SQL text has touched the isolation level: it is asked for in every transaction from now on."""
    state.isolation_changed = True
    # A snapshot that has begun cannot be dated any more, and an imported one (SET TRANSACTION SNAPSHOT) never could.
    imported = "snapshot" in text.casefold() and in_transaction(connection, state)
    if imported:
        state.begun, state.clock = True, None
    state.snapshot = state.snapshot or state.begun


def ran(connection: BaseDatabaseWrapper, state: Transaction, *, plain_read: bool) -> None:
    """Note that a statement that touches tables has run in a transaction: most of them make the snapshot begin.

    InnoDB's begins with the first read that takes no locks; a write or SELECT ... FOR UPDATE leaves it to come.

    Args:
        connection: Where it ran.
        state: The state of the connection.
        plain_read: It took rows from tables and no locks.
    """
    state.fixed = state.fixed or plain_read or connection.vendor != "mysql"


def fixed(engine: Engine, connection: BaseDatabaseWrapper, state: Transaction) -> bool:
    """Make sure that the database's snapshot, if there is one, has begun before the cache is used.

    A hit shows what the snapshot shows, so there has to be one: without this, a hit that comes before the first
    statement could be followed by a query that sees more.
    """
    begin(engine, connection, state)
    verify(connection, state)
    if not state.snapshot or state.fixed or state.clock is None:
        return True
    try:
        match connection.vendor:
            case "postgresql":
                _run(connection, "SELECT 1")
            case "sqlite":
                _run(connection, "SELECT 1 FROM sqlite_master LIMIT 1")
            case _:
                return False
    except (DatabaseError, driver_error(connection)):
        return False
    state.fixed = True
    return True


def foresee(
    engine: Engine, connection: BaseDatabaseWrapper, state: Transaction
) -> tuple[bool, Generation | None, bool]:
    """Tell what a read in an open transaction would find, and leave the transaction as it is.

    Returns:
        Whether its statements share a snapshot, the clock before it, and what ``fixed`` would return.
    """
    snapshot, clock = state.snapshot, state.clock
    if not state.begun:
        snapshot = reads_snapshot(connection, state)
        if snapshot and not state.pinned and engine.store.capabilities.ordered:
            try:
                clock = engine.store.execute(ReadClock())
            except StoreError:
                clock = None
    begins = connection.vendor in ("postgresql", "sqlite")
    return snapshot, clock, not snapshot or state.fixed or clock is None or begins


def verify(connection: BaseDatabaseWrapper, state: Transaction) -> None:
    """Ask PostgreSQL for the level of this very transaction, once, before the cache is used in it.

    Not everything that changes the level comes along as SQL text: the driver's attribute, a function, a reloaded
    configuration do not.
    """
    if connection.vendor != "postgresql" or state.verified or state.snapshot:
        return
    state.verified = True
    state.snapshot = _ask(connection) not in STATEMENT_LEVELS


def reads_uncommitted(connection: BaseDatabaseWrapper, state: Transaction) -> bool:
    """Tell whether a read may see what is rolled back later (MySQL and MariaDB, if so configured)."""
    if connection.vendor != "mysql":
        return False
    return state.isolation_changed or getattr(connection, "isolation_level", None) == DIRTY_LEVEL


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
    level = _ask(connection)
    state.verified = True
    if not state.isolation_changed and level != UNKNOWN:
        state.isolation = level
    return level


def _ask(connection: BaseDatabaseWrapper) -> str:
    try:
        return str(_run(connection, "SHOW transaction_isolation"))
    except (DatabaseError, driver_error(connection)):
        return UNKNOWN


def _run(connection: BaseDatabaseWrapper, sql: str) -> object:
    """Run a statement that nobody watches, on the driver's own cursor; return its first value."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(sql)
        rows = cursor.fetchall()
    finally:
        cursor.close()
    return rows[0][0] if rows else None
