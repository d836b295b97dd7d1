"""How a call that was not found is computed, and stored under the vector that was read before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

from genscache import flights, guards
from genscache.codec import Content
from genscache.engine import Engine
from genscache.events import Filled, Read
from genscache.exceptions import StoreError, UncacheableValue
from genscache.flights import Shared
from genscache.functions import Call
from genscache.keys import Kind, Namespace, digest
from genscache.protocol.read import Miss, Question, fill
from genscache.protocol.steps import Local, Steps
from genscache.recording import Recording, record
from genscache.types import Generation

TOO_LARGE = 'its result is larger than GENSCACHE["MAX_ENTRY_BYTES"]'


@dataclass(frozen=True, slots=True)
class Raised:
    """What the function raised: handed through the steps as a value, so that StopIteration survives them, too."""

    error: BaseException


class Compute(Local[object]):
    """Call the function; the answer is its result or ``Raised``.

    Attributes:
        function: The function.
        filling: Does the same where the result is going to be stored, and may return ``Made``.
    """

    __slots__ = ("filling", "function")

    def __init__(self, function: Callable[[], object], filling: Callable[[], object] | None = None) -> None:
        self.function = function
        self.filling = filling

    def to_fill(self) -> Compute:
        """Return what computes a result that is going to be stored."""
        return self if self.filling is None else Compute(self.filling)

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
        except BaseException as error:  # noqa: BLE001 - raised again at the end of the steps
            return Raised(error)


class Made(NamedTuple):
    """A result that was made from its content, as a hit is.

    Attributes:
        value: The result.
        content: What is stored of it.
    """

    value: object
    content: Content


class Subject(Protocol):
    """What is cached: a function, or a kind of query.

    Attributes:
        path: What events and messages call it.
        discover: Other processes are told what it was found to depend on.
        lock: One process at a time fills an entry.
        transparent: Where it is not cached, a cached function around it sees its queries, as if it were not there.
    """

    @property
    def path(self) -> str:
        """Return the name."""

    @property
    def discover(self) -> bool:
        """Tell whether others are told."""

    @property
    def lock(self) -> bool:
        """Tell whether one at a time fills."""

    @property
    def transparent(self) -> bool:
        """Tell whether it is as if it were not there."""

    def question(self, engine: Engine, call: Call, namespaces: tuple[Namespace, ...]) -> Question:
        """Return what is asked of the store for a call that depends on ``namespaces``."""


class Job(NamedTuple):
    """One read, and what is needed to answer it.

    Attributes:
        engine: The engine.
        identity: What is cached, as the store knows it.
        call: The call.
        compute: Calls the function itself.
        ttl: Life of the entry in milliseconds.
    """

    engine: Engine
    identity: Subject
    call: Call
    compute: Compute
    ttl: int

    @property
    def path(self) -> str:
        """What events and messages call the function."""
        return self.identity.path

    @property
    def hint(self) -> str:
        """The key under which is kept what the call was found to depend on."""
        return self.engine.keys.hint(self.path, digest(self.call.identity))


class Filler:
    """Computes and stores.

    Args:
        job: What is computed.
        namespaces: What it is thought to depend on.
        miss: The key for that, and the vector, read before.
    """

    def __init__(self, job: Job, namespaces: tuple[Namespace, ...], miss: Miss) -> None:
        self._job = job
        self.namespaces = tuple(sorted(set(namespaces)))
        self.miss = miss

    @property
    def vector(self) -> dict[Namespace, Generation]:
        """The generations that were read before, by namespace."""
        return dict(zip(self.namespaces, self.miss.vector, strict=True))

    def fill(self) -> Steps[tuple[object, Shared]]:
        """Compute and store; return the result, and the key and payload if others may be given it."""
        call = self._job.call
        recording = Recording(
            self.vector,
            discover=self._job.identity.discover or call.covered is not None,
            covered=call.covered or (),
            pinned=call.pinned,
        )
        recording.use((*call.base, *call.declared))
        content = None
        with flights.Leadership(), record(recording):
            result = yield self._job.compute.to_fill()
            if not isinstance(result, Raised):
                recording.spoil(guards.may_fill())
                if isinstance(result, Made):
                    result, content = result
                elif not recording.flaw:
                    # A queryset in the result asks the database only now: those reads count, too.
                    content = self._dump(result)
        if isinstance(result, Raised):
            return result, None
        self._job.engine.hub.send(Read(self._job.path, "miss", recording.flaw))
        if content is None or recording.flaw:
            return result, None
        return result, (yield from self._store(content, recording))

    def _dump(self, result: object) -> Content | None:
        try:
            return self._job.engine.codec.dump(result)
        except UncacheableValue as error:
            # The function has done its work; that its result cannot be kept is no reason to fail its caller.
            self._job.engine.hub.not_stored(self._job.path, str(error))
            return None

    def _store(self, content: Content, recording: Recording) -> Steps[Shared]:
        """Store a result that may be stored; what the store does not take may still be shared in this process."""
        engine, path, ttl = self._job.engine, self._job.path, self._job.ttl
        key, superseded = self._place(recording)
        payload = engine.codec.seal(content, key=key)
        if len(payload) > engine.settings.max_entry_bytes:
            engine.hub.not_stored(path, f"{TOO_LARGE} ({len(payload)} bytes)")
            return None
        try:
            yield from fill(key, payload, ttl, superseded=superseded, hint=self._hint(recording))
        except StoreError as error:
            engine.trouble(error, f"the result of {path} is not stored")
        else:
            engine.hub.send(Filled(path, len(payload), ttl))
        return key, payload

    def _place(self, recording: Recording) -> tuple[str, str | None]:
        """Return the key to store under, and the one that it supersedes."""
        if recording.used.keys() == set(self.namespaces):
            return self.miss.key, self.miss.superseded
        # It depended on other things than was thought: another entry, under generations that were read in time.
        engine = self._job.engine
        used = tuple(sorted(recording.used))
        question = self._job.identity.question(engine, self._job.call, used)
        vector = tuple(recording.used[each] for each in used)
        engine.memory.learn(question.counters, vector)
        engine.memory.met(engine.keys.entry(question.owner, question.fingerprint, ()), vector)
        return engine.keys.entry(question.owner, question.fingerprint, vector), None

    def _hint(self, recording: Recording) -> tuple[str, bytes] | None:
        """Remember what the call depends on, and return how to tell other processes."""
        job = self._job
        known = {*job.call.base, *job.call.declared}
        found = tuple(sorted(each for each in recording.used if each not in known))
        if found or job.identity.discover:
            job.engine.dependencies.put(job.call.identity, found)
        if not job.identity.discover:
            return None
        names = tuple((each.kind.value, each.owner, each.detail) for each in found)
        return job.hint, job.engine.codec.encode(names, key=job.hint)


def read_hint(job: Job, data: bytes | None) -> tuple[Namespace, ...]:
    """Read what another process found the call to depend on. A wrong hint costs a miss: it is part of the key."""
    names = None if data is None else job.engine.codec.decode(data, key=job.hint)
    if not isinstance(names, tuple):
        return ()
    try:
        found = tuple(Namespace(Kind(kind), owner, detail) for kind, owner, detail in names)
    except (TypeError, ValueError):
        # Another release names kinds that this one does not know.
        return ()
    # Where entries are not signed, anybody may have written it.
    if any(type(each.owner) is not str or type(each.detail) is not str for each in found):
        return ()
    job.engine.dependencies.put(job.call.identity, found)
    return found
