"""How a call of a cached function is answered: written once, for threads and for coroutines.

``answer`` yields store operations and the few steps that differ between the two kinds (calling the function, waiting
for somebody else's fill); ``protocol.steps`` drives it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import cast

from genscache import auditing, flights, guards
from genscache.codec import Unreadable
from genscache.engine import Engine
from genscache.events import Read
from genscache.exceptions import StoreError
from genscache.filling import Filler, Job, read_hint
from genscache.flights import AsyncFlight, AsyncFlights, Flight, Flights, Shared
from genscache.guards import Decision
from genscache.keys import Namespace
from genscache.protocol import lock, write
from genscache.protocol.read import Bypass, Hit, Miss, Question, lookup
from genscache.protocol.steps import Local, Steps
from genscache.recording import current_recording
from genscache.stores.base import Fetch
from genscache.transactions import open_transactions
from genscache.types import Generation, Mode

LOCK_PATIENCE = 10.0
"""Seconds that other processes wait for the one that fills, with ``lock=True``."""

MOST_JOINS = 2
"""How often a caller waits for somebody else's fill, before it computes for itself."""

NO_TIME = "its timeout is 0"
NO_STORE = "the store failed"


@dataclass(frozen=True, slots=True)
class Wait(Local[Shared]):
    """Wait for the leader of a flight."""

    flight: Flight | AsyncFlight

    def perform(self) -> Shared:
        """Wait in this thread."""
        return cast("Shared", self.flight.wait())

    async def aperform(self) -> Shared:
        """Await it."""
        return await cast("Awaitable[Shared]", self.flight.wait())


@dataclass(frozen=True, slots=True)
class Asked:
    """What the store has for a call.

    Attributes:
        namespaces: What the call is thought to depend on.
        decision: What the guards allow.
        outcome: The answer.
    """

    namespaces: tuple[Namespace, ...]
    decision: Decision
    outcome: Hit | Miss


class Reader:
    """Answers one call.

    Args:
        job: The call, and how to compute it.
        joined: The fills under way, which the call may join.
    """

    def __init__(self, job: Job, joined: Flights | AsyncFlights) -> None:
        self._job = job
        self._engine = job.engine
        self._flights = joined

    def answer(self, *, fresh: bool = False, joins: int = MOST_JOINS) -> Steps[object]:
        """Answer from the store, or compute and store.

        Args:
            fresh: Compute even where there is an entry, and replace it.
            joins: How often to wait for somebody else's fill before computing.
        """
        yield from self._pay_debts()
        moment = self._flights.now()
        try:
            asked = yield from self._ask()
        except StoreError as error:
            self._engine.trouble(error, f"{self._job.path} asks the database")
            asked = Bypass(NO_STORE)
        if isinstance(asked, Bypass):
            return (yield from self._bypass(asked.reason))
        if isinstance(asked.outcome, Hit) and not fresh:
            found = self._decode(asked.outcome.key, asked.outcome.payload)
            if not isinstance(found, Unreadable):
                if auditing.chosen(self._job):
                    yield from auditing.audit(
                        self._job, auditing.Served(found, asked.namespaces, asked.outcome)
                    )
                return self._served(found, asked.namespaces, asked.outcome.vector)
        if asked.decision.mode is Mode.READ_ONLY:
            return (yield from self._bypass(asked.decision.reason))
        filler = Filler(self._job, asked.namespaces, _miss(asked.outcome))
        if fresh or not joins or flights.leads():
            return (yield from filler.fill())[0]
        return (yield from self._together(filler, moment, joins))

    def _ask(self) -> Steps[Asked | Bypass]:
        """Find out what the call depends on, whether the cache may be used, and what it has."""
        job = self._job
        reason = job.call.forbidden or (NO_TIME if job.ttl <= 0 else "")
        decision = guards.decide(self._engine, job.call.known)
        if reason or decision.mode is Mode.BYPASS:
            return Bypass(reason or decision.reason)
        found = self._engine.dependencies.get(job.call.identity)
        if found is None and job.identity.discover:
            found = read_hint(job, (yield from Fetch((), job.hint)).entry)
        if found:
            namespaces = (*job.call.known, *found)
            ordered = tuple(sorted(set(namespaces)))
            decision = guards.decide(self._engine, namespaces)
            if decision.mode is Mode.BYPASS:
                return Bypass(decision.reason)
        else:
            namespaces, ordered = job.call.known, job.call.ordered
        question = job.identity.question(self._engine, job.call, namespaces)
        outcome = yield from self._lookup(question, decision.not_after)
        if isinstance(outcome, Bypass):
            return outcome
        return Asked(ordered, decision, outcome)

    def _lookup(self, question: Question, not_after: Generation | None) -> Steps[Hit | Miss | Bypass]:
        return lookup(question, self._engine.keys, self._engine.memory, not_after=not_after)

    def _together(self, filler: Filler, moment: int, joins: int) -> Steps[object]:
        """Fill, or wait for whoever fills the same key in this process."""
        flight, leads = self._flights.join(filler.miss.key, moment)
        if flight is None:
            return (yield from self.answer(joins=joins - 1))
        if not leads:
            return (yield from self._follow(flight, filler, joins))
        shared: Shared = None
        try:
            if self._job.identity.lock:
                result, shared = yield from self._locked(filler)
            else:
                result, shared = yield from filler.fill()
            return result
        finally:
            flight.land(shared)

    def _follow(self, flight: Flight | AsyncFlight, filler: Filler, joins: int) -> Steps[object]:
        """Wait for the leader's result; compute where it has none to share."""
        # Inside a transaction this caller may hold rows that the leader waits for.
        if not any(True for _ in open_transactions()):
            shared: Shared = yield Wait(flight)
            if shared is not None and shared[0] != filler.miss.key:
                # The leader found more dependencies than were known. This caller has not read their generations, so
                # they may have been bumped after the leader's queries and before this caller began: ask for them.
                return (yield from self.answer(joins=joins - 1))
            found = None if shared is None else self._decode(*shared)
            if shared is not None and not isinstance(found, Unreadable):
                return self._served(found, filler.namespaces, filler.miss.vector)
        return (yield from filler.fill())[0]

    def _locked(self, filler: Filler) -> Steps[tuple[object, Shared]]:
        """Fill, or wait for whoever fills the same key in another process."""
        engine, token = self._engine, self._engine.token()
        try:
            outcome, locked = yield from lock.contend(
                filler.miss,
                lambda: self._look_again(filler),
                engine.keys,
                token=token,
                patience=LOCK_PATIENCE,
            )
        except StoreError as error:
            engine.trouble(error, f"{self._job.path} fills without its lock")
            return (yield from filler.fill())
        closing = False
        try:
            return (yield from self._after_lock(filler, outcome))
        except GeneratorExit:
            # Nothing may be yielded any more; the lock ends by itself.
            closing = True
            raise
        finally:
            if not closing and locked is not None:
                yield from self._unlock(locked, token)

    def _look_again(self, filler: Filler) -> Steps[Hit | Miss | Bypass]:
        """Ask anew, also for what the holder of the lock has found out about dependencies."""
        asked = yield from self._ask()
        if isinstance(asked, Bypass):
            return asked
        filler.namespaces = asked.namespaces
        return asked.outcome

    def _after_lock(self, filler: Filler, outcome: Hit | Miss | Bypass) -> Steps[tuple[object, Shared]]:
        """Do what the lock or the wait for it has led to."""
        if isinstance(outcome, Bypass):
            return (yield from self._bypass(outcome.reason)), None
        if isinstance(outcome, Hit):
            found = self._decode(outcome.key, outcome.payload)
            if not isinstance(found, Unreadable):
                served = self._served(found, filler.namespaces, outcome.vector)
                return served, (outcome.key, outcome.payload)
        filler.miss = _miss(outcome)
        return (yield from filler.fill())

    def _unlock(self, key: str, token: str) -> Steps[None]:
        try:
            yield from lock.leave(key, self._engine.keys, token=token)
        except StoreError as error:
            self._engine.trouble(error, "a lock is left to end by itself")

    def _bypass(self, reason: str) -> Steps[object]:
        """Compute and store nothing, here or in the cached function that called this one."""
        if self._job.identity.transparent:
            self._engine.hub.send(Read(self._job.path, "bypass", reason))
        else:
            note_bypass(self._engine, self._job.path, reason)
        return (yield self._job.compute)

    def _decode(self, key: str, payload: bytes) -> object:
        """Return the value, or ``Unreadable``, which is a miss."""
        found = self._engine.codec.decode(payload, key=key)
        if isinstance(found, Unreadable):
            self._engine.hub.survived("unreadable entry", f"{key}: {found.reason}")
        return found

    def _served(
        self, found: object, namespaces: tuple[Namespace, ...], vector: tuple[Generation, ...]
    ) -> object:
        """Count a hit and return it; a cached function around this one depends on what it depended on."""
        self._engine.hub.hit(self._job.path)
        outer = current_recording()
        if outer is not None:
            outer.absorb(dict(zip(namespaces, vector, strict=True)))
        return found

    def _pay_debts(self) -> Steps[None]:
        """Deliver bumps that are owed, if it is time to try."""
        attempt = {} if self._engine.breaker.outage else self._engine.unsettled.due()
        if attempt:
            try:
                yield from write.bump(tuple(attempt))
            except StoreError as error:
                self._engine.trouble(error, f"{len(attempt)} bumps are still owed")
            else:
                self._engine.unsettled.delivered(attempt)


def note_bypass(engine: Engine, path: str, reason: str) -> None:
    """Count a bypass; the cached function around it has read what nobody vouches for, and is not stored either."""
    if reason == guards.SHADOW:
        return
    engine.hub.send(Read(path, "bypass", reason))
    outer = current_recording()
    if outer is not None:
        outer.spoil(reason)


def _miss(outcome: Hit | Miss) -> Miss:
    """Return the miss that an entry to be replaced, or an unreadable one, amounts to."""
    return outcome if isinstance(outcome, Miss) else Miss(outcome.key, outcome.vector, None)
