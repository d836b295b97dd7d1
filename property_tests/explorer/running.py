"""From a configuration to what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from property_tests.explorer.actors import Nodes, Script
from property_tests.explorer.configurations import Configuration
from property_tests.explorer.database import FREE, Database
from property_tests.explorer.moves import Moves, Place, Rules, World
from property_tests.explorer.process import FORGETFUL, TABLES, Machinery, Memo, Task
from property_tests.explorer.search import Found, Search
from property_tests.explorer.shelf import Shelf
from property_tests.explorer.steps import Sql
from property_tests.explorer.timeline import Timeline

BEGINNING = 100
"""The store's time at first, in µs."""

NOTHING = tuple(0 for _ in TABLES)

Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Report:
    """What a search has found, and the timeline of a schedule that breaks the promise."""

    configuration: Configuration
    found: Found
    timeline: str

    @property
    def as_expected(self) -> bool:
        """Tell whether the promise held, or was broken where that is what the configuration shows."""
        return bool(self.found.wrong) is self.configuration.broken


def explore(
    configuration: Configuration, progress: Progress = lambda *_: None, *, alike: bool = True
) -> Report:
    """Search a configuration; ``alike``: readers that do the same are interchangeable, which is faster."""
    machinery, shelf = Machinery(configuration.setup), Shelf()
    store, memo = 0, FORGETFUL
    if configuration.warm:
        store, memo = _warmed(machinery, shelf, configuration.readers)
    scripts = [Script(name, tasks) for name, tasks in configuration.others.items()]
    names = [f"reader {index + 1}" for index in range(configuration.count)]
    readers = [Script(name, configuration.readers, memo) for name in names]
    first = len(scripts)
    # All of them stand at the same nodes, where they are interchangeable.
    nodes = Nodes([*scripts, *(readers[:1] if alike else readers)], machinery)
    rules = Rules(
        configuration.level,
        configuration.faults,
        configuration.hasty,
        configuration.equal,
        configuration.fence,
        configuration.told,
    )
    moves = Moves(nodes, shelf, rules)
    world = World(
        store=store,
        database=Database(NOTHING, tuple(FREE for _ in TABLES)),
        returned=NOTHING,
        exposed=0,
        now=BEGINNING,
        faults=configuration.most if configuration.faults else 0,
        expiries=configuration.expiries,
        wire=None,
        saved=-1,
    )
    roots = [nodes.root(index) for index in range(first)]
    roots += [nodes.root(first if alike else first + index) for index in range(configuration.count)]
    places = [moves.place(Place(root, None, None)) for root in roots]
    last = first + 1 + configuration.count
    group = range(first + 1, last) if alike else range(last, last)
    found = Search(moves, group, progress).run((moves.world(world), *places))
    timeline = Timeline(
        [*configuration.others, *names], configuration.count if alike else 0, machinery.engine.codec
    )
    return Report(configuration, found, timeline.write(found, places) if found.wrong else "")


def _warmed(machinery: Machinery, shelf: Shelf, tasks: tuple[Task, ...]) -> tuple[int, Memo]:
    """Let somebody read everything; return the store's state, and what that process remembers."""
    store, memo = 0, FORGETFUL
    # The second time it keeps copies.
    for task in 2 * tasks if machinery.engine.memory.copies.room else tasks:
        answers: list[object] = []
        while (stand := machinery.replay("before", task, memo, answers)).step is not None:
            if isinstance(stand.step, Sql):
                answers.append(tuple(0 for _ in stand.step.rows))
            else:
                answer, store = shelf.do(store, stand.step, BEGINNING)
                answers.append(answer)
        memo = stand.memo
    return store, memo
