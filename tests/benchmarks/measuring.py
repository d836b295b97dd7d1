"""Times of two things that are done in turns, so that whatever else the machine does meets both."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any

Action = Callable[[], object]
Batch = Callable[[int], float]
"""Does something so many times, and returns the microseconds of one."""


@dataclass(frozen=True)
class Spread:
    """The median of several rounds, and their extremes."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Look at values."""
        return cls(median(values), min(values), max(values))

    def over(self, other: float) -> Spread:
        """Return it as a multiple of a number."""
        return Spread(self.median / other, self.low / other, self.high / other)

    def plain(self) -> dict[str, float]:
        """Return it for JSON."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Turns:
    """What came of it.

    Attributes:
        ratio: Of the first to the second, round by round.
        first: Microseconds of one call.
        second: Those of the other.
    """

    ratio: Spread
    first: Spread
    second: Spread


def batch(action: Action, times: int) -> float:
    """Return microseconds per call."""
    begun = time.perf_counter_ns()
    for _ in range(times):
        action()
    return (time.perf_counter_ns() - begun) / times / 1000


def times(action: Action, seconds: float) -> int:
    """Return how many calls take so many seconds."""
    return _number(partial(batch, action), seconds)


def turns(first: Action, second: Action, *, rounds: int, seconds: float) -> Turns:
    """Do two things of this process in turns."""
    return alternate(partial(batch, first), partial(batch, second), rounds=rounds, seconds=seconds)


def alternate(first: Batch, second: Batch, *, rounds: int, seconds: float) -> Turns:
    """Do two things in turns; a round is a batch of each, the garbage of the one is not swept in the other's time.

    Args:
        first: Whose time is the ratio's numerator.
        second: Whose time is the denominator; it may be done in another process.
        rounds: How many.
        seconds: What a batch takes, about.
    """
    first(1), second(1)
    one, two = _number(first, seconds), _number(second, seconds)
    mine: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        gc.collect()
        # Who goes first is not always the same one.
        if number % 2:
            theirs.append(second(two))
            mine.append(first(one))
        else:
            mine.append(first(one))
            theirs.append(second(two))
    ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
    return Turns(Spread.of(ratios), Spread.of(mine), Spread.of(theirs))


def _number(batches: Batch, seconds: float) -> int:
    wanted = seconds * 1_000_000
    took = batches(1)
    if took < wanted:
        took = min(took, batches(3), batches(3))
    return max(1, min(20_000, round(wanted / took)))


def percentiles(action: Action, calls: int) -> dict[str, float]:
    """Return the median and the 99th percentile of single calls, in microseconds."""
    found = []
    for _ in range(calls):
        begun = time.perf_counter_ns()
        action()
        found.append(time.perf_counter_ns() - begun)
    found.sort()
    return {"p50": found[calls // 2] / 1000, "p99": found[calls * 99 // 100] / 1000}


def rounded(value: Any) -> Any:
    """Return numbers in whatever this is with no more digits than were measured."""
    match value:
        case float():
            return round(value, 3)
        case dict():
            return {key: rounded(each) for key, each in value.items()}
        case list():
            return [rounded(each) for each in value]
        case _:
            return value
