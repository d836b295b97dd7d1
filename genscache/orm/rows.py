"""Which namespaces one SQL statement writes: rows by primary key where the text proves them, else whole models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from genscache.delivery import MANY_ROWS
from genscache.keys import SITE, Namespace
from genscache.namespaces import Catalog
from genscache.orm.births import new_keys
from genscache.orm.shapes import DeleteByPk, Insert, InsertArrays, UpdateByPk
from genscache.orm.statement import Relation, Statement, StatementKind
from genscache.tables import Table, fold

Params = Sequence[object] | Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Known:
    """The rows of one table that a statement writes, as far as its text and its parameters prove them.

    Attributes:
        table: The table.
        name: The table's name as the statement spells it.
        verb: What it does to them.
        keys: Values of the primary key as the driver is given them; ``None``: an INSERT whose rows get keys of the
            database's making.
        single: It is one row.
    """

    table: Table
    name: str
    verb: Literal["insert", "update", "delete"]
    keys: tuple[object, ...] | None
    single: bool = False


@dataclass(frozen=True, slots=True)
class Effect:
    """What a statement writes.

    Attributes:
        before: What must be leased before it runs.
        after: What is bumped when it has run; the same, unless the statement makes rows whose keys are not known yet.
        known: The rows, where it is known which.
    """

    before: frozenset[Namespace]
    after: frozenset[Namespace]
    known: Known | None = None


_ONE_CALL = re.compile(r"\s*(?:CALL|EXEC)\s[^;]*;?\s*", re.IGNORECASE)

NOTHING = Effect(frozenset(), frozenset())
EVERYTHING = Effect(frozenset({SITE}), frozenset({SITE}))


def effect(catalog: Catalog, database: str, statement: Statement, sql: str, params: Params) -> Effect:
    """Return what running ``statement`` with ``params`` writes on a database alias.

    Args:
        catalog: What the models say of tables.
        database: The alias.
        statement: The scanned text.
        sql: The text itself.
        params: The parameters as they are handed to the driver; ``None`` where there are several lists of them.
    """
    namespaces = _called(catalog, database, statement.functions)
    if statement.kind is StatementKind.UNKNOWN:
        declared = _declared(catalog, database, statement) if _ONE_CALL.fullmatch(sql) else None
        if declared is None:
            return EVERYTHING
        namespaces |= declared
    elif statement.kind is not StatementKind.WRITE:
        return Effect(namespaces, namespaces) if namespaces else NOTHING
    rows = _rows(catalog, database, statement, params)
    if rows is None:
        tables = (fold(relation.name) for relation in statement.writes)
        written = catalog.models_of(database, tables)
        return Effect(namespaces | written, namespaces | written)
    if not namespaces:
        return rows
    return Effect(namespaces | rows.before, namespaces | rows.after, rows.known)


def births(connection: BaseDatabaseWrapper, known: Known, cursor: CursorWrapper) -> tuple[object, ...]:
    """Return the keys of the rows that an INSERT has just made; nothing where they cannot all be told."""
    return new_keys(connection, known.table, cursor, single=known.single)


def _called(catalog: Catalog, database: str, functions: Iterable[str]) -> frozenset[Namespace]:
    """Return what functions are declared to write; most of them write nothing and are not declared."""
    if not catalog.declares_procedures:
        return frozenset()
    tables = (catalog.procedure(name) or () for name in functions)
    return frozenset(space for each in tables for space in catalog.models_of(database, each))


def _declared(catalog: Catalog, database: str, statement: Statement) -> frozenset[Namespace] | None:
    """Return what a text that may write anything is declared to write, ``None`` where it is not all declared.

    Only a text that is nothing but one CALL says by its procedure what it does.
    """
    if not statement.procedures:
        return None
    found: set[Namespace] = set(catalog.models_of(database, (fold(each.name) for each in statement.writes)))
    for name in statement.procedures:
        tables = catalog.procedure(name)
        if tables is None:
            # A qualified call is listed with and without its schema; either declaration will do.
            if any(catalog.procedure(other) is not None for other in _variants(name, statement.procedures)):
                continue
            return None
        found |= catalog.models_of(database, tables)
    return frozenset(found)


def _variants(name: str, names: Iterable[str]) -> Iterator[str]:
    """Yield the other spellings of one procedure: with its schema, or without."""
    return (each for each in names if each.endswith(f".{name}") or name.endswith(f".{each}"))


def _rows(catalog: Catalog, database: str, statement: Statement, params: Params) -> Effect | None:
    """Return the effect of a statement whose text proves which rows it writes, else ``None``."""
    shape = statement.shape
    if shape is None or not isinstance(params, list | tuple):
        return None
    table = catalog.tables.get(fold(shape.table))
    if table is None or table.pk_column is None:
        return None
    match shape:
        case UpdateByPk(column=column) | DeleteByPk(column=column):
            if column != table.pk_column:
                return None
            verb: Literal["update", "delete"] = "delete" if isinstance(shape, DeleteByPk) else "update"
            keys = tuple(params[len(params) - shape.count :])
            return known_effect(catalog, database, Known(table, shape.table, verb, keys))
        case Insert(rows=rows):
            return _insert(
                catalog, database, table, shape, _given(shape, str(table.pk_column), params), len(rows)
            )
        case InsertArrays():
            return _insert_arrays(catalog, database, table, shape, params)


def known_effect(catalog: Catalog, database: str, known: Known) -> Effect:
    """Return the effect on rows whose keys are known."""
    pks = [catalog.exact_pk(known.table.name, value) for value in known.keys or (None,)]
    namespaces = frozenset(catalog.row(database, known.table.name, pks, deleting=known.verb == "delete"))
    return Effect(namespaces, namespaces, known)


def _insert_arrays(
    catalog: Catalog, database: str, table: Table, shape: InsertArrays, params: Sequence[object]
) -> Effect | None:
    """Return the effect of an INSERT whose parameters are the lists of its columns' values."""
    lists = [each for each in params if isinstance(each, list)]
    lengths = {len(each) for each in lists}
    if (
        len(lists) != len(shape.columns)
        or len(lists) != len(params)
        or len(lengths) != 1
        or max(lengths) > MANY_ROWS
    ):
        return None
    columns = dict(zip((column.casefold() for column in shape.columns), lists, strict=True))
    return _insert(
        catalog, database, table, shape, columns.get(str(table.pk_column).casefold()), lengths.pop()
    )


def _insert(
    catalog: Catalog,
    database: str,
    table: Table,
    shape: Insert | InsertArrays,
    keys: Sequence[object] | None,
    rows: int,
) -> Effect:
    """Return the effect of an INSERT.

    Somebody may have stored that an object does not exist. While a new row's key is not known, the lease lies on
    the whole model, so that such an entry is not served either; then only the row's own namespace is bumped.
    """
    if keys is not None:
        if connections[database].vendor == "mysql":
            # A zero may stand for the next key.
            keys = [key or None for key in keys]
        return known_effect(
            catalog, database, Known(table, shape.table, "insert", tuple(keys), single=rows == 1)
        )
    born = Known(table, shape.table, "insert", None, single=rows == 1)
    before = catalog.row(database, table.name, [None], deleting=False) | catalog.rows(database, table.name)
    return Effect(frozenset(before), frozenset(), born)


def _given(shape: Insert, column: str, params: Sequence[object]) -> Sequence[object] | None:
    """Return the values that an INSERT gives a column, ``None`` where it does not name it."""
    columns = [each.casefold() for each in shape.columns]
    if column.casefold() not in columns:
        return None
    at = columns.index(column.casefold())
    return [None if row[at] is None else params[row[at]] for row in shape.rows]  # type: ignore[index]  # just asked


def folded(relations: Iterable[Relation]) -> tuple[str, ...]:
    """Return the folded names of relations, sorted."""
    return tuple(sorted({fold(relation.name) for relation in relations}))
