"""Looking at flights, so that a test goes on only when others really wait."""

from __future__ import annotations

import time

from genscache.engine import Engine
from tests.reads.elsewhere import PATIENCE


def waiters(engine: Engine) -> int:
    """Return how many threads wait for a fill of another one in this process."""
    flights = tuple(engine.flights._flights.values())
    landings = [flight._landed for flight in flights if flight._landed is not None]
    return sum(len(vars(landing)["_cond"]._waiters) for landing in landings)


def until_waiting(engine: Engine, count: int) -> None:
    """Look until ``count`` threads wait."""
    end = time.monotonic() + PATIENCE
    while waiters(engine) < count:
        assert time.monotonic() < end, f"only {waiters(engine)} of {count} threads wait"
        time.sleep(0.002)
