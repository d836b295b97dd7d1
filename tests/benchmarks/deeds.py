"""Writes, misses and bypasses, each in turns with the same deed in plain Django."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any, Final

from django.db import transaction

from tests.benchmarks.contestants import UPDATED, WRITTEN
from tests.benchmarks.measuring import Action, alternate, batch, percentiles
from tests.benchmarks.saying import say
from tests.benchmarks.twin import serve, twin
from tests.benchmarks.world import World

Rows = list[dict[str, Any]]
DEEDS: Final = {
    "writes": ("save", "update", "create", "transaction", "import"),
    "misses": ("get", "get of a known row", "list20"),
    "bypass": ("get", "list20", "count"),
}
IMPORTED: Final = 1000
"""Rows of an import."""


class RanOut(Exception):
    """There is nothing left that was not asked before, so the next call would be a hit."""


def deeds(world: World) -> dict[str, Action]:
    """Return what can be done, by part and case."""
    who = world.contestant
    article = world.uncached(lambda: world.plain.get(WRITTEN))
    articles = int(world.orders.options["articles"])
    never, known, asked = (
        _each_once(1, articles // 2),
        _known(world, articles // 2, articles),
        _each_once(1, articles),
    )

    def save() -> None:
        article.words += 1
        article.save()

    def in_transaction() -> None:
        with transaction.atomic():
            for _ in range(3):
                save()

    return {
        "writes save": save,
        "writes update": lambda: who.update(UPDATED),
        "writes create": who.create,
        "writes transaction": in_transaction,
        "writes import": lambda: who.import_rows(int(world.orders.options.get("imported", IMPORTED))),
        "misses get": lambda: who.get(next(never)),
        "misses get of a known row": lambda: who.get(next(known)),
        "misses list20": lambda: who.long20(next(asked)),
        "bypass get": who.get,
        "bypass list20": who.list20,
        "bypass count": who.count,
    }


def _each_once(first: int, end: int) -> Iterator[int]:
    yield from range(first, end)
    raise RanOut(f"Each of {end - first} was asked for. Use more articles, fewer rounds or shorter batches.")


def _known(world: World, first: int, end: int) -> Iterator[int]:
    """Return rows that were read by another question before, so that each has a generation."""
    world.contestant.know(range(first, end))
    yield from _each_once(first, end)


def plain(world: World) -> Rows:
    """Be the one without a cache; what was asked before may be asked again."""
    done = deeds(world)
    numbers = cycle(range(1, int(world.orders.options["articles"])))
    done["misses get"] = lambda: world.plain.get(next(numbers))
    done["misses get of a known row"] = done["misses get"]
    done["misses list20"] = lambda: world.plain.long20(next(numbers))
    serve(done)
    return []


def writes(world: World) -> Rows:
    """Measure writes; where the contestant reads, it reads before, so that there is something to invalidate."""
    world.contestant.get(WRITTEN)
    return _beside(world, "writes")


def misses(world: World) -> Rows:
    """Measure reads of what is not there yet, and is stored; each call asks for something else."""
    return _beside(world, "misses")


def bypass(world: World) -> Rows:
    """Measure reads with the cache switched off."""
    return _beside(world, "bypass")


def _beside(world: World, part: str) -> Rows:
    orders, found = world.orders, []
    mine = deeds(world)
    with twin(orders) as theirs:
        for case in DEEDS[part]:
            deed = f"{part} {case}"
            slow = case == "import"
            measured = alternate(
                lambda number, action=mine[deed]: batch(action, number),  # type: ignore[misc]  # of this turn
                theirs(deed),
                rounds=min(orders.rounds, 5) if slow else orders.rounds,
                seconds=orders.seconds,
            )
            say(
                f"  {deed:<20} {orders.contestant:<12} {measured.ratio.median:7.2f}  {measured.first.median:9.0f} µs"
            )
            found.append(
                {
                    "case": case,
                    "contestant": orders.contestant,
                    "ratio": measured.ratio.plain(),
                    "microseconds": {
                        **percentiles(mine[deed], 3 if slow else 300),
                        "uncached": measured.second.median,
                    },
                }
            )
    world.tidy()
    return found
