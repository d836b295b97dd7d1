"""A thousand writes: how often the store is asked, one by one and together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from django.db import transaction

from genscache.demo.newsroom import pages
from genscache.demo.newsroom.models import Article
from genscache.demo.progress import spaced
from genscache.demo.stage import Stage, timed
from genscache.demo.tables import Chapter, milliseconds, prose, table
from genscache.dependencies import obj
from genscache.invalidation import batch_invalidations, invalidate_obj


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do very many writes."""

    name: str
    block: Callable[[], AbstractContextManager[object]]
    step: Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Counted:
    """What a way cost: round trips by what they were for, and seconds."""

    way: str
    operations: Counter[str]
    seconds: float
    fresh: bool

    @property
    def leases(self) -> int:
        """Round trips before a write: a lease, or a snapshot's clock."""
        return self.operations["Lease"] + self.operations["ReadClock"]

    @property
    def bumps(self) -> int:
        """Round trips after it: settling a lease, or a plain bump."""
        return self.operations["Settle"] + self.operations["Bump"]


def show(stage: Stage) -> Chapter:
    """Do the same writes in several ways and count the round trips of each."""
    many = spaced(stage.writes)
    ways = (
        Way(f"{many} UPDATEs, one by one", nullcontext, _update),
        Way(f"{many} UPDATEs in a batch", batch_invalidations, _update),
        Way(f"{many} UPDATEs in transaction.atomic()", transaction.atomic, _update),
        Way(f"{many} invalidate_obj(), one by one", nullcontext, _invalidate),
        Way(f"{many} invalidate_obj() in a batch", batch_invalidations, _invalidate),
    )
    counted = [_count(stage, way) for way in ways]
    head = ("what", "before (lease)", "after (bump)", "round trips", "ms")
    rows = [
        (
            each.way,
            spaced(each.leases),
            spaced(each.bumps),
            spaced(each.operations.total()),
            milliseconds(each.seconds),
        )
        for each in counted
    ]
    note = (
        "A write takes a lease before it can be seen, so that nobody stores the old rows meanwhile, and settles it "
        "after. In a batch, which is a block with batch_invalidations(), the model is leased once, at its first "
        "write, and the end of the batch is one round trip for everything. invalidate_obj() announces a write that "
        "is done, so there is nothing to lease. The transaction on SQLite asks for the store's clock, too: it reads "
        "a snapshot."
    )
    kept = (
        all(each.fresh for each in counted) and counted[1].bumps == 1 and counted[4].operations.total() == 1
    )
    data = {"ways": [_data(stage, each) for each in counted]}
    return Chapter("batch", (*table(head, rows), *prose(note)), data, kept=kept)


def _count(stage: Stage, way: Way) -> Counted:
    last = (stage.writes - 1) % stage.articles + 1
    pages.article_page(last)

    def work() -> None:
        with way.block():
            for number in range(stage.writes):
                way.step(number % stage.articles + 1)

    with stage.store.counted() as operations:
        seconds = timed(work)
    fresh = pages.article_page(last) == pages.article_page.__wrapped__(last)
    return Counted(way.name, operations, seconds, fresh)


def _update(pk: int) -> None:
    Article.objects.filter(pk=pk).update(title=f"Corrected {pk}")


def _invalidate(pk: int) -> None:
    invalidate_obj(obj(Article, pk))


def _data(stage: Stage, each: Counted) -> dict[str, object]:
    return {
        "way": each.way,
        "writes": stage.writes,
        "leases": each.operations["Lease"],
        "clock": each.operations["ReadClock"],
        "bumps": each.bumps,
        "round_trips": each.operations.total(),
        "ms": round(each.seconds * 1000, 3),
        "fresh": each.fresh,
    }
