"""How what a hit costs grows: with rows, with namespaces, with entries in the store, and with the way to it."""

from __future__ import annotations

import time
from typing import Any

from redis import Redis

from tests.benchmarks.measuring import batch, times, turns
from tests.benchmarks.parts import Rows, wait_for_all
from tests.benchmarks.saying import say
from tests.benchmarks.world import World


def rows(world: World) -> Rows:
    """Read lists of more and more rows."""
    found: Rows = []
    for number in world.orders.options["steps"]:  # type: ignore[union-attr]  # a list
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
    for number in world.orders.options["steps"]:  # type: ignore[union-attr]  # a list
        value = list(range(20))
        function = cached(*[f"name {each}" for each in range(int(number))], key=lambda number=number: number)(
            lambda: list(range(20))
        )
        world.warm(function)
        found.append(_measured(world, int(number), function, value))
    return found


def entries(world: World) -> Rows:
    """Read and invalidate while the store holds more and more entries of the model."""
    from genscache import invalidate_model  # noqa: PLC0415 - only genscache is asked
    from tests.benchmarks.journal.models import Article  # noqa: PLC0415 - beside it

    found: Rows = []
    there = 0
    value = world.plain.get()
    for number in world.orders.options["steps"]:  # type: ignore[union-attr]  # a list
        _fill(world.raw, there, int(number))
        there = int(number)
        world.warm(world.contestant.get)
        row = _measured(world, there, world.contestant.get, value)
        world.raw.config_set("slowlog-log-slower-than", 0)
        world.raw.slowlog_reset()
        calls = times(lambda: invalidate_model(Article), world.orders.seconds)
        spent = sorted(batch(lambda: invalidate_model(Article), calls) for _ in range(world.orders.rounds))
        row["invalidation"] = spent[len(spent) // 2]
        row["blocked"] = _longest(world.raw)
        world.raw.config_set("slowlog-log-slower-than", 1_000_000)
        say(
            f"  entries {there:>9,} invalidate_model {row['invalidation']:6.0f} µs, blocked {row['blocked']} µs"
        )
        found.append(row)
    return found


def _longest(raw: Redis) -> int:
    """Return the microseconds of the longest of the last steps; what the server does itself is not in its log."""
    log: Any = raw.slowlog_get(128)
    return max(int(each["duration"]) for each in log if each["command"].startswith(b"EVALSHA"))


def _fill(raw: Redis, there: int, wanted: int) -> None:
    """Put in entries as they are found in a store that has been used for a while."""
    payload = b"gc1" + bytes(300)
    for start in range(there, wanted, 10_000):
        pipeline = raw.pipeline(transaction=False)
        for number in range(start, min(start + 10_000, wanted)):
            pipeline.set(
                f"gc:1:{{default.journal_article}}:e:{number:032d}:g=17.{number}", payload, px=3_600_000
            )
        pipeline.execute()


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
    milliseconds = float(world.orders.options["milliseconds"])  # type: ignore[arg-type]  # a number
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
    seconds = float(world.orders.options["duration"])  # type: ignore[arg-type]  # a number
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
