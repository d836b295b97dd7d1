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
from genscache.exceptions import StoreError
from genscache.filling import Filler, Job, Raised, read_hint
from genscache.flights import AsyncFlight, AsyncFlights, Flight, Flights, Shared
from genscache.guards import Decision
from genscache.keys import Namespace
from genscache.protocol import lock, write
from genscache.protocol.expecting import Glance, glance
from genscache.protocol.read import Bypass, Hit, Miss, Question, known_answer, lookup
from genscache.protocol.steps import Local, Steps
from genscache.serving import Serving, canonical_order
from genscache.stores.base import Fetch
from genscache.transactions import open_transactions
from genscache.types import MISSING, Fetched, Mode

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


class First:
    """The first fetch of a read that has asked without generators, to be gone on from.

    Attributes:
        namespaces: What the call is thought to depend on.
        decision: What the guards allowed.
        question: What was asked.
        look: How.
        moment: On the flights' clock, before it was asked.
        fetched: The answer, once there is one.
    """

    __slots__ = ("decision", "fetched", "look", "moment", "namespaces", "question")

    def __init__(
        self,
        namespaces: tuple[Namespace, ...],
        decision: Decision,
        question: Question,
        look: Glance,
        moment: int,
    ) -> None:
        self.namespaces = namespaces
        self.decision = decision
        self.question = question
        self.look = look
        self.moment = moment
        self.fetched: Fetched | None = None


def read(job: Job, *, fresh: bool = False) -> object:
    """Answer a call in this thread.

    Args:
        job: The call.
        fresh: Compute even where there is an entry, and replace it.
    """
    engine = job.engine
    reader = Reader(job, engine.flights)
    fetch = None if fresh else reader.glance()
    steps: Steps[object] | None = None
    if reader.again is not MISSING:
        return reader.again
    if fetch is not None:
        try:
            found = reader.seen(engine.store.execute(fetch))
        except StoreError as error:
            # Run below: what the function raises has nothing to do with this error.
            steps = reader.failed(error)
        else:
            if found is not MISSING:
                return found
    return _unwrapped(engine.run(steps or reader.answer(fresh=fresh)))


async def aread(job: Job, *, fresh: bool = False) -> object:
    """Answer a call in a coroutine, as ``read`` does."""
    engine = job.engine
    reader = Reader(job, engine.async_flights)
    fetch = None if fresh else reader.glance()
    steps: Steps[object] | None = None
    if reader.again is not MISSING:
        return reader.again
    if fetch is not None:
        try:
            found = reader.seen(await engine.async_store.execute(fetch))
        except StoreError as error:
            steps = reader.failed(error)
        else:
            if found is not MISSING:
                return found
    return _unwrapped(await engine.arun(steps or reader.answer(fresh=fresh)))


def _unwrapped(result: object) -> object:
    if isinstance(result, Raised):
        raise result.error
    return result


class Reader(Serving):
    """Answers one call.

    Args:
        job: The call, and how to compute it.
        joined: The fills under way, which the call may join.

    Attributes:
        again: What ``snapshot()`` has kept of the answer, ``MISSING`` for nothing.
    """

    def __init__(self, job: Job, joined: Flights | AsyncFlights) -> None:
        super().__init__(job)
        self._flights = joined
        self._first: First | None = None
        self.again: object = MISSING

    # -- a hit, for which no generators are needed

    def glance(self) -> Fetch | None:
        """Return the one question that a hit takes; ``None`` where there is more to do than to ask it."""
        job, engine = self._job, self._engine
        call = job.call
        if call.forbidden or job.ttl <= 0 or engine.unsettled:
            return None
        found = engine.dependencies.get(call.identity)
        if found is None and job.identity.discover:
            return None
        namespaces = (*call.known, *found) if found else call.known
        decision = self._decision = guards.decide(engine, namespaces)
        if decision.mode is Mode.BYPASS:
            return None
        if self._snapshot is not None and self._may_repeat(decision):
            self.again = self._snapshot.again(engine, call.identity, namespaces)
            if self.again is not MISSING:
                engine.hub.hit(job.path)
                return None
        moment = self._flights.now()
        question = job.identity.question(engine, call, namespaces)
        look = glance(question, engine.keys, engine.memory)
        self._first = First(namespaces, decision, question, look, moment)
        return None if look.expected.key is None else look.fetch

    def seen(self, fetched: Fetched) -> object:
        """Return the value if the answer to ``glance`` is a hit; ``MISSING``: ``answer`` is to go on from there."""
        first, engine = cast("First", self._first), self._engine
        first.fetched = fetched
        hit = known_answer(
            first.question, engine.keys, engine.memory, first.look, fetched, first.decision.not_after
        )
        if type(hit) is not Hit or engine.settings.audit or auditing.everywhere():
            return MISSING
        found = self._value(hit)
        if isinstance(found, Unreadable):
            return MISSING
        return self._served(found, first.namespaces, hit.vector)

    def failed(self, error: StoreError) -> Steps[object]:
        """Do without the store, which could not be asked."""
        return (yield from self._bypass(self._without_store(error).reason))

    def _without_store(self, error: StoreError) -> Bypass:
        self._engine.trouble(error, f"{self._job.path} asks the database")
        return Bypass(NO_STORE)

    # -- everything

    def answer(self, *, fresh: bool = False, joins: int = MOST_JOINS) -> Steps[object]:
        """Answer from the store, or compute and store.

        Args:
            fresh: Compute even where there is an entry, and replace it.
            joins: How often to wait for somebody else's fill before computing.
        """
        yield from self._pay_debts()
        moment = self._flights.now() if self._first is None else self._first.moment
        try:
            asked = yield from self._ask()
        except StoreError as error:
            asked = self._without_store(error)
        if isinstance(asked, Bypass):
            return (yield from self._bypass(asked.reason))
        if isinstance(asked.outcome, Hit) and not fresh:
            found = self._decode(asked.outcome)
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
            return (yield from self._fill(filler))[0]
        return (yield from self._together(filler, moment, joins))

    def _ask(self) -> Steps[Asked | Bypass]:
        """Find out what the call depends on, whether the cache may be used, and what it has."""
        job, first = self._job, self._first
        if first is not None:
            # Found out a moment ago, for the first fetch.
            self._first = None
            ordered = (
                job.call.ordered if first.namespaces is job.call.known else canonical_order(first.namespaces)
            )
            outcome = yield from self._lookup(first.question, first.decision, (first.look, first.fetched))
            return outcome if isinstance(outcome, Bypass) else Asked(ordered, first.decision, outcome)
        reason = job.call.forbidden or (NO_TIME if job.ttl <= 0 else "")
        decision = guards.decide(self._engine, job.call.known)
        if reason or decision.mode is Mode.BYPASS:
            return Bypass(reason or decision.reason)
        found = self._engine.dependencies.get(job.call.identity)
        if found is None and job.identity.discover:
            found = read_hint(job, (yield from Fetch((), job.hint)).entry)
        if found:
            namespaces = (*job.call.known, *found)
            ordered = canonical_order(namespaces)
            decision = guards.decide(self._engine, namespaces)
            if decision.mode is Mode.BYPASS:
                return Bypass(decision.reason)
        else:
            namespaces, ordered = job.call.known, job.call.ordered
        question = job.identity.question(self._engine, job.call, namespaces)
        self._decision = decision
        outcome = yield from self._lookup(question, decision)
        return outcome if isinstance(outcome, Bypass) else Asked(ordered, decision, outcome)

    def _lookup(
        self, question: Question, decision: Decision, asked: tuple[Glance, Fetched | None] | None = None
    ) -> Steps[Hit | Miss | Bypass]:
        engine = self._engine
        return lookup(question, engine.keys, engine.memory, not_after=decision.not_after, asked=asked)

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
                result, shared = yield from self._fill(filler)
            return result
        finally:
            flight.land(shared)

    def _fill(self, filler: Filler) -> Steps[tuple[object, Shared]]:
        """Compute and store, and keep what was stored."""
        result, shared = yield from filler.fill()
        if shared is not None:
            self._repeatable(shared)
        return result, shared

    def _follow(self, flight: Flight | AsyncFlight, filler: Filler, joins: int) -> Steps[object]:
        """Wait for the leader's result; compute where it has none to share."""
        # Inside a transaction this caller may hold rows that the leader waits for.
        if not any(True for _ in open_transactions()):
            shared: Shared = yield Wait(flight)
            if shared is not None and shared[0] != filler.miss.key:
                # The leader found more dependencies than were known. This caller has not read their generations, so
                # they may have been bumped after the leader's queries and before this caller began: ask for them.
                return (yield from self.answer(joins=joins - 1))
            found = None if shared is None else self._decode(Hit(shared[0], (), shared[1]))
            if shared is not None and not isinstance(found, Unreadable):
                return self._served(found, filler.namespaces, filler.miss.vector)
        return (yield from self._fill(filler))[0]

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
            return (yield from self._fill(filler))
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
            found = self._decode(outcome)
            if not isinstance(found, Unreadable):
                served = self._served(found, filler.namespaces, outcome.vector)
                # Who waits has no use for a copy of this reader's.
                return served, (outcome.key, outcome.payload) if outcome.copy is None else None
        filler.miss = _miss(outcome)
        return (yield from self._fill(filler))

    def _unlock(self, key: str, token: str) -> Steps[None]:
        try:
            yield from lock.leave(key, self._engine.keys, token=token)
        except StoreError as error:
            self._engine.trouble(error, "a lock is left to end by itself")

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


def _miss(outcome: Hit | Miss) -> Miss:
    """Return the miss that an entry to be replaced, or an unreadable one, amounts to."""
    return outcome if isinstance(outcome, Miss) else Miss(outcome.key, outcome.vector, None)
