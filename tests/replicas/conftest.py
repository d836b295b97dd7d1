"""A standby whose replay can be held, as the alias ``standby`` of the alias ``postgres``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from django.db import connections

from tests.servers import Postgres
from tests.servers.standby import Standby
from tests.writes.actors import Cache
from tests.writes.conftest import clock, install, memory
from tests.writes.spy import SpyStore

if TYPE_CHECKING:
    from tests.writes.world import Rows

__all__ = ["clock", "install", "memory"]


@contextmanager
def alias_of(server: Postgres, alias: str = "standby") -> Iterator[None]:
    """Let an alias of Django's lead to a server; where it did lead before is forgotten."""
    settings = {**connections.settings["postgres"], "PORT": server.port}
    before = connections.settings.get(alias)
    if before is not None:
        connections[alias].close()
        del connections[alias]
    connections.settings[alias] = settings
    # Django forbids a test to open databases that it did not ask for, and flushes those that it did.
    connections[alias].connect()
    try:
        yield
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.settings[alias]
        if before is not None:
            connections.settings[alias] = before
            connections[alias].connect()


@pytest.fixture(scope="session")
def standby_server(postgres: Postgres) -> Iterator[Standby]:
    """Run a standby of this test process's PostgreSQL."""
    with Standby(postgres) as server:
        yield server


@pytest.fixture
def standby(standby_server: Standby, transactional_db: None) -> Iterator[Standby]:
    """Make the standby known to Django, which must not flush it; at the end it replays again."""
    with alias_of(standby_server):
        yield standby_server
    connections["postgres"].close()
    standby_server.let_go()


@pytest.fixture
def rows(transactional_db: None) -> Rows:
    """Write the rows that every test begins with."""
    from tests.writes.world import seed  # noqa: PLC0415 - models can be imported only when Django is set up

    return seed("postgres")


@pytest.fixture
def replicated(
    rows: Rows, standby: Standby, install: Callable[..., Cache], memory: SpyStore
) -> Iterator[Cache]:
    """Install an engine that may store what it reads from the standby; it has replayed everything so far."""
    standby.catch_up()
    yield install(memory, REPLICAS={"standby": {"primary": "postgres", "guard": "position"}})
    assert not memory.waiting
