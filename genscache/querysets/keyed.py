"""A row by its primary key, asked of the database with SQL that is known but for the key.

Building such a query and compiling it is most of what Django does for one row. Once its pieces are known (see
``prepared``), all of its SQL is, up to what stands for the key: that is asked of Django's lookup each time, and where
it comes to other words than before, or to none, the query is built and compiled as always.

Relied on, each with a test: ``ModelIterable`` asks the compiler of a queryset's query and nothing else of that query,
``SQLCompiler.execute_sql`` takes statement and parameters from ``as_sql``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, NamedTuple, TypeAlias

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import connections, models
from django.db.models.lookups import Exact, Lookup
from django.db.models.query import ModelIterable, QuerySet
from django.db.models.sql import Query
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.where import WhereNode

from genscache.engine import Engine
from genscache.protocol.memory import Recent
from genscache.querysets.prepared import (
    MOST_SHAPES,
    Kind,
    Pieces,
    PreparedCompiler,
    Preparer,
    Sql,
    fields_of,
    mixed,
)

DJANGOS: Final = frozenset({Exact, models.IntegerField().get_lookup("exact")})
"""Lookups that know nothing but their column and their value, and stay as they are when they are compiled."""

NOWHERE: Final = (EmptyResultSet, FullResultSet)
"""What Django's compilers raise where the answer is known without asking."""

Comparison: TypeAlias = "type[Lookup[Any]]"


class Statement(NamedTuple):
    """The SELECT for a row by its primary key.

    Attributes:
        pieces: What it is made of.
        column: The key's.
        sql: The whole of it.
        place: What stands in it for the key's value.
    """

    pieces: Pieces
    column: Any
    sql: str
    place: str


UNFIT: Final = Statement(Pieces([], None, {}, [], []), None, "", "")
"""Instead of the statement of a shape that has none."""


class Keyed:
    """Asks for rows by their primary keys, and remembers how.

    Args:
        engine: Whose results they are.
    """

    def __init__(self, engine: Engine) -> None:
        self._preparer = engine.part(Preparer)
        self._known: Recent[Hashable, Statement] = Recent(MOST_SHAPES)

    def rows(
        self,
        bare: QuerySet[Any],
        lookup: Comparison,
        value: object,
        database: str,
        shape: Hashable,
        narrowed: Callable[[], QuerySet[Any]],
    ) -> list[Any] | None:
        """Return the rows; ``None``: Django is to ask.

        Args:
            bare: A queryset as a manager makes it, of instances.
            lookup: Compares the key.
            value: With what.
            database: The alias of the database.
            shape: Equal for two such querysets only if their rows are asked for in the same way.
            narrowed: Makes the queryset that Django's ``get`` would evaluate.
        """
        connection = connections[database]
        kind: Kind = connection.ops.compiler("SQLCompiler")
        name = (shape, database, kind, type(value), lookup)
        known = self._known.get(name)
        if known is None or (known is not UNFIT and known.pieces.fields is not fields_of(bare.query)):
            if lookup in DJANGOS:
                self._learn(name, lookup, database, shape, narrowed())
            return None
        if known is UNFIT or value == "":
            # Some databases take an empty text for NULL, and Django says so in other words.
            return None
        compiler: PreparedCompiler = mixed(PreparedCompiler, kind)(bare.query, connection, database)
        compiler.pieces = known.pieces
        place, params = _place(compiler, lookup, known.column, value)
        if place != known.place:
            return None
        compiler.statement = known.sql, params
        asking: QuerySet[Any] = QuerySet(bare.model, query=_Lent(compiler), using=database)  # type: ignore[arg-type]
        mode = getattr(bare, "_fetch_mode", None)
        if mode is not None:
            asking._fetch_mode = mode  # type: ignore[attr-defined]  # of Django 6.1
        return [*ModelIterable(asking)]

    def _learn(
        self,
        name: Hashable,
        lookup: Comparison,
        database: str,
        shape: Hashable,
        narrowed: QuerySet[Any],
    ) -> None:
        """Compile a query that is going to be thrown away, once its pieces are known, and see where its key is."""
        query: Query = narrowed.query
        compiler = self._preparer.compiler(query, database, shape)
        if isinstance(compiler, PreparedCompiler):
            try:
                self._known.put(name, _statement(compiler, query.where, lookup))
            except NOWHERE:
                # Another key may do.
                return


def _statement(compiler: PreparedCompiler, where: WhereNode, lookup: Comparison) -> Statement:
    """Return what a query asks, if it asks for a key and nothing else."""
    condition: Any = where.children[0] if len(where.children) == 1 else None
    if type(condition) is not lookup or where.negated:
        return UNFIT
    sql, values = compiler.as_sql()
    words, params = compiler.compile(condition)
    place, mine = _place(compiler, lookup, condition.lhs, condition.rhs)
    fits = place and mine == tuple(params) == tuple(values) and sql.count(words) == 1
    return Statement(compiler.pieces, condition.lhs, sql, place) if fits else UNFIT


def _place(compiler: SQLCompiler, lookup: Comparison, column: object, value: object) -> Sql:
    """Return what stands for a value in a condition, and its parameters; empty where no SQL says so."""
    try:
        sql, params = lookup(column, value).process_rhs(compiler, compiler.connection)
    except (*NOWHERE, ValueError):
        # No row can have it, or Django is about to say that it is wrong.
        return "", ()
    return sql, tuple(params)


class _Lent:
    """What an iterable asks of a query, where the compiler is there already."""

    def __init__(self, compiler: SQLCompiler) -> None:
        self._compiler = compiler

    def get_compiler(self, *_: object, **__: object) -> SQLCompiler:
        """Return it."""
        return self._compiler
