"""What a process remembers of the store, to guess the next answer. No correctness rests on it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from genscache.types import Generation

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


class Memory:
    """The generations that this process saw last, and the last key that it saw of each entry."""

    def __init__(self, *, counters: int = 20_000, entries: int = 20_000) -> None:
        self._generations: Recent[str, Generation] = Recent(counters)
        self._vectors: Recent[str, tuple[Generation, ...]] = Recent(entries)

    def expect(self, counters: Sequence[str]) -> tuple[Generation, ...] | None:
        """Return the vector to expect, or ``None`` if any counter is unknown here."""
        return self._generations.all(counters)

    def learn(self, counters: Sequence[str], vector: Sequence[Generation]) -> None:
        """Remember the generations that a fetch has shown."""
        for counter, generation in zip(counters, vector, strict=True):
            self._generations.put(counter, generation)

    def vector_of(self, entry: str) -> tuple[Generation, ...] | None:
        """Return the vector under which this process last met the entry (named by its key without a vector)."""
        return self._vectors.get(entry)

    def met(self, entry: str, vector: tuple[Generation, ...]) -> None:
        """Remember under which vector the entry was met."""
        self._vectors.put(entry, vector)
