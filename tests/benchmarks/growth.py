"""How what a hit costs grows: with rows, with namespaces, with entries in the store, and with the way to it."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks.deeds import Rows
from tests.benchmarks.invalidation import fill
from tests.benchmarks.measuring import turns
from tests.benchmarks.parts import wait_for_all
from tests.benchmarks.saying import say
from tests.benchmarks.world import World


def rows(world: World) -> Rows:
    """Read lists of more and more rows."""
    found: Rows = []
    for number in world.orders.options["steps"]:
        value = world.uncached(lambda number=number: world.plain.rows(number))  # type: ignore[misc]  # of this turn
        action = _rows(world, int(number))
        world.warm(action)
        found.append(_measured(world, int(number), action, value))
    return found


def _rows(world: World, number: int) -> Any:
    return lambda: world.contestant.rows(number)


def namespaces(world: World) -> Rows:
    """Call functions that depend on more and more names."""
    from genscache import cached  # noqa: PLC0415 - only genscache has them

    found: Rows = []
    for number in world.orders.options["steps"]:
        value = list(range(20))
        function = cached(*[f"name {each}" for each in range(int(number))], key=lambda number=number: number)(
            lambda: list(range(20))
        )
        world.warm(function)
        found.append(_measured(world, int(number), function, value))
    return found


def entries(world: World) -> Rows:
    """Read while the store holds more and more entries of the model."""
    found: Rows = []
    there = 0
    value = world.plain.get()
    for number in world.orders.options["steps"]:
        fill(world.raw, there, int(number))
        there = int(number)
        world.warm(world.contestant.get)
        row = _measured(world, there, world.contestant.get, value)
        found.append(row)
    return found


def _measured(world: World, x: float, action: Any, value: object) -> dict[str, Any]:
    measured = turns(action, world.raw_get(value), rounds=world.orders.rounds, seconds=world.orders.seconds)
    say(
        f"  {x:>9,} {world.orders.contestant:<12} {measured.ratio.median:6.2f}  {measured.first.median:8.0f} µs"
    )
    return {
        "x": x,
        "contestant": world.orders.contestant,
        "ratio": measured.ratio.median,
        "microseconds": measured.first.median,
        "raw": measured.second.median,
    }


def delay(world: World) -> Rows:
    """Read over a way that takes longer."""
    milliseconds = float(world.orders.options["milliseconds"])
    found: Rows = []
    for case, action, ask in (
        ("get", world.contestant.get, world.plain.get),
        ("list1000", world.contestant.list1000, world.plain.list1000),
    ):
        value = world.uncached(ask)
        world.warm(action)
        found.append({**_measured(world, milliseconds, action, value), "case": case})
    return found


def together(world: World) -> Rows:
    """Read for a while: one of several processes that do so at the same time."""
    seconds = float(world.orders.options["for"])
    action = world.contestant.get
    world.warm(action)
    wait_for_all()
    begun, used, calls = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begun < seconds:
        for _ in range(50):
            action()
        calls += 50
    spent = time.perf_counter() - begun
    return [{"calls": calls, "seconds": spent, "cpu": time.process_time() - used}]
