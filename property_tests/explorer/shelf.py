"""The real memory store as a function: a frozen state and an operation give an answer and another frozen state.

A state is thawed into a ``MemoryStore``, which does the operation, and frozen again; each pair of state and operation
once, since the answer is kept. What is not part of a state: the order of use, which decides only what goes first when
there is no room.
"""

from __future__ import annotations

from typing import Any, TypeAlias, cast

from genscache.stores.base import Operation
from genscache.stores.memory import MemoryStore
from genscache.stores.shelves import Counter, _Entry

Thing: TypeAlias = tuple[Any, ...]
Frozen: TypeAlias = tuple[int, tuple[Thing, ...]]
"""The bump clock; and key, generation (entries: -1), expiry, and leases (entries: bytes) of everything, by key."""

EMPTY: Frozen = (0, ())
ENTRY = -1


class Shelf:
    """Does operations on numbered states of a store."""

    def __init__(self) -> None:
        self._now = 0
        self._store = MemoryStore(now=lambda: self._now)
        self._states: list[Frozen] = []
        self._numbers: dict[Frozen, int] = {}
        self._answers: dict[tuple[int, Operation[Any], int], tuple[Any, int]] = {}
        self.number(EMPTY)

    def number(self, state: Frozen) -> int:
        """Return the number of a state."""
        found = self._numbers.get(state)
        if found is None:
            found = self._numbers[state] = len(self._states)
            self._states.append(state)
        return found

    def state(self, number: int) -> Frozen:
        """Return the state that has a number."""
        return self._states[number]

    def do(self, number: int, operation: Operation[Any], now: int) -> tuple[Any, int]:
        """Do an operation at a time in µs; return the answer and the number of the state after it."""
        known = self._answers.get((number, operation, now))
        if known is None:
            self._thaw(self._states[number])
            self._now = now
            answer = self._store.execute(operation)
            known = self._answers[number, operation, now] = answer, self.number(self._freeze())
        return known

    def without(self, number: int, key: str) -> int:
        """Return the state in which ``key`` was evicted."""
        clock, things = self._states[number]
        return self.number((clock, tuple(each for each in things if each[0] != key)))

    def without_clock(self, number: int) -> int:
        """Return the state in which the bump clock was evicted."""
        return self.number((0, self._states[number][1]))

    def counters(self, number: int, now: int, *, leased: bool) -> tuple[str, ...]:
        """Return the counters that may be evicted; ``leased``: also those on which there is a live lease."""
        return tuple(
            key
            for key, generation, _, leases in self._states[number][1]
            if generation != ENTRY and (leased or all(deadline <= now for _, deadline in leases))
        )

    def _thaw(self, state: Frozen) -> None:
        clock, things = state
        self._store._clock = clock
        shelves = self._store._shelves
        shelves.used = 0
        shelves._things.clear()
        for key, generation, expires, rest in things:
            if generation == ENTRY:
                shelves._things[key] = _Entry(cast("bytes", rest), expires)
            else:
                shelves._things[key] = Counter(generation, expires, dict(rest))

    def _freeze(self) -> Frozen:
        return self._store._clock, tuple(
            (key, thing.generation, thing.expires, tuple(sorted(thing.leases.items())))
            if isinstance(thing, Counter)
            else (key, ENTRY, thing.expires, cast("_Entry", thing).value)
            for key, thing in sorted(self._store._shelves._things.items())
        )
