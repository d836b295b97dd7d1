"""One fill at a time between processes: a lock that ends by itself, and waiters with a bound."""

from __future__ import annotations

from collections.abc import Callable

from genscache.keys import KeySpace
from genscache.protocol.read import Bypass, Hit, Miss
from genscache.protocol.steps import Pause, Steps
from genscache.stores.base import Acquire, Release

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.1


def contend(
    miss: Miss,
    look: Callable[[], Steps[Hit | Miss | Bypass]],
    keys: KeySpace,
    *,
    token: str,
    patience: float,
) -> Steps[tuple[Hit | Miss | Bypass, str | None]]:
    """Take the lock of a missing entry, or wait until its holder has filled it.

    Waits ``patience`` seconds at most, counted in pauses; then the caller computes for itself, without the lock. A
    holder that died keeps nobody longer than that. Every look asks for the generations anew, so a waiter never
    takes a value that was invalidated while it waited.

    Args:
        miss: What the caller has found.
        look: Asks for the entry again.
        keys: How keys are written.
        token: Unique for this caller.
        patience: Seconds; also the life of the lock.

    Returns:
        ``Miss``: compute. ``Hit``: somebody has filled it. ``Bypass``: a write came in between. And the key of the
        entry whose lock the caller now holds, ``None`` if it holds none.
    """
    outcome: Hit | Miss | Bypass = miss
    waited, pause = 0.0, FIRST_PAUSE
    while isinstance(outcome, Miss):
        if (yield from Acquire(keys.lock(outcome.key), token, round(patience * 1000))):
            # The holder may have filled and left between our look and our lock.
            return (yield from look()), outcome.key
        if waited >= patience:
            break
        yield from Pause(pause)
        waited, pause = waited + pause, min(pause * 2, LONGEST_PAUSE)
        outcome = yield from look()
    return outcome, None


def leave(key: str, keys: KeySpace, *, token: str) -> Steps[None]:
    """Give back the lock of the entry ``key`` if ``token`` holds it."""
    yield from Release(keys.lock(key), token)
