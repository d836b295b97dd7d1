"""One fill at a time in this process: concurrent callers of one key share the leader's result.

A flight is named by the full key, vector included, which each caller has read for itself. So a caller that started
after an invalidation asks for another key, and never waits for a value from before it.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import TypeAlias

from genscache.protocol.memory import Recent

PATIENCE = 10.0
"""Seconds that a caller waits for somebody else's fill before it computes for itself."""

REMEMBERED = 1000
"""Keys of which a process knows that they were filled a moment ago."""

Shared: TypeAlias = "tuple[str, bytes] | None"
"""What a leader shares: the key and payload of its entry; ``None`` where it has nothing that others may be given."""

_leading: ContextVar[int] = ContextVar("genscache_leading", default=0)


def leads() -> bool:
    """Tell whether this thread or task is filling something: then it must not wait, or two could wait for ever."""
    return _leading.get() > 0


class Leadership:
    """A block that marks this thread or task as one that fills."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        """Begin."""
        self._token = _leading.set(_leading.get() + 1)

    def __exit__(self, *_: object) -> None:
        """Be what it was before."""
        _leading.reset(self._token)


class Flight:
    """A fill under way in a thread."""

    __slots__ = ("_end", "_landed", "_shared")

    def __init__(self, end: Callable[[bool], object]) -> None:
        self._end = end
        self._landed: threading.Event | None = None
        self._shared: Shared = None

    def expect(self) -> None:
        """Prepare for somebody who will wait, which most fills are over before; called with the lock of ``Flights``."""
        self._landed = self._landed or threading.Event()

    def wait(self) -> Shared:
        """Wait for the leader; ``None`` where it failed, took too long, or has nothing to share."""
        return self._shared if self._landed is None or self._landed.wait(PATIENCE) else None

    def land(self, shared: Shared) -> None:
        """Let the waiters go; later callers of the key find the entry or start anew."""
        self._end(shared is not None)
        self._shared = shared
        if self._landed is not None:
            self._landed.set()


class AsyncFlight:
    """A fill under way in a task."""

    __slots__ = ("_end", "_future")

    def __init__(self, end: Callable[[bool], object]) -> None:
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
        self._end(shared is not None)
        if not self._future.done():
            self._future.set_result(shared)


class Landings:
    """Which keys were filled a moment ago, and when, on a clock that ticks with each landing."""

    def __init__(self) -> None:
        self.now = 0
        self._landed: Recent[str, int] = Recent(REMEMBERED)

    def note(self, key: str) -> None:
        """A fill of ``key`` has ended, and its entry is there."""
        self.now += 1
        self._landed.put(key, self.now)

    def after(self, key: str, moment: int) -> bool:
        """Tell whether ``key`` was filled after ``moment``."""
        return (self._landed.get(key) or 0) > moment


class Flights:
    """The fills under way in this process's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, Flight] = {}
        self._landings = Landings()

    def now(self) -> int:
        """Return the moment to give to ``join``; taken before the store is asked."""
        return self._landings.now

    def join(self, key: str, asked: int) -> tuple[Flight | None, bool]:
        """Return the flight of ``key`` and whether the caller leads it.

        There is none to join where one has landed since the caller ``asked`` the store: the entry is there now.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                flight.expect()
                return flight, False
            if self._landings.after(key, asked):
                return None, False
            flight = self._flights[key] = Flight(partial(self._end, key))
            return flight, True

    def _end(self, key: str, filled: bool) -> None:  # noqa: FBT001 - given by position only
        with self._lock:
            self._flights.pop(key, None)
            if filled:
                self._landings.note(key)


class AsyncFlights:
    """The fills under way in this process's event loops, each loop by itself."""

    def __init__(self) -> None:
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, AsyncFlight]] = (
            weakref.WeakKeyDictionary()
        )
        self._lock = threading.Lock()
        self._landings = Landings()

    def now(self) -> int:
        """Return the moment to give to ``join``; taken before the store is asked."""
        return self._landings.now

    def join(self, key: str, asked: int) -> tuple[AsyncFlight | None, bool]:
        """Return the flight of ``key`` and whether the caller leads it; see ``Flights.join``."""
        with self._lock:
            flights = self._loops.setdefault(asyncio.get_running_loop(), {})
            flight = flights.get(key)
            if flight is not None:
                return flight, False
            if self._landings.after(key, asked):
                return None, False
            flight = flights[key] = AsyncFlight(partial(self._end, flights, key))
            return flight, True

    def _end(self, flights: dict[str, AsyncFlight], key: str, filled: bool) -> None:  # noqa: FBT001 - as above
        with self._lock:
            flights.pop(key, None)
            if filled:
                self._landings.note(key)
