"""What is measured, a function a part: each runs in a process of its own and returns what goes into the results."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection, transaction
from redis import Redis

from tests.benchmarks.contestants import ARTICLES, CASES
from tests.benchmarks.counting import traffic
from tests.benchmarks.measuring import Action, percentiles, turns
from tests.benchmarks.saying import say, tell
from tests.benchmarks.world import World, populate
from tests.reads.wire import Wire

Rows = list[dict[str, Any]]

ONE_ROW = "SELECT * FROM journal_article WHERE id = 7"
TWENTY_ROWS = (
    "SELECT * FROM journal_article JOIN journal_author ON author_id = journal_author.id "
    "WHERE section = 3 ORDER BY published DESC, journal_article.id LIMIT 20"
)
WRITE = "UPDATE journal_article SET words = words + 1 WHERE id = 900"


def wait_for_all() -> None:
    """Say that this process is ready, and wait until all are."""
    tell("ready")
    sys.stdin.readline()


def populate_database(world: World) -> Rows:
    """Make the rows that all others read."""
    populate(int(world.orders.options["articles"]))  # type: ignore[arg-type]  # a number
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
            "cpu": _cpu(world, action, calls),
        }
        say(
            f"  {case:<11} {world.orders.contestant:<12} {measured.ratio.median:7.2f}  {measured.first.median:9.0f} µs"
        )
        found.append(row)
    return found


def _cpu(world: World, action: Action, calls: int) -> float:
    """Return the microseconds of processor time that a call takes, here and in the servers."""
    before = world.processor_time()
    for _ in range(10 * calls):
        action()
    return (world.processor_time() - before) / (10 * calls) * 1_000_000


def counts(world: World) -> Rows:
    """Count what each case asks of the store; the store's address is that of a proxy."""
    wire: Wire = world.orders.options["wire"]  # type: ignore[assignment]  # put there by ``child``
    raw = Redis.from_url(str(world.orders.options["upstream"]))
    found: Rows = []
    for case, (action, _) in asked(world).items():
        if world.orders.contestant != "none":
            world.warm(action)
        found.append(
            {"case": case, "contestant": world.orders.contestant, **traffic(action, wire, raw).plain()}
        )
    return found


def writes(world: World) -> Rows:
    """Measure writes of rows that were read before, against one bare UPDATE."""
    plain = world.plain
    article = world.uncached(lambda: plain.get(900))
    world.contestant.get(900)

    def save() -> None:
        article.words += 1
        world.contestant.save(article)

    def update() -> None:
        article.words += 1
        ARTICLES.filter(pk=900).update(words=article.words)

    def in_transaction() -> None:
        with transaction.atomic():
            for _ in range(3):
                save()

    deeds = {"save": save, "update": update, "3 saves in a transaction": in_transaction}
    return _against(world, deeds, dict.fromkeys(deeds, WRITE), "writes")


def misses(world: World) -> Rows:
    """Measure reads of what is not there yet, and is stored; each call asks for something else."""
    numbers = iter(range(1, int(world.orders.options["articles"])))  # type: ignore[arg-type]  # a number
    who = world.contestant
    deeds = {"get": lambda: who.get(next(numbers)), "list20": lambda: who.long20(next(numbers))}
    return _against(world, deeds, {"get": ONE_ROW, "list20": TWENTY_ROWS}, "misses")


def bypass(world: World) -> Rows:
    """Measure reads with the cache switched off."""
    who = world.contestant
    return _against(
        world, {"get": who.get, "list20": who.list20}, {"get": ONE_ROW, "list20": TWENTY_ROWS}, "bypass"
    )


def _against(world: World, deeds: Mapping[str, Action], yardsticks: Mapping[str, str], what: str) -> Rows:
    found: Rows = []
    for case, deed in deeds.items():
        measured = turns(
            deed, world.statement(yardsticks[case]), rounds=world.orders.rounds, seconds=world.orders.seconds
        )
        say(f"  {what} {case:<24} {world.orders.contestant:<12} {measured.first.median:9.0f} µs")
        found.append(
            {
                "case": case,
                "contestant": world.orders.contestant,
                "yardsticks": measured.ratio.plain(),
                "microseconds": {**percentiles(deed, 300), "yardstick": measured.second.median},
            }
        )
    return found


def mixed(world: World) -> Rows:
    """Read 95 times and write 5 times, over and over: one of several such processes."""
    options = world.orders.options
    operations, seed = int(options["operations"]), int(options["seed"])  # type: ignore[arg-type]  # numbers
    who = world.contestant
    state = seed * 2_654_435_761 % 2**32

    def draw(below: int) -> int:
        # A generator of our own: all contestants are asked the same.
        nonlocal state
        state = (state * 1_664_525 + 1_013_904_223) % 2**32
        return (state >> 8) * below >> 24

    connection.ensure_connection()
    wait_for_all()
    begun, used = time.perf_counter(), time.process_time()
    for _ in range(operations):
        what = draw(100)
        if what < 5:
            article = who.get(1 + draw(200))
            article.words += 1
            who.save(article)
        elif what < 65:
            who.get(1 + draw(200))
        elif what < 90:
            who.list20(draw(10))
        else:
            who.count(draw(10))
    return [
        {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - used, "operations": operations}
    ]


def sizes(world: World) -> Rows:
    """Look at what entries take in the store."""
    found: Rows = []
    for case, (action, value) in asked(world).items():
        world.raw.flushdb()
        action()
        keys = [key for key in world.raw.keys("*:e:*")]  # noqa: C416 - of the driver's loose type
        (key,) = keys
        payload: bytes = world.raw.get(key)  # type: ignore[assignment]  # the same
        memory: int = world.raw.memory_usage(key, samples=0)  # type: ignore[assignment]  # the same
        pickled = len(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))
        found.append(
            {
                "case": case,
                "payload": len(payload),
                "pickled": pickled,
                "key": len(key),
                "beyond": memory - len(payload),
            }
        )
    return found
