"""The contract between the protocol and a store: operations, their answers, and declared capabilities.

An operation is a frozen value that the protocol *yields*; a driver hands it to a store's ``execute`` and sends the
answer back. Every operation is atomic for each counter by itself; where ``Capabilities.atomic`` is true, it is
atomic as a whole. The store keeps the bump clock:

    clock = max(clock + 1, store's time in microseconds)

A bump advances the clock and gives its reading to the counter. All durations are in milliseconds, from 1 to 60 days.
Tokens are 1 to 128 characters of ``[A-Za-z0-9_.-]``; a store refuses others with ``ValueError``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from genscache.types import CounterState, Fetched, Generation

Answer = TypeVar("Answer")


class Operation(Generic[Answer]):
    """One step that a store does; ``answer = yield from Operation(...)`` in a protocol generator."""

    __slots__ = ()

    def __iter__(self) -> Generator[Operation[Answer], Answer, Answer]:
        """Yield the operation itself and return what the driver sends back."""
        return (yield self)


MARK: Final = slice(8, 24)
"""Where a payload has its mark, its signature: payloads of one key that have the same mark are the same."""


class Memo:
    """What a store notes about a fetch that is asked again and again: how it is sent, and how it was answered last.

    It belongs to one store, and to a fetch whose fields never change.

    Attributes:
        question: The bytes that are sent, and how many commands they are.
        answered: What the last answer began with, up to what tells of the entry, and what that meant.
    """

    __slots__ = ("answered", "question")

    def __init__(self) -> None:
        self.question: tuple[bytes, int] | None = None
        self.answered: tuple[bytes, tuple[CounterState | None, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Fetch(Operation[Fetched]):
    """Read counters and, where given, one entry; in one round trip, changing nothing.

    With ``mark``, the caller has a copy of the entry: where that still has this mark, it is not sent, and is looked
    at *before* the counters are. So what they tell afterwards was so when the entry had the mark.
    """

    counters: tuple[str, ...]
    entry: str | None = None
    mark: bytes | None = None
    memo: Memo | None = field(default=None, compare=False, repr=False)

    @property
    def marked(self) -> bool:
        """Whether the entry is only looked at, and not sent."""
        return self.mark is not None and self.entry is not None


@dataclass(frozen=True, slots=True)
class Ensure(Operation[tuple[CounterState, ...]]):
    """Create each counter that is absent, resolve expired leases, and return the state of each.

    Absent: created with a new reading of the clock. A lease whose deadline has passed is dropped and the counter is
    bumped in the same step, never dropped without a bump. A mark without a generation whose last lease has expired
    becomes a new counter. A counter with a live lease is returned as it is.

    A counter that is made or bumped here lives for 60 days, one that is named in ``brief`` for ``life`` milliseconds,
    but never ends before a lease that it still has, and its state is ``fresh`` (which a store may leave out, at the
    price of a round trip). One that is there keeps the time that it has left. A counter that has ended costs misses
    and nothing else: it comes back with a generation that it never had.
    """

    counters: tuple[str, ...]
    brief: tuple[str, ...] = ()
    life: int = 0


@dataclass(frozen=True, slots=True)
class Bump(Operation[tuple[Generation, ...]]):
    """Give each existing counter a new generation and keep its leases.

    Returns the generation that each counter has now, ``NO_GENERATION`` where it does not exist or is only a mark:
    then nobody depends on it and nothing is done.
    """

    counters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lease(Operation[None]):
    """Record ``token`` with the deadline "now + duration" on every counter; the same token again renews it.

    On an absent counter it leaves a mark without a generation, which lives no longer than its longest lease.
    """

    counters: tuple[str, ...]
    token: str
    duration: int


@dataclass(frozen=True, slots=True)
class Settle(Operation[None]):
    """End the leases that ``token`` holds: bump the counters in ``bump``, leave the generation of those in ``release``.

    A counter in ``bump`` is bumped whether or not the token is still on it, so repeating a settle is harmless.
    Releasing a token that a reader has already resolved does nothing. A mark whose last token goes is removed.
    A counter in both is bumped.
    """

    token: str
    bump: tuple[str, ...]
    release: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Put(Operation[None]):
    """Store items (key, bytes) for ``ttl`` milliseconds and unlink superseded keys, in one round trip."""

    items: tuple[tuple[str, bytes], ...]
    ttl: int
    unlink: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadClock(Operation["Generation"]):
    """Return the last reading that the bump clock gave, ``NO_GENERATION`` where it gave none (or lost it).

    Every bump after this answer gets a larger generation; every generation given before it is not larger.
    """


@dataclass(frozen=True, slots=True)
class TimeLeft(Operation["int | None"]):
    """Return how many milliseconds the entry ``key`` has left, changing nothing.

    ``None`` where there is no such entry, or where the store cannot tell.
    """

    key: str


@dataclass(frozen=True, slots=True)
class Acquire(Operation[bool]):
    """Take the lock ``key`` for ``token`` unless somebody else holds it; it ends by itself after ``duration``.

    Asking again with the same token is granted: the first answer may have been lost.
    """

    key: str
    token: str
    duration: int


@dataclass(frozen=True, slots=True)
class Release(Operation[None]):
    """Give the lock ``key`` back if ``token`` still holds it."""

    key: str
    token: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store promises; the protocol and the system checks ask this and never the store's class.

    Attributes:
        name: What messages call it, with no credentials.
        shared: Processes on any machine see one store. If false, an invalidation reaches this process only.
        leases: ``Lease`` and ``Settle`` keep a set of tokens atomically. If false, ``Lease`` does nothing, and
            ``Settle`` is a plain bump: level 2 of the promise and the crash window are not covered.
        ordered: Generations of all counters are totally ordered by one clock and ``ReadClock`` works. If false,
            snapshot transactions bypass the cache.
        atomic: An operation on several counters is one step.
        locks: ``Acquire`` works between processes.
        max_key_bytes: The longest key in bytes.
        database: Alias of the database in which the store keeps everything, through Django's own connection;
            ``None`` for all other stores. Inside a transaction of that database it cannot be used.
        remote: It is a server, with connections of the store's own: one that cannot be asked is left alone for a while.
        marks: A ``Fetch`` may name a mark. If false, nobody keeps copies of entries.
    """

    name: str
    shared: bool
    leases: bool
    ordered: bool
    atomic: bool
    locks: bool
    max_key_bytes: int
    database: str | None = None
    remote: bool = False
    marks: bool = False


class Store(ABC):
    """A store for synchronous callers; safe to use from several threads and after a fork."""

    capabilities: Capabilities

    @abstractmethod
    def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation.

        Raises:
            StoreUnavailable: The store cannot be reached or does not answer in time.
            StoreError: It answered with an error.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back connections; the store opens new ones when it is used again."""


class AsyncStore(ABC):
    """A store for coroutines; one object serves every event loop of the process."""

    capabilities: Capabilities

    @abstractmethod
    async def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation; raises as ``Store.execute`` does."""

    @abstractmethod
    async def aclose(self) -> None:
        """Give back the connections of the running event loop."""
