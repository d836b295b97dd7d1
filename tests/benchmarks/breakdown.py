"""Where the time of a hit goes, step by step: each is timed by itself, the quickest of many batches counts."""

from __future__ import annotations

import pickle
from typing import Any

from django.core.cache import cache

from tests.benchmarks import contestants
from tests.benchmarks.deeds import Rows
from tests.benchmarks.measuring import Action, batch
from tests.benchmarks.world import World

CALLS = 200


def breakdown(world: World) -> Rows:
    """Take a hit of one object and one of twenty apart."""
    made = {"genscache": _genscache, "handwritten": _handwritten, "cacheops": _cacheops}[
        world.orders.contestant
    ]
    found: Rows = []
    for case, ask, queryset in (
        ("get", world.contestant.get, None),
        ("list20", world.contestant.list20, _twenty),
    ):
        world.warm(ask)
        steps = made(world, case, queryset)
        total = _quickest(world, ask)
        steps["the rest: calls, counts, what the processor has forgotten meanwhile"] = total - sum(
            steps.values()
        )
        found += [
            {"case": case, "contestant": world.orders.contestant, "step": step, "microseconds": spent}
            for step, spent in steps.items()
        ]
        found.append(
            {"case": case, "contestant": world.orders.contestant, "step": "all", "microseconds": total}
        )
    return found


def _quickest(world: World, action: Action) -> float:
    return min(batch(action, CALLS) for _ in range(2 * world.orders.rounds))


def _twenty() -> Any:
    found: Any = contestants.ARTICLES.select_related("author")
    return found.filter(section=contestants.SECTION).order_by("-published", "pk")[:20]


def _genscache(world: World, case: str, queryset: Any) -> dict[str, float]:
    from genscache.answers import Reader  # noqa: PLC0415 - not there where others are measured
    from genscache.engine import current_engine  # noqa: PLC0415
    from genscache.guards import decide  # noqa: PLC0415
    from genscache.querysets.quick import quick_job  # noqa: PLC0415
    from genscache.querysets.subjects import job  # noqa: PLC0415

    engine = current_engine()
    if queryset is None:
        rows = contestants.ARTICLES.all()
        caching = rows._genscache_cached_as("get")

        def name() -> Any:
            return quick_job(engine, contestants.ARTICLES.all(), "get", {"pk": contestants.PK}, caching)

        steps: dict[str, float] = {}
    else:
        rows = queryset()
        caching = rows._genscache_cached_as("list")

        def name() -> Any:
            return job(engine, rows._genscache_asked("list"), caching, list)

        steps = {"building the queryset (Django)": _quickest(world, queryset)}
    found = name()
    reader = Reader(found, engine.flights)
    fetch = reader.glance()
    if fetch is None or fetch.memo is None or fetch.memo.question is None:
        raise AssertionError(f"{case} is no hit")
    lane: Any = engine.unguarded._lane  # type: ignore[attr-defined]  # a store on a server
    command, _ = fetch.memo.question
    answer = engine.store.execute(fetch)
    kept = lane._kept[-1].socket

    def exchange() -> None:
        kept.sendall(command)
        kept.recv(65536)

    waiting = _quickest(world, exchange)
    guards = _quickest(world, lambda: decide(engine, found.call.known))
    return steps | {
        "naming what is asked": _quickest(world, name),
        "guards: transactions, batches, outages": guards,
        "what to expect": _quickest(world, lambda: Reader(found, engine.flights).glance()) - guards,
        "the store: bytes out, its answer in": waiting,
        "looking at the connection and the answer": _quickest(world, lambda: engine.store.execute(fetch))
        - waiting,
        "building the objects": _quickest(world, lambda: reader.seen(answer)),
    }


def _handwritten(world: World, case: str, _: Any) -> dict[str, float]:
    key = f"article:{contestants.PK}" if case == "get" else f"section:{contestants.SECTION}"
    stored: Any = world.raw.get(cache.make_key(key))
    kept: Any = world.raw.connection_pool.get_connection()
    command = kept.pack_command("GET", cache.make_key(key))

    def exchange() -> None:
        for part in command:
            kept._sock.sendall(part)
        kept._sock.recv(1 << 20)

    waiting = _quickest(world, exchange)
    loading = _quickest(world, lambda: pickle.loads(stored))
    asking = _quickest(world, lambda: cache.get(key))
    world.raw.connection_pool.release(kept)
    return {
        "the store: bytes out, its answer in": waiting,
        "Django's cache and redis-py around it": asking - waiting - loading,
        "building the objects (pickle)": loading,
    }


def _cacheops(world: World, case: str, queryset: Any) -> dict[str, float]:
    ask = queryset or (lambda: contestants.ARTICLES.filter(pk=contestants.PK))
    rows = ask()
    value = world.uncached(lambda: list(world.plain.list20()) if case == "list20" else [world.plain.get()])
    pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    world.raw.set("bare", pickled)
    world.warm(world.contestant.list20 if case == "list20" else world.contestant.get)
    loading = _quickest(world, lambda: pickle.loads(pickled))
    return {
        "building the queryset (Django)": _quickest(world, ask),
        "naming what is asked: its SQL, compiled, and a digest": _quickest(
            world, lambda: rows._clone()._cache_key()
        ),
        "redis-py: a GET of as many bytes": _quickest(world, lambda: world.raw.get("bare")),
        "building the objects (pickle)": loading,
    }
