"""What spares callers a store that cannot be asked: one of them finds out, and a thread asks until it can be again.

There is no half-open state in which a caller's read is the probe, as it would cost that read the timeout once more:
only the thread probes, and it closes the breaker for everybody when the store has done a step that writes.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from genscache.events import Hub, OutageBegan, OutageEnded, logger
from genscache.exceptions import StoreUnavailable

FIRST_DELAY: Final = 0.5
"""Seconds between the first probe, which is made at once, and the second; each further one takes twice as long."""

LONGEST_DELAY: Final = 10.0
"""Seconds between two probes at most."""

CALM: Final = 10.0
"""Seconds of peace after which an outage is probed at once again; one that flaps is asked less and less often."""


class NotAsked(StoreUnavailable):
    """The store was not asked at all, since it was found not to answer and has not done so again yet."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Since when (on the monotonic clock) the store cannot be asked, and what was met then."""

    since: float
    error: str


class Breaker:
    """Remembers that a store cannot be asked, and has a thread of its own ask it.

    The thread is a daemon, begins with an outage or a bump that is owed, and ends when neither is left. After a fork
    the child's first look at an open breaker starts the child's own.

    Args:
        hub: Told when an outage begins and ends.
        probe: Asks the store and delivers what is owed to it; returns whether nothing is left to deliver.
            ``StoreUnavailable``: it still cannot be asked.
    """

    def __init__(self, hub: Hub, probe: Callable[[], bool]) -> None:
        self._hub = hub
        self._probe = probe
        self._outage: Outage | None = None
        self._epoch = 0
        self._probes = 0
        self._quiet_since = -CALM
        self.forked()

    def forked(self) -> None:
        """Forget the parent's thread and its locks; an outage goes on."""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._over = threading.Event()
        if self._outage is None:
            self._over.set()
        self._thread: threading.Thread | None = None
        self._more = False

    @property
    def outage(self) -> Outage | None:
        """The outage that goes on; ``None``: the store may be asked."""
        found = self._outage
        if found is not None and self._thread is None:
            self._start()
        return found

    def admit(self) -> int:
        """Return the epoch in which the store is asked; to be handed to ``failed``.

        Raises:
            NotAsked: The breaker is open.
        """
        outage = self.outage
        if outage is not None:
            age = time.monotonic() - outage.since
            raise NotAsked(
                f"It was found {age:.1f} s ago that the store cannot be asked; this process has another try in the "
                f"background and asks nothing else meanwhile. What was met then: {outage.error}"
            )
        return self._epoch

    def failed(self, error: StoreUnavailable, epoch: int) -> None:
        """Open, unless the failure belongs to something that was asked before the store came back."""
        with self._lock:
            if self._outage is not None or epoch != self._epoch:
                return
            self._outage = Outage(time.monotonic(), str(error))
            self._over.clear()
        self._hub.send(OutageBegan(str(error)))
        self._start()

    def summon(self) -> None:
        """Have the thread deliver what is owed, also while the store answers."""
        with self._lock:
            self._more = True
        self._start()

    def hurry(self, seconds: float) -> bool:
        """Probe now, wait ``seconds`` at most, and return whether the store may be asked."""
        deadline = time.monotonic() + seconds
        while not self._over.is_set() and time.monotonic() < deadline:
            _ = self.outage  # starts the thread, where it is missing
            self._wake.set()
            self._over.wait(0.05)
        return self._over.is_set()

    def stop(self) -> threading.Thread | None:
        """Close and have the thread end; returns it, to be joined."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._outage = None
            self._epoch += 1
            self._over.set()
            self._wake.set()
        return thread

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None or (self._outage is None and not self._more):
                return
            if time.monotonic() - self._quiet_since > CALM:
                self._probes = 0
            self._wake = threading.Event()
            self._thread = thread = threading.Thread(
                target=self._work, args=(self._wake,), name="genscache-prober", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:
                # The interpreter ends, or there may be no more threads: the next look tries again.
                self._thread = None
                logger.debug("No thread could be started to probe the store: %s", error)

    def _work(self, wake: threading.Event) -> None:
        """Probe until the store answers and nothing is owed to it."""
        me = threading.current_thread()
        while self._thread is me:
            wake.wait(self._delay())
            wake.clear()
            if self._thread is not me:
                return
            self._probes += 1
            self._more = False
            try:
                paid = self._probe()
            except StoreUnavailable as error:
                logger.debug("probe %d: %s", self._probes, error)
                continue
            except Exception:  # noqa: BLE001 - logged
                # Nobody would see a thread that ends; and what is not understood must not close the breaker.
                logger.exception("The probe of the store has failed in a way that was not foreseen.")
                continue
            if self._closed(me) and paid and self._ended(me):
                return

    def _delay(self) -> float:
        if not self._probes:
            return 0.0
        return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self._probes - 1, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def _closed(self, me: threading.Thread) -> bool:
        """Let everybody ask again; returns whether this is still the thread to do so."""
        with self._lock:
            if self._thread is not me:
                return False
            outage, self._outage = self._outage, None
            self._epoch += outage is not None
        if outage is not None:
            self._hub.send(OutageEnded(time.monotonic() - outage.since))
        with self._lock:
            if self._outage is None:
                self._over.set()
        return True

    def _ended(self, me: threading.Thread) -> bool:
        """Leave, unless the next outage or debt has come since."""
        with self._lock:
            if self._thread is me and (self._outage is not None or self._more):
                return False
            self._quiet_since = time.monotonic()
            if self._thread is me:
                self._thread = None
            return True
