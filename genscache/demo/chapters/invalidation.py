"""What an invalidation costs with few entries in the store and with very many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from genscache.demo.newsroom import pages
from genscache.demo.newsroom.models import Article
from genscache.demo.progress import Progress, spaced
from genscache.demo.stage import Stage, Times, timed
from genscache.demo.tables import Chapter, milliseconds, prose, table
from genscache.functions import Identity, Options
from genscache.invalidation import invalidate_model
from genscache.stores.base import Ensure, Put

PART: Final = 100
"""How many entries are written together; a server is never busy with one step for long."""

SAMPLE: Final = 100
"""How many entries are asked for, before and after."""

ALL_THERE: Final = (
    "The entries are there: of a sample, spread evenly, all are served before the call and none after it."
)
SOME_THERE: Final = (
    "The store has too little memory and has not kept all; of a sample, none is served after the call."
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One invalidation of many entries."""

    entries: int
    sampled: int
    served_before: int
    served_after: int
    first: float
    times: Times
    round_trips: int


def show(stage: Stage) -> Chapter:
    """Store ever more entries that depend on one model, and invalidate the model."""
    sizes = (max(stage.entries // 100, 1), max(stage.entries // 10, 1), stage.entries)
    measured = [_measure(stage, size) for size in sizes]
    full = all(each.served_before == each.sampled for each in measured)
    note = (
        f"{ALL_THERE if full else SOME_THERE} The call gives one number, the model's generation, a new value; it "
        "neither looks for entries nor knows how many there are."
    )
    kept = all(each.served_after == 0 and each.round_trips == 1 for each in measured)
    data = {"calls": [_data(each) for each in measured]}
    return Chapter("invalidation", (*_table(measured), *prose(note)), data, kept=kept)


def _measure(stage: Stage, size: int) -> Measured:
    _store(stage, size)
    sample = range(0, size, max(size // SAMPLE, 1))
    before = _served(stage, sample)
    with stage.store.counted() as seen:
        first = timed(lambda: invalidate_model(Article))
    after = _served(stage, sample)
    # With the entries still lying there, unreachable: the same call again, for a median.
    times = Times.of([timed(lambda: invalidate_model(Article)) for _ in range(stage.calls)])
    return Measured(size, len(sample), before, after, first, times, seen.total())


def _store(stage: Stage, size: int) -> None:
    """Write the entries of ``pages.teaser(0)`` to ``pages.teaser(size - 1)``, many at a time.

    They are what as many calls would have stored, counters included, without the wait for each of them.
    """
    options = Options((Article,), float(pages.LIFE), None, None, lock=False)
    identity = Identity(pages.teaser.__wrapped__, options)
    progress = Progress(stage.news, "Storing entries", size)
    for start in range(0, size, PART):
        stop = min(start + PART, size)
        _store_part(stage, identity, range(start, stop))
        progress.at(stop)
    progress.end()


def _store_part(stage: Stage, identity: Identity, numbers: range) -> None:
    engine, items = stage.engine, []
    calls = [identity.call(engine, (number,), {}) for number in numbers]
    questions = [identity.question(engine, call, (*call.base, *call.declared)) for call in calls]
    counters = tuple(dict.fromkeys(counter for question in questions for counter in question.counters))
    made = stage.store.execute(Ensure(counters))
    states = dict(zip(counters, made, strict=True))
    for number, question in zip(numbers, questions, strict=True):
        vector = [states[counter].generation for counter in question.counters]
        key = engine.keys.entry(question.owner, question.fingerprint, vector)
        items.append((key, engine.codec.encode(pages.teaser.__wrapped__(number), key=key)))
    stage.store.execute(Put(tuple(items), pages.LIFE * 1000))


def _served(stage: Stage, numbers: Sequence[int]) -> int:
    """Ask for entries; return how many of the calls were hits."""
    before = stage.engine.hub.counts().get("hit", 0)
    for number in numbers:
        pages.teaser(number)
    return stage.engine.hub.counts().get("hit", 0) - before


def _table(measured: list[Measured]) -> tuple[str, ...]:
    head = ("entries in the store", "served before", "after", "this call ms", "median ms", "round trips")
    rows = [
        (
            spaced(each.entries),
            f"{each.served_before} of {each.sampled}",
            f"{each.served_after} of {each.sampled}",
            milliseconds(each.first),
            milliseconds(each.times.median),
            str(each.round_trips),
        )
        for each in measured
    ]
    return table(head, rows, left=0)


def _data(each: Measured) -> dict[str, object]:
    return {
        "entries": each.entries,
        "sampled": each.sampled,
        "served_before": each.served_before,
        "served_after": each.served_after,
        "first_ms": round(each.first * 1000, 4),
        "median_ms": round(each.times.median * 1000, 4),
        "p95_ms": round(each.times.most * 1000, 4),
        "round_trips": each.round_trips,
    }
