"""The SQL that Django compiles for a query, which is left as it was."""

from __future__ import annotations

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db.models.sql import Query


def compiled(query: Query, using: str) -> tuple[str, tuple[object, ...]] | None:
    """Return SQL and parameters, ``None`` where the query asks nothing of the database.

    Args:
        query: The query; a clone is compiled, because compiling adds joins.
        using: The alias of the database.
    """
    return compiled_in_place(apart(query.clone()), using)


def apart(clone: Query) -> Query:
    """Let a clone share nothing that compiling changes: of a union that is ordered, the names that it selects."""
    if clone.selected:
        clone.selected = dict(clone.selected)
    for each in clone.combined_queries:
        apart(each)
    return clone


def compiled_in_place(query: Query, using: str) -> tuple[str, tuple[object, ...]] | None:
    """Do the same to the query itself, which then shows the joins that compiling adds."""
    try:
        sql, parameters = query.get_compiler(using).as_sql()
    except (EmptyResultSet, FullResultSet):
        return None
    return sql, tuple(parameters)
