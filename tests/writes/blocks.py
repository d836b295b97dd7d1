"""The ways in which a transaction comes to read an old snapshot, each as a block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django.db import connections, transaction

from tests.writes.actors import sql
from tests.writes.world import sections

Block = Callable[[str], AbstractContextManager[None]]


@contextmanager
def reconnected(alias: str) -> Iterator[None]:
    """Make the next statements use a new connection, and the ones after the block another one."""
    connections[alias].close()
    try:
        yield
    finally:
        connections[alias].close()


@contextmanager
def option(alias: str, level: object, *, key: str = "isolation_level") -> Iterator[None]:
    """Run an atomic block with an isolation level in OPTIONS."""
    wrapper: Any = connections[alias]
    options = wrapper.settings_dict["OPTIONS"]
    before = dict(options)
    options[key] = level
    wrapper.__dict__.pop("isolation_level", None)
    try:
        with reconnected(alias), transaction.atomic(using=alias):
            yield
    finally:
        options.clear()
        options.update(before)
        wrapper.__dict__.pop("isolation_level", None)
        if alias == "mariadb":
            wrapper.isolation_level = "read committed"


@contextmanager
def by_options_repeatable(alias: str) -> Iterator[None]:
    """OPTIONS["isolation_level"] on PostgreSQL."""
    from psycopg import IsolationLevel  # noqa: PLC0415 - a driver of one database

    with option(alias, IsolationLevel.REPEATABLE_READ):
        yield


@contextmanager
def by_options_serializable(alias: str) -> Iterator[None]:
    """The same, stricter."""
    from psycopg import IsolationLevel  # noqa: PLC0415 - a driver of one database

    with option(alias, IsolationLevel.SERIALIZABLE):
        yield


@contextmanager
def by_role(alias: str) -> Iterator[None]:
    """A default of the role: no client setting shows it."""
    sql(alias, "ALTER ROLE postgres SET default_transaction_isolation = 'repeatable read'")
    try:
        with reconnected(alias), transaction.atomic(using=alias):
            yield
    finally:
        sql(alias, "ALTER ROLE postgres RESET default_transaction_isolation")


@contextmanager
def by_connection_options(alias: str) -> Iterator[None]:
    """A default of the session, from the connection's options."""
    with option(alias, "-c default_transaction_isolation=serializable", key="options"):
        yield


@contextmanager
def by_set_transaction(alias: str) -> Iterator[None]:
    """SET TRANSACTION as the first statement."""
    with transaction.atomic(using=alias):
        sql(alias, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


@contextmanager
def by_session(alias: str) -> Iterator[None]:
    """SET SESSION CHARACTERISTICS on a connection whose level was asked for before."""
    with transaction.atomic(using=alias):
        sections(alias)
    sql(alias, "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE")
    try:
        with transaction.atomic(using=alias):
            yield
    finally:
        connections[alias].close()


@contextmanager
def by_set_config(alias: str) -> Iterator[None]:
    """A function that sets it."""
    sql(alias, "SELECT set_config('default_transaction_isolation', 'repeatable read', false)")
    try:
        with transaction.atomic(using=alias):
            yield
    finally:
        connections[alias].close()


@contextmanager
def by_begin(alias: str) -> Iterator[None]:
    """BEGIN as text, behind Django's back."""
    sql(alias, "BEGIN ISOLATION LEVEL REPEATABLE READ")
    try:
        yield
    finally:
        sql(alias, "COMMIT")


@contextmanager
def by_server_default(alias: str) -> Iterator[None]:
    """MariaDB's own level, which Django leaves alone with ``None``."""
    with option(alias, None):
        yield


@contextmanager
def by_options_mariadb(alias: str) -> Iterator[None]:
    """OPTIONS["isolation_level"] on MariaDB."""
    with option(alias, "repeatable read"):
        yield


@contextmanager
def with_consistent_snapshot(alias: str) -> Iterator[None]:
    """START TRANSACTION WITH CONSISTENT SNAPSHOT takes its snapshot at once."""
    sql(alias, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    sql(alias, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
    try:
        yield
    finally:
        sql(alias, "COMMIT")
        connections[alias].close()


@contextmanager
def plain(alias: str) -> Iterator[None]:
    """SQLite's deferred transaction: the snapshot is taken by the first SELECT."""
    with transaction.atomic(using=alias):
        yield


@contextmanager
def by_begin_sqlite(alias: str) -> Iterator[None]:
    """BEGIN as text on SQLite."""
    sql(alias, "BEGIN DEFERRED")
    try:
        yield
    finally:
        sql(alias, "COMMIT")


BLOCKS: list[tuple[str, Block]] = [
    ("postgres", by_options_repeatable),
    ("postgres", by_options_serializable),
    ("postgres", by_role),
    ("postgres", by_connection_options),
    ("postgres", by_set_transaction),
    ("postgres", by_session),
    ("postgres", by_set_config),
    ("postgres", by_begin),
    ("mariadb", by_server_default),
    ("mariadb", by_options_mariadb),
    ("mariadb", with_consistent_snapshot),
    ("default", plain),
    ("default", by_begin_sqlite),
]
