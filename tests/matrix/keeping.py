"""The rows as they were: what a write has changed, and putting it back past Django, so that no cache hears of it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Any

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection

LAST = "extras_tally"
"""Triggers count in it while other tables are put back."""


class Kept:
    """A copy of every table, in the same database."""

    def __init__(self) -> None:
        found = [each for each in apps.get_models(include_auto_created=True) if each._meta.managed]
        self._models = [each for each in found if not each._meta.proxy]
        names = {each._meta.db_table for each in self._models}
        self.tables = (*sorted(names - {LAST}), LAST)
        self._run(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}" for table in self.tables)

    def changed(self) -> frozenset[str]:
        """Return the tables that are not as they were."""
        # Not EXISTS (... EXCEPT ...), which MariaDB 10.11 answers wrongly.
        # Not EXISTS (... EXCEPT ...), which MariaDB 10.11 answers wrongly.
        differ = "(SELECT COUNT(*) FROM (SELECT * FROM {0} EXCEPT SELECT * FROM {1}) differ)"
        parts = [
            f"SELECT '{table}' WHERE {differ.format(table, kept)} + {differ.format(kept, table)} > 0"
            for table, kept in ((table, f"kept_{table}") for table in self.tables)
        ]
        with closing(self._cursor()) as cursor:
            cursor.execute(" UNION ALL ".join(parts))
            return frozenset(str(row[0]) for row in cursor.fetchall())

    def restore(self) -> frozenset[str]:
        """Put back what was changed, and return the tables."""
        changed = self.changed()
        if changed:
            off, on = {
                "sqlite": ("PRAGMA foreign_keys=OFF", "PRAGMA foreign_keys=ON"),
                "postgresql": (
                    "SET session_replication_role = replica",
                    "SET session_replication_role = DEFAULT",
                ),
                "mysql": ("SET foreign_key_checks=0", "SET foreign_key_checks=1"),
            }[connection.vendor]
            ordered = [table for table in self.tables if table in changed or table == LAST]
            copies = [
                sql
                for table in ordered
                for sql in (f"DELETE FROM {table}", f"INSERT INTO {table} SELECT * FROM kept_{table}")
            ]
            self._run([off, "BEGIN", *copies, "COMMIT", on])
            self._run(connection.ops.sequence_reset_sql(no_style(), self._models))
        return changed

    def _run(self, statements: Iterable[str]) -> None:
        with closing(self._cursor()) as cursor:
            for sql in statements:
                cursor.execute(sql)

    def _cursor(self) -> Any:
        connection.ensure_connection()
        return connection.connection.cursor()
