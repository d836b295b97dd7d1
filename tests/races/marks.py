"""On which databases a race is run: every way to read on PostgreSQL, one on MariaDB."""

from __future__ import annotations

import pytest

from tests.writes.actors import databases

on_postgres = databases("postgres")
on_both = databases("postgres", "mariadb")

REPEATABLE, SERIALIZABLE = "REPEATABLE READ", "SERIALIZABLE"


def on(alias: str, *values: str) -> object:
    """Return a parameter set that begins with an alias, with the mark that this needs."""
    mark = pytest.mark.django_db(transaction=True, databases=[alias])
    return pytest.param(alias, *values, marks=mark, id="-".join([alias, *values]).replace(" ", "-"))


def reading(*names: str) -> pytest.MarkDecorator:
    """Run with each of some readers."""
    return pytest.mark.parametrize(
        ("alias", "name"), [*(on("postgres", name) for name in names), on("mariadb", "listed")]
    )


def in_snapshots(*names: str) -> pytest.MarkDecorator:
    """Run with each of some readers in a REPEATABLE READ transaction, and with one in other snapshots."""
    return pytest.mark.parametrize(
        ("alias", "level", "name"),
        [
            *(on("postgres", REPEATABLE, name) for name in names),
            on("postgres", SERIALIZABLE, names[0]),
            on("mariadb", REPEATABLE, names[0]),
        ],
    )
