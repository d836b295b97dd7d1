"""A race, step by step: a reader is slower than a writer, first beside a hand-written cache, then beside genscache.

Two threads with a connection each. The reader stops after its SELECT until the writer has finished, so every run is
the same. What a column shows was done by that thread, in that order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from django.db import connection

from genscache.decorators import cached
from genscache.demo.chapters.timeline import Timeline, two_threads
from genscache.demo.newsroom.models import Article
from genscache.demo.newsroom.pages import LIFE, title_of
from genscache.demo.stage import Stage
from genscache.demo.tables import Chapter, prose
from genscache.explaining import explain
from genscache.stores.base import Bump, Ensure, Fetch, Lease, Put, Settle, Store
from genscache.types import CounterState, Fetched


@dataclass(frozen=True, slots=True)
class Act:
    """How one cache came through."""

    name: str
    steps: Timeline
    served: str
    stored: str

    @property
    def stale(self) -> bool:
        """Tell whether a reader that came after the write was given what was before it."""
        return self.served != self.stored

    @property
    def result(self) -> str:
        """Say it in a line."""
        if self.stale:
            return f'{self.name}: STALE (served "{self.served}", the database has "{self.stored}")'
        return f'{self.name}: fresh (served "{self.served}", as the database has it)'


class HandWritten:
    """What projects write by hand: get, and after a miss set; after a write delete. On the same store."""

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key

    def get(self) -> str | None:
        """Return what is stored."""
        found = self._store.execute(Fetch((), self._key)).entry
        return None if found is None else found.decode()

    def set(self, text: str) -> None:
        """Store."""
        self._store.execute(Put(((self._key, text.encode()),), LIFE * 1000))

    def delete(self) -> None:
        """Take away."""
        self._store.execute(Put((), 1, (self._key,)))


def show(stage: Stage) -> Chapter:
    """Play the race twice."""
    naive, ours = _naive(stage, 1), _ours(stage, 2)
    body: list[str] = []
    for act, heading in ((naive, "A hand-written cache on the same store"), (ours, "genscache")):
        body += ["", f"  {heading}:", *act.steps.lines(), f"  {act.result}"]
    note = (
        "The reader of the second act stores its old title, too, but under the generations that it had seen before "
        "it asked the database. The writer's bump has made these unreachable: no later reader asks under them."
    )
    data = {
        act.name: {
            "verdict": "STALE" if act.stale else "fresh",
            "served": act.served,
            "database": act.stored,
            "steps": [{"who": step.who, "what": step.what} for step in act.steps.steps],
        }
        for act in (naive, ours)
    }
    return Chapter("race", (*body, *prose(note)), data, kept=not ours.stale)


def _naive(stage: Stage, pk: int) -> Act:
    steps = Timeline()
    cache = HandWritten(stage.store, f"{stage.engine.keys.prefix}:naive:{pk}")

    def read(pause: Callable[[], None]) -> str:
        found = cache.get()
        steps.add(f"cache.get() -> {_shown(found)}")
        if found is None:
            found = _select(steps, pk)
            pause()
            cache.set(found)
            steps.add(f"cache.set({_shown(found)})")
        return found

    def write() -> None:
        _update(steps, pk)
        cache.delete()
        steps.add("cache.delete()")

    two_threads(read, write)
    served = read(lambda: None)
    return Act("naive", steps, served, title_of(pk))


def _ours(stage: Stage, pk: int) -> Act:
    steps = Timeline()
    pauses: list[Callable[[], None]] = []

    @cached(Article, timeout=LIFE)
    def title(pk: int) -> str:
        found = _select(steps, pk)
        pauses.pop()()
        return found

    def read(pause: Callable[[], None]) -> str:
        pauses.append(pause)
        return title(pk)

    asked = explain(title, pk)
    teller = _Teller(partial(stage.engine.keys.entry, asked.what, asked.fingerprint or ""))
    with stage.store.listening(lambda operation, answer: steps.add(teller.told(operation, answer))):
        two_threads(read, lambda: _update(steps, pk))
        served = read(lambda: None)
    return Act("genscache", steps, served, title_of(pk))


def _select(steps: Timeline, pk: int) -> str:
    title = title_of(pk)
    steps.add(f"SELECT title -> {_shown(title)}")
    return title


def _update(steps: Timeline, pk: int) -> None:
    def note(execute: Callable[..., object], *statement: object) -> object:
        result = execute(*statement)
        steps.add("UPDATE title to 'New title', committed")
        return result

    # Inside genscache's own wrapper: noted between the lease and what settles it, where it happens.
    with connection.execute_wrapper(note):
        Article.objects.filter(pk=pk).update(title="New title")


def _shown(text: str | None) -> str:
    return repr(text)


class _Teller:
    """Says in words what is asked of the store, and remembers which generations the key of an entry stands for.

    Args:
        key: Returns the key of the entry under a vector.
    """

    def __init__(self, key: Callable[[Sequence[int]], str]) -> None:
        self._key = key
        self._known: dict[str, str] = {}

    def told(self, operation: object, answer: object) -> str:  # noqa: PLR0911 - one return an operation
        """Say what an operation of the store was for, and what came back."""
        match operation, answer:
            case Fetch(counters=()), Fetched(entry=entry):
                return f"asks for the entry under these: {'none' if entry is None else 'found'}"
            case Fetch(), Fetched(states=states):
                return f"asks for the generations: {self._youngest(states)}"
            case Ensure(), tuple() as states:
                return f"has the missing ones made: {self._youngest(states)}"
            case Lease(), _:
                return "leases the row's generations: readers bypass"
            case ((Settle() | Bump()), _):
                return "bumps them, which ends the lease"
            case Put(items=items), _:
                key = items[0][0]
                return f"stores its result under {self._known.get(key, key)}"
            case _:
                return type(operation).__name__

    def _youngest(self, states: tuple[CounterState | None, ...]) -> str:
        """Return the end of the youngest generation; all of them are readings of one clock."""
        vector = [state.generation for state in states if state is not None]
        if len(vector) < len(states):
            return "some are missing"
        found = f"..{str(max(vector))[-6:]}"
        self._known[self._key(vector)] = found
        return f"youngest {found}"
