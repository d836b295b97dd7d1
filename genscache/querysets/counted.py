"""Counts that are asked again, with the SQL that they had: working it out takes Django longer than the count itself.

Relied on, with a test: ``QuerySet.count`` runs one statement, and returns what stands in its only row.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from inspect import getattr_static
from typing import Any

from django.db import connections
from django.db.models.query import QuerySet
from django.db.models.sql import Query

from genscache.engine import Engine
from genscache.protocol.memory import Recent
from genscache.querysets.options import ORIGINAL
from genscache.querysets.prepared import MOST_QUESTIONS, Sql, is_worth_keeping


class Counted:
    """Counts, and remembers how.

    Args:
        _engine: Whose results they are.
    """

    def __init__(self, _engine: Engine) -> None:
        self._asked: Recent[Hashable, Sql] = Recent(MOST_QUESTIONS)

    def count(self, question: Hashable, database: str, plain: Callable[[], QuerySet[Any]]) -> int:
        """Return how many rows there are.

        Args:
            question: Equal for two querysets only if they differ in nothing.
            database: The alias of the database.
            plain: Makes a queryset that asks it, and knows no cache.
        """
        name, connection = (question, database), connections[database]
        known = self._asked.get(name)
        if known is not None:
            with connection.cursor() as cursor:
                cursor.execute(*known)
                row = cursor.fetchone()
            if row is not None and type(row[0]) is int:
                return row[0]
        seen: list[Sql] = []

        def see(execute: Callable[..., object], *statement: Any) -> object:  # noqa: ANN401 - Django's
            sql, params = statement[:2]
            seen.append((sql, tuple(params or ())))
            return execute(*statement)

        # Before all others: some put more into the SQL, and will do so again.
        connection.execute_wrappers.insert(0, see)
        try:
            found = plain().count()
        finally:
            connection.execute_wrappers.remove(see)
        if len(seen) == 1 and is_worth_keeping(seen[0]):
            self._asked.put(name, seen[0])
        return found


def counts_as_django(rows: QuerySet[Any]) -> bool:
    """Tell whether a queryset of a made class leaves counting to Django."""
    return type(rows.query) is Query and _leaves_counting(type(rows))


@lru_cache(1_000)
def _leaves_counting(kind: type) -> bool:
    original = vars(kind).get(ORIGINAL)
    return original is not None and all(
        getattr_static(original, name) is getattr_static(QuerySet, name)
        for name in ("count", "_clone", "query")
    )
