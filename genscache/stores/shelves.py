"""Where the memory store keeps things: bounded, expiring, least recently used first to go."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from genscache.types import NO_GENERATION, CounterState, Generation

OVERHEAD: Final = 384
"""What an item costs beside its own bytes, about, in bytes: objects, the table's slots, the key's header."""

LEASE_BYTES: Final = 160
"""What one lease costs, about, in bytes."""

STEPS: Final = 64
"""How many things that must stay one operation passes over in search of room, so that none of them takes long."""


@dataclass(slots=True)
class Counter:
    """A generation (``NO_GENERATION``: a mark only), when it expires (µs), and each token's deadline (µs)."""

    generation: Generation
    expires: int
    leases: dict[str, int] = field(default_factory=dict)
    charged: int = 0
    """What was counted for it when it was last kept, in bytes; leases come and go in between."""

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

    def must_stay(self, now: int) -> bool:
        """Tell whether a live lease would be lost with it: a reader could fill the rows from before a COMMIT."""
        return self.last_deadline() > now


@dataclass(slots=True)
class _Entry:
    """Bytes, and when they expire (µs)."""

    value: bytes
    expires: int
    charged: int = 0

    def size(self, key: str) -> int:
        return OVERHEAD + len(key) + len(self.value)

    def must_stay(self, now: int) -> bool:  # noqa: ARG002  as the others are asked
        return False


@dataclass(slots=True)
class _Lock:
    """The token that holds a lock, and when it ends by itself (µs)."""

    token: str
    expires: int
    charged: int = 0

    def size(self, key: str) -> int:
        return OVERHEAD + len(key) + len(self.token)

    def must_stay(self, now: int) -> bool:
        return self.expires > now


_Thing: TypeAlias = Counter | _Entry | _Lock


class Shelves:
    """Entries, counters and locks within one number of bytes and one order of use; not safe for threads by itself.

    They share one space of keys, as on a server: whatever is stored under a key replaces what was there.

    Args:
        max_bytes: Room for all of them together, in bytes.
    """

    def __init__(self, max_bytes: int) -> None:
        """Start empty."""
        self.max_bytes = max_bytes
        self.used = 0
        self._things: OrderedDict[str, _Thing] = OrderedDict()

    # -- entries

    def entry(self, key: str, now: int) -> bytes | None:
        """Return the bytes under ``key`` unless they have expired; that is a use."""
        entry = self._find(key, now)
        return entry.value if isinstance(entry, _Entry) else None

    def time_left(self, key: str, now: int) -> int | None:
        """Return how many milliseconds the entry under ``key`` has left, ``None`` without one; that is no use."""
        entry = self._things.get(key)
        return (entry.expires - now) // 1000 if isinstance(entry, _Entry) and entry.expires > now else None

    def keep_entry(self, key: str, value: bytes, expires: int) -> None:
        """Store bytes under ``key``; what alone would fill the whole store is not kept."""
        entry = _Entry(value, expires)
        if entry.size(key) <= self.max_bytes:
            self._keep(key, entry)
        else:
            self._drop(key)

    def drop_entry(self, key: str) -> None:
        """Forget the entry under ``key``."""
        if isinstance(self._things.get(key), _Entry):
            self._drop(key)

    # -- counters

    def counter(self, key: str, now: int) -> Counter | None:
        """Return the counter or mark under ``key`` unless it has expired; that is a use."""
        counter = self._find(key, now)
        return counter if isinstance(counter, Counter) else None

    def keep_counter(self, key: str, counter: Counter) -> None:
        """Store a counter that is new or has changed."""
        self._keep(key, counter)

    def drop_counter(self, key: str) -> None:
        """Forget a counter; who asks for it again gets a generation that it never had."""
        if isinstance(self._things.get(key), Counter):
            self._drop(key)

    # -- locks

    def acquire(self, key: str, token: str, expires: int, now: int) -> bool:
        """Take a lock unless another token holds it."""
        held = self._find(key, now)
        if isinstance(held, _Lock) and held.token != token:
            return False
        self._keep(key, _Lock(token, expires))
        return True

    def release(self, key: str, token: str, now: int) -> None:
        """Give a lock back if ``token`` still holds it."""
        held = self._find(key, now)
        if isinstance(held, _Lock) and held.token == token:
            self._drop(key)

    # -- room

    def shrink(self, now: int) -> None:
        """Make room: what was used least recently goes first, be it an entry or a counter.

        A call leaves an entry and a counter, so if either kind went before the other, calls that are made once would
        sooner or later push out every entry that is in use. A counter under a live lease and a lock that is held stay,
        even over the limit for as long as that lasts.
        """
        passed = 0
        while self.used > self.max_bytes and passed < min(STEPS, len(self._things)):
            key, thing = next(iter(self._things.items()))
            if thing.must_stay(now):
                self._things.move_to_end(key)
                passed += 1
            else:
                self._drop(key)

    # -- inside

    def _drop(self, key: str) -> None:
        thing = self._things.pop(key, None)
        if thing is not None:
            self.used -= thing.charged

    def _find(self, key: str, now: int) -> _Thing | None:
        thing = self._things.get(key)
        if thing is None:
            return None
        if thing.expires <= now:
            self._drop(key)
            return None
        self._things.move_to_end(key)
        return thing

    def _keep(self, key: str, thing: _Thing) -> None:
        self._drop(key)
        thing.charged = thing.size(key)
        self._things[key] = thing
        self.used += thing.charged
