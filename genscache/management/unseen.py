"""Writers that nobody told us of: PostgreSQL's statistics say that a table was written, and no generation moved.

A hint, and no proof. The statistics are reported late (a second after a transaction, ten where its session is idle)
and count rows that were rolled back. So a table is suspected only where its generations have stood still for a while,
and still do at the next look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import connections

from genscache.engine import Engine
from genscache.keys import SITE, Kind, Namespace
from genscache.namespaces import table_namespace
from genscache.protocol.read import observe

SETTLING = 15.0
"""Seconds after a bump in which PostgreSQL may still report the write that it belongs to."""

_WRITTEN = """
SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_catalog.pg_stat_user_tables
WHERE schemaname = ANY (pg_catalog.current_schemas(false))
"""
_ROLLED_BACK = (
    "SELECT xact_rollback FROM pg_catalog.pg_stat_database WHERE datname = pg_catalog.current_database()"
)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A table that somebody has written who has told nobody.

    Attributes:
        database: Its alias.
        table: Its name.
        rows: Rows that were inserted, updated and deleted.
        rolled_back: Transactions of the whole database that were rolled back meanwhile; where there are any, it may
            have been one of them.
    """

    database: str
    table: str
    rows: int
    rolled_back: int


@dataclass(slots=True)
class _Known:
    """What was seen of a table: its statistics and generations, and since when the latter have stood still."""

    written: int
    vector: tuple[int, ...]
    since: float
    suspected: bool = False


class TableStatistics:
    """Looks at all tables again and again.

    Args:
        engine: The engine.
        settling: Seconds for which generations must have stood still.
        now: A clock that never steps, in seconds.
    """

    def __init__(
        self, engine: Engine, *, settling: float = SETTLING, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._settling = settling
        self._now = now
        self._known: dict[tuple[str, str], _Known] = {}
        self._rolled_back: dict[str, int] = {}
        self.databases = [
            alias for alias in engine.catalog.primaries if connections[alias].vendor == "postgresql"
        ]
        self.silent = [alias for alias in engine.catalog.primaries if alias not in self.databases]

    def look(self) -> list[Suspicion]:
        """Look once; return the tables that were suspected at the last look, and still are."""
        return [found for alias in self.databases for found in self._look(alias)]

    def _look(self, alias: str) -> Iterator[Suspicion]:
        # The statistics first: what they tell of has been leased before they could, and is bumped or leased below.
        written, rolled_back = self._statistics(alias)
        before = self._rolled_back.setdefault(alias, rolled_back)
        tables = sorted(
            name for name, each in self._engine.catalog.tables.items() if each.tracked and name in written
        )
        for table in tables:
            vector = self._vector(alias, table)
            known = self._known.get((alias, table))
            if known is None or vector is None or vector != known.vector:
                # A look at a leased table is no look: what stood still is not known.
                self._known[alias, table] = _Known(written[table], vector or (), self._now())
            elif written[table] != known.written and self._now() - known.since >= self._settling:
                if known.suspected:
                    rows = written[table] - known.written
                    yield Suspicion(alias, table, rows, rolled_back - before)
                    known.written = written[table]
                known.suspected = not known.suspected
            elif written[table] != known.written:
                known.written = written[table]

    def _statistics(self, alias: str) -> tuple[dict[str, int], int]:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT pg_catalog.pg_stat_clear_snapshot()")
            cursor.execute(_WRITTEN)
            written = {str(name).casefold(): int(count) for name, count in cursor.fetchall()}
            cursor.execute(_ROLLED_BACK)
            return written, int(cursor.fetchone()[0])

    def _vector(self, alias: str, table: str) -> tuple[int, ...] | None:
        namespaces: list[Namespace] = [
            SITE,
            table_namespace(Kind.MODEL, alias, table),
            table_namespace(Kind.ROWS, alias, table),
        ]
        # Counters that nobody has read yet are made, so that a bump moves them.
        states = self._engine.run(observe(self._engine.counters(namespaces)))
        return None if any(each.leased for each in states) else tuple(each.generation for each in states)
