"""What becomes of a write whose COMMIT has raised."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db import DataError, IntegrityError, NotSupportedError, OperationalError, ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper

from genscache.keys import Namespace
from genscache.orm.enforcing import Enforced, Fate
from genscache.writes import Ticket

DEFINITE: Final = (IntegrityError, DataError, ProgrammingError, NotSupportedError)
"""Errors after which a COMMIT has certainly not happened: the server has answered and refused."""

ROLLED_BACK_STATES: Final = ("40", "23")
"""Classes of SQLSTATE with which a server says that it has rolled back."""

ROLLED_BACK_CODES: Final = (1205, 1213)
"""MySQL and MariaDB: lock wait timeout, deadlock."""


def after_failure(
    connection: BaseDatabaseWrapper,
    ticket: Ticket,
    pending: Iterable[Namespace],
    enforced: Enforced | None,
    error: BaseException,
) -> None:
    """End a lease as what is known of a COMMIT that raised ``error`` allows."""
    fate: Fate = "rolled back" if definite(connection, error) else "unknown"
    if fate == "unknown" and enforced is not None:
        fate = enforced.fate(error)
    if fate == "committed":
        ticket.settle(pending)
    elif fate == "rolled back":
        ticket.release()
    else:
        ticket.abandon(pending, error)


def definite(connection: BaseDatabaseWrapper, error: BaseException) -> bool:
    """Tell whether a COMMIT that raised has certainly not taken effect."""
    if isinstance(error, DEFINITE):
        return True
    if not isinstance(error, OperationalError):
        return False
    if connection.vendor == "sqlite":
        # The database runs in this process: an answer cannot be lost. "database is locked" leaves it uncommitted.
        return "disk I/O" not in str(error)
    sqlstate = getattr(error.__cause__, "sqlstate", None) or getattr(error.__cause__, "pgcode", None) or ""
    if str(sqlstate)[:2] in ROLLED_BACK_STATES:
        return True
    return connection.vendor == "mysql" and error.args[:1] != () and error.args[0] in ROLLED_BACK_CODES
