"""How a call of a cached function is answered: written once, for threads and for coroutines.

``answer`` yields store operations and the few steps that differ between the two kinds (calling the function, waiting
for somebody else's fill); ``protocol.steps`` drives it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias, cast

from genscache import flights, guards
from genscache.codec import Unreadable
from genscache.engine import Engine
from genscache.events import Filled, Read
from genscache.exceptions import StoreError
from genscache.flights import AsyncFlight, Flight, Shared
from genscache.functions import Call, Identity
from genscache.keys import Kind, Namespace
from genscache.protocol import lock, write
from genscache.protocol.read import Bypass, Hit, Miss, Question, fill, lookup
from genscache.protocol.steps import Local, Steps
from genscache.recording import Recording, current_recording, record
from genscache.stores.base import Fetch
from genscache.types import Generation, Mode

LOCK_PATIENCE = 10.0
"""Seconds that other processes wait for the one that fills, with ``lock=True``."""

TOO_LARGE = 'its result is larger than GENSCACHE["MAX_ENTRY_BYTES"]'
NO_TIME = "its timeout is 0"
NO_STORE = "the store failed"
"""Reasons that count under one name each, whatever the details."""


@dataclass(frozen=True, slots=True)
class Raised:
    """What the function raised: handed through the steps as a value, so that StopIteration survives them, too."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Compute(Local[object]):
    """Call the function; the answer is its result or ``Raised``."""

    function: Callable[[], object]

    def perform(self) -> object:
        """Call it in this thread."""
        try:
            return self.function()
        except BaseException as error:  # noqa: BLE001 - raised again at the end of the steps
            return Raised(error)

    async def aperform(self) -> object:
        """Call it and await it."""
        try:
            return await cast("Awaitable[object]", self.function())
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001
            return Raised(error)


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


Join: TypeAlias = Callable[[str], "tuple[Flight | AsyncFlight, bool]"]


class Reader:
    """Answers one call.

    Args:
        engine: The engine.
        identity: The function as the store knows it.
        call: The call.
        compute: Calls the function itself.
        join: Joins or starts the flight of a key; returns it and whether the caller leads.
    """

    def __init__(
        self,
        engine: Engine,
        identity: Identity,
        call: Call,
        compute: Callable[[], object],
        join: Join,
    ) -> None:
        self._engine = engine
        self._identity = identity
        self._call = call
        self._compute = Compute(compute)
        self._join = join
        self._discover = identity.options.discover
        timeout = identity.options.timeout
        self._ttl = round((engine.settings.timeout if timeout is None else timeout) * 1000)

    def answer(self, *, fresh: bool = False) -> Steps[object]:
        """Answer from the store, or compute and store.

        Args:
            fresh: Compute even where there is an entry, and replace it.
        """
        yield from self._pay_debts()
        try:
            namespaces = yield from self._namespaces()
            decision = guards.decide(self._engine, namespaces)
            reason = self._call.forbidden or (NO_TIME if self._ttl <= 0 else "")
            if reason or decision.mode is Mode.BYPASS:
                return (yield from self._bypass(reason or decision.reason))
            question = self._identity.question(self._engine, self._call, namespaces)
            outcome = yield from self._lookup(question, decision.not_after)
        except StoreError as error:
            self._engine.trouble(error, f"{self._identity.path} asks the database")
            return (yield from self._bypass(NO_STORE))
        if isinstance(outcome, Bypass):
            return (yield from self._bypass(outcome.reason))
        if isinstance(outcome, Hit) and not fresh:
            found = self._decode(outcome.key, outcome.payload)
            if not isinstance(found, Unreadable):
                self._served(namespaces, outcome.vector)
                return found
        miss = Miss(outcome.key, outcome.vector, outcome.superseded if isinstance(outcome, Miss) else None)
        if decision.mode is Mode.READ_ONLY:
            return (yield from self._bypass(decision.reason))
        filler = _Filler(self._engine, self._identity, self._call, self._compute, self._ttl, namespaces, miss)
        if fresh or flights.leads():
            result, _ = yield from filler.fill()
            return result
        return (yield from self._together(filler, question, decision.not_after))

    def _lookup(self, question: Question, not_after: Generation | None) -> Steps[Hit | Miss | Bypass]:
        return lookup(question, self._engine.keys, self._engine.memory, not_after=not_after)

    def _together(self, filler: _Filler, question: Question, not_after: Generation | None) -> Steps[object]:
        """Fill, or wait for whoever fills the same key in this process."""
        flight, leads = self._join(filler.miss.key)
        if not leads:
            shared = None if any(True for _ in guards.open_transactions()) else (yield Wait(flight))
            found = None if shared is None else self._decode(*shared)
            if shared is not None and not isinstance(found, Unreadable):
                self._served(filler.namespaces, filler.miss.vector)
                return found
            result, _ = yield from filler.fill()
            return result
        shared = None
        try:
            with flights.leadership():
                if self._identity.options.lock:
                    result, shared = yield from self._locked(filler, question, not_after)
                else:
                    result, shared = yield from filler.fill()
            return result
        finally:
            flight.land(shared)

    def _locked(
        self, filler: _Filler, question: Question, not_after: Generation | None
    ) -> Steps[tuple[object, Shared]]:
        """Fill, or wait for whoever fills the same key in another process."""
        engine, token = self._engine, self._engine.token()
        try:
            outcome = yield from lock.contend(
                filler.miss,
                question,
                engine.keys,
                engine.memory,
                token=token,
                patience=LOCK_PATIENCE,
                not_after=not_after,
            )
        except StoreError as error:
            engine.trouble(error, f"{self._identity.path} fills without its lock")
            return (yield from filler.fill())
        closing = False
        try:
            return (yield from self._after_lock(filler, outcome))
        except GeneratorExit:
            # Nothing may be yielded any more; the lock ends by itself.
            closing = True
            raise
        finally:
            if not closing:
                yield from self._unlock(outcome, token)

    def _after_lock(self, filler: _Filler, outcome: Hit | Miss | Bypass) -> Steps[tuple[object, Shared]]:
        """Do what the lock or the wait for it has led to."""
        if isinstance(outcome, Bypass):
            return (yield from self._bypass(outcome.reason)), None
        if isinstance(outcome, Hit):
            found = self._decode(outcome.key, outcome.payload)
            if not isinstance(found, Unreadable):
                self._served(filler.namespaces, outcome.vector)
                return found, (outcome.key, outcome.payload)
            outcome = Miss(outcome.key, outcome.vector, None)
        filler.miss = outcome
        return (yield from filler.fill())

    def _unlock(self, outcome: Hit | Miss | Bypass, token: str) -> Steps[None]:
        if isinstance(outcome, Bypass):
            return
        try:
            yield from lock.leave(outcome.key, self._engine.keys, token=token)
        except StoreError as error:
            self._engine.trouble(error, "a lock is left to end by itself")

    def _namespaces(self) -> Steps[tuple[Namespace, ...]]:
        """Return what the call depends on, as far as it is known before it runs."""
        known = (*self._call.base, *self._call.declared)
        hint = self._engine.keys.hint(self._identity.path, self._call.digest)
        found = self._engine.dependencies.get(hint)
        if found is None and self._discover and self._engine.settings.enabled:
            found = self._hinted(hint, (yield from Fetch((), hint)).entry)
        return (*known, *(found or ()))

    def _hinted(self, hint: str, data: bytes | None) -> tuple[Namespace, ...] | None:
        """Read what another process found the call to depend on. A wrong hint costs a miss: it is part of the key."""
        names = None if data is None else self._engine.codec.decode(data, key=hint)
        if not isinstance(names, tuple):
            return None
        try:
            found = tuple(Namespace(Kind(kind), owner, detail) for kind, owner, detail in names)
        except (TypeError, ValueError):
            # Another release names kinds that this one does not know.
            return None
        self._engine.dependencies.put(hint, found)
        return found

    def _bypass(self, reason: str) -> Steps[object]:
        """Compute and store nothing, here or in the cached function that called this one."""
        self._engine.hub.send(Read(self._identity.path, "bypass", reason))
        outer = current_recording()
        if outer is not None:
            outer.spoil(reason)
        return (yield self._compute)

    def _decode(self, key: str, payload: bytes) -> object:
        """Return the value, or ``Unreadable``, which is a miss."""
        found = self._engine.codec.decode(payload, key=key)
        if isinstance(found, Unreadable):
            self._engine.hub.survived("unreadable entry", f"{key}: {found.reason}")
        return found

    def _served(self, namespaces: Iterable[Namespace], vector: tuple[Generation, ...]) -> None:
        """Count a hit; a cached function around this one depends on what it depended on."""
        self._engine.hub.send(Read(self._identity.path, "hit"))
        outer = current_recording()
        if outer is not None:
            outer.absorb(dict(zip(sorted(set(namespaces)), vector, strict=True)))

    def _pay_debts(self) -> Steps[None]:
        """Deliver bumps that are owed, if it is time to try."""
        engine = self._engine
        attempt = engine.unsettled.due()
        if not attempt:
            return
        try:
            yield from write.bump(tuple(attempt))
        except StoreError as error:
            engine.trouble(error, f"{len(attempt)} bumps are still owed")
        else:
            engine.unsettled.delivered(attempt)


class _Filler:
    """Computes a call and stores its result under the vector that was read before."""

    def __init__(  # noqa: PLR0913 - the state of one read
        self,
        engine: Engine,
        identity: Identity,
        call: Call,
        compute: Compute,
        ttl: int,
        namespaces: tuple[Namespace, ...],
        miss: Miss,
    ) -> None:
        self._engine = engine
        self._identity = identity
        self._call = call
        self._compute = compute
        self._ttl = ttl
        self.namespaces = namespaces
        self.miss = miss

    def fill(self) -> Steps[tuple[object, Shared]]:
        """Compute and store; return the result, and the key and payload if others may be given it."""
        vector = dict(zip(sorted(set(self.namespaces)), self.miss.vector, strict=True))
        recording = Recording(vector, discover=self._identity.options.discover)
        recording.use((*self._call.base, *self._call.declared))
        with record(recording):
            result = yield self._compute
            if not isinstance(result, Raised):
                recording.spoil(guards.may_fill())
        path = self._identity.path
        if isinstance(result, Raised):
            return result, None
        self._engine.hub.send(Read(path, "miss", recording.flaw))
        if recording.flaw:
            return result, None
        key, superseded = self._place(recording)
        payload = self._engine.codec.encode(result, key=key)
        if len(payload) > self._engine.settings.max_entry_bytes:
            self._engine.hub.survived("not stored", f"{path}: {TOO_LARGE} ({len(payload)} bytes)")
            return result, None
        try:
            yield from fill(key, payload, self._ttl, superseded=superseded, hint=self._hint(recording))
        except StoreError as error:
            self._engine.trouble(error, f"the result of {path} is not stored")
        else:
            self._engine.hub.send(Filled(path, len(payload), self._ttl))
        return result, (key, payload)

    def _place(self, recording: Recording) -> tuple[str, str | None]:
        """Return the key to store under, and the one that it supersedes."""
        if recording.used.keys() == set(self.namespaces):
            return self.miss.key, self.miss.superseded
        # It depended on other things than was thought: another entry, under generations that were read in time.
        question = self._identity.question(self._engine, self._call, recording.used)
        vector = tuple(recording.used[each] for each in sorted(recording.used))
        keys = self._engine.keys
        self._engine.memory.learn(question.counters, vector)
        self._engine.memory.met(keys.entry(question.owner, question.fingerprint, ()), vector)
        return keys.entry(question.owner, question.fingerprint, vector), None

    def _hint(self, recording: Recording) -> tuple[str, bytes] | None:
        """Remember what the call depends on, and return how to tell other processes."""
        known = {*self._call.base, *self._call.declared}
        found = tuple(sorted(each for each in recording.used if each not in known))
        hint = self._engine.keys.hint(self._identity.path, self._call.digest)
        if not self._identity.options.discover:
            if found:
                self._engine.dependencies.put(hint, found)
            return None
        self._engine.dependencies.put(hint, found)
        names = tuple((each.kind.value, each.owner, each.detail) for each in found)
        return hint, self._engine.codec.encode(names, key=hint)
