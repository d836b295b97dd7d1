"""How a ``Query`` is written: all of its attributes but a few that do not reach the SQL."""

from __future__ import annotations

from typing import Any, Final

from django.db.models.sql import Query
from django.db.models.sql.constants import INNER, LOUTER
from django.db.models.sql.datastructures import BaseTable, Join

from genscache.fingerprints.nodes import Attributes, class_path
from genscache.fingerprints.paths import write_ordering, write_select_related
from genscache.fingerprints.walk import Walk
from genscache.scalars import text_block

_BUILDING: Final = frozenset({"base_table", "used_aliases", "filter_is_sticky", "table_map", "_lookup_joins"})
"""What only the next ``filter()`` looks at, or what can be told from the rest."""

_CACHES: Final = frozenset({"_annotation_select_cache", "_extra_select_cache"})

_HERE: Final = frozenset({
    "model", "where", "alias_map", "alias_refcount", "annotations", "extra", "external_aliases", "_filtered_relations",
    "order_by", "extra_order_by", "select_related", "extra_tables", "low_mark", "high_mark",
})  # fmt: skip
"""What is written below, each in a way of its own."""


class QueryVisit:
    """Writes queries of one class.

    Args:
        kind: ``Query`` or a class derived from it.
    """

    def __init__(self, kind: type[Query]) -> None:
        self._known = kind.__module__.startswith("django.")
        self._head = b"(" + class_path(kind)
        self._attributes = Attributes(kind, _BUILDING | _CACHES | _HERE)

    def __call__(self, walk: Walk, thing: Query) -> None:
        """Write one, with everything in it."""
        held: dict[str, Any] = thing.__dict__
        outer, walk.model = walk.model, thing.model
        if not self._known:
            walk.opaque = walk.raw = True
        walk.queries.append(thing)
        walk.out.append(self._head)
        if thing.model is not None:
            walk.out.append(walk.memory.model(thing.model))
        _write_joins(walk, thing)
        walk.visit(held["where"])
        _write_containers(walk, held)
        _write_order(walk, thing)
        if thing.select_related and thing.model is not None:
            walk.out.append(b"*")
            write_select_related(walk, thing.model, thing.select_related)
        if thing.low_mark or thing.high_mark is not None:
            walk.out.append(b"L")
            walk.literal(thing.low_mark)
            walk.literal(thing.high_mark)
        self._attributes.write(walk, held)
        walk.out.append(b")")
        walk.model = outer


def _write_containers(walk: Walk, held: dict[str, Any]) -> None:
    """Write what is an empty dict or tuple in most queries."""
    if held["annotations"]:
        walk.out.append(b"A")
        walk.visit(held["annotations"])
    if held["_filtered_relations"]:
        walk.out.append(b"R")
        walk.visit(held["_filtered_relations"])
    if held["external_aliases"]:
        walk.out.append(b"X")
        walk.visit(sorted(held["external_aliases"].items()))
    if held["extra"]:
        walk.raw = True
        walk.out.append(b"E%d:" % len(held["extra"]))
        for name, (sql, parameters) in held["extra"].items():
            walk.visit((name, sql))
            walk.literal(list(parameters or ()))
    if held.get("extra_tables"):
        walk.raw = True
        walk.out.append(b"T")
        walk.visit(tuple(held["extra_tables"]))
        walk.tables.update(map(walk.memory.folded, held["extra_tables"]))


def _write_order(walk: Walk, query: Query) -> None:
    if query.extra_order_by:
        walk.raw = True
        walk.out.append(b"e")
        write_ordering(walk, query.model, query.extra_order_by)
    if query.order_by:
        walk.out.append(b"O")
        write_ordering(walk, query.model, query.order_by)
    elif query.default_ordering and not query.extra_order_by and query.model is not None:
        default = query.model._meta.ordering
        if default:
            walk.out.append(b"M")
            write_ordering(walk, query.model, default, frozenset({query.model}))


def _write_joins(walk: Walk, query: Query) -> None:
    """Write the joins that are in use.

    Compiling adds joins and leaves them behind unused: they would tell an executed query from a fresh one. They are
    used again when it is compiled again, and are then what compiling would have made, unless a filter has changed
    their type; so only those are written.
    """
    joins = query.alias_map
    model = query.model
    if not joins:
        if model is not None:
            walk.tables.add(walk.memory.folded(model._meta.db_table))
        return
    table = None if model is None else model._meta.db_table
    base = next(iter(joins))
    if len(joins) == 1 and base == table and _is_plain(joins[base], base):
        walk.tables.add(walk.memory.folded(base))
        return
    used = query.alias_refcount
    plain = base == table and _is_plain(joins[base], base)
    if not plain:
        walk.out.append(text_block(b"b", base))
    anything = any(used.values())
    alone = not anything or not any(used.get(alias) for alias in joins if alias != base)
    for alias, join in joins.items():
        if used.get(alias) or (alias == base and not anything):
            walk.tables.add(walk.memory.folded(join.table_name))
            if plain and alone:
                # Compiling takes it, whether it is there already or not.
                continue
            walk.out.append(b"J" + text_block(b"j", alias))
            _write_join(walk, join)
        elif type(join) is Join and join.join_type != _natural(query, join):
            walk.out.append(b"U" + text_block(b"j", alias))
            _write_join(walk, join)


def _is_plain(join: object, alias: str) -> bool:
    """Tell whether a join is the table of a model under its own name."""
    return type(join) is BaseTable and join.table_name == alias == (join.table_alias or alias)


def _natural(query: Query, join: Join) -> str:
    """Return the type that a join has when it is made."""
    parent = query.alias_map.get(join.parent_alias)
    outer = parent is not None and parent.join_type == LOUTER
    return LOUTER if outer or join.nullable else INNER


def _write_join(walk: Walk, join: BaseTable | Join) -> None:
    if type(join) is BaseTable:
        walk.visit((join.table_name, join.table_alias))
    elif type(join) is Join:
        walk.visit((
            join.table_name, join.table_alias, join.parent_alias, join.join_type, join.join_field, join.nullable,
            join.filtered_relation,
        ))  # fmt: skip
        if not walk.memory.adds_nothing(type(join.join_field)):
            walk.opaque = walk.raw = True
    else:
        walk.opaque = walk.raw = True
        walk.visit((join.table_name, join.table_alias, join.parent_alias, join.join_type))
