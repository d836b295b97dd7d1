"""How a read asks the store: one round trip when warm (design 3.2).

The vector is read *before* the database is asked, and a result is stored under the vector that was read then. A
write that happens in between gives the namespace a new generation, so what was computed from the old rows lies under
a vector that nobody will ever ask for again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genscache.keys import KeySpace
from genscache.protocol.memory import Memory
from genscache.protocol.steps import Steps
from genscache.stores.base import Ensure, Fetch, Put
from genscache.types import CounterState, Generation

LEASED = "a write on what it depends on is not settled yet"
NEWER = "what it depends on was invalidated after this transaction's snapshot began"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the entry's owner and fingerprint, and the counters that it depends on, in canonical order."""

    owner: str
    fingerprint: str
    counters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """The entry was there under a vector that the store confirmed."""

    key: str
    vector: tuple[Generation, ...]
    payload: bytes


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


def observe(
    counters: tuple[str, ...], *, entry: str | None = None
) -> Steps[tuple[tuple[CounterState, ...], bytes | None, bool]]:
    """Read the state of ``counters``, creating those that are absent and resolving leases that have run out.

    Returns:
        The states, the bytes under ``entry``, and whether the store had to change anything. A counter that had to be
        made or bumped has a generation under which nothing can have been stored yet.
    """
    fetched = yield from Fetch(counters, entry)
    needy = tuple(
        counter
        for counter, state in zip(counters, fetched.states, strict=True)
        if state is None or state.leased
    )
    if not needy:
        return tuple(state for state in fetched.states if state is not None), fetched.entry, False
    ensured = dict(zip(needy, (yield from Ensure(needy)), strict=True))
    states = tuple(
        ensured[counter] if state is None or state.leased else state
        for counter, state in zip(counters, fetched.states, strict=True)
    )
    return states, fetched.entry, True


def lookup(
    question: Question, keys: KeySpace, memory: Memory, *, not_after: Generation | None = None
) -> Steps[Hit | Miss | Bypass]:
    """Ask for one entry.

    Args:
        question: What is asked.
        keys: How keys are written.
        memory: What this process saw last; names the key to fetch together with the counters.
        not_after: The bump clock when the caller's snapshot began. A younger generation may belong to rows that the
            snapshot cannot see (design 3.5).
    """
    owner, fingerprint, counters = question.owner, question.fingerprint, question.counters
    expected = memory.expect(counters)
    expected_key = None if expected is None else keys.entry(owner, fingerprint, expected)
    states, payload, changed = yield from observe(counters, entry=expected_key)
    if any(state.leased for state in states):
        return Bypass(LEASED)
    vector = tuple(state.generation for state in states)
    memory.learn(counters, vector)
    if not_after is not None and any(generation > not_after for generation in vector):
        return Bypass(NEWER)
    key = keys.entry(owner, fingerprint, vector)
    if key != expected_key:
        # A lease that was resolved for the first time here cannot have an entry, but one that another reader
        # resolved a moment ago can; only an unchanged store makes the second fetch worth its round trip.
        payload = None if changed else (yield from Fetch((), key)).entry
    name = keys.entry(owner, fingerprint, ())
    known = memory.vector_of(name)
    memory.met(name, vector)
    if payload is not None:
        return Hit(key, vector, payload)
    return Miss(key, vector, _superseded(question, keys, known, vector))


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
