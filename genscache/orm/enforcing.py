"""Leases that PostgreSQL enforces: a COMMIT that is sent when its lease has run out is refused by the server.

Right before COMMIT, one statement on the driver's own cursor lets the server end this session if it stays idle in this
transaction for longer than what is left of the lease, and tells the transaction's id. Whatever holds the process up
between the two, a late COMMIT then finds no session any more. And if the answer to a COMMIT is lost, the server is
asked on another connection what has become of that id.

The timer is set when the server has answered, and holds for what was left when the statement was sent. So the
answer must have taken no longer than half the margin, or the statement is sent again.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

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


@dataclass(frozen=True, slots=True)
class Enforced:
    """A transaction that cannot be committed when its lease has run out.

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


def enforce(
    engine: Engine, connection: BaseDatabaseWrapper, state: Transaction, ticket: Ticket
) -> Enforced | None:
    """Let the server refuse to commit what is open on ``connection`` when the lease has run out.

    Returns:
        What tells the transaction's fate later; ``None`` where nothing is enforced: the setting is off, there is no
        lease or no PostgreSQL, the transaction has failed, or a test lets the cache live inside a transaction.

    Raises:
        WriteRefused: The lease has run out already.
        django.db.Error: The statement failed; nothing is committed.
    """
    enforced = engine.settings.enforce_leases and connection.vendor == "postgresql" and not state.live
    if not enforced or ticket.until is None or connection.connection is None:
        return None
    if connection.connection.info.transaction_status != IN_TRANSACTION:
        return None
    margin = min(LARGEST_MARGIN, engine.settings.lease / 5)
    for _ in range(TRIES):
        asked = time.monotonic()
        left = round((ticket.until - margin - asked) * 1000)
        if left <= 0:
            break
        xid, _ = _ask(connection, _ENFORCE, f"{left}ms")
        if time.monotonic() - asked <= margin / 2:
            return Enforced(connection, None if xid is None else str(xid))
    raise WriteRefused(
        "The transaction was not committed, because its lease had run out before COMMIT could be sent. Make "
        f'GENSCACHE["LEASE"] longer, now {engine.settings.lease:g} seconds.'
    )


def _ask(connection: BaseDatabaseWrapper, sql: str, value: str) -> tuple[object, object]:
    connection.ensure_connection()
    with connection.wrap_database_errors:
        cursor = connection.connection.cursor()
        try:
            cursor.execute(sql, (value,))
            first, second = cursor.fetchall()[0]
        finally:
            cursor.close()
    return first, second


def _state_of(error: BaseException) -> str:
    cause = error.__cause__
    return str(getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or "")
