"""What of a query's SQL holds no values, compiled once for each shape of query; conditions are compiled each time.

Columns, joins and ordering are most of what Django compiles before it asks the database, and the same for all
queries of one shape. A miss gives them to Django's compiler as they were found before. The first query of a shape is
compiled as always, and looked at, and so is the second one: what differs between them is never prepared.

Relied on, each with a test: ``Query.get_compiler``, and that ``SQLCompiler.as_sql`` takes columns, ordering and groups
from ``pre_sql_setup``, joins from ``get_from_clause``, and conditions from what the former leaves in the compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import date, time, timedelta
from decimal import Decimal
from functools import lru_cache
from types import NoneType
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from django.db import connections
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models.expressions import Col
from django.db.models.sql import Query
from django.db.models.sql.compiler import SQLCompiler

from genscache.engine import Engine
from genscache.protocol.memory import Recent

MOST_SHAPES: Final = 500
"""Shapes of which pieces are kept: some 20 kB each where rows have 20 columns."""

MOST_QUESTIONS: Final = 1_000
"""Questions of which all SQL is kept, a kilobyte or two each: they are asked again when they were invalidated."""

MOST_PARAMETERS: Final = 100
LONGEST_SQL: Final = 10_000
"""Characters of SQL and of texts among its parameters; what is longer is compiled each time, and takes no memory."""

CONSTANT: Final = (
    int, float, complex, str, bytes, Decimal, date, time, timedelta, UUID, NoneType,
)  # fmt: skip
"""Types of parameters that nobody can change behind our back."""

OPEN: Final = (
    "annotations", "extra", "group_by", "distinct", "distinct_fields", "combinator", "select_for_update",
    "explain_info", "subquery", "extra_order_by", "extra_tables", "_filtered_relations",
)  # fmt: skip
"""What a query must not have: values come into its SQL there, or clauses of which pieces know nothing."""

Kind: TypeAlias = Callable[..., SQLCompiler]
"""A backend's class of compilers."""
Setup: TypeAlias = tuple[list[Any], list[Any], list[Any]]
"""What ``pre_sql_setup`` returns: more columns, ordering, groups; each with its SQL and parameters."""
Sql: TypeAlias = tuple[str, tuple[Any, ...]]


class Pieces(NamedTuple):
    """What a compiler has found out that follows from the shape of its query.

    Attributes:
        select: Columns: expression, SQL and parameters, alias.
        klass_info: Which of them belong to which model.
        annotation_col_map: Positions of columns with names.
        order_by: Expressions, with SQL and parameters.
        joins: The parts of the FROM clause.
        fields: Those of the model when it was found: models can be given more.
        raw: The database's values are those of the fields, whatever settings say: there is nothing to convert.
        proven: Another query of the shape had the same.
    """

    select: list[Any]
    klass_info: dict[str, Any] | None
    annotation_col_map: dict[str, int]
    order_by: list[Any]
    joins: list[str]
    fields: object = None
    raw: bool = False
    proven: bool = False

    def texts(self) -> tuple[object, ...]:
        """Return what can be compared."""
        columns = [(sql, alias) for _, (sql, _), alias in self.select]
        order = [each[1][0] for each in self.order_by]
        return columns, order, self.joins, self.annotation_col_map, _outline(self.klass_info)


UNFIT: Final = Pieces([], None, {}, [], [])
"""Instead of the pieces of a shape that has none."""


class Preparer:
    """Remembers pieces by shape.

    Args:
        _engine: Whose they are.
    """

    def __init__(self, _engine: Engine) -> None:
        self._known: Recent[Hashable, Pieces] = Recent(MOST_SHAPES)
        self._asked: Recent[Hashable, tuple[Pieces, Sql]] = Recent(MOST_QUESTIONS)

    def compiler(
        self, query: Query, using: str, shape: Hashable, question: Hashable = None
    ) -> SQLCompiler | None:
        """Return a compiler that uses what is known of the shape, or learns it; ``None``: the query's own will do.

        Args:
            query: The query.
            using: The alias of the database on which it will run.
            shape: Equal for two queries only if they differ in nothing but values.
            question: Equal only if they differ in nothing at all; ``None``: nobody knows.
        """
        if not has_pieces(query):
            return None
        connection = connections[using]
        kind: Kind = connection.ops.compiler(query.compiler)
        # Its class, too: one that was made anew may have the shape of the old one.
        name = (shape, using, kind, query.model)
        known = self._known.get(name)
        if known is UNFIT:
            return None
        if known is not None and known.fields is not fields_of(query):
            known = None
        if known is not None and known.proven:
            prepared: PreparedCompiler = mixed(PreparedCompiler, kind)(query, connection, using)
            prepared.pieces = known
            if question is not None:
                self._recall(prepared, known, (question, using, kind))
            return prepared
        learning: LearningCompiler = mixed(LearningCompiler, kind)(query, connection, using)
        learning.known, learning.learn = known, lambda pieces: self._known.put(name, pieces)
        return learning

    def _recall(self, compiler: PreparedCompiler, pieces: Pieces, name: Hashable) -> None:
        """Let a compiler take the SQL that the very same question had, or remember it."""
        found = self._asked.get(name)
        if found is not None and found[0] is pieces:
            compiler.statement = found[1]
        else:
            compiler.remember = lambda sql: self._asked.put(name, (pieces, sql))


def is_worth_keeping(sql: Sql) -> bool:
    """Tell whether SQL is a text of moderate length, with few parameters that nobody can change."""
    text, params = sql
    return (
        type(text) is str
        and len(params) <= MOST_PARAMETERS
        and all(isinstance(each, CONSTANT) for each in params)
        and len(text) + sum(len(each) for each in params if isinstance(each, str | bytes)) <= LONGEST_SQL
    )


def lend(compiler: SQLCompiler) -> None:
    """Let the query of a compiler give this one to whoever asks next."""
    held = vars(compiler.query)

    def get_compiler(*_: object, **__: object) -> SQLCompiler:
        # Once: they need not wait for the collector of cycles.
        del held["get_compiler"]
        return compiler

    held["get_compiler"] = get_compiler


def has_pieces(query: Query) -> bool:
    """Tell whether all values of a query are in its conditions and limits."""
    held = vars(query)
    if type(query) is not Query or query.model is None or any(held.get(name) for name in OPEN):
        return False
    order = query.order_by or (query.default_ordering and query.model._meta.ordering) or ()
    return all(type(each) is str for each in order)


def fields_of(query: Query) -> object:
    """Return the fields of a query's model: another object where it has been given more, or others, meanwhile."""
    return None if query.model is None else query.model._meta.concrete_fields


def _outline(info: dict[str, Any] | None) -> object:
    """Return what columns belong to which models."""
    if info is None:
        return None
    inner = [_outline(each) for each in info.get("related_klass_infos", ())]
    return info["model"], info["select_fields"], info.get("field"), info.get("reverse"), inner


class PreparedCompiler(SQLCompiler):
    """Takes columns, ordering and joins as they were found before; mixed into a backend's class.

    Attributes:
        pieces: What was found.
        statement: All of its SQL, where that is known, too.
        remember: Is told what its SQL is.
        results: What the database has answered, in chunks of rows.
    """

    pieces: Pieces
    statement: Sql | None = None
    remember: Callable[[Sql], None] | None = None
    results: list[Any] | None = None

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Django's
        """Return what is known; else compile."""
        if args or kwargs:
            return super().as_sql(*args, **kwargs)
        if self.statement is not None:
            self.pre_sql_setup()
            return self.statement
        sql, params = super().as_sql()
        if self.remember is not None and is_worth_keeping((sql, params)):
            self.remember((sql, tuple(params)))
        return sql, params

    def execute_sql(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Django's
        """Ask the database, once."""
        if self.results is None:
            self.results = [*super().execute_sql(*args, **kwargs)]
        return self.results

    def pre_sql_setup(self, with_col_aliases: bool = False) -> Setup:  # noqa: ARG002, FBT001, FBT002 - Django's
        """Do what Django does, without looking at anything but the conditions."""
        found = self.pieces
        self.select, self.klass_info = found.select, found.klass_info
        self.annotation_col_map, self.col_count = found.annotation_col_map, len(found.select)
        self.where, self.having, self.qualify = self.query.where, None, None
        self.has_extra_select = False
        return [], found.order_by, []

    def get_from_clause(self) -> Any:  # noqa: ANN401 - the stubs are wrong about its parameters
        """Return the joins."""
        return self.pieces.joins, []

    def get_converters(self, expressions: Any) -> Any:  # noqa: ANN401 - Django's
        """Return what turns the database's values into those of the fields."""
        return {} if self.pieces.raw else super().get_converters(expressions)

    def has_composite_fields(self, expressions: Any) -> bool:  # noqa: ANN401 - Django's
        """Tell whether a column stands for several."""
        return not self.pieces.raw and super().has_composite_fields(expressions)


class LearningCompiler(SQLCompiler):
    """Compiles as Django does, and learns from it; mixed into a backend's class."""

    known: Pieces | None
    learn: Callable[[Pieces], None]
    _setup: Setup | None = None
    _joins: Any = None

    def pre_sql_setup(self, with_col_aliases: bool = False) -> Setup:  # noqa: FBT001, FBT002 - Django's
        """Do what Django does, and keep what it returns."""
        found = self._setup = super().pre_sql_setup(with_col_aliases)
        return found

    def get_from_clause(self) -> Any:  # noqa: ANN401 - as above
        """Do the same."""
        self._joins = super().get_from_clause()
        return self._joins

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Django's
        """Compile; learn the pieces, or prove those that were learned."""
        found = super().as_sql(*args, **kwargs)
        mine, known = self._pieces(), self.known
        if mine is not None and known is not None:
            mine = mine._replace(proven=True) if mine.texts() == known.texts() else None
        self.learn(mine or UNFIT)
        return found

    def _pieces(self) -> Pieces | None:
        """Return what was found; ``None``: there are values in it, or clauses that pieces do not know."""
        if self._setup is None or self._joins is None:
            # It went another way: a condition on a window, say, makes a query in a query.
            return None
        extra_select, order_by, group_by = self._setup
        joins, values = self._joins
        split = vars(self)
        if extra_select or group_by or values or split["having"] is not None or split["qualify"] is not None:
            return None
        if any(params for _, (_, params), _ in self.select or ()) or any(each[1][1] for each in order_by):
            return None
        select = self.select or []
        names, fields = self.annotation_col_map or {}, fields_of(self.query)
        return Pieces(select, self.klass_info, names, order_by, joins, fields, self._is_raw(select))

    def _is_raw(self, select: list[Any]) -> bool:
        """Tell whether nobody wants to convert values of these columns, and no setting can change that."""
        columns = [column for column, _, _ in select]
        return (
            type(self.connection.ops).get_db_converters is BaseDatabaseOperations.get_db_converters
            and all(type(column) is Col for column in columns)
            and not self.get_converters(columns)
            and not self.has_composite_fields(columns)
        )


@lru_cache(50)
def mixed(mixin: Any, kind: Any) -> Any:  # noqa: ANN401 - a class that is made as one goes
    """Return a backend's class of compilers with one of ours before it."""
    return type(f"{mixin.__name__}Of{kind.__name__}", (mixin, kind), {})
