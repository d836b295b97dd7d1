"""Two processes' engines on one server: one behind a proxy that does harm, and a peer that can always reach it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import pytest
from django.apps import apps

from genscache import ainvalidate, invalidate
from genscache.conf import Settings
from genscache.engine import Engine
from tests.fences import age
from tests.outages.proxy import Fault, FaultProxy
from tests.reads.conftest import Counted, counted

if TYPE_CHECKING:
    from genscache.apps import GenscacheConfig

PATIENT = {"socket_timeout": 10, "socket_connect_timeout": 10}
BRIEF = {"socket_timeout": 0.15, "socket_connect_timeout": 0.15}
"""For faults that hang; a busy machine must not look like one."""


class World:
    """What is true, and who reads it.

    Args:
        proxy: In front of the server.
        direct: URL of the server itself.
        hangs: Requests will get no answer, which is to be found out soon.
        settings: Of both engines.
    """

    def __init__(self, proxy: FaultProxy, direct: str, *, hangs: bool = True, **settings: object) -> None:
        self.proxy = proxy
        self.truth: dict[str, int] = {}
        self._config = cast("GenscacheConfig", apps.get_app_config("genscache"))
        self._before = self._config.engine
        given = {"PREFIX": f"o{secrets.token_hex(6)}", **settings}
        age(direct, str(given["PREFIX"]))
        self.engine = Engine(Settings.of({**given, "STORE": proxy.url(**(BRIEF if hangs else PATIENT))}))
        self.peer = Engine(Settings.of({**given, "STORE": direct}))
        self._config.engine = self.engine

    def close(self) -> None:
        self._config.engine = self._before
        self.engine.close()
        self.peer.close()

    @contextmanager
    def as_peer(self) -> Iterator[None]:
        """Be the other process."""
        self._config.engine = self.peer
        try:
            yield
        finally:
            self._config.engine = self.engine

    def reader(self, *, sync: bool) -> Counted:
        """Return a cached function of a key whose value names the key."""
        return counted(self.answer, depends_on=lambda key: [key], sync=sync)

    def answer(self, key: str) -> str:
        """Return what is true now."""
        return f"{key} is {self.truth.get(key, 0)}"

    def counts(self, name: str) -> int:
        """Return how often something has happened to the engine behind the proxy."""
        return self.engine.hub.counts().get(name, 0)

    def recovered(self) -> bool:
        """Wait until the store is trusted again."""
        return self.engine.breaker.hurry(10) and paid(self.engine)


def paid(engine: Engine) -> bool:
    """Wait until nothing is owed; the thread that delivers ends then."""
    thread = engine.breaker._thread
    if thread is not None:
        engine.breaker._wake.set()
        thread.join(10)
    return not engine.unsettled


async def announce(key: str) -> None:
    """Invalidate in the way of coroutines."""
    await ainvalidate(key)


def tell(key: str) -> None:
    """Invalidate."""
    invalidate(key)


@pytest.fixture
def proxy(valkey_url: str) -> Iterator[FaultProxy]:
    proxy = FaultProxy(valkey_url)
    yield proxy
    proxy.close()


@pytest.fixture
def world(proxy: FaultProxy, valkey_url: str, *, hangs: bool) -> Iterator[World]:
    world = World(proxy, valkey_url, hangs=hangs)
    yield world
    world.close()


@pytest.fixture
def hangs(request: pytest.FixtureRequest) -> bool:
    """Whether the test's parameter is a fault that hangs; a test with another of its own says so."""
    callspec = getattr(request.node, "callspec", None)
    fault = None if callspec is None else callspec.params.get("fault")
    return isinstance(fault, Fault) and fault.end == "hang"
