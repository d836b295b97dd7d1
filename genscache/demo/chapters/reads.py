"""What a cached page costs beside an uncached one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection

from genscache.demo.newsroom import pages
from genscache.demo.stage import Stage, Times, timed
from genscache.demo.tables import Chapter, milliseconds, prose, table


@dataclass(frozen=True, slots=True)
class Page:
    """One page and how it can be had."""

    name: str
    computed: Callable[[], object]
    cached: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a page costs in one of the two ways."""

    page: str
    way: str
    times: Times
    queries: int
    round_trips: int


def show(stage: Stage) -> Chapter:
    """Time both ways in turn, so that whatever slows the machine down slows both."""
    middle = stage.articles // 2
    listed = (
        Page(
            "front page (20 articles)",
            lambda: pages.front_page.__wrapped__(20),
            lambda: pages.front_page(20),
        ),
        Page(
            "article by primary key",
            lambda: pages.article_page.__wrapped__(middle),
            lambda: pages.article_page(middle),
        ),
    )
    costs = [cost for page in listed for cost in _compare(stage, page)]
    same = all(page.computed() == page.cached() for page in listed)
    return Chapter("reads", _body(stage, costs), {"pages": _data(stage, costs)}, kept=same)


def _compare(stage: Stage, page: Page) -> tuple[Cost, Cost]:
    # The first call fills; the second is the first that knows which key to expect.
    page.cached()
    page.cached()
    computed, hits = [], []
    for _ in range(stage.calls):
        computed.append(timed(page.computed))
        hits.append(timed(page.cached))
    return (
        Cost(page.name, "uncached", Times.of(computed), *_work(stage, page.computed)),
        Cost(page.name, "cached", Times.of(hits), *_work(stage, page.cached)),
    )


def _work(stage: Stage, call: Callable[[], object]) -> tuple[int, int]:
    """Count the queries and the round trips to the store of one call."""
    with stage.store.counted() as seen, _queries() as queries:
        call()
    return len(queries), seen.total()


@contextmanager
def _queries() -> Iterator[list[str]]:
    found: list[str] = []

    def note(execute: Callable[..., object], sql: str, *rest: object) -> object:
        found.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        yield found


def _body(stage: Stage, costs: list[Cost]) -> tuple[str, ...]:
    rows = []
    for plain, hit in zip(costs[::2], costs[1::2], strict=True):
        rows += [_row(plain, ""), _row(hit, f"{plain.times.median / hit.times.median:.1f} x")]
    head = ("page", "", "median ms", "95 % below ms", "SQL queries", "round trips", "as fast")
    note = (
        f"Time per call, {stage.calls} calls of each, in turn. Round trips are those to the store. A hit is one: the "
        "generations and the entry are asked for together."
    )
    return (*table(head, rows, left=2), *prose(note))


def _row(cost: Cost, faster: str) -> tuple[str, ...]:
    times = (milliseconds(cost.times.median), milliseconds(cost.times.most))
    return (cost.page, cost.way, *times, str(cost.queries), str(cost.round_trips), faster)


def _data(stage: Stage, costs: list[Cost]) -> list[dict[str, object]]:
    return [
        {
            "page": cost.page,
            "way": cost.way,
            "calls": stage.calls,
            "median_ms": round(cost.times.median * 1000, 4),
            "p95_ms": round(cost.times.most * 1000, 4),
            "queries": cost.queries,
            "round_trips": cost.round_trips,
        }
        for cost in costs
    ]
