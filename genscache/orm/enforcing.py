"""Leases that the database enforces: a COMMIT that is sent when its lease has run out is refused by the server.

Right before COMMIT, one statement on the driver's own cursor lets the server end this session if it stays idle in this
transaction for longer than what is left of the lease. Whatever holds the process up between the two, a late COMMIT then
finds no session any more. PostgreSQL also tells the transaction's id. Where the answer to a COMMIT is lost it is asked,
on another connection, what has become of that id. MariaDB's limit belongs to the session, and is put back afterwards.

The timer is set when the server has answered, and holds for what was left when the statement was sent. So the
answer must have taken no longer than half the margin, or the statement is sent again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from genscache.engine import Engine
from genscache.exceptions import WriteRefused
from genscache.transactions import Transaction
from genscache.writes import Ticket

logger = logging.getLogger("genscache")

Fate: TypeAlias = Literal["committed", "rolled back", "unknown"]

LARGEST_MARGIN: Final = 1.0
"""Seconds that the server's timer ends before the lease, at most; a fifth of the lease where that is less."""

TRIES: Final = 3
IN_TRANSACTION: Final = 2
"""libpq's transaction state: in a transaction that has not failed."""

ENDED_IDLE: Final = "25P03"
"""SQLSTATE of a session that was ended because its transaction was idle: it had not been asked to commit."""

_ENFORCE: Final = """
SELECT pg_catalog.pg_current_xact_id_if_assigned()::text,
       pg_catalog.set_config('idle_in_transaction_session_timeout', %s, true)
"""
_FATE: Final = """
SELECT pg_catalog.pg_xact_status(%s::xid8), pg_catalog.pg_is_in_recovery()
"""

SHORTEST_COUNTED: Final = 3.0
"""Seconds that a lease must have for MariaDB, which counts in whole ones."""

# A limit that is shorter stays; 0 is none.
_LIMIT: Final = """
SET @genscache_idle = @@SESSION.idle_write_transaction_timeout, SESSION idle_write_transaction_timeout =
    IF(@@SESSION.idle_write_transaction_timeout BETWEEN 1 AND %s, @@SESSION.idle_write_transaction_timeout, %s)
"""
_LIMIT_BACK: Final = "SET SESSION idle_write_transaction_timeout = @genscache_idle"


class Enforced(Protocol):
    """A transaction that cannot be committed when its lease has run out."""

    def fate(self, error: BaseException) -> Fate:
        """Tell what has become of it after its COMMIT raised ``error``."""

    def end(self) -> None:
        """Let the session be as it was before."""


@dataclass(frozen=True, slots=True)
class Identified:
    """One on PostgreSQL.

    Attributes:
        connection: Where it runs.
        xid: Its id on the server; ``None`` where it has written nothing.
    """

    connection: BaseDatabaseWrapper
    xid: str | None

    def fate(self, error: BaseException) -> Fate:
        """Tell what has become of it after its COMMIT raised ``error``; asks the server on a connection of its own."""
        if _state_of(error) == ENDED_IDLE:
            return "rolled back"
        if self.xid is None or not isinstance(error, Exception):
            # Nobody who wants to end the process is kept waiting for a server.
            return "unknown"
        other = self.connection.copy()
        try:
            status, recovering = _ask(other, _FATE, self.xid)
        except Error as trouble:
            logger.warning("The fate of transaction %s cannot be asked: %s", self.xid, trouble)
            return "unknown"
        finally:
            other.close()
        if recovering:
            # A standby knows of a commit when it has replayed it.
            return "committed" if status == "committed" else "unknown"
        return {"committed": "committed", "aborted": "rolled back"}.get(str(status), "unknown")  # type: ignore[return-value]  # of these

    def end(self) -> None:
        """Do nothing: the limit ends with the transaction."""


@dataclass(frozen=True, slots=True)
class Limited:
    """One on MariaDB.

    Attributes:
        connection: Where it runs.
    """

    connection: BaseDatabaseWrapper

    def fate(self, _error: BaseException) -> Fate:
        """Tell that nobody knows."""
        return "unknown"

    def end(self) -> None:
        """Put the session's own limit back, if there is a session."""
        if self.connection.connection is None:
            return
        try:
            _run(self.connection, _LIMIT_BACK, ())
        except Error as error:
            # Lost, most likely, and the limit with it. Django looks at a connection again that has raised.
            logger.warning("A session's idle_write_transaction_timeout could not be put back: %s", error)


def enforceable(connection: BaseDatabaseWrapper, lease: float) -> bool:
    """Tell whether the database can enforce a lease of so many seconds."""
    if connection.vendor == "mysql":
        return bool(getattr(connection, "mysql_is_mariadb", False)) and lease >= SHORTEST_COUNTED
    return connection.vendor == "postgresql"


def enforce(
    engine: Engine, connection: BaseDatabaseWrapper, state: Transaction, ticket: Ticket
) -> Enforced | None:
    """Let the server refuse to commit what is open on ``connection`` when the lease has run out.

    Returns:
        What tells the transaction's fate later; ``None`` where nothing is enforced: the setting is off, there is no
        lease, the database cannot, the transaction has failed, or a test lets the cache live inside a transaction.

    Raises:
        WriteRefused: The lease has run out already.
        django.db.Error: The statement failed; nothing is committed.
    """
    if (
        not engine.settings.enforce_leases
        or state.live
        or ticket.until is None
        or connection.connection is None
    ):
        return None
    if not enforceable(connection, engine.settings.lease):
        return None
    limit = _limit_in_seconds if connection.vendor == "mysql" else _limit_and_ask
    if connection.vendor != "mysql" and connection.connection.info.transaction_status != IN_TRANSACTION:
        return None
    margin = min(LARGEST_MARGIN, engine.settings.lease / 5)
    for _ in range(TRIES):
        asked = time.monotonic()
        enforced = limit(connection, ticket.until - margin - asked)
        if enforced is None:
            break
        if time.monotonic() - asked <= margin / 2:
            return enforced
        enforced.end()
    raise WriteRefused(
        "The transaction was not committed, because its lease had run out before COMMIT could be sent. Make "
        f'GENSCACHE["LEASE"] longer, now {engine.settings.lease:g} seconds.'
    )


def _limit_and_ask(connection: BaseDatabaseWrapper, left: float) -> Enforced | None:
    milliseconds = round(left * 1000)
    if milliseconds <= 0:
        return None
    xid, _ = _ask(connection, _ENFORCE, f"{milliseconds}ms")
    return Identified(connection, None if xid is None else str(xid))


def _limit_in_seconds(connection: BaseDatabaseWrapper, left: float) -> Enforced | None:
    seconds = int(left)
    if seconds < 1:
        return None
    _run(connection, _LIMIT, (seconds, seconds))
    return Limited(connection)


def _ask(connection: BaseDatabaseWrapper, sql: str, value: str) -> tuple[object, object]:
    connection.ensure_connection()
    ((first, second),) = _run(connection, sql, (value,))
    return first, second


def _run(
    connection: BaseDatabaseWrapper, sql: str, values: tuple[str | int, ...]
) -> Sequence[tuple[object, ...]]:
    with connection.wrap_database_errors:
        cursor = connection.connection.cursor()
        try:
            cursor.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else ()
        finally:
            cursor.close()


def _state_of(error: BaseException) -> str:
    cause = error.__cause__
    return str(getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or "")
