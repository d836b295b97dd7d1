"""What a process remembers of the store, to guess the next answer. No correctness rests on it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from genscache.types import Generation

if TYPE_CHECKING:
    from genscache.protocol.expecting import Expectation

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """A thread-safe mapping of the ``limit`` most recently used keys."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """Return what is known of ``key`` and mark it as used."""
        with self._lock:
            value = self._items.get(key)
            if value is not None:
                self._items.move_to_end(key)
            return value

    def all(self, keys: Iterable[Key]) -> tuple[Value, ...] | None:
        """Return what is known of each key and mark them as used; ``None`` if any is unknown."""
        found = []
        with self._lock:
            items = self._items
            for key in keys:
                value = items.get(key)
                if value is None:
                    return None
                items.move_to_end(key)
                found.append(value)
        return tuple(found)

    def put(self, key: Key, value: Value) -> None:
        """Remember ``value``; the least recently used key makes room."""
        with self._lock:
            self._items[key] = value
            self._items.move_to_end(key)
            if len(self._items) > self._limit:
                self._items.popitem(last=False)

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._items)


class Copy(NamedTuple):
    """An entry that this process has read and keeps, to be served where the store says that it still has it.

    Attributes:
        mark: The entry's.
        value: What was made of its bytes.
        size: Bytes that it takes, about.
    """

    mark: bytes
    value: object
    size: int


class Copies(Generic[Key]):
    """The copies that were used last, by the key of their entry. Safe to use from several threads.

    Args:
        room: Bytes that they may take together.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.used = 0
        self._copies: OrderedDict[Key, Copy] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Copy | None:
        """Return a copy, and mark it as used."""
        with self._lock:
            found = self._copies.get(key)
            if found is not None:
                self._copies.move_to_end(key)
            return found

    def keep(self, key: Key, copy: Copy) -> None:
        """Keep a copy, unless it takes more than a quarter of the room; what was not used for longest makes room."""
        if 4 * copy.size > self.room:
            return
        with self._lock:
            self._drop(key)
            self._copies[key] = copy
            self.used += copy.size
            while self.used > self.room:
                self._drop(next(iter(self._copies)))

    def drop(self, key: Key) -> None:
        """Forget a copy."""
        with self._lock:
            self._drop(key)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._copies)

    def _drop(self, key: Key) -> None:
        found = self._copies.pop(key, None)
        if found is not None:
            self.used -= found.size


class Memory:
    """The generations that this process saw last, the last vector of each entry, and copies of some entries.

    Args:
        counters: How many generations are remembered.
        entries: Of how many entries.
        room: Bytes for copies.
    """

    def __init__(self, *, counters: int = 20_000, entries: int = 20_000, room: int = 0) -> None:
        self._generations: Recent[str, Generation] = Recent(counters)
        self._vectors: Recent[str, tuple[Generation, ...]] = Recent(entries)
        self.expectations: Recent[tuple[str, str], Expectation] = Recent(entries // 4)
        self.copies: Copies[str] = Copies(room)
        self.epoch = 0
        """Grows with whatever is learned of generations."""

    def expect(self, counters: Sequence[str]) -> tuple[Generation, ...] | None:
        """Return the vector to expect, or ``None`` if any counter is unknown here."""
        return self._generations.all(counters)

    def learn(self, counters: Sequence[str], vector: Sequence[Generation]) -> None:
        """Remember the generations that a fetch has shown."""
        for counter, generation in zip(counters, vector, strict=True):
            self._generations.put(counter, generation)
        self.epoch += 1

    def vector_of(self, entry: str) -> tuple[Generation, ...] | None:
        """Return the vector under which this process last met the entry (named by its key without a vector)."""
        return self._vectors.get(entry)

    def met(self, entry: str, vector: tuple[Generation, ...]) -> None:
        """Remember under which vector the entry was met."""
        self._vectors.put(entry, vector)
