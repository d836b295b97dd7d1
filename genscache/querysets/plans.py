"""What the answer to a query depends on, or why it cannot be cached; worked out once for each shape of query.

The tables are those of the SQL that Django compiles, joins that only compilation adds included: ``select_related``,
ordering over a relation, the parents of a child model. A second net is below: while an entry is filled, the SQL that
really runs is compared with the plan (``orm.reading``), and what it reads besides is added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from django.db import connections, models
from django.db.models.sql import Query

from genscache.engine import Engine
from genscache.exceptions import InvalidNamespace
from genscache.fingerprints import Structure, apart, compiled_in_place
from genscache.keys import Kind, Namespace
from genscache.namespaces import table_namespace
from genscache.orm.sql import SqlMemo, Statement, StatementKind
from genscache.policies import Op
from genscache.protocol.memory import Recent
from genscache.querysets.pins import Pins, base_table, pins, same_row_models
from genscache.tables import fold

MOST_OBJECTS: Final = 30
"""A read of more objects than this by primary key depends on the rows of the table instead of each of them."""

LOCKING = "it locks rows (select_for_update)"
NOTHING = "it asks nothing of the database"
SQL_AGGREGATE = "it aggregates over SQL that a user wrote"
UNTELLABLE = "its tables cannot be told from its SQL"

_MOMENTS: Final = frozenset({
    "now", "random", "rand", "uuid", "gen_random_uuid", "uuid_generate_v4", "uuid_generate_v1", "uuidv4", "uuidv7",
})  # fmt: skip
"""Functions that answer differently from call to call; Django writes them for ``Now()``, ``order_by("?")`` and such."""

_CLOCKS: Final = _MOMENTS | frozenset({
    "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday", "sysdate", "systimestamp",
    "curdate", "curtime", "utc_timestamp", "utc_date", "utc_time", "unix_timestamp", "getdate", "newid", "nextval",
    "lastval", "currval", "setval", "last_insert_id", "last_insert_rowid", "changes", "total_changes", "row_count",
    "found_rows", "connection_id", "pg_backend_pid", "txid_current", "pg_current_xact_id", "current_setting",
    "get_lock", "release_lock", "is_free_lock", "is_used_lock", "uuid_short", "random_bytes", "gen_random_bytes",
    "random_normal", "txid_current_if_assigned", "inet_client_addr", "inet_client_port", "inet_server_addr",
    "inet_server_port", "set_config", "benchmark",
    "user", "current_user", "session_user", "database", "schema", "current_schema", "localtime", "localtimestamp",
    "current_timestamp", "current_date", "current_time", "age", "pg_sleep", "sleep", "randomblob",
    "date", "time", "datetime", "julianday", "strftime", "unixepoch", "timediff",
})  # fmt: skip
"""What users may write besides, and SQLite's functions that tell the time when they are given ``'now'``."""

_CLOCK_WORDS: Final = re.compile(
    r"\b(?:CURRENT_(?:TIMESTAMP|DATE|TIME|USER|ROLE|SCHEMA|CATALOG)|LOCALTIME|LOCALTIMESTAMP|SESSION_USER|SYSDATE)\b"
    # Words that PostgreSQL and SQLite understand where a time is expected; rows by chance.
    r"|'(?:now|today|tomorrow|yesterday)'|\bTABLESAMPLE\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What queries of one shape depend on.

    Attributes:
        forbidden: Why they cannot be cached; empty where they can.
        tables: The folded names of all tables that they read.
        base: The base table, where its rows can be pinned: it is read under one name only.
        same_row: Models that have, for the base table's primary key, the row with the same one; the base's own first.
        key: The column of the base table's primary key.
    """

    forbidden: str
    tables: frozenset[str] = frozenset()
    base: str = ""
    same_row: tuple[type[models.Model], ...] = ()
    key: str = ""


class Planner:
    """Makes plans and remembers them by shape.

    Args:
        engine: Whose catalog says what tables are.
    """

    def __init__(self, engine: Engine) -> None:
        self._catalog = engine.catalog
        self._scan = SqlMemo().scan
        self._plans: Recent[tuple[bytes, str, str], Plan] = Recent(10_000)

    def plan(self, query: Query, op: Op, database: str, structure: Structure) -> Plan:
        """Return the plan of a query.

        Args:
            query: The query; it is left as it is.
            op: What is asked.
            database: The alias on which it will run.
            structure: Its fingerprint.
        """
        if query.select_for_update:
            return Plan(LOCKING)
        if structure.volatile:
            return Plan(structure.volatile)
        if op == "aggregate" and structure.raw:
            return Plan(SQL_AGGREGATE)
        rows = op in ("get", "list") or structure.raw
        name = (structure.shape, op if op == "aggregate" else "rows" if rows else "count", database)
        plan = self._plans.get(name)
        if plan is None:
            plan = self._made(query, database, structure, rows=rows)
            if op == "aggregate":
                # What it aggregates may have subqueries of its own, which are not in the SQL that was looked at.
                plan = replace(plan, base="", same_row=())
            if plan.forbidden != NOTHING:
                # Whether a query asks anything may depend on its values, which are no part of its shape.
                self._plans.put(name, plan)
        return plan

    def namespaces(self, plan: Plan, query: Query, database: str) -> tuple[Namespace, ...]:
        """Return what one query of the plan's shape depends on, as fine as its conditions allow."""
        catalog, alias = self._catalog, self._catalog.primary(database)
        held: Pins = pins(query) if plan.base else {}
        fine: dict[str, tuple[Namespace, ...]] = {}
        values = held.get(plan.key, ()) if plan.same_row else ()
        if 0 < len(values) <= MOST_OBJECTS:
            for model in plan.same_row:
                found = self._objects(alias, model, values)
                if found:
                    fine[fold(model._meta.db_table)] = found
        if plan.base and plan.base not in fine:
            found = self._matching(query, alias, plan.base, held)
            if found:
                fine[plan.base] = found
        coarse = catalog.reading_tables(database, plan.tables.difference(fine))
        models_ = (table_namespace(Kind.MODEL, alias, table) for table in sorted(fine))
        return (*coarse, *models_, *(each for found in fine.values() for each in found))

    def tables(self, sql: str) -> tuple[str, frozenset[str]]:
        """Return why SQL that a user wrote cannot be cached, or the tables that it reads."""
        statement = self._scan(sql)
        tables = frozenset(fold(relation.name) for relation in statement.reads)
        return self._unfit(statement, sql, raw=True) or self._unknown(tables), tables

    # -- inside

    def _unknown(self, tables: Iterable[str]) -> str:
        """Say which table nobody vouches for."""
        return next((why for table in sorted(tables) if (why := self._catalog.unknown_reason(table))), "")

    def _made(self, query: Query, database: str, structure: Structure, *, rows: bool) -> Plan:
        """Make the plan from the SQL that asks for rows.

        Args:
            query: The query.
            database: The alias.
            structure: Its fingerprint.
            rows: Rows are asked for. A count or an aggregate takes no more tables than the query's structure shows.
        """
        clone = apart(query.clone())
        if not rows:
            clone.select_related = False
            if not clone.is_sliced and not clone.distinct_fields:
                clone.clear_ordering(force=True)
        sql = compiled_in_place(clone, database)
        if sql is None:
            return Plan(NOTHING)
        statement = self._scan(sql[0])
        reason = self._unfit(statement, sql[0], raw=structure.raw)
        tables = frozenset(fold(relation.name) for relation in statement.reads)
        if not rows:
            # Only a query in a query keeps its ordering, and what that joins, when it is counted.
            nested = clone.is_sliced or clone.distinct_fields or clone.combinator
            tables = structure.tables | tables if nested else structure.tables
        reason = reason or self._unknown(tables)
        if reason:
            return Plan(reason)
        return Plan("", tables) if structure.raw else self._pinned(clone, tables, _Names(sql[0], database))

    def _pinned(self, query: Query, tables: frozenset[str], names: _Names) -> Plan:
        """Find out which tables' rows can be pinned, now that the joins are known."""
        base = base_table(query)
        if base is None or query.model is None or query.combinator or not names.once(base):
            return Plan("", tables)
        if not self._tells_rows(query.model):
            return Plan("", tables)
        key = query.model._meta.pk.column
        same: list[type[models.Model]] = []
        if key is not None and query.model._meta.db_table == base:
            same = [
                query.model,
                *(
                    each
                    for each in same_row_models(query, key)
                    if names.once(each._meta.db_table) and self._tells_rows(each)
                ),
            ]
        return Plan("", tables, fold(base), tuple(dict.fromkeys(same)), key or "")

    def _tells_rows(self, model: type[models.Model]) -> bool:
        """Tell whether writers name the rows of the model's table as this model does.

        Of several models over one table, or over tables with one folded name, they know a single one.
        """
        table = self._catalog.tables.get(fold(model._meta.db_table))
        concrete = model._meta.concrete_model
        return table is not None and concrete is not None and table.label == concrete._meta.label

    def _unfit(self, statement: Statement, sql: str, *, raw: bool) -> str:
        """Say why SQL cannot be cached."""
        if statement.kind is not StatementKind.READ or not statement.complete:
            return UNTELLABLE
        if statement.locking:
            return LOCKING
        written = next((name for name in sorted(statement.functions) if self._catalog.procedure(name)), "")
        if written:
            return f'it calls {written}(), which writes (GENSCACHE["DERIVED"])'
        moment = next(iter(sorted(statement.functions & (_CLOCKS if raw else _MOMENTS))), "")
        if raw and not moment:
            # PostgreSQL's own: locks, notifications, statistics, sizes.
            moment = next((name for name in sorted(statement.functions) if name.startswith("pg_")), "")
        word = _CLOCK_WORDS.search(sql) if raw and not moment else None
        if moment or word:
            return f"it depends on the moment or the session: {moment or (word and word.group())}"
        return ""

    def _objects(
        self, alias: str, model: type[models.Model], values: Iterable[object]
    ) -> tuple[Namespace, ...]:
        table = fold(model._meta.db_table)
        try:
            texts = {self._catalog.pk_text(model, value) for value in values}
        except InvalidNamespace:
            return ()
        return tuple(table_namespace(Kind.OBJECT, alias, table, text) for text in sorted(texts))

    def _matching(self, query: Query, alias: str, base: str, held: Pins) -> tuple[Namespace, ...]:
        """Return what a read depends on that is filtered by equality of fields for which the model opts in."""
        sets = self._catalog.match_fields(base)
        if not sets or query.model is None:
            return ()
        one = {column: values[0] for column, values in held.items() if len(values) == 1}
        meta = query.model._meta
        # The longest says most about the rows that count.
        for names in sorted(sets, key=len, reverse=True):
            columns = [meta.get_field(name).column for name in names]  # type: ignore[union-attr]
            if all(column in one for column in columns):
                values = [one[str(column)] for column in columns]
                found = self._catalog.match_namespace(alias, base, names, values)
                if found is not None:
                    return (found, *self._catalog.match_guards(alias, base))
        return ()


class _Names:
    """How often SQL takes rows from a table."""

    def __init__(self, sql: str, database: str) -> None:
        self._sql = sql
        self._quote = connections[database].ops.quote_name

    def once(self, table: str) -> bool:
        """Tell whether a table is named once other than as the qualifier of a column."""
        return len(re.findall(rf"{re.escape(self._quote(table))}(?!\s*\.)", self._sql)) == 1
