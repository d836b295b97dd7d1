"""What ``batch_invalidations()`` gathers until its end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterable
from contextvars import ContextVar

from genscache.delivery import coarsened
from genscache.engine import Engine
from genscache.keys import Namespace
from genscache.protocol import write
from genscache.protocol.steps import Steps

current_batch: ContextVar[Batch | None] = ContextVar("genscache_batch", default=None)


class Batch:
    """Invalidations gathered until the outermost ``batch_invalidations()`` ends."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.token = engine.token()
        self._pending: dict[Namespace, None] = {}
        self._leases: dict[str, float] = {}
        self._open = True
        self._running = 0
        self._process = os.getpid()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Note that a write of this batch is under way."""
        with self._lock:
            self._running += 1

    def finish(self) -> None:
        """Note that the outcome of a write is known, and gathered."""
        with self._lock:
            self._running -= 1

    def is_here(self) -> bool:
        """Tell whether this is the process that opened the batch: a child's writes are not its parent's to settle."""
        return self._process == os.getpid()

    def add(self, namespaces: Iterable[Namespace]) -> bool:
        """Gather; false where the batch has ended (a thread that outlived it): then the caller bumps by itself."""
        with self._lock:
            if self._open:
                self._pending.update(dict.fromkeys(namespaces))
            return self._open

    def touches(self, namespaces: Collection[Namespace]) -> bool:
        """Tell whether a read of ``namespaces`` must see what the batch has not sent out yet."""
        return not self._pending.keys().isdisjoint(namespaces)

    def to_lease(self, counters: Iterable[str], *, renew_after: float) -> tuple[str, ...]:
        """Return which of ``counters`` are not leased yet, or not for long enough, in seconds."""
        now = time.monotonic()
        with self._lock:
            return tuple(
                each for each in counters if now - self._leases.get(each, -renew_after) >= renew_after
            )

    def leased(self, counters: Iterable[str], *, since: float) -> None:
        """Remember leases that the batch's token holds, and when they were asked for: the answer may come late."""
        with self._lock:
            self._leases.update(dict.fromkeys(counters, since))

    def abandon(self, namespaces: Iterable[Namespace]) -> bool:
        """Gather what a COMMIT without an answer may yet write; its lease must outlive the batch.

        So the batch goes on under another token, and the leases of the one so far run out by themselves.
        """
        with self._lock:
            if self._open:
                self._pending.update(dict.fromkeys(namespaces))
                self._leases.clear()
                self.token = self.engine.token()
            return self._open

    def end(self) -> tuple[Steps[None] | None, tuple[str, ...]]:
        """Close the batch; return the one step that settles it (``None``: nothing to do) and what that bumps."""
        with self._lock:
            self._open = False
            bump = self.engine.counters(coarsened(self._pending))
            release = tuple(set(self._leases).difference(bump))
            running = self._running > 0
        if not bump and (running or not release):
            return None, ()
        if running:
            # Another thread is in the middle of a write, or a signal has left one without an end: the leases stay
            # until they run out, which ends in a bump.
            return write.bump(bump), bump
        return write.settle(self.token, bump=bump, release=release), bump


def open_batch() -> Batch | None:
    """Return the batch that is open in this context."""
    batch = current_batch.get()
    return batch if batch is not None and batch.is_here() else None
