"""What is measured, a function a part: each runs in a process of its own and returns what goes into the results."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from typing import Any

from redis import Redis

from tests.benchmarks.contestants import CASES, WRITTEN
from tests.benchmarks.counting import traffic
from tests.benchmarks.deeds import DEEDS, Rows, deeds
from tests.benchmarks.journal.models import Article
from tests.benchmarks.measuring import Action, Spread, percentiles, turns
from tests.benchmarks.measuring import batch as timed
from tests.benchmarks.saying import say, tell
from tests.benchmarks.world import World, populate
from tests.reads.wire import Wire


def wait_for_all() -> None:
    """Say that this process is ready, and wait until all are."""
    tell("ready")
    sys.stdin.readline()


def populate_database(world: World) -> Rows:
    """Make the rows that all others read."""
    populate(int(world.orders.options["articles"]))
    return []


def asked(world: World) -> dict[str, tuple[Action, Any]]:
    """Return each case that the contestant knows, and its value."""
    who, plain = world.contestant, world.plain
    values: dict[str, Callable[[], Any]] = {
        "get": plain.get,
        "list20": plain.list20,
        "list1000": plain.list1000,
        "count": plain.count,
        "function20": plain.list20,
    }
    actions: dict[str, Action | None] = {
        "get": who.get,
        "list20": who.list20,
        "list1000": who.list1000,
        "count": who.count,
        "function20": who.function(),
    }
    found = {}
    for case in CASES:
        action = actions[case]
        if action is not None:
            found[case] = (action, world.uncached(values[case]))
    return found


def hits(world: World) -> Rows:
    """Measure each case against a raw ``GET`` of the same result."""
    found: Rows = []
    for case, (action, value) in asked(world).items():
        raw = world.raw_get(value)
        if world.orders.contestant != "none":
            world.warm(action)
        measured = turns(action, raw, rounds=world.orders.rounds, seconds=world.orders.seconds)
        calls = max(200, min(2000, round(20 * world.orders.seconds * 1_000_000 / measured.first.median)))
        row = {
            "case": case,
            "contestant": world.orders.contestant,
            "ratio": measured.ratio.plain(),
            "microseconds": {**percentiles(action, calls), "raw": measured.second.median},
            "cpu": _cpu(
                world, action, max(3, round(30 * world.orders.seconds * 1_000_000 / measured.first.median))
            ),
        }
        say(
            f"  {case:<11} {world.orders.contestant:<12} {measured.ratio.median:7.2f}  {measured.first.median:9.0f} µs"
        )
        found.append(row)
    return found


def _cpu(world: World, action: Action, calls: int) -> float:
    """Return the microseconds of processor time that a call takes, here and in the servers."""
    before = world.processor_time()
    for _ in range(calls):
        action()
    return (world.processor_time() - before) / calls * 1_000_000


def counts(world: World) -> Rows:
    """Count what each case of a part asks of the store, whose address is that of a proxy."""
    wire: Wire = world.orders.options["wire"]  # put there by ``child``
    raw = Redis.from_url(world.orders.options["upstream"])
    what: str = world.orders.options["what"]
    found: Rows = []
    for case, action, calls in _counted(world, what):
        # The first call opens connections, and a write makes a row's counter, which every later one finds.
        action()
        counted = traffic(action, wire, raw, calls)
        found.append({"case": case, "contestant": world.orders.contestant, **counted.plain()})
    world.tidy()
    return found


def _counted(world: World, what: str) -> Iterator[tuple[str, Action, int]]:
    who = world.contestant
    if what == "hits":
        for case, (action, _) in asked(world).items():
            if world.orders.contestant != "none":
                world.warm(action)
            yield case, action, 20
    elif what == "invalidation":
        from genscache import invalidate_model  # noqa: PLC0415 - only genscache is asked

        yield what, lambda: invalidate_model(Article), 20
    elif what == "batch":
        yield what, lambda: who.invalidate_rows(world.orders.options["rows"]), 1
    else:
        who.get(WRITTEN)
        done = deeds(world)
        for case in DEEDS[what]:
            yield case, done[f"{what} {case}"], 1 if case == "import" else 20


def batch(world: World) -> Rows:
    """Time the invalidation of many rows, one by one, in one batch."""
    rows: int = world.orders.options["rows"]
    rounds = min(5, world.orders.rounds)
    spread = Spread.of([timed(lambda: world.contestant.invalidate_rows(rows), 1) for _ in range(rounds)])
    say(f"  {rows} rows {world.orders.contestant:<12} {spread.median:9.0f} µs")
    return [{"contestant": world.orders.contestant, "rows": rows, "microseconds": spread.median}]


def sizes(world: World) -> Rows:
    """Look at what entries take in the store."""
    found: Rows = []
    for case, (action, value) in asked(world).items():
        before = _entries(world)
        action()
        (key,) = _entries(world) - before
        payload: Any = world.raw.get(key)
        memory: Any = world.raw.memory_usage(key, samples=0)
        found.append(
            {
                "case": case,
                "payload": len(payload),
                "pickled": len(pickle.dumps(value, pickle.HIGHEST_PROTOCOL)),
                "key": len(key),
                "beyond": memory - len(payload),
            }
        )
    return found


def _entries(world: World) -> set[bytes]:
    return set(world.raw.scan_iter("*:e:*", 1000))
