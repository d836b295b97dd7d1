"""One fill at a time between processes: a lock that ends by itself, and waiters with a bound."""

from __future__ import annotations

from genscache.keys import KeySpace
from genscache.protocol.memory import Memory
from genscache.protocol.read import Bypass, Hit, Miss, Question, lookup
from genscache.protocol.steps import Pause, Steps
from genscache.stores.base import Acquire, Release
from genscache.types import Generation

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.1


def contend(  # noqa: PLR0913 - what lookup takes, and the lock's own two words
    miss: Miss,
    question: Question,
    keys: KeySpace,
    memory: Memory,
    *,
    token: str,
    patience: float,
    not_after: Generation | None = None,
) -> Steps[Hit | Miss | Bypass]:
    """Take the lock of a missing entry, or wait until its holder has filled it.

    Waits ``patience`` seconds at most, counted in pauses; then the caller computes for itself, without the lock. A
    holder that died keeps nobody longer than that. Every look asks for the generations anew, so a waiter never
    takes a value that was invalidated while it waited.

    Returns:
        ``Miss``: compute. ``Hit``: somebody has filled it. ``Bypass``: a write came in between.
    """
    if (yield from Acquire(keys.lock(miss.key), token, round(patience * 1000))):
        return miss
    waited, pause = 0.0, FIRST_PAUSE
    outcome: Hit | Miss | Bypass = miss
    while waited < patience:
        yield from Pause(pause)
        waited, pause = waited + pause, min(pause * 2, LONGEST_PAUSE)
        outcome = yield from lookup(question, keys, memory, not_after=not_after)
        if not isinstance(outcome, Miss):
            break
        if (yield from Acquire(keys.lock(outcome.key), token, round(patience * 1000))):
            # The holder may have filled and left between our look and our lock.
            return (yield from lookup(question, keys, memory, not_after=not_after))
    return outcome


def leave(key: str, keys: KeySpace, *, token: str) -> Steps[None]:
    """Give back the lock of the entry ``key`` if ``token`` holds it."""
    yield from Release(keys.lock(key), token)
