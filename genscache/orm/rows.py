"""Which namespaces one SQL statement writes: rows by primary key where the text proves them, else whole models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from genscache.keys import SITE, Kind, Namespace
from genscache.namespaces import Catalog, table_namespace
from genscache.orm.shapes import DeleteByPk, InsertOne, UpdateByPk
from genscache.orm.statement import Relation, Statement, StatementKind
from genscache.tables import Table, fold

Params = Sequence[object] | Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a statement writes.

    Attributes:
        before: What must be leased before it runs.
        after: What is bumped when it has run; the same, unless the statement makes a row whose key is not known yet.
        born: The table of such a row.
    """

    before: frozenset[Namespace]
    after: frozenset[Namespace]
    born: Table | None = None


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
    return Effect(namespaces | rows.before, namespaces | rows.after, rows.born)


def birth(
    catalog: Catalog, connection: BaseDatabaseWrapper, table: Table, cursor: CursorWrapper
) -> frozenset[Namespace]:
    """Return what the row that an INSERT has just made bumps: its own key if it can be told, else the model."""
    pk = catalog.exact_pk(table.name, _new_pk(connection, table, cursor))
    return frozenset(catalog.row(connection.alias, table.name, [pk], deleting=False))


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
            count = shape.count
            pks = [catalog.exact_pk(table.name, value) for value in params[len(params) - count :]]
            deleting = isinstance(shape, DeleteByPk)
            known = frozenset(catalog.row(database, table.name, pks, deleting=deleting))
            return Effect(known, known)
        case InsertOne():
            return _insert(catalog, database, table, shape, params)


def _insert(
    catalog: Catalog, database: str, table: Table, shape: InsertOne, params: Sequence[object]
) -> Effect | None:
    """Return the effect of an INSERT of one row.

    Somebody may have stored that an object does not exist. While the new row's key is not known, the lease lies on
    the whole model, so that such an entry is not served either; then only the row's own namespace is bumped.
    """
    columns = dict(zip((column.casefold() for column in shape.columns), shape.parameters, strict=True))
    name = str(table.pk_column).casefold()
    if name in columns:
        position = columns[name]
        pk = None if position is None else catalog.exact_pk(table.name, params[position])
        known = frozenset(catalog.row(database, table.name, [pk], deleting=False))
        return Effect(known, known)
    alias = catalog.primary(database)
    before = catalog.row(database, table.name, [None], deleting=False)
    before.add(table_namespace(Kind.ROWS, alias, table.name))
    return Effect(frozenset(before if catalog.is_tracked(table.name) else ()), frozenset(), table)


def _new_pk(connection: BaseDatabaseWrapper, table: Table, cursor: CursorWrapper) -> object:
    """Return the primary key of the row that an INSERT has made, without taking it from whoever asked for it.

    Where the statement returns it, the cursor goes one row ahead and back; SQLite and MySQL also tell it by themselves.
    """
    inner = cursor.cursor
    if connection.vendor != "sqlite" and getattr(inner, "description", None) and hasattr(inner, "scroll"):
        # What is returned first need not be the key: generated columns are returned, too.
        names = [str(column[0]).casefold() for column in inner.description]
        row = inner.fetchone()
        if row is None:
            return None
        inner.scroll(0, mode="absolute")
        return row[names.index(str(table.pk_column).casefold())]
    if connection.vendor in ("sqlite", "mysql"):
        return getattr(inner, "lastrowid", None) or None
    return None


def folded(relations: Iterable[Relation]) -> tuple[str, ...]:
    """Return the folded names of relations, sorted."""
    return tuple(sorted({fold(relation.name) for relation in relations}))
