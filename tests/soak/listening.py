"""What genscache says of its reads; and the deliberate errors that a soak must find."""

from __future__ import annotations

from genscache.engine import current_engine
from genscache.events import Event, Read


def listen(heard: list[str], *, bug: str = "") -> None:
    """Append the outcome of each read of this process.

    Args:
        heard: Where to.
        bug: A deliberate error to make: "lost-bumps", one of two bumps is not sent.
    """

    def hear(event: Event) -> None:
        if isinstance(event, Read):
            heard.append(event.outcome)

    if bug == "lost-bumps":
        from tests.soak.bugs import lose_bumps  # noqa: PLC0415 - only where it is asked for

        lose_bumps()
    current_engine().hub.subscribe(hear)
