"""What a call asks of the store: round trips, commands and bytes. These are counted, and the same each time."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from redis import Redis

from tests.benchmarks.measuring import Action
from tests.reads.wire import Wire


@dataclass(frozen=True)
class Traffic:
    """Of one call."""

    round_trips: float
    commands: float
    bytes_sent: float
    bytes_received: float

    def plain(self) -> dict[str, float]:
        """Return it for JSON."""
        return {name: round(value, 2) for name, value in asdict(self).items()}


def traffic(action: Action, wire: Wire, raw: Redis, calls: int) -> Traffic:
    """Count what ``calls`` calls send through a wire.

    Args:
        action: What is called.
        wire: The proxy in front of the store.
        raw: A client past the proxy, whose own questions do not count.
        calls: How many.
    """
    before = _commands(raw)
    with wire.counting() as turns:
        for _ in range(calls):
            action()
    after = _commands(raw)
    return Traffic(turns[0] / calls, (after - before) / calls, len(wire.sent) / calls, wire.received / calls)


def _commands(raw: Redis) -> int:
    """Return how many commands the server has done, those inside of scripts included, our own left out."""
    found = raw.info("commandstats")
    return sum(each["calls"] for name, each in found.items() if name != "cmdstat_info")
