"""Facts sent out: what was read, written and survived. The core sends; whoever cares listens."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from genscache.protocol.memory import Recent

logger = logging.getLogger("genscache")

Outcome: TypeAlias = Literal["hit", "miss", "bypass"]
Verdict: TypeAlias = Literal["right", "violation", "inconclusive"]
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
    "audit failed",
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


@dataclass(frozen=True, slots=True)
class OutageBegan:
    """The store cannot be asked, for the reason in ``detail``: until ``OutageEnded`` nobody in this process asks it."""

    detail: str


@dataclass(frozen=True, slots=True)
class OutageEnded:
    """The store answers again after ``seconds``, and has been sent what was owed to it, if it took that."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A connection of this process has found that the store is not the one that it was, for the reason in ``detail``.

    Everything was made unreachable; for ``seconds``, nobody serves or fills, since leases may be lost.
    """

    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Audited:
    """A hit was compared with the database.

    Attributes:
        what: Who asked.
        outcome: They agree; they differ under generations that stood still; or nothing is proven.
        reason: Why nothing is proven; empty for the others.
    """

    what: str
    outcome: Verdict
    reason: str = ""


Event: TypeAlias = Audited | Read | Filled | Invalidated | Survived | OutageBegan | OutageEnded | Quarantined
Listener: TypeAlias = Callable[[Event], None]


_NAMES: Final[Mapping[type[Event], str]] = {
    OutageBegan: "outage begun",
    OutageEnded: "outage ended",
    Quarantined: "quarantine",
}
"""What events of which nothing but their number is kept are counted under."""


class Hub:
    """Sends events to listeners and keeps the counts that ``stats()`` shows."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._counts: Counter[str] = Counter()
        self._bypasses: Counter[str] = Counter()  # by reason, of those that nobody listened to
        self._refused: Recent[str, Read] = Recent(2_000)
        self.forked()

    def forked(self) -> None:
        """Begin with a lock that nobody holds: a thread that the child of a fork has not may hold the parent's."""
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
        _log(event)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                logger.exception("A listener of genscache's events raised on %r.", event)

    def hit(self, what: str) -> None:
        """Count a hit; it is made an event only where somebody listens."""
        if self._listeners:
            self.send(Read(what, "hit"))
            return
        with self._lock:
            self._counts["hit"] += 1

    def bypassed(self, what: Callable[[], str], reason: str) -> None:
        """Count a bypass, in the same way; ``what`` says which read it is, if anybody listens."""
        if self._listeners:
            self.send(Read(what(), "bypass", reason))
            return
        with self._lock:
            self._bypasses[reason] += 1

    def invalidated(self, count: int) -> None:
        """Count namespaces that were given a new generation, in the same way."""
        if self._listeners:
            self.send(Invalidated(count))
            return
        with self._lock:
            self._counts["namespaces invalidated"] += count

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
            found, bypasses = self._counts.copy(), self._bypasses.copy()
        for reason, number in bypasses.items():
            found["bypass"] += number
            found[f"bypass: {reason}"] += number
        return dict(found)

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
            case Audited(outcome=verdict, reason=reason):
                self._counts[f"audit: {verdict}"] += 1
                if reason:
                    self._counts[f"audit: {verdict}: {reason}"] += 1
            case Survived(kind=kind):
                self._counts[f"survived: {kind}"] += 1
            case OutageBegan() | OutageEnded() | Quarantined():
                self._counts[_NAMES[type(event)]] += 1


def _log(event: Event) -> None:
    """Log what everybody should hear of once; a read's trouble is logged where it is met."""
    match event:
        case OutageBegan(detail=detail):
            logger.warning("outage begun: until the store answers again, nobody asks it: %s", detail)
        case OutageEnded(seconds=seconds):
            logger.warning("outage ended: the store answers again after %.1f s", seconds)
        case Quarantined(detail=detail, seconds=seconds):
            logger.warning(
                "quarantine: everything was invalidated, and nothing is served or stored for %.1f s: %s",
                seconds,
                detail,
            )
        case _:
            pass
