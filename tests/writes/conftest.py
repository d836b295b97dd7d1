"""The databases, the stores and the engine that tests of writes share."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest
from django.apps import apps
from django.db import connections

from genscache.conf import Settings
from genscache.engine import Engine
from genscache.stores.memory import MemoryStore, microseconds
from genscache.stores.opening import open_stores
from tests.writes.actors import Cache
from tests.writes.spy import SpyStore

if TYPE_CHECKING:
    from genscache.apps import GenscacheConfig
    from tests.writes.world import Rows


class Clock:
    """The time of a memory store, moved by hand."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        """Return microseconds."""
        return microseconds() + self.ahead

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.ahead += round(seconds * 1_000_000)


@pytest.fixture
def clock() -> Clock:
    """Return the clock of this test's memory store."""
    return Clock()


@pytest.fixture(params=["memory", "valkey"])
def store(request: pytest.FixtureRequest, clock: Clock) -> Iterator[SpyStore]:
    """Watch an empty store: memory, and a keyspace of its own on Valkey."""
    prefix = f"w-{secrets.token_hex(6)}"
    if request.param == "memory":
        inner: Any = MemoryStore(now=clock)
    else:
        inner = open_stores(request.getfixturevalue("valkey_url"), prefix=prefix).sync
    spy = SpyStore(inner, prefix=prefix)
    yield spy
    spy.close()


@pytest.fixture
def memory(clock: Clock) -> SpyStore:
    """Watch an empty memory store."""
    return SpyStore(MemoryStore(now=clock))


@pytest.fixture
def install() -> Iterator[Callable[..., Cache]]:
    """Install engines in the app; the settings are keyword arguments."""
    config = cast("GenscacheConfig", apps.get_app_config("genscache"))
    before = config.engine

    def installed(store: SpyStore, **settings: object) -> Cache:
        config.engine = Engine(
            Settings.of({"STORE": "memory://", "PREFIX": store.prefix, **settings}), store=store
        )
        return Cache(config.engine, store)

    yield installed
    config.engine = before


@pytest.fixture
def cache(install: Callable[..., Cache], store: SpyStore) -> Iterator[Cache]:
    """Install an engine with the default settings on each store in turn."""
    yield install(store)
    assert not store.waiting, "a callback was never called: the point of the test was not reached"


@pytest.fixture
def quick(install: Callable[..., Cache], memory: SpyStore) -> Iterator[Cache]:
    """Install an engine with the default settings on a memory store, where the store makes no difference."""
    yield install(memory)
    assert not memory.waiting, "a callback was never called: the point of the test was not reached"


@pytest.fixture
def rows(alias: str, transactional_db: None) -> Iterator[Rows]:
    """Write the rows that every test begins with; at the end, leave no connection in the middle of something."""
    from tests.writes.world import seed  # noqa: PLC0415 - models can be imported only when Django is set up

    yield seed(alias)
    for connection in connections.all(initialized_only=True):
        connection.close()
        connection.connection = None
        connection.in_atomic_block = False
