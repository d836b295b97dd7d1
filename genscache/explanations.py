"""What ``explain`` returns: whether a read would be a hit, and everything that this rests on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import groupby

from genscache.events import Outcome
from genscache.types import Generation

_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class DependencyState:
    """One namespace that a read depends on, as the store knows it.

    Attributes:
        what: The namespace in words.
        kind: What it is about, such as ``"rows"``.
        counter: The key of its generation in the store.
        generation: Its generation; ``None`` where there is none, which a read would create.
        bumped_at: When the generation was given: at its last invalidation, or when a reader first needed it.
        leased: A write on it is not settled, or has died unsettled: the next read finds out.
        quarantined: It is leased by the fence, and by no write.
    """

    what: str
    kind: str
    counter: str
    generation: Generation | None
    bumped_at: datetime | None
    leased: bool
    quarantined: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a read would find in the store at this moment, and why.

    Attributes:
        what: What events and ``stats()`` call it.
        outcome: ``"hit"``, ``"miss"`` (it would be computed and stored) or ``"bypass"`` (computed and not stored).
        reason: Why.
        key: The key of its entry; what it begins with where a generation is not there yet. ``None`` without a key.
        fingerprint: What identifies the question; the key begins with it, or with six characters of it.
        arguments: A digest of a function's arguments; ``None`` for a queryset.
        dependencies: What it depends on, in the order of the vector.
        timeout: Life of an entry in seconds.
        ttl: Seconds that the entry has left; ``None`` without one, or where the store cannot tell.
        size: Bytes of the entry in the store; ``None`` without one.
        last_refused: Why a read of this name was last not stored in this process, whatever its arguments; or empty.
        notes: What else is worth knowing.
    """

    what: str
    outcome: Outcome
    reason: str
    key: str | None = None
    fingerprint: str | None = None
    arguments: str | None = None
    dependencies: tuple[DependencyState, ...] = ()
    timeout: float | None = None
    ttl: float | None = None
    size: int | None = None
    last_refused: str = ""
    notes: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, object]:
        """Return the same as plain values that ``json`` takes; moments are texts in ISO 8601."""
        found: dict[str, object] = asdict(self)
        found["dependencies"] = [
            {**asdict(each), "bumped_at": None if each.bumped_at is None else each.bumped_at.isoformat()}
            for each in self.dependencies
        ]
        found["notes"] = list(self.notes)
        return found

    def __str__(self) -> str:
        """Return a block of text."""
        rows = [
            ("why", self.reason),
            ("entry", self._entry()),
            ("key", self.key or ""),
            ("arguments", self.arguments and f"digest {self.arguments}"),
            ("earlier", self.last_refused and f"last not stored in this process because {self.last_refused}"),
            *(("note", note) for note in self.notes),
        ]
        lines = [
            f"{self.outcome.upper()}  {self.what}",
            *(f"  {name:<10} {text}" for name, text in rows if text),
        ]
        if self.dependencies:
            groups = groupby(self.dependencies, lambda each: each.what)
            told = (line for what, each in groups for line in _lines(what, list(each)))
            lines += ["  depends on", *(f"    {line}" for line in told)]
        return "\n".join(lines)

    def _entry(self) -> str:
        life = "" if self.timeout is None else f"{self.timeout:g} s"
        if self.size is None:
            return life and f"none; one would live for {life}"
        left = "the store cannot tell how long it has left" if self.ttl is None else f"{self.ttl:.0f} s left"
        return f"{self.size} bytes, {left} of {life}"


def moment_of(generation: Generation) -> datetime | None:
    """Return when a generation was given. Both kinds begin with a time in microseconds (``stores/django.py``)."""
    microseconds = generation if generation < 2**53 else generation >> 32
    try:
        return datetime.fromtimestamp(microseconds // _SECOND, UTC).replace(
            microsecond=microseconds % _SECOND
        )
    except (OverflowError, OSError, ValueError):
        # A store of somebody else's may count in another way.
        return None


def _lines(what: str, group: list[DependencyState]) -> tuple[str, str]:
    """Tell of the dependencies that are the same in words; of several, those that say most."""
    absent = [each for each in group if each.generation is None]
    shown = (absent or sorted(group, key=lambda each: each.generation or 0))[-1]
    if shown.generation is None:
        state = "not there: a read would create it"
    else:
        when = "" if shown.bumped_at is None else f", since {shown.bumped_at:%Y-%m-%d %H:%M:%S} UTC"
        state = f"generation {shown.generation}{when}"
    lease = ""
    if any(each.leased for each in group):
        quarantined = any(each.quarantined for each in group)
        lease = "; QUARANTINED by the fence" if quarantined else "; LEASED by a write that is not settled"
    more = "" if len(group) == 1 else f" (and {len(group) - 1} more counters)"
    return what, f"  {shown.counter}{more}  {state}{lease}"
