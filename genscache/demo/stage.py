"""What every chapter of the demo works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TextIO

from genscache.demo.counting import CountingStore
from genscache.engine import Engine


@dataclass(frozen=True, slots=True)
class Stage:
    """The store, and how much is done.

    Attributes:
        store: Counts round trips.
        engine: The engine of the demo's project.
        news: Where progress is shown.
        articles: How many articles there are.
        entries: How many entries are stored for the largest invalidation.
        calls: How many calls a time per call is taken from.
        writes: How many writes a batch has.
    """

    store: CountingStore
    engine: Engine
    news: TextIO
    articles: int
    entries: int
    calls: int = 100
    writes: int = 1000


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds that calls took: the middle one, and what all but a twentieth stayed below."""

    median: float
    most: float

    @classmethod
    def of(cls, seconds: list[float]) -> Times:
        """Sum up single times."""
        ordered = sorted(seconds)
        return cls(median(ordered), ordered[(len(ordered) * 19) // 20])


def timed(function: Callable[[], object]) -> float:
    """Return how many seconds a call takes."""
    began = perf_counter()
    function()
    return perf_counter() - began
