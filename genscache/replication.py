"""What ``GENSCACHE["REPLICAS"]`` says of one replica: whose it is, and when a result read from it may be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

Guard: TypeAlias = Literal["never", "position", "max_lag"]

LONGEST_LAG = 24 * 3600.0
"""Seconds: one who needs more than a day waits for the timeouts of entries anyway."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A database alias that may lag behind another.

    Attributes:
        primary: The alias that it follows, whose namespaces it shares.
        guard: What allows to store a result that was read from it: nothing, its replay position, or time.
        max_lag: Seconds that it lags at most, for the guard ``"max_lag"``.
    """

    primary: str
    guard: Guard = "never"
    max_lag: float = 0.0

    @classmethod
    def of(cls, name: str, value: object) -> Replica:
        """Check what is given for one alias.

        Args:
            name: What messages call it.
            value: The primary's alias, or a dict with ``primary`` and one of ``guard`` and ``max_lag``.

        Raises:
            ValueError: It is something else; the message shows the value and the cure.
        """
        if isinstance(value, str) and value:
            return cls(value)
        if not isinstance(value, Mapping):
            raise ValueError(  # noqa: TRY004 - callers handle one kind of error
                f'{name} must be the alias of its primary or a dict, got {value!r}. Use "default" or '
                '{"primary": "default", "guard": "position"}.'
            )
        unknown = sorted(map(str, value.keys() - {"primary", "guard", "max_lag"}))
        if unknown:
            raise ValueError(f'{name}["{unknown[0]}"] is not known here. Known: primary, guard, max_lag.')
        primary = value.get("primary")
        if not isinstance(primary, str) or not primary:
            raise ValueError(
                f'{name}["primary"] must be the alias of its primary, got {primary!r}. Use "default".'
            )
        if "guard" in value and "max_lag" in value:
            raise ValueError(f'{name} has both "guard" and "max_lag". Keep "guard": it needs no guess.')
        if "max_lag" in value:
            return cls(primary, "max_lag", _lag(f'{name}["max_lag"]', value["max_lag"]))
        if "guard" in value:
            return cls(primary, _guard(f'{name}["guard"]', value["guard"]))
        return cls(primary)


def _guard(name: str, value: object) -> Guard:
    match value:
        case "never" | "position" as known:
            return known
        case _:
            raise ValueError(
                f'{name} must be "position" (PostgreSQL) or "never", got {value!r}. '
                'Use "max_lag", in seconds, where the database cannot tell positions.'
            )


def _lag(name: str, value: object) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    # Zero would mean that the replica never lags, which nobody should say by a slip.
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_LAG:
        raise ValueError(
            f"{name} must be a number of seconds or a timedelta, above 0 and at most a day, got {value!r}. "
            "Use more than the replica ever lags, such as 30."
        )
    return float(seconds)
