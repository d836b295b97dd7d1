"""A fresh engine for each test, in three stores, and cached functions of both kinds."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from pytest_django import Settings
from redis import Redis

from genscache import cached
from genscache.engine import Engine, current_engine
from tests.fences import age
from tests.reads.wire import Wire


class Use(Protocol):
    """Makes the engine anew with other settings."""

    def __call__(self, **options: object) -> Engine: ...


@pytest.fixture
def use(settings: Settings) -> Iterator[Use]:
    """Set ``GENSCACHE``; keys have a prefix of this test's own, since servers are shared and never flushed."""
    prefix = f"t{secrets.token_hex(6)}"
    engines: list[Engine] = []

    def use(**options: object) -> Engine:
        # The tests' servers are a moment old, and some restart: tests/stores/test_fence.py has the fence on.
        settings.GENSCACHE = {"STORE": "memory://", "PREFIX": prefix, "FENCE": False, **options}
        engines.append(current_engine())
        return engines[-1]

    yield use
    for engine in engines:
        engine.close()


def fenced(use: Use, url: str) -> Engine:
    """Return the engine on a server that has nothing to quarantine, with the fence that is there by default."""
    engine = use(STORE=url, FENCE=True)
    age(url, engine.settings.prefix)
    return engine


@pytest.fixture
def engine(use: Use) -> Engine:
    """The engine on a memory store of its own."""
    return use()


@pytest.fixture(params=["memory", "valkey", "locmem"])
def every_store(request: pytest.FixtureRequest, use: Use) -> Engine:
    """The engine on each kind of store in turn."""
    urls = {"memory": "memory://", "locmem": "django://default"}
    url = urls.get(request.param)
    return use(STORE=url) if url else fenced(use, request.getfixturevalue("valkey_url"))


@pytest.fixture
def on_valkey(use: Use, valkey_url: str) -> Engine:
    """The engine on Valkey."""
    return fenced(use, valkey_url)


@pytest.fixture
def raw(valkey_url: str) -> Iterator[Redis]:
    """A client that sees the server as redis-cli does."""
    client = Redis.from_url(valkey_url)
    yield client
    client.close()


@pytest.fixture
def wire(valkey_url: str) -> Iterator[Wire]:
    """A counting proxy in front of Valkey."""
    wire = Wire(valkey_url)
    yield wire
    wire.close()


class Counted:
    """A cached function of either kind that is called in one way, and how often its body ran."""

    def __init__(self, function: Any, *, runs: list[tuple[object, ...]], sync: bool) -> None:
        self.function = function
        self.runs = runs
        self._sync = sync

    def __call__(self, *args: object, **kwargs: object) -> Any:
        """Call it; the coroutine's queries run in this thread."""
        return self._do(self.function, *args, **kwargs)

    def refresh(self, *args: object, **kwargs: object) -> Any:
        return self._do(self.function.refresh, *args, **kwargs)

    def invalidate(self, *args: object, **kwargs: object) -> None:
        self._do(self.function.invalidate if self._sync else self.function.ainvalidate, *args, **kwargs)

    def invalidate_all(self) -> None:
        self._do(self.function.invalidate_all if self._sync else self.function.ainvalidate_all)

    def _do(self, action: Callable[..., Any], *args: object, **kwargs: object) -> Any:
        return (action if self._sync else async_to_sync(action))(*args, **kwargs)

    @property
    def count(self) -> int:
        """How often the body ran."""
        return len(self.runs)


class Make(Protocol):
    """Caches a function's body as a function or as a coroutine function."""

    def __call__(self, body: Callable[..., object], *dependencies: Any, **options: Any) -> Counted: ...


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Make:
    """Make cached functions of each kind in turn."""
    return functools.partial(counted, sync=request.param == "sync")


def counted(body: Callable[..., Any], *dependencies: Any, sync: bool = True, **options: Any) -> Counted:
    """Cache ``body`` and count how often it runs."""
    runs: list[tuple[object, ...]] = []

    @functools.wraps(body)
    def run(*args: object, **kwargs: object) -> Any:
        runs.append(args)
        return body(*args, **kwargs)

    @functools.wraps(body)
    async def arun(*args: object, **kwargs: object) -> Any:
        return await sync_to_async(run)(*args, **kwargs)

    function = cached(*dependencies, **options)(run if sync else arun)
    return Counted(function, runs=runs, sync=sync)


def survived(stats: Mapping[str, int], what: str) -> int:
    """How often something went wrong and was lived with."""
    return stats.get(f"survived: {what}", 0)
