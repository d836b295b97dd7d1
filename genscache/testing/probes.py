"""What reads did in a block of a test, and assertions about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeAlias

from django.db import models

from genscache.decorators import AsyncCachedFunction, CachedFunction, path_of
from genscache.engine import current_engine
from genscache.events import Event, Outcome, Read
from genscache.guards import NO_CLOCK, OWN_WRITES, WROTE
from genscache.invalidation import invalidate_all
from genscache.protocol.read import NEWER

Of: TypeAlias = "CachedFunction[Any, Any] | AsyncCachedFunction[Any, Any] | type[models.Model] | str | None"
"""Whose reads are meant: a cached function's, a model's querysets', or what begins with a name. ``None``: all."""

MOST_LINES = 20
"""Reads that a message lists."""

IN_TEST_CASE = (
    "If this is a TestCase: its transaction is never committed, so nothing is stored after it has written. "
    "Let the cache live in it: with genscache.testing.live_cache(): ..."
)


class CacheProbe:
    """Hears what reads do, from any thread or task of this process, until it is stopped."""

    def __init__(self) -> None:
        self._reads: list[Read] = []
        self._stop = current_engine().hub.subscribe(self._hear)

    @property
    def reads(self) -> tuple[Read, ...]:
        """Every read so far: who asked, its outcome, and the reason for it."""
        return tuple(self._reads)

    @property
    def hits(self) -> int:
        """How many reads were served from the store."""
        return self.count("hit")

    @property
    def misses(self) -> int:
        """How many reads were computed and offered for storing."""
        return self.count("miss")

    @property
    def bypasses(self) -> int:
        """How many reads were computed and not stored."""
        return self.count("bypass")

    def count(self, outcome: Outcome, *, of: Of = None) -> int:
        """Count reads with an outcome, of anything or of something."""
        return sum(each.outcome == outcome and _is_of(each, of) for each in self._reads)

    def clear(self) -> Self:
        """Invalidate everything, and forget what was heard."""
        invalidate_all()
        self._reads.clear()
        return self

    def stop(self) -> None:
        """Hear nothing from now on."""
        self._stop()

    def _hear(self, event: Event) -> None:
        if isinstance(event, Read):
            self._reads.append(event)

    def __repr__(self) -> str:
        """Show the counts."""
        return f"<{type(self).__name__}: {self.hits} hits, {self.misses} misses, {self.bypasses} bypasses>"

    def expect(self, outcome: Outcome, n: int | None, *, of: Of = None, reason: str = "") -> None:
        """Raise unless as many reads had an outcome as expected.

        Args:
            outcome: The outcome.
            n: How many; ``None``: at least one.
            of: Whose reads count.
            reason: A part of the reason that they must have.

        Raises:
            AssertionError: It was otherwise; the message lists what happened.
        """
        counted = [
            each
            for each in self._reads
            if each.outcome == outcome and _is_of(each, of) and reason in each.reason
        ]
        if len(counted) == n or (n is None and counted):
            return
        plural = {"hit": "hits", "miss": "misses", "bypass": "bypasses"}[outcome]
        expected = f"at least one {outcome}" if n is None else f"{n} {outcome if n == 1 else plural}"
        whose = "" if of is None else f" of {_name(of)}"
        why = f" because of {reason!r}" if reason else ""
        raise AssertionError(f"Expected {expected}{whose}{why}, got {len(counted)}.\n{self._happened()}")

    def _happened(self) -> str:
        """List the reads, and say what to do where a test's own transaction is in the way."""
        reads = self._reads[:MOST_LINES]
        lines = [f"  {each.outcome:<7} {each.what}{each.reason and ': '}{each.reason}" for each in reads]
        if len(self._reads) > len(reads):
            lines.append(f"  ... and {len(self._reads) - len(reads)} more")
        text = "\n".join(["What happened:", *lines]) if lines else "Nothing was read through the cache."
        in_the_way = any(each.reason in (OWN_WRITES, WROTE, NO_CLOCK, NEWER) for each in self._reads)
        return f"{text}\n{IN_TEST_CASE}" if in_the_way else text


@contextmanager
def assert_hits(n: int | None = None, *, of: Of = None) -> Iterator[CacheProbe]:
    """Assert that ``n`` reads in the block are served from the store; not given: at least one.

    Args:
        n: How many, exactly.
        of: Whose reads count: a cached function, a model or a label (its querysets), or a name as events have it.

    Raises:
        AssertionError: At the end of the block, with a list of what happened.
    """
    with _listening() as probe:
        yield probe
    probe.expect("hit", n, of=of)


@contextmanager
def assert_misses(n: int | None = None, *, of: Of = None) -> Iterator[CacheProbe]:
    """Assert that ``n`` reads in the block are computed and offered for storing; see ``assert_hits``."""
    with _listening() as probe:
        yield probe
    probe.expect("miss", n, of=of)


@contextmanager
def assert_bypasses(n: int | None = None, *, of: Of = None, reason: str = "") -> Iterator[CacheProbe]:
    """Assert that ``n`` reads in the block go past the cache; see ``assert_hits``.

    Args:
        n: How many, exactly.
        of: Whose reads count.
        reason: A part of the reason that they must have.
    """
    with _listening() as probe:
        yield probe
    probe.expect("bypass", n, of=of, reason=reason)


@contextmanager
def _listening() -> Iterator[CacheProbe]:
    probe = CacheProbe()
    try:
        yield probe
    finally:
        probe.stop()


def _is_of(read: Read, of: Of) -> bool:
    name = "" if of is None else _name(of)
    return not name or read.what == name or read.what.startswith(f"{name}.")


def _name(of: object) -> str:
    """Return what the reads that are meant are called by, or by what their names begin."""
    if isinstance(of, CachedFunction | AsyncCachedFunction):
        return path_of(of)
    if isinstance(of, type) and issubclass(of, models.Model):
        return of._meta.label
    if isinstance(of, str) and of:
        return of
    raise TypeError(f'of= must be a cached function, a model or a name such as "blog.Post", got {of!r}.')
