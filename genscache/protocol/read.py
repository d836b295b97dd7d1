"""How a read asks the store: one round trip when warm (design 3.2).

The vector is read *before* the database is asked, and a result is stored under the vector that was read then. A
write that happens in between gives the namespace a new generation, so what was computed from the old rows lies under
a vector that nobody will ever ask for again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from genscache.keys import KeySpace
from genscache.protocol.expecting import Glance, glance
from genscache.protocol.memory import Copy, Memory
from genscache.protocol.steps import Steps
from genscache.stores.base import Ensure, Fetch, Put
from genscache.types import CounterState, Fetched, Generation

LEASED = "a write on what it depends on is not settled yet"
QUARANTINED = "the store has restarted or was flushed a moment ago, and leases may be lost"
NEWER = "what it depends on was invalidated after this transaction's snapshot began"


def why_leased(states: Iterable[CounterState]) -> str:
    """Return the reason for which nobody may serve or fill under ``states``, one of which has a lease."""
    return QUARANTINED if any(state.quarantined for state in states) else LEASED


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the entry's owner and fingerprint, and the counters that it depends on, in canonical order.

    The counters in ``brief`` serve this entry alone: one that has to be made lives for ``life`` milliseconds only.
    """

    owner: str
    fingerprint: str
    counters: tuple[str, ...]
    brief: tuple[str, ...] = ()
    life: int = 0


class Hit(NamedTuple):
    """The entry was there under a vector that the store confirmed.

    Attributes:
        key: Where it was.
        vector: The vector.
        payload: Its bytes; empty where there is a copy.
        copy: What this process has kept of an entry that is still the same.
        again: It was asked for before: a copy may be worth its room.
    """

    key: str
    vector: tuple[Generation, ...]
    payload: bytes
    copy: Copy | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing is stored under ``key``; a result computed from now on may be."""

    key: str
    vector: tuple[Generation, ...]
    superseded: str | None


@dataclass(frozen=True, slots=True)
class Bypass:
    """The cache may be neither used nor filled now."""

    reason: str


def observe(counters: tuple[str, ...]) -> Steps[tuple[CounterState, ...]]:
    """Read the state of ``counters``, creating those that are absent and resolving leases that have run out.

    Returns:
        The states at one moment.
    """
    states = _usable((yield from Fetch(counters)))
    return (yield from Ensure(counters)) if states is None else states


def _usable(fetched: Fetched) -> tuple[CounterState, ...] | None:
    """Return the states if all counters are there, and none has a lease."""
    found = []
    for state in fetched.states:
        if state is None or state.leased:
            return None
        found.append(state)
    return tuple(found)


def lookup(
    question: Question,
    keys: KeySpace,
    memory: Memory,
    *,
    not_after: Generation | None = None,
    asked: tuple[Glance, Fetched | None] | None = None,
) -> Steps[Hit | Miss | Bypass]:
    """Ask for one entry.

    Args:
        question: What is asked.
        keys: How keys are written.
        memory: What this process saw last; names the key to fetch together with the counters.
        not_after: The bump clock when the caller's snapshot began. A younger generation may belong to rows that the
            snapshot cannot see (design 3.5).
        asked: The first fetch, where that is known already, and what it was answered, where it was asked.
    """
    first, fetched = asked or (glance(question, keys, memory), None)
    states, changed = None, False
    if first.expected.key is None:
        # This process does not know all counters, and most often that is because one of them is not there yet.
        states = yield from Ensure(question.counters, question.brief, question.life)
        changed = True in [state.fresh for state in states]
    else:
        fetched = fetched or (yield from first.fetch)
        found = known_answer(question, keys, memory, first, fetched, not_after)
        if found is not None:
            return found
        if first.copy is not None:
            # Not the same any more, or under a vector that is over.
            memory.copies.drop(first.expected.key)
        states = _usable(fetched)
    if states is None:
        # All of them again, and not the entry: a write may have been settled since, with a bump of one counter and
        # without one of another, and the two moments together would be a vector that never was.
        states, changed = (yield from Ensure(question.counters, question.brief, question.life)), True
    if True in [state.leased for state in states]:
        return Bypass(why_leased(states))
    vector = tuple([state.generation for state in states])
    if vector != first.expected.vector:
        memory.learn(question.counters, vector)
    if not_after is not None and any(generation > not_after for generation in vector):
        return Bypass(NEWER)
    key = keys.entry(question.owner, question.fingerprint, vector)
    # After a second step there is most often nothing yet, and a third round trip is not worth the try; and what was
    # asked for whole, under this very vector, is not there.
    payload = None
    if not changed and (key != first.expected.key or first.copy is not None):
        payload = yield from _entry(key, question.counters, states, exact=not_after is not None)
    return _outcome(question, keys, memory, key, vector, payload)


def _outcome(
    question: Question,
    keys: KeySpace,
    memory: Memory,
    key: str,
    vector: tuple[Generation, ...],
    payload: bytes | None,
) -> Hit | Miss:
    """Remember that the entry was met under a vector, and return what was found there."""
    name = keys.entry(question.owner, question.fingerprint, ())
    known = memory.vector_of(name)
    if known != vector:
        memory.met(name, vector)
    if payload is not None:
        return Hit(key, vector, payload)
    return Miss(key, vector, _superseded(question, keys, known, vector))


def known_answer(
    question: Question,
    keys: KeySpace,
    memory: Memory,
    first: Glance,
    fetched: Fetched,
    not_after: Generation | None,
) -> Hit | Bypass | None:
    """Return what the first fetch tells by itself, which is a hit most often; ``None``: there is more to ask."""
    expected, copy = first
    if not expected.is_met(fetched):
        return None
    there = fetched.entry is not None if copy is None else fetched.same
    if not there or expected.key is None or expected.vector is None:
        return None
    if not_after is not None and expected.newest > not_after:
        return Bypass(NEWER)
    if not expected.met:
        memory.met(keys.entry(question.owner, question.fingerprint, ()), expected.vector)
        expected.met = True
    return Hit(expected.key, expected.vector, fetched.entry or b"", copy, expected.again)


def _entry(
    key: str, counters: tuple[str, ...], states: tuple[CounterState, ...], *, exact: bool
) -> Steps[bytes | None]:
    """Read an entry after its vector.

    In between, a reader that has the same vector may have queried after a COMMIT that is not settled yet, and filled:
    rows that are younger than the vector tells. That is as good as a hit, but not inside a snapshot (``exact``), which
    would be shown more than it may see: there the counters must still be as they were, and without a lease.
    """
    fetched = yield from Fetch(counters if exact else (), key)
    return fetched.entry if not exact or fetched.states == states else None


def fill(
    key: str, payload: bytes, ttl: int, *, superseded: str | None, hint: tuple[str, bytes] | None = None
) -> Steps[None]:
    """Store a payload for ``ttl`` milliseconds under the key that was made before the database was asked.

    The entry that it supersedes goes in the same round trip, and so does ``hint``, which tells other processes what
    the entry depends on.
    """
    items = ((key, payload),) if hint is None else ((key, payload), hint)
    yield from Put(items, ttl, () if superseded is None else (superseded,))


def _superseded(
    question: Question, keys: KeySpace, known: Sequence[Generation] | None, vector: Sequence[Generation]
) -> str | None:
    """Return the key of the entry that a fill makes garbage: one that this process has met, under an older vector."""
    if known is None or known == vector or len(known) != len(vector):
        return None
    # Another thread may have met a younger vector than ours: its entry is alive, ours will be the garbage.
    if any(old > new for old, new in zip(known, vector, strict=True)):
        return None
    return keys.entry(question.owner, question.fingerprint, known)
