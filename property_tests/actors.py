"""Threads that run one at a time, stop at every store operation, and can be killed there.

An actor is a thread with a database connection of its own. It runs only while the scheduler (the test's thread)
waits, and hands control back wherever others could come in between: around every store operation that a statement
went before or may follow, and around each query of a cached function. So an interleaving is a list of actors, it is
the same each time, and nothing sleeps.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum, auto, unique
from typing import cast

from genscache.exceptions import StoreUnavailable
from genscache.stores.base import Answer, Bump, Lease, Operation, Put, Settle, Store
from property_tests.history import Rows

PATIENCE = 20.0
"""Seconds after which an actor that does not hand control back is a failure of the test."""

BEFORE = (Bump, Put, Settle)
"""Operations before which an actor always stops: a COMMIT or a whole function may have gone before."""


class Killed(BaseException):
    """The actor's process is dead; nothing that it does any more reaches anybody."""


@unique
class Fault(Enum):
    """What happens to the next operation that an actor sends."""

    LOST = auto()
    """Done, but the answer is lost."""
    DOWN = auto()
    """Not done."""
    TWICE = auto()
    """Delivered twice."""
    KILL_BEFORE = auto()
    """The actor dies before it is sent."""
    KILL_AFTER = auto()
    """The actor dies after it was done."""


class Actor(threading.Thread):
    """One thread of one process.

    Args:
        name: What messages call it.
        farewell: Called in the actor's thread when it dies or ends: drops its connections.

    Attributes:
        at: Where it has stopped; ``None`` while it has nothing to do.
        faults: What happens to its next operations.
        moved: A statement has run since it last stopped.
        leased_until: Deadline in milliseconds of the lease under which it writes what nobody can see yet.
        witness: Told what a query has shown, at the moment that it has.
        outside: Returns what is known from elsewhere than the database.
    """

    def __init__(self, name: str, farewell: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._farewell = farewell
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._task: Callable[[], object] | None = None
        self.at: object = None
        self.result: object = None
        self.error: BaseException | None = None
        self.faults: deque[Fault] = deque()
        self.dead = self.moved = False
        self.leased_until: int | None = None
        self.witness: Callable[[Rows], None] = _nobody
        self.outside: Callable[[], Rows] = dict

    # -- the scheduler's side

    @property
    def idle(self) -> bool:
        """Tell whether it waits for a task."""
        return self._task is None

    def give(self, task: Callable[[], object]) -> None:
        """Hand it a task, which begins with the next ``resume``."""
        assert self.idle
        self.result = self.error = None
        self._task = task

    def resume(self) -> None:
        """Let it run until it stops again or its task is done."""
        self._go.release()
        assert self._stopped.acquire(timeout=PATIENCE), f"{self.name} hangs after {self.at!r}"

    def kill(self) -> None:
        """Let it die where it stands."""
        self.dead = True
        self.resume()
        self.join(PATIENCE)

    # -- the actor's side

    def run(self) -> None:
        """Do one task after the other until killed."""
        self._go.acquire()
        while not (self.dead and self.idle):
            try:
                self.result = cast("Callable[[], object]", self._task)()
            except BaseException as error:  # noqa: BLE001 - the scheduler judges it
                self.error = error
            self._task = self.at = self.leased_until = None
            if self.dead:
                break
            self._stopped.release()
            self._go.acquire()
        self._farewell()
        self._stopped.release()

    def pause(self, where: object) -> None:
        """Hand control back; goes on with the next ``resume``."""
        self.moved = False
        if not self.dead:
            self.at = where
            self._stopped.release()
            self._go.acquire()
        if self.dead:
            self._farewell()
            raise Killed(where)

    def operate(self, operation: Operation[Answer], ground: Ground) -> Answer:
        """Send one operation, with what goes wrong on its way."""
        if isinstance(operation, Settle | Bump):
            self.leased_until = None
        if self.moved or isinstance(operation, BEFORE):
            self.pause(operation)
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.KILL_BEFORE:
            self.dead = True
            self.pause(operation)
        if fault is Fault.DOWN:
            raise StoreUnavailable("down")
        answer = ground.send(operation)
        if isinstance(operation, Lease):
            self.leased_until = max(self.leased_until or 0, ground.milliseconds + operation.duration)
        if fault is Fault.TWICE:
            answer = ground.send(operation)
        self.dead = self.dead or fault is Fault.KILL_AFTER
        if self.dead or not isinstance(operation, Put):
            self.pause(operation)
        if fault is Fault.LOST:
            raise StoreUnavailable("the answer is lost")
        return answer


class Ground:
    """A store that actors share, and how a test reaches behind its back.

    Attributes:
        milliseconds: How far its clock was moved on.
        wire: The latest operations, any of which may arrive once more, late.
        counters: Every counter that an operation has named.
        entries: Every entry and hint that was stored.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.milliseconds = 0
        self.wire: deque[Operation[object]] = deque(maxlen=8)
        self.counters: dict[str, None] = {}
        self.entries: dict[str, None] = {}

    def send(self, operation: Operation[Answer]) -> Answer:
        """Do an operation and remember it."""
        self.wire.append(cast("Operation[object]", operation))
        self.counters.update(dict.fromkeys(getattr(operation, "counters", ())))
        if isinstance(operation, Put):
            self.entries.update(dict.fromkeys(key for key, _ in operation.items))
        return self.store.execute(operation)

    def advance(self, milliseconds: int) -> None:
        """Let the store's time pass."""
        raise NotImplementedError

    def lose(self, key: str) -> None:
        """Evict one key."""
        raise NotImplementedError

    def lose_clock(self) -> None:
        """Evict the bump clock; the server's time has passed its last reading."""
        raise NotImplementedError

    def close(self) -> None:
        """Leave nothing behind."""
        self.store.close()


def _nobody(_: Rows) -> None:
    """Take no notice."""


def stop(where: object) -> None:
    """Hand control back if an actor is running."""
    actor = threading.current_thread()
    if isinstance(actor, Actor):
        actor.pause(where)
