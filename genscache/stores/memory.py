"""The store in this process: the reference for what every other store must do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Final, cast

from genscache.stores.base import (
    MARK,
    Acquire,
    Answer,
    AsyncStore,
    Bump,
    Capabilities,
    Ensure,
    Fetch,
    Lease,
    Operation,
    Put,
    ReadClock,
    Release,
    Settle,
    Store,
    TimeLeft,
)
from genscache.stores.limits import COUNTER_TTL, check, lives, unknown
from genscache.stores.shelves import Counter, Shelves
from genscache.types import NO_GENERATION, CounterState, Fetched, Generation

MEBIBYTE: Final = 1024 * 1024


def microseconds() -> int:
    """Return the wall clock in microseconds."""
    return time.time_ns() // 1000


class MemoryStore(Store):
    """A bounded store in the memory of this process, safe to use from several threads.

    A forked child starts with an empty one: it could not hear of the parent's invalidations.

    Args:
        now: Returns the time in microseconds; tests pass their own.
        max_bytes: Room for keys, entries and counters together, in bytes; what was used least recently goes first.
    """

    def __init__(self, *, now: Callable[[], int] = microseconds, max_bytes: int = 64 * MEBIBYTE) -> None:
        """Start empty."""
        if max_bytes < 1:
            message = (
                f"max_bytes must be a positive number of bytes, got {max_bytes!r}. Use 67108864 for 64 MiB."
            )
            raise ValueError(message)
        self.capabilities = Capabilities(
            name="memory://",
            shared=False,
            leases=True,
            ordered=True,
            atomic=True,
            locks=True,
            max_key_bytes=8192,
            marks=True,
        )
        self._now = now
        self._max_bytes = max_bytes
        self._clock: Generation = NO_GENERATION
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = Lock()
        self._shelves = Shelves(self._max_bytes)

    def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation, as one step."""
        check(operation)
        if self._pid != os.getpid():
            # Another thread of the parent may have held the lock, half-way through a change, when we were forked.
            self._start()
        with self._lock:
            now = self._now()
            answer = self._do(operation, now)
            self._shelves.shrink(now)
        return cast("Answer", answer)

    def close(self) -> None:
        """Do nothing: there is no connection, and what is stored stays."""

    def _do(self, operation: object, now: int) -> object:  # noqa: C901, PLR0911  one case an operation
        match operation:
            case Fetch():
                return self._fetch(operation, now)
            case Ensure(counters=counters):
                asked = zip(counters, lives(operation), strict=True)
                return tuple(self._ensure(key, life, now) for key, life in asked)
            case Bump(counters=counters):
                return tuple(self._bump(key, now) for key in counters)
            case Lease():
                self._lease(operation, now)
            case Settle():
                self._settle(operation, now)
            case Put():
                self._put(operation, now)
            case ReadClock():
                return self._clock
            case TimeLeft(key=key):
                return self._shelves.time_left(key, now)
            case Acquire(key=key, token=token, duration=duration):
                return self._shelves.acquire(key, token, now + 1000 * duration, now)
            case Release(key=key, token=token):
                self._shelves.release(key, token, now)
            case _:
                raise unknown(operation)
        return None

    def _reading(self, now: int, above: Generation) -> Generation:
        self._clock = max(self._clock + 1, now, above + 1)
        return self._clock

    def _fetch(self, operation: Fetch, now: int) -> Fetched:
        entry = None if operation.entry is None else self._shelves.entry(operation.entry, now)
        found = (self._shelves.counter(key, now) for key in operation.counters)
        states = tuple(None if counter is None else counter.state() for counter in found)
        if operation.mark is None:
            return Fetched(states, entry)
        return Fetched(states, None, entry is not None and entry[MARK] == operation.mark)

    def _ensure(self, key: str, life: int, now: int) -> CounterState:
        counter = self._shelves.counter(key, now)
        fresh = True
        if counter is None:
            counter = Counter(self._reading(now, NO_GENERATION), now + 1000 * life)
        elif not counter.drop_expired(now):
            return counter.state()
        elif counter.is_mark() and counter.leases:
            counter.expires = counter.last_deadline()
            fresh = False
        else:
            # Never dropped without a bump: its writer may have committed and died before it could say so.
            counter.renew(self._reading(now, counter.generation), now + 1000 * life)
        self._shelves.keep_counter(key, counter)
        return replace(counter.state(), fresh=fresh)

    def _bump(self, key: str, now: int) -> Generation:
        counter = self._shelves.counter(key, now)
        if counter is None or counter.is_mark():
            return NO_GENERATION
        counter.renew(self._reading(now, counter.generation), now + 1000 * COUNTER_TTL)
        self._shelves.keep_counter(key, counter)
        return counter.generation

    def _lease(self, operation: Lease, now: int) -> None:
        for key in operation.counters:
            counter = self._shelves.counter(key, now) or Counter(NO_GENERATION, now)
            deadline = now + 1000 * operation.duration
            # A renewal never shortens: an answer that was lost may be the longer one.
            counter.leases[operation.token] = max(deadline, counter.leases.get(operation.token, 0))
            # A counter that expires under a lease takes the lease with it: the next reader would fill old rows.
            counter.expires = max(counter.expires, counter.last_deadline())
            self._shelves.keep_counter(key, counter)

    def _settle(self, operation: Settle, now: int) -> None:
        for key in operation.bump:
            self._end_lease(key, operation.token, now)
            # Also when the token is gone: a reader may have resolved it and filled before a slow COMMIT took effect.
            self._bump(key, now)
        for key in operation.release:
            self._end_lease(key, operation.token, now)

    def _end_lease(self, key: str, token: str, now: int) -> None:
        counter = self._shelves.counter(key, now)
        if counter is None or counter.leases.pop(token, None) is None:
            return
        if counter.is_mark():
            counter.expires = counter.last_deadline()
        if counter.expires > now:
            self._shelves.keep_counter(key, counter)
        else:
            self._shelves.drop_counter(key)

    def _put(self, operation: Put, now: int) -> None:
        # The superseded keys go first, so that a key in both lists ends up stored.
        for key in operation.unlink:
            self._shelves.drop_entry(key)
            self._shelves.drop_counter(key)
        for key, value in operation.items:
            self._shelves.keep_entry(key, value, now + 1000 * operation.ttl)


class AsyncMemoryStore(AsyncStore):
    """The same memory for coroutines; no thread hop, as no operation waits for anything but a short lock.

    Args:
        memory: The store to share.
    """

    def __init__(self, memory: MemoryStore) -> None:
        """Share ``memory``."""
        self.capabilities = memory.capabilities
        self._memory = memory

    async def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation, as one step."""
        return self._memory.execute(operation)

    async def aclose(self) -> None:
        """Do nothing: there is no connection, and what is stored stays."""
