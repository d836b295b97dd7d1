"""95 reads and 5 writes of every hundred operations, in several processes at the same time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Final

from tests.benchmarks.saying import tell
from tests.benchmarks.world import SECTIONS, World

ROWS: Final = 200
"""Articles that are read and written."""


def mixed(world: World) -> list[dict[str, Any]]:
    """Be one of the processes: do as many operations as is asked for, and answer with seconds of processor time."""
    operation = _operations(world, int(world.orders.options["seed"]))
    tell("ready")
    for line in sys.stdin:
        used = time.process_time()
        for _ in range(int(line)):
            operation()
        tell(str(time.process_time() - used))
    return []


def _operations(world: World, seed: int) -> Callable[[], object]:
    who = world.contestant
    state = seed * 2_654_435_761 % 2**32

    def draw(below: int) -> int:
        # A generator of our own: all contestants are asked the same.
        nonlocal state
        state = (state * 1_664_525 + 1_013_904_223) % 2**32
        return (state >> 8) * below >> 24

    def operation() -> object:
        what = draw(100)
        if what < 5:
            article = who.get(1 + draw(ROWS))
            article.words += 1
            return article.save()
        if what < 65:
            return who.get(1 + draw(ROWS))
        if what < 90:
            return who.list20(draw(SECTIONS))
        return who.count(draw(SECTIONS))

    return operation
