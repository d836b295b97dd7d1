"""Where the memory store keeps things: bounded, expiring, least recently used first to go."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from genscache.types import NO_GENERATION, CounterState, Generation

OVERHEAD: Final = 256
"""What an item costs beside its own bytes, about, in bytes: objects, the table's slots, the key's header."""

LEASE_BYTES: Final = 160
"""What one lease costs, about, in bytes."""

STEPS: Final = 64
"""How many counters one operation looks at for room, so that none of them takes long."""


@dataclass(slots=True)
class Counter:
    """A generation (``NO_GENERATION``: a mark only), when it expires (µs), and each token's deadline (µs)."""

    generation: Generation
    expires: int
    leases: dict[str, int] = field(default_factory=dict)

    def state(self) -> CounterState:
        """Return what readers are told."""
        return CounterState(self.generation, leased=bool(self.leases))

    def is_mark(self) -> bool:
        """Tell whether only leases exist."""
        return self.generation == NO_GENERATION

    def last_deadline(self) -> int:
        """Return the deadline of the longest lease, 0 without one."""
        return max(self.leases.values(), default=0)

    def drop_expired(self, now: int) -> bool:
        """Drop the leases whose deadline has passed and tell whether there were any."""
        before = len(self.leases)
        self.leases = {token: deadline for token, deadline in self.leases.items() if deadline > now}
        return len(self.leases) < before

    def renew(self, generation: Generation, expires: int) -> None:
        """Give a new generation and a new life; leases stay, and the counter outlives them."""
        self.generation = generation
        self.expires = max(expires, self.last_deadline())

    def size(self, key: str) -> int:
        """Return what this costs, about, in bytes."""
        return OVERHEAD + len(key) + LEASE_BYTES * len(self.leases)


@dataclass(slots=True)
class _Item:
    """Bytes or a lock's token, and when they expire (µs)."""

    value: bytes
    expires: int

    def size(self, key: str) -> int:
        return OVERHEAD + len(key) + len(self.value)


class Shelves:
    """Entries, counters and locks within one number of bytes; not safe for threads by itself.

    Args:
        max_bytes: Room for all of them together, in bytes.
    """

    def __init__(self, max_bytes: int) -> None:
        """Start empty."""
        self.max_bytes = max_bytes
        self.used = 0
        self._entries: OrderedDict[str, _Item] = OrderedDict()
        self._counters: OrderedDict[str, Counter] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._locks: OrderedDict[str, _Item] = OrderedDict()

    # -- entries

    def entry(self, key: str, now: int) -> bytes | None:
        """Return the bytes under ``key`` unless they have expired."""
        item = self._entries.get(key)
        if item is None:
            return None
        if item.expires <= now:
            self.drop_entry(key)
            return None
        self._entries.move_to_end(key)
        return item.value

    def keep_entry(self, key: str, value: bytes, expires: int) -> None:
        """Store bytes under ``key``; what alone would fill the whole store is not kept."""
        self.drop_entry(key)
        item = _Item(value, expires)
        if item.size(key) <= self.max_bytes:
            self._entries[key] = item
            self.used += item.size(key)

    def drop_entry(self, key: str) -> None:
        """Forget what is under ``key``."""
        item = self._entries.pop(key, None)
        if item is not None:
            self.used -= item.size(key)

    # -- counters

    def counter(self, key: str, now: int) -> Counter | None:
        """Return the counter or mark under ``key`` unless it has expired."""
        counter = self._counters.get(key)
        if counter is None:
            return None
        if counter.expires <= now:
            self.drop_counter(key)
            return None
        self._counters.move_to_end(key)
        return counter

    def keep_counter(self, key: str, counter: Counter) -> None:
        """Store a counter that is new or has changed."""
        size = counter.size(key)
        self.used += size - self._sizes.get(key, 0)
        self._sizes[key] = size
        self._counters[key] = counter
        self._counters.move_to_end(key)

    def drop_counter(self, key: str) -> None:
        """Forget a counter; who asks for it again gets a generation that it never had."""
        if self._counters.pop(key, None) is not None:
            self.used -= self._sizes.pop(key)

    # -- locks

    def acquire(self, key: str, token: str, expires: int, now: int) -> bool:
        """Take a lock unless another token holds it."""
        wanted = _Item(token.encode(), expires)
        held = self._locks.get(key)
        if held is not None:
            if held.expires > now and held.value != wanted.value:
                return False
            self._drop_lock(key)
        self._locks[key] = wanted
        self.used += wanted.size(key)
        return True

    def release(self, key: str, token: str, now: int) -> None:
        """Give a lock back if ``token`` still holds it."""
        held = self._locks.get(key)
        if held is not None and (held.value == token.encode() or held.expires <= now):
            self._drop_lock(key)

    def _drop_lock(self, key: str) -> None:
        self.used -= self._locks.pop(key).size(key)

    # -- room

    def shrink(self, now: int) -> None:
        """Make room: entries first, then counters and locks that nobody holds.

        A counter under a live lease stays, even over the limit for as long as the lease lasts: the lease would be lost
        with it, and a reader could fill the rows from before the writer's COMMIT.
        """
        while self.used > self.max_bytes and self._entries:
            self.drop_entry(next(iter(self._entries)))
        for _ in range(min(STEPS, len(self._counters))):
            if self.used <= self.max_bytes:
                return
            key, counter = next(iter(self._counters.items()))
            if counter.last_deadline() > now:
                self._counters.move_to_end(key)
            else:
                self.drop_counter(key)
        self._shrink_locks(now)

    def _shrink_locks(self, now: int) -> None:
        for _ in range(min(STEPS, len(self._locks))):
            if self.used <= self.max_bytes:
                return
            key, lock = next(iter(self._locks.items()))
            if lock.expires > now:
                self._locks.move_to_end(key)
            else:
                self._drop_lock(key)
