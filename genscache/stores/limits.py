"""The numbers and forms that every store shares."""

from __future__ import annotations

import re
from typing import Final

from genscache.stores.base import (
    Acquire,
    Bump,
    Ensure,
    Fetch,
    Lease,
    Put,
    ReadClock,
    Release,
    Settle,
    TimeLeft,
)

COUNTER_TTL: Final = 60 * 24 * 60 * 60 * 1000
"""How long a counter lives after it was created, last bumped or leased, unless it is brief: 60 days, in milliseconds.

When it runs out, the entries under it are missed, never revived.
"""

LONGEST_TTL: Final = 10 * 365 * 24 * 60 * 60 * 1000
"""The longest life of an entry: ten years, in milliseconds; every server can count that far."""

CHUNK: Final = 500
"""The most counters that one atomic step handles, so that a store is never blocked for long."""

GENERATION_LIMIT: Final = 2**53
"""Generations and deadlines stay below this, where Lua's numbers are still exact."""

_OPERATIONS: Final = frozenset(
    (Fetch, Ensure, Bump, Lease, Settle, Put, ReadClock, TimeLeft, Acquire, Release)
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def check(operation: object) -> None:
    """Refuse an operation that no store could do as it stands.

    Args:
        operation: What a store is about to do.

    Raises:
        TypeError: Something that is not an operation.
        ValueError: A token that cannot be written into a counter, or a duration out of bounds.
    """
    if type(operation) not in _OPERATIONS:
        raise unknown(operation)
    match operation:
        case Lease(token=token, duration=duration) | Acquire(token=token, duration=duration):
            _check_token(token)
            _check_duration("duration", duration, COUNTER_TTL)
        case Ensure(brief=brief, life=life) if brief:
            _check_duration("life", life, COUNTER_TTL)
        case Put(ttl=ttl):
            _check_duration("ttl", ttl, LONGEST_TTL)
        case _:
            pass


def lives(ensure: Ensure) -> tuple[int, ...]:
    """Return how long each of its counters lives if it is made or bumped, in milliseconds."""
    if not ensure.brief:
        return (COUNTER_TTL,) * len(ensure.counters)
    brief = frozenset(ensure.brief)
    return tuple(ensure.life if counter in brief else COUNTER_TTL for counter in ensure.counters)


def unknown(operation: object) -> TypeError:
    """Return the error for something that is not an operation."""
    return TypeError(f"No store can do {operation!r}. Yield one of the operations in genscache.stores.base.")


def _check_token(token: str) -> None:
    if not _TOKEN.fullmatch(token):
        message = f"A token has 1 to 128 characters of A-Z a-z 0-9 _ . - and got {token!r}. Use secrets.token_hex(8)."
        raise ValueError(message)


def _check_duration(name: str, milliseconds: int, longest: int) -> None:
    if not 1 <= milliseconds <= longest:
        message = f"{name} must be a number of milliseconds from 1 to {longest}, got {milliseconds!r}."
        raise ValueError(message)
