"""The nursery, and a stage with the rows that every race begins with."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from django.db import connections

from tests.races.actors import Nursery
from tests.races.stage import Stage
from tests.races.world import Reader

if TYPE_CHECKING:
    from tests.writes.world import Rows


@pytest.fixture(scope="session")
def nursery(django_db_setup: None) -> Iterator[Nursery]:
    """Start the process that forks actors, once the databases are known."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def rows(alias: str, transactional_db: None) -> Iterator[Rows]:
    """Write the rows: articles called ``a0`` and ``a1`` in one section, by one author, and two tags."""
    from tests.writes.world import seed  # noqa: PLC0415 - models can be imported only when Django is set up

    rows = seed(alias, articles=2)
    rows.articles[0].tags.add(*rows.tags)
    yield rows
    connections[alias].close()


@pytest.fixture
def stages(alias: str, rows: Rows, nursery: Nursery, valkey_url: str) -> Iterator[Callable[..., Stage]]:
    """Make stages; the settings of the actors' engines are keyword arguments."""
    made: list[Stage] = []

    def stage(**options: object) -> Stage:
        made.append(Stage(alias, rows, valkey_url, f"r-{secrets.token_hex(6)}", nursery, options))
        return made[-1]

    yield stage
    for each in made:
        each.close()


@pytest.fixture
def stage(stages: Callable[..., Stage]) -> Stage:
    """A stage with the default settings."""
    return stages()


@pytest.fixture
def readers(rows: Rows) -> dict[str, Reader]:
    """The readers of the one row that is written, by name; each with what it gives for version 0, 1 and 2."""
    pk = rows.pks[0]
    titles = ("a0", "new", "newer")
    lists = tuple([title, "a1"] for title in titles)
    made = [
        Reader("get", (pk,), titles),
        Reader("listed", (), lists),
        Reader("values", (), lists),
        Reader("first", (), titles),
        Reader("seen", (), (0, 1, 1)),
        Reader("any_seen", (), (False, True, True)),
        Reader("total", (), (0, 1, 2)),
        Reader("total_by_section", (), ([0], [1], [2])),
        Reader("in_section", (rows.section.pk,), lists),
        Reader("function", (), lists),
        Reader("discovering", (), lists),
        Reader("function_of_one", (pk,), titles),
        Reader("function_around_list", (), lists),
        Reader("aget", (pk,), titles),
        Reader("alisted", (), lists),
    ]
    return {each.run: each for each in made}
