"""One fill at a time in this process: concurrent callers of one key share the leader's result.

A flight is named by the full key, vector included, which each caller has read for itself. So a caller that started
after an invalidation asks for another key, and never waits for a value from before it.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TypeAlias

PATIENCE = 10.0
"""Seconds that a caller waits for somebody else's fill before it computes for itself."""

Shared: TypeAlias = "tuple[str, bytes] | None"
"""What a leader shares: the key and payload of its entry; ``None`` where it has nothing that others may be given."""

_leading: ContextVar[int] = ContextVar("genscache_leading", default=0)


def leads() -> bool:
    """Tell whether this thread or task is filling something: then it must not wait, or two could wait for ever."""
    return _leading.get() > 0


@contextmanager
def leadership() -> Iterator[None]:
    """Mark this thread or task as one that fills."""
    token = _leading.set(_leading.get() + 1)
    try:
        yield
    finally:
        _leading.reset(token)


class Flight:
    """A fill under way in a thread."""

    __slots__ = ("_end", "_landed", "_shared")

    def __init__(self, end: Callable[[], object]) -> None:
        self._end = end
        self._landed = threading.Event()
        self._shared: Shared = None

    def wait(self) -> Shared:
        """Wait for the leader; ``None`` where it failed, took too long, or has nothing to share."""
        return self._shared if self._landed.wait(PATIENCE) else None

    def land(self, shared: Shared) -> None:
        """Let the waiters go; later callers of the key find the entry or start anew."""
        self._end()
        self._shared = shared
        self._landed.set()


class AsyncFlight:
    """A fill under way in a task."""

    __slots__ = ("_end", "_future")

    def __init__(self, end: Callable[[], object]) -> None:
        self._end = end
        self._future: asyncio.Future[Shared] = asyncio.get_running_loop().create_future()

    async def wait(self) -> Shared:
        """Wait for the leader, as ``Flight.wait`` does; a waiter that is cancelled does not harm the others."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._future), PATIENCE)
        except TimeoutError:
            return None

    def land(self, shared: Shared) -> None:
        """Let the waiters go."""
        self._end()
        if not self._future.done():
            self._future.set_result(shared)


class Flights:
    """The fills under way in this process's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, Flight] = {}

    def join(self, key: str) -> tuple[Flight, bool]:
        """Return the flight of ``key`` and whether the caller leads it."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = Flight(partial(self._forget, key))
            return flight, True

    def _forget(self, key: str) -> None:
        with self._lock:
            self._flights.pop(key, None)


class AsyncFlights:
    """The fills under way in this process's event loops, each loop by itself."""

    def __init__(self) -> None:
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, AsyncFlight]] = (
            weakref.WeakKeyDictionary()
        )
        self._lock = threading.Lock()

    def join(self, key: str) -> tuple[AsyncFlight, bool]:
        """Return the flight of ``key`` and whether the caller leads it."""
        with self._lock:
            flights = self._loops.setdefault(asyncio.get_running_loop(), {})
        flight = flights.get(key)
        if flight is not None:
            return flight, False
        flight = flights[key] = AsyncFlight(partial(flights.pop, key, None))
        return flight, True
