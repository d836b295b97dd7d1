"""Inside an actor: the scripts that read in transactions of several kinds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, transaction

from tests.races.actor import here, script
from tests.races.readers import READS, database
from tests.site.news.models import Author


@contextmanager
def _snapshot(alias: str, level: str) -> Iterator[None]:
    """Run a transaction whose first statement fixes what all of them see."""
    connection = connections[alias]
    if connection.vendor == "mysql":
        # Told by Django's own option: after SQL text that touches the level, nothing is trusted there.
        connection.close()
        connection.settings_dict["OPTIONS"]["isolation_level"] = level.lower()
        connection.__dict__.pop("isolation_level", None)
    with transaction.atomic(using=alias):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        yield


@script
def in_snapshot(alias: str, level: str, name: str, *args: object) -> list[object]:
    """Read in a transaction of some level, after its snapshot was taken, and once more."""
    with _snapshot(alias, level):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM news_country")
        here("the snapshot is taken")
        once = READS[name](alias, *args)
        here("read once")
        return [once, READS[name](alias, *args)]


@script
def by_hit_first(alias: str, level: str, name: str, *args: object) -> list[object]:
    """Read in a snapshot transaction that has run no statement before, so a hit would be its first look."""
    with _snapshot(alias, level):
        once = READS[name](alias, *args)
        here("read once")
        return [once, database(alias)]


@script
def in_transaction(alias: str, name: str, *args: object) -> list[object]:
    """Read twice in a transaction of the default level."""
    with transaction.atomic(using=alias):
        once = READS[name](alias, *args)
        here("read once")
        return [once, READS[name](alias, *args)]


@script
def after_a_write_elsewhere(alias: str, end: str, name: str, *args: object) -> object:
    """Write another table in a transaction, and read then."""
    with transaction.atomic(using=alias):
        Author.objects.using(alias).update(name="uncommitted")
        here("wrote another table")
        found = READS[name](alias, *args)
        here("read")
        if end == "rollback":
            transaction.set_rollback(True, using=alias)
    return found


@script
def reading_without_autocommit(alias: str, name: str, *args: object) -> list[object]:
    """Read twice with autocommit off: the transaction ends in between."""
    with no_autocommit(alias):
        once = READS[name](alias, *args)
        here("read once")
        transaction.commit(using=alias)
        return [once, READS[name](alias, *args)]


@contextmanager
def no_autocommit(alias: str) -> Iterator[None]:
    """Switch autocommit off, and on again at the end."""
    transaction.set_autocommit(False, using=alias)
    try:
        yield
    finally:
        transaction.rollback(using=alias)
        transaction.set_autocommit(True, using=alias)
