"""The ``execute_wrapper``: sees every statement that goes through a Django cursor, and knows what it reads and writes.

It sees ``save``, ``update()``, bulk operations, fast deletes, many-to-many changes, ``raw()`` and cursors. It does
not see the driver's own cursor (``connection.connection.cursor()``), ``callproc`` and COPY through the driver: after
those, call ``invalidate_model``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict, TypeVar

from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from genscache import isolation, sessions
from genscache.engine import Engine
from genscache.orm.control import Control
from genscache.orm.reading import before_read
from genscache.orm.rows import EVERYTHING, Params, effect
from genscache.orm.sql import SqlMemo, StatementKind
from genscache.orm.writing import Write
from genscache.recording import current_recording
from genscache.transactions import (
    in_transaction,
    state_of,
)

Result = TypeVar("Result")


class Context(TypedDict):
    """What Django hands to an ``execute_wrapper``."""

    connection: BaseDatabaseWrapper
    cursor: CursorWrapper


class Watcher:
    """Watches the statements of all connections.

    Args:
        engine: Returns the engine.
    """

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine
        self._memo = SqlMemo()
        self._control = Control(engine)

    def __call__(
        self,
        execute: Callable[[str, Params, bool, Context], Result],
        sql: str,
        params: Params,
        many: bool,  # noqa: FBT001 - the signature is Django's
        context: Context,
    ) -> Result:
        """Run one statement with what it needs before and after."""
        connection = context["connection"]
        state = state_of(connection)
        if state is None or connection.alias == NO_DB_ALIAS:
            return execute(sql, params, many, context)
        text = sql if type(sql) is str else _text(connection, sql)
        statement = self._memo.scan(text)
        if (
            statement.plain
            and current_recording() is None
            and not in_transaction(connection, state)
            and not (statement.functions and self._engine().catalog.declares_procedures)
        ):
            return execute(sql, params, many, context)
        engine = self._engine()
        if statement.isolation:
            isolation.changed(connection, state, text)
        if statement.search_path:
            sessions.change(connection, state, local=statement.local)
        control = self._control.of(connection, state, statement, text)
        if control is not None:
            return control(lambda: execute(sql, params, many, context))
        if not state.begun and in_transaction(connection, state):
            isolation.begin(engine, connection, state)
        before_read(engine, connection, state, statement)
        written = effect(engine.catalog, connection.alias, statement, text, None if many else params)
        if written is EVERYTHING:
            _unknown(engine, text)
        if written.before:
            run = Write(engine, connection, state, written, context["cursor"], text)
            result = run(statement, lambda: execute(sql, params, many, context))
        else:
            result = execute(sql, params, many, context)
        # Only now: a statement that fails fixes nothing, and nor does one before the transaction.
        reads, touches = statement.kind is StatementKind.READ, bool(statement.reads or statement.writes)
        if touches and statement.kind is not StatementKind.UNKNOWN and in_transaction(connection, state):
            isolation.ran(connection, state, plain_read=reads and not statement.locking)
        return result


def _text(connection: BaseDatabaseWrapper, sql: object) -> str:
    """Return SQL as text: psycopg takes bytes and composed objects, too. What cannot be read may write anything."""
    if isinstance(sql, str):
        return sql
    if isinstance(sql, bytes):
        return sql.decode("utf-8", "replace")
    as_string = getattr(sql, "as_string", None)
    return str(as_string(connection.connection)) if callable(as_string) else "?"


def _unknown(engine: Engine, sql: str) -> None:
    """Say that a statement was taken for a write to everything, and how to say more."""
    words = sql.split(maxsplit=3)[:2]
    engine.hub.survived(
        "unknown statement",
        f"{' '.join(words)!r} may write anything, so every entry is invalidated. Declare what it writes: "
        'GENSCACHE["DERIVED"] = {"procedure()": ["app.Model"]}.',
    )
