"""The databases that actors write to: a SQLite file in WAL mode, or PostgreSQL; a lock is an error at once."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any, Protocol

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from property_tests.history import Rows

TABLES = {"section": "news_section", "author": "news_author"}
ROWS = (("section", 1), ("section", 2), ("section", 3), ("author", 1))
BEGINNING: Rows = {("section", 1): 1, ("section", 2): 2, ("section", 3): None, ("author", 1): 3}


class Driver(Protocol):
    """What SQLite's and PostgreSQL's own connections have in common."""

    def execute(self, query: str, /) -> Any: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


class Stage(Protocol):
    """What a world wants of its database."""

    alias: str
    snapshots: bool

    def committed(self) -> Rows: ...
    def prepare(self, connection: BaseDatabaseWrapper) -> None: ...
    def close(self) -> None: ...


class Database:
    """One database, looked at by a connection that genscache does not know.

    Attributes:
        snapshots: Whether all statements of a transaction see one state.
    """

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.snapshots = alias == "default"
        self._observer = self._connect()
        for table in ("news_article", *TABLES.values()):
            self._observer.execute(f"DELETE FROM {table}")
        for (table, pk), version in BEGINNING.items():
            if version is not None:
                self._observer.execute(f"INSERT INTO {TABLES[table]} (id, name) VALUES ({pk}, '{version}')")

    def _connect(self) -> Driver:
        if self.snapshots:
            return sqlite3.connect(str(settings.DATABASES["default"]["NAME"]), isolation_level=None)
        import psycopg  # noqa: PLC0415 - only this profile needs it

        options = connections.settings[self.alias]
        return psycopg.connect(
            host=options["HOST"],
            port=options["PORT"],
            user=options["USER"],
            dbname=options["NAME"],
            autocommit=True,
        )

    def committed(self) -> Rows:
        """Return what is committed."""
        return read(self._observer)

    def prepare(self, connection: BaseDatabaseWrapper) -> None:
        """Let a new connection of an actor never wait for a lock: whoever holds it is stopped."""
        statement = "PRAGMA busy_timeout = 0" if self.snapshots else "SET lock_timeout = '1ms'"
        connection.connection.execute(statement)

    def close(self) -> None:
        """Let go."""
        self._observer.close()


def read(driver: Driver) -> Rows:
    """Return every row as a driver's own connection sees it."""
    found: Rows = dict.fromkeys(ROWS)
    for table, name in TABLES.items():
        for pk, version in driver.execute(f"SELECT id, name FROM {name}").fetchall():
            found[table, pk] = int(version)
    return found


def drop(connection: BaseDatabaseWrapper) -> None:
    """Cut a connection as the end of its process does; the database rolls back."""
    driver, connection.connection = connection.connection, None
    if driver is not None:
        with suppress(Exception):
            driver.rollback()
        driver.close()
