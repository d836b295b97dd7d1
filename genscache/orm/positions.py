"""How far PostgreSQL servers have come in the write-ahead log, asked on the driver's own cursor: nobody watches that.

A transaction is visible on a primary only after its commit record has a place in the log, also with
``synchronous_commit = off``, so the place where the next record will go (the *insert* position) lies behind every
commit that anyone can know of. A standby shows a transaction as soon as its commit record is replayed, and moves its
replay position only after that (``ApplyWalRecord`` in PostgreSQL's xlogrecovery.c).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper

from genscache import isolation
from genscache.engine import Engine
from genscache.transactions import in_transaction, state_of

_SAVEPOINT = "genscache_position"

_PRIMARY = """
SELECT (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_catalog.pg_lsn)::bigint,
       pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8),
       (SELECT system_identifier FROM pg_catalog.pg_control_system()),
       pg_catalog.current_setting('wal_block_size')::int
"""
_HEADER = 24
"""Bytes at the beginning of a page of the log, before its first record."""

_STANDBY = """
SELECT pg_catalog.pg_is_in_recovery(),
       (pg_catalog.pg_last_wal_replay_lsn() - '0/0'::pg_catalog.pg_lsn)::bigint,
       (SELECT system_identifier FROM pg_catalog.pg_control_system()),
       (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()),
       (SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery())
"""


class Busy(Exception):
    """A connection cannot be asked now without touching what its owner is doing."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log of one cluster: bytes from its beginning, on a timeline."""

    lsn: int
    system: int
    timeline: int


@dataclass(frozen=True, slots=True)
class Standby:
    """What a server says of its replay.

    Attributes:
        lsn: Everything before it is replayed; ``None`` if this server is no standby, or has been promoted.
        system: The cluster that it is a copy of.
        timelines: Those on which it is known to have replayed; a failover begins a new one. After it they are
            told late, at the standby's next restart point.
    """

    lsn: int | None
    system: int
    timelines: frozenset[int]

    def follows(self, position: Position) -> bool:
        """Tell whether it replays the log to which ``position`` belongs."""
        return self.lsn is not None and self.system == position.system and position.timeline in self.timelines


def of_primary(engine: Engine, connection: BaseDatabaseWrapper) -> Position:
    """Ask a primary where its log ends.

    Raises:
        Busy: It is in a transaction that has a snapshot, or may not be touched.
        django.db.Error: It cannot be reached, is in recovery, or does not allow it.
    """
    told, timeline, system, page = _asked(engine, connection, _PRIMARY)
    lsn = int(str(told))
    # The last record ends where a page does, and the next one will begin behind the header of the next page: a
    # standby that has replayed everything stands before it, for as long as nobody writes.
    lsn -= _HEADER if lsn % int(str(page)) == _HEADER else 0
    return Position(lsn, int(str(system)), int(str(timeline), 16))


def of_standby(engine: Engine, connection: BaseDatabaseWrapper) -> Standby:
    """Ask a standby how far it has replayed; the errors are those of ``of_primary``."""
    recovering, lsn, system, checkpoint, recovery = _asked(engine, connection, _STANDBY)
    timelines = frozenset(int(str(each)) for each in (checkpoint, recovery) if each)
    # A promoted server goes on telling where its replay ended.
    replayed = int(str(lsn)) if recovering is True and lsn is not None else None
    return Standby(replayed, int(str(system)), timelines)


def _asked(engine: Engine, connection: BaseDatabaseWrapper, sql: str) -> tuple[object, ...]:
    """Return the row that a statement gives, without beginning, breaking or dating a transaction."""
    connection.ensure_connection()
    with _room(engine, connection), connection.wrap_database_errors:
        cursor = connection.connection.cursor()
        try:
            cursor.execute(sql)
            return tuple(cursor.fetchall()[0])
        finally:
            cursor.close()


@contextmanager
def _room(engine: Engine, connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let a statement run beside what the connection's owner does.

    In an open transaction it stands between savepoints, so that its failure is not the transaction's. Where statements
    share a snapshot it must not run at all: it would make the snapshot begin, before its owner has taken the clock.
    """
    state = state_of(connection)
    if state is None:
        raise Busy("it is not watched")
    if not in_transaction(connection, state):
        if connection.connection.info.transaction_status:
            raise Busy("the driver is in the middle of something")
        yield
        return
    if connection.needs_rollback or not (connection.in_atomic_block or state.raw):
        # After an error, or without autocommit: the statement would fail, or begin a transaction by itself.
        raise Busy("its transaction cannot be used")
    isolation.begin(engine, connection, state)
    isolation.verify(connection, state)
    if state.snapshot:
        raise Busy("its transaction reads a snapshot")
    if connection.connection.info.transaction_status not in _OPEN:
        raise Busy("its transaction has failed or runs a statement")
    _run(connection, f"SAVEPOINT {_SAVEPOINT}")
    try:
        yield
    except BaseException:
        _run(connection, f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
        raise
    finally:
        _run(connection, f"RELEASE SAVEPOINT {_SAVEPOINT}")


_OPEN = (0, 2)
"""libpq's transaction states: idle (Django's transaction begins with its first statement), in a transaction."""


def _run(connection: BaseDatabaseWrapper, sql: str) -> None:
    with connection.wrap_database_errors:
        cursor = connection.connection.cursor()
        try:
            cursor.execute(sql)
        finally:
            cursor.close()
