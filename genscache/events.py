"""Facts sent out: what was read, written and survived. The core sends; whoever cares listens."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from genscache.protocol.memory import Recent

logger = logging.getLogger("genscache")

Outcome: TypeAlias = Literal["hit", "miss", "bypass"]
Trouble: TypeAlias = Literal[
    "store unavailable",
    "store error",
    "unreadable entry",
    "write refused",
    "bump delayed",
    "commit unknown",
    "not stored",
    "unknown statement",
    "position unknown",
]


@dataclass(frozen=True, slots=True)
class Read:
    """A read was answered.

    Attributes:
        what: Who asked, such as the dotted path of a decorated function.
        outcome: Served from an entry, computed and offered for storing, or computed and not stored.
        reason: Why it was a bypass or was not stored, in words; empty for a hit and a plain miss.
    """

    what: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Filled:
    """A result was stored: ``size`` bytes for ``ttl`` milliseconds."""

    what: str
    size: int
    ttl: int


@dataclass(frozen=True, slots=True)
class Invalidated:
    """``count`` namespaces were given a new generation in one round trip."""

    count: int


@dataclass(frozen=True, slots=True)
class Survived:
    """Something went wrong and was lived with; ``kind`` is what it is counted under."""

    kind: Trouble
    detail: str


Event: TypeAlias = Read | Filled | Invalidated | Survived
Listener: TypeAlias = Callable[[Event], None]


class Hub:
    """Sends events to listeners and keeps the counts that ``stats()`` shows."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._counts: Counter[str] = Counter()
        self._refused: Recent[str, Read] = Recent(2_000)
        self._lock = threading.Lock()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with every event from now on; returns a function that ends that."""
        self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            self._listeners = tuple(other for other in self._listeners if other is not listener)

        return unsubscribe

    def send(self, event: Event) -> None:
        """Count an event and hand it to every listener; a listener that raises is logged and does no harm."""
        with self._lock:
            self._count(event)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                logger.exception("A listener of genscache's events raised on %r.", event)

    def survived(self, kind: Trouble, detail: str) -> None:
        """Log and count something that went wrong and was lived with."""
        logger.warning("%s: %s", kind, detail)
        self.send(Survived(kind, detail))

    def not_stored(self, what: str, reason: str) -> None:
        """Log and count a result that could not be stored after it was computed as one that could."""
        self._refused.put(what, Read(what, "miss", reason))
        self.survived("not stored", f"{what}(): {reason}")

    def last_refused(self, what: str) -> Read | None:
        """Return the last read by ``what`` in this process that was not stored for a reason; ``explain`` shows it."""
        return self._refused.get(what)

    def counts(self) -> dict[str, int]:
        """Return how often each thing has happened in this process since it started."""
        with self._lock:
            return dict(self._counts)

    def _count(self, event: Event) -> None:
        match event:
            case Read(outcome=outcome, reason=reason):
                self._counts[outcome] += 1
                if reason:
                    self._counts[f"{outcome}: {reason}"] += 1
                    self._refused.put(event.what, event)
            case Filled(size=size):
                self._counts["fill"] += 1
                self._counts["bytes filled"] += size
            case Invalidated(count=count):
                self._counts["invalidation"] += 1
                self._counts["namespaces invalidated"] += count
            case Survived(kind=kind):
                self._counts[f"survived: {kind}"] += 1
