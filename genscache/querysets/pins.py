"""Which rows of its base table a query is pinned to: the equalities that every row of its answer fulfils."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from django.db import models
from django.db.models.expressions import Col
from django.db.models.lookups import Exact, In
from django.db.models.sql import Query
from django.db.models.sql.where import AND, WhereNode

Pins: TypeAlias = Mapping[str, tuple[object, ...]]
"""Column of the base table -> the values that it may have."""


def pins(query: Query) -> dict[str, tuple[object, ...]]:
    """Return the columns of the query's base table that are held to given values.

    Only conditions that stand at the top of the WHERE clause and are joined by AND count, and of lookups only
    Django's own ``exact`` and ``in``: they hold for every row that the query can meet. Empty where there are none.
    """
    model = query.model
    if query.combinator or model is None:
        return {}
    base = next(iter(query.alias_map), None)
    found: dict[str, tuple[object, ...]] = {}
    if base is None:
        return found
    for lookup in _conditions(query.where):
        left = lookup.lhs
        if type(left) is not Col or left.alias != base:
            continue
        values = _values(lookup)
        if values is not None:
            column = left.target.column or ""
            # Two conditions on one column: both hold, so either will do; the shorter one says more.
            if column not in found or len(values) < len(found[column]):
                found[column] = values
    return found


def base_table(query: Query) -> str | None:
    """Return the table of the query's base alias, ``None`` where it has none yet."""
    join = next(iter(query.alias_map.values()), None)
    return None if join is None else join.table_name


def same_row_models(query: Query, key: str) -> Iterator[type[models.Model]]:
    """Yield the models whose tables are joined to the base table by their primary key and its column ``key``.

    So are the parents of a model with multi-table inheritance: their row has the same primary key.
    """
    base = next(iter(query.alias_map))
    for alias, join in query.alias_map.items():
        columns: Sequence[tuple[str, str]] | None = getattr(join, "join_cols", None)
        field = getattr(join, "join_field", None)
        if alias == base or columns is None or field is None or join.parent_alias != base:
            continue
        reached: type[models.Model] = field.related_model
        if len(columns) == 1 and tuple(columns[0]) == (key, reached._meta.pk.column):
            yield reached


def _conditions(node: WhereNode) -> Iterator[Exact | In]:
    if node.negated or node.connector != AND:
        return
    for child in node.children:
        if isinstance(child, Exact | In) and type(child).__module__.startswith("django."):
            yield child
        elif isinstance(child, WhereNode):
            yield from _conditions(child)


def _values(lookup: Exact | In) -> tuple[object, ...] | None:
    """Return the values on the right hand side, ``None`` where the database computes them."""
    right = lookup.rhs
    if lookup.bilateral_transforms:
        return None
    values: Sequence[object]
    if isinstance(lookup, Exact):
        values = (right,)
    elif isinstance(right, list | tuple | set | frozenset):
        values = tuple(right)
    else:
        return None
    if any(each is None or hasattr(each, "resolve_expression") or hasattr(each, "as_sql") for each in values):
        return None
    return tuple(values)
