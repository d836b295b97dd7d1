"""``invalidate_model`` while the store holds more and more entries."""

from __future__ import annotations

from typing import Any

from redis import Redis

from tests.benchmarks.journal.models import Article
from tests.benchmarks.measuring import turns
from tests.benchmarks.saying import say
from tests.benchmarks.world import World

NUMBER = "number"


def invalidation(world: World) -> list[dict[str, Any]]:
    """Measure it in turns with an ``INCR``: with entries, of the library and of its form, put in before."""
    from genscache import invalidate_model  # noqa: PLC0415 - only genscache is asked

    raw, entries = world.raw, int(world.orders.options["entries"])
    fill(raw, int(world.orders.options["there"]), entries)
    for pk in range(1, 101):
        world.contestant.get(pk)
    raw.config_set("slowlog-log-slower-than", 0)
    raw.config_set("slowlog-max-len", 1_000)
    raw.slowlog_reset()
    measured = turns(
        lambda: invalidate_model(Article),
        lambda: raw.incr(NUMBER),
        rounds=world.orders.rounds,
        seconds=world.orders.seconds,
    )
    blocked = sorted(_steps(raw))
    raw.config_set("slowlog-log-slower-than", 1_000_000)
    say(f"  {entries:>9,} entries {measured.first.median:6.0f} µs, the store blocked for {blocked[-1]} µs")
    return [
        {
            "entries": entries,
            "microseconds": measured.first.median,
            "ratio": measured.ratio.plain(),
            "blocked": blocked[-1],
            "blocked_p50": blocked[len(blocked) // 2],
        }
    ]


def _steps(raw: Redis) -> list[int]:
    """Return the microseconds of each of the last steps; what the server does besides is not in its log."""
    log: Any = raw.slowlog_get(1_000)
    return [each["duration"] for each in log if each["command"].startswith(b"EVALSHA")]


def fill(raw: Redis, there: int, wanted: int) -> None:
    """Put in entries as they are found in a store that has been used for a while."""
    payload = b"gc1" + bytes(300)
    for start in range(there, wanted, 10_000):
        pipeline = raw.pipeline(transaction=False)
        for number in range(start, min(start + 10_000, wanted)):
            pipeline.set(
                f"gc:1:{{default.journal_article}}:e:{number:032d}:g=17.{number}", payload, px=3_600_000
            )
        pipeline.execute()
