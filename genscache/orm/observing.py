"""The values that rows have before a write and after it, for tables that opt in to ``match``.

Old values are read under a row lock in the writer's own transaction, so that no other writer can change them between
this read and the COMMIT; new ones after the statement, so that expressions, defaults and triggers of the database have
had their say. The queries go through the driver's own cursor: nobody watches, records or counts them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from genscache.delivery import MANY_ROWS
from genscache.engine import Engine
from genscache.keys import Kind
from genscache.matching import Matching
from genscache.namespaces import Catalog, table_namespace
from genscache.orm.rows import Effect, Known
from genscache.transactions import Transaction

Values = Mapping[str, Sequence[object]]
"""Values of the columns of ``Matching``, by the text of the row's primary key."""


def observer(
    engine: Engine, connection: BaseDatabaseWrapper, state: Transaction, effect: Effect
) -> Observer | None:
    """Return who is to read values around a statement; ``None`` where there is nothing to gain, or no way.

    Without it the statement bumps what every read that depends on values of the table depends on.
    """
    known, catalog = effect.known, engine.catalog
    matching = None if known is None else catalog.matching(known.table.name)
    if known is None or matching is None or not engine.settings.enabled:
        return None
    model = table_namespace(Kind.MODEL, catalog.primary(connection.alias), known.table.name)
    wide = model in effect.after or state.touches([model]) or len(known.keys or ()) > MANY_ROWS
    # What SQL text has begun or ended is not sure to be a transaction.
    unsure = state.raw or state.manual or state.ended_raw or connection.needs_rollback
    if wide or unsure or not _can_lock(connection):
        return None
    return Observer(catalog, connection, known, matching)


def _can_lock(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether a row can be kept from changing until COMMIT, and what the driver returns has happened."""
    match connection.vendor:
        case "postgresql":
            return not getattr(getattr(connection.connection, "pgconn", None), "pipeline_status", 0)
        case "mysql":
            return bool(connection.features.supports_transactions)
        case vendor:
            return vendor == "sqlite"


class Observer:
    """Reads the values of rows that one statement writes.

    Args:
        catalog: What the models say of tables.
        connection: Where the statement runs, in a transaction.
        known: The rows.
        matching: What the table's models opt in to.
    """

    def __init__(
        self, catalog: Catalog, connection: BaseDatabaseWrapper, known: Known, matching: Matching
    ) -> None:
        self._catalog = catalog
        self._connection = connection
        self._known = known
        self._columns = (str(known.table.pk_column), *matching.columns)

    def before(self) -> Values | None:
        """Lock the rows that are about to be written, and return their values; ``None`` where these cannot be read."""
        if self._known.verb == "insert":
            return {}
        if self._connection.vendor == "sqlite":
            self._lock()
        return self._read(self._known.keys or (), self._locking())

    def after(self, old: Values | None, keys: Sequence[object]) -> list[Sequence[object]] | None:
        """Return the values of all rows before and after the statement; ``None`` where one of them is not known.

        Args:
            old: What ``before`` has returned.
            keys: Of the rows that were written.
        """
        if old is None or not keys:
            return None
        wanted = {self._text(key) for key in keys}
        if self._known.verb == "delete":
            new: Values | None = {}
        else:
            # InnoDB's snapshot begins with a read that takes no lock, which this one must not be.
            new = self._read(keys, " FOR UPDATE" if self._connection.vendor == "mysql" else "")
        # A row that was not there to be locked may have been made by somebody else just before the statement.
        found = {
            "insert": new,
            "update": old if new is None or new.keys() == old.keys() else None,
            "delete": old,
        }
        if new is None or (found[self._known.verb] or {}).keys() != wanted:
            return None
        return [*old.values(), *new.values()]

    def _locking(self) -> str:
        match self._connection.vendor:
            case "postgresql":
                # Not stronger than what the statement takes: who refers to the row need not wait.
                return " FOR UPDATE" if self._known.verb == "delete" else " FOR NO KEY UPDATE"
            case "mysql":
                return " FOR UPDATE"
            case _:
                return ""

    def _lock(self) -> None:
        """Become SQLite's writer before reading: a transaction that has read cannot wait for another writer."""
        column = self._name(self._columns[0])
        self._run(f"UPDATE {self._name(self._known.name)} SET {column} = {column} WHERE 0", ())  # noqa: S608

    def _read(self, keys: Sequence[object], locking: str) -> Values | None:
        sqlite = self._connection.vendor == "sqlite"
        # The sign keeps SQLite's driver from converting values by the column's declared type, a 2 to False.
        columns = ", ".join(("+" if sqlite else "") + self._name(each) for each in self._columns)
        marks = ", ".join(["?" if sqlite else "%s"] * len(keys))
        rows = self._run(
            f"SELECT {columns} FROM {self._name(self._known.name)} "  # noqa: S608
            f"WHERE {self._name(self._columns[0])} IN ({marks}){locking}",
            keys,
        )
        if rows is None:
            return None
        found = {self._text(row[0]): row[1:] for row in rows}
        return {text: values for text, values in found.items() if text is not None}

    def _run(self, sql: str, params: Sequence[object]) -> Sequence[Sequence[object]] | None:
        """Run a query; return its rows, or ``None`` where the driver cannot make values of them."""
        with self._connection.wrap_database_errors:
            cursor = self._connection.connection.cursor()
            try:
                cursor.execute(sql, tuple(params))
                return self._fetched(cursor)
            finally:
                cursor.close()

    def _fetched(self, cursor: object) -> Sequence[Sequence[object]] | None:
        if not getattr(cursor, "description", None):
            return ()
        try:
            rows: Sequence[Sequence[object]] = cursor.fetchall()  # type: ignore[attr-defined]  # a driver's cursor
        except (self._connection.Database.DataError, ValueError, OverflowError):  # type: ignore[attr-defined]
            # A date that Python has not (infinity), a text that is not UTF-8: the server has done nothing wrong.
            return None
        return rows

    def _name(self, name: str) -> str:
        quoted = self._connection.ops.quote_name(name)
        return quoted if self._connection.vendor == "sqlite" else quoted.replace("%", "%%")

    def _text(self, key: object) -> str | None:
        return self._catalog.exact_pk(self._known.table.name, key)
