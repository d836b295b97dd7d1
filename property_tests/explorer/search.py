"""Breadth first through all states, counting on the way in how many orders each state is reached.

Every step takes some actor further, so the graph has no cycles. A layer holds the states that so many steps lead to,
each with the number of paths that do; those of the states without a next step, added up, are the schedules. Readers
that do the same are interchangeable: states that differ only in which of them stands where are one state, and both
of them moving counts twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from property_tests.explorer.moves import Happening, Move, Moves

State: TypeAlias = tuple[int, ...]
"""The world, and the place of each actor; of those that are interchangeable, sorted."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a schedule: what happened, and the place of the actor before and after it (-1: nobody moved)."""

    what: Happening
    before: int
    after: int


@dataclass
class Found:
    """What a search has found.

    Attributes:
        schedules: Complete ones.
        states: Different ones.
        transitions: Steps between them.
        depth: The longest schedule's steps.
        seconds: That it took.
        wrong: How the promise is broken; empty: it holds.
        timeline: What happened on the shortest way there.
    """

    schedules: int = 0
    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    wrong: str = ""
    timeline: list[Step] = field(default_factory=list)


class Search:
    """A search.

    Args:
        moves: What can happen.
        alike: The positions in a state of the actors that are interchangeable, from the first to behind the last.
        progress: Told of each layer: steps, states so far, seconds.
    """

    def __init__(
        self,
        moves: Moves,
        alike: range,
        progress: Callable[[int, int, float], None] = lambda *_: None,
    ) -> None:
        self._moves, self._alike, self._progress = moves, alike, progress
        self._cache: dict[int, dict[int, tuple[Move, ...]]] = {}
        self._around: dict[int, tuple[tuple[int, Happening], ...]] = {}

    def run(self, start: State) -> Found:
        """Look at everything, or until the promise is broken."""
        began, found = time.perf_counter(), Found()
        layer: dict[State, int] = {start: 1}
        seen: set[State] = set()
        while layer and not found.wrong:
            seen.update(layer)
            self._progress(found.depth, len(seen), time.perf_counter() - began)
            layer = self._layer(layer, found)
            found.depth += 1
        if found.wrong:
            found.timeline = self._shortest(start, found.depth)
        else:
            found.depth -= 1
        found.states, found.seconds = len(seen), time.perf_counter() - began
        return found

    def _layer(self, layer: dict[State, int], found: Found) -> dict[State, int]:
        """Take one step from every state of a layer."""
        after: dict[State, int] = {}
        get, transitions = after.get, 0
        first, last = self._alike.start, self._alike.stop
        for state, ways in layer.items():
            world = state[0]
            cache = self._cache.get(world) or self._met(world)
            before = transitions
            for position in range(1, len(state)):
                place = state[position]
                moves = cache.get(place)
                if moves is None:
                    moves = cache[place] = self._moves.of(world, place)
                for next_world, next_place, _, wrong in moves:
                    if wrong:
                        found.wrong = wrong
                        return {}
                    if position < first:
                        new = (next_world, *state[1:position], next_place, *state[position + 1 :])
                    else:
                        some = [*state[first:position], next_place, *state[position + 1 : last]]
                        some.sort()
                        new = (next_world, *state[1:first], *some)
                    after[new] = get(new, 0) + ways
                    transitions += 1
            if transitions == before and self._moves.over(state[1:]):
                # What could still happen around them is seen by nobody.
                found.schedules += ways
                continue
            for next_world, _ in self._around[world]:
                new = (next_world, *state[1:])
                after[new] = get(new, 0) + ways
                transitions += 1
            if transitions == before:
                found.wrong = "nobody can go on"
                return {}
        found.transitions += transitions
        return after

    def _met(self, world: int) -> dict[int, tuple[Move, ...]]:
        """Prepare for a world that was not met before."""
        if world not in self._cache:
            self._cache[world] = {}
            self._around[world] = self._moves.around(world)
        return self._cache[world]

    def _shortest(self, start: State, depth: int) -> list[Step]:
        """Go the same way again, remembering where from, and return what happened on a shortest way."""
        layers: list[dict[State, tuple[State, Step]]] = []
        layer: list[State] = [start]
        for _ in range(depth):
            after: dict[State, tuple[State, Step]] = {}
            for state in layer:
                successors = self.successors(state)
                if not successors and not self._moves.over(state[1:]):
                    return self._back(state, layers)
                for new, what, wrong in successors:
                    if wrong:
                        return [*self._back(state, layers), what]
                    after.setdefault(new, (state, what))
            layers.append(after)
            layer = list(after)
        raise AssertionError("what was found once is not found again")

    @staticmethod
    def _back(state: State, layers: list[dict[State, tuple[State, Step]]]) -> list[Step]:
        way: list[Step] = []
        for layer in reversed(layers):
            state, what = layer[state]
            way.append(what)
        return way[::-1]

    def successors(self, state: State) -> list[tuple[State, Step, str]]:
        """Return every state that one step leads to, what happened, and how the promise is broken."""
        found: list[tuple[State, Step, str]] = []
        first, last = self._alike.start, self._alike.stop
        for position in range(1, len(state)):
            for world, place, what, wrong in self._moves.of(state[0], state[position]):
                new = [world, *state[1:position], place, *state[position + 1 :]]
                new[first:last] = sorted(new[first:last])
                found.append((tuple(new), Step(what, state[position], place), wrong))
        over = not found and self._moves.over(state[1:])
        for world, what in () if over else self._moves.around(state[0]):
            found.append(((world, *state[1:]), Step(what, -1, -1), ""))
        return found
