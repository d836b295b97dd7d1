"""What a cached function has read while it ran: the earliest generation of everything, or why it must not be stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from genscache.keys import Namespace
from genscache.types import Generation

_current: ContextVar[Recording | None] = ContextVar("genscache_recording", default=None)


class Recording:
    """The reads of one run of a function.

    Args:
        vector: Generations that were read before the run began.
        discover: The tables that the run's queries read are dependencies; otherwise only what is declared, and what
            the cached functions that it calls depend on.
        covered: Database aliases and tables whose namespaces are in ``vector`` already.
        pinned: Those among them of which only some rows are: they stand for the run's first query that touches them.
            What reads other rows later (a ``from_db``, a ``post_init``) depends on more.

    Attributes:
        used: What the run depends on, each with the generation that was read *before* the first query that touched
            it: a composite of several queries is stored under the oldest of them.
        flaw: Why the result must not be stored; empty while it may.
    """

    def __init__(
        self,
        vector: Mapping[Namespace, Generation],
        *,
        discover: bool,
        covered: Collection[tuple[str, str]] = (),
        pinned: Collection[tuple[str, str]] = (),
    ) -> None:
        self._known = dict(vector)
        self._covered = frozenset(covered)
        self._pinned = frozenset(pinned)
        self.discover = discover
        self.used: dict[Namespace, Generation] = {}
        self.flaw = ""

    def uncovered(self, database: str, tables: Iterable[str]) -> tuple[str, ...]:
        """Return those of ``tables`` that nothing in the vector stands for yet."""
        read = {(database, table) for table in tables}
        left = tuple(table for _, table in sorted(read - self._covered))
        if read & self._pinned:
            self._covered -= self._pinned
        return left

    def spoil(self, reason: str) -> None:
        """Forbid storing; the first reason is kept."""
        self.flaw = self.flaw or reason

    def use(self, namespaces: Iterable[Namespace]) -> tuple[Namespace, ...]:
        """Depend on ``namespaces``; return those whose generation must be read before the query may run."""
        missing = []
        for namespace in namespaces:
            if namespace in self.used:
                continue
            generation = self._known.get(namespace)
            if generation is None:
                missing.append(namespace)
            else:
                self.used[namespace] = generation
        return tuple(missing)

    def learn(self, namespaces: Iterable[Namespace], generations: Iterable[Generation]) -> None:
        """Depend on ``namespaces``, whose generations have just been read."""
        for namespace, generation in zip(namespaces, generations, strict=True):
            self.used.setdefault(namespace, generation)

    def absorb(self, used: Mapping[Namespace, Generation], *, flaw: str = "") -> None:
        """Depend on what a cached function that was called inside depends on."""
        for namespace, generation in used.items():
            self.used.setdefault(namespace, self._known.get(namespace, generation))
        if flaw:
            self.spoil(flaw)


def current_recording() -> Recording | None:
    """Return the recording of the innermost cached function that is running in this context."""
    return _current.get()


@contextmanager
def apart(recording: Recording) -> Iterator[Recording]:
    """Make ``recording`` the current one, of which the outer one, if there is one, learns nothing."""
    token = _current.set(recording)
    try:
        yield recording
    finally:
        _current.reset(token)


class record:  # noqa: N801 - used as a function
    """Make ``recording`` the current one; at the end, also after an exception, the outer one absorbs it."""

    __slots__ = ("_outer", "_recording", "_token")

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def __enter__(self) -> Recording:
        """Begin to record."""
        self._outer = _current.get()
        self._token = _current.set(self._recording)
        return self._recording

    def __exit__(self, *_: object) -> None:
        """Go on with what was recorded before."""
        _current.reset(self._token)
        if self._outer is not None:
            self._outer.absorb(self._recording.used, flaw=self._recording.flaw)
