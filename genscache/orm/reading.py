"""What happens before a query runs inside a cached function: its generations are read first."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.backends.base.base import BaseDatabaseWrapper

from genscache import guards, isolation, sessions
from genscache.engine import Engine
from genscache.exceptions import StoreError
from genscache.keys import Namespace
from genscache.orm import replicas
from genscache.orm.rows import folded
from genscache.orm.sql import Statement
from genscache.protocol.read import NEWER, observe, why_leased
from genscache.recording import Recording, current_recording
from genscache.transactions import Transaction, in_transaction

LOCKING = "it locks rows (SELECT ... FOR UPDATE)"
DIRTY = "it may read what is not committed (READ UNCOMMITTED)"
UNREADABLE = "it runs SQL whose tables cannot be told"


def before_read(
    engine: Engine, connection: BaseDatabaseWrapper, state: Transaction, statement: Statement
) -> None:
    """Tell the running cached function, if there is one, what the query that is about to run depends on."""
    recording = current_recording()
    if recording is None or recording.flaw:
        return
    tables = folded(statement.reads)
    if tables and engine.catalog.caches.issuperset(tables):
        return
    if recording.discover and not statement.complete:
        recording.spoil(UNREADABLE)
        return
    reason = _unfit(engine, connection, state, statement)
    if reason:
        recording.spoil(reason)
        return
    tables = recording.uncovered(engine.catalog.primary(connection.alias), tables)
    namespaces = engine.catalog.reading_tables(connection.alias, tables)
    own = in_transaction(connection, state) and state.touches(recording.used)
    if own or state.touches(namespaces):
        recording.spoil(guards.OWN_WRITES)
    elif recording.discover and tables:
        _discover(engine, state, recording, tables, namespaces)
    elif state.snapshot and in_transaction(connection, state):
        # The vector was read without knowing of this transaction, which may belong to another task.
        recording.spoil(_against_snapshot(state, recording, recording.used))
    if not recording.flaw:
        # Last, when every generation has been read, and before the query.
        recording.spoil(replicas.unfit(engine, connection, state, recording))


def _unfit(engine: Engine, connection: BaseDatabaseWrapper, state: Transaction, statement: Statement) -> str:
    """Say why no result of this query may be stored."""
    if statement.locking:
        return LOCKING
    if connection.vendor == "sqlite" and state.pinned:
        return guards.PINNED
    if isolation.reads_uncommitted(connection, state):
        return DIRTY
    if not in_transaction(connection, state):
        return sessions.unfit(engine, state)
    isolation.verify(connection, state)
    return guards.WROTE if state.wrote else sessions.unfit(engine, state)


def _discover(
    engine: Engine,
    state: Transaction,
    recording: Recording,
    tables: tuple[str, ...],
    namespaces: tuple[Namespace, ...],
) -> None:
    """Add the query's tables to what the function depends on; generations first, then the query."""
    reason = next((why for table in tables if (why := engine.catalog.unknown_reason(table))), "")
    if reason:
        recording.spoil(reason)
        return
    missing = recording.use(namespaces)
    if missing:
        reason = _observe(engine, recording, missing)
    if not reason and state.snapshot:
        reason = _against_snapshot(state, recording, namespaces)
    if reason:
        recording.spoil(reason)


def _observe(engine: Engine, recording: Recording, missing: tuple[Namespace, ...]) -> str:
    ordered = tuple(sorted(missing))
    try:
        states = engine.run(observe(engine.counters(ordered)))
    except StoreError as error:
        engine.trouble(error, "a cached function's result is not stored")
        return f"the store failed: {type(error).__name__}"
    if any(state.leased for state in states):
        return why_leased(states)
    recording.learn(ordered, (state.generation for state in states))
    return ""


def _against_snapshot(state: Transaction, recording: Recording, namespaces: Iterable[Namespace]) -> str:
    """Say why a query in a snapshot transaction may not be trusted with these generations."""
    clock = state.clock
    if clock is None:
        return guards.NO_CLOCK
    return NEWER if any(recording.used.get(each, clock + 1) > clock for each in namespaces) else ""
