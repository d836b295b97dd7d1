"""What a benchmark's process has: a database with articles, a contestant, and the yardsticks beside it."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psutil
import psycopg
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis import Redis

from tests.benchmarks.clocks import used
from tests.benchmarks.contestants import Contestant, contestant
from tests.benchmarks.journal.models import Article, Author
from tests.benchmarks.measuring import Action
from tests.benchmarks.orders import Orders

AUTHORS = 50
SECTIONS = 10
RAW = "raw"


class NotCached(Exception):
    """What ought to be a hit asks the database."""


def populate(articles: int) -> None:
    """Make the tables and fill them, the same each time."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    Author._default_manager.bulk_create(
        Author(
            name=f"Author number {number}",
            email=f"author{number}@example.com",
            born=date(1970, 1, 1 + number % 28),
        )
        for number in range(AUTHORS)
    )
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    text = (
        "What happened, who says so, and what others think of it, in two sentences. This is the second one. "
    )
    Article._default_manager.bulk_create(
        [
            Article(
                title=f"The title of article number {number}",
                slug=f"the-title-of-article-number-{number}",
                summary=text * (1 + number % 3),
                author_id=1 + number % AUTHORS,
                section=number % SECTIONS,
                published=moment + timedelta(minutes=number),
                price=Decimal(number % 1000) / 100,
                words=300 + number % 700,
            )
            for number in range(articles)
        ],
        batch_size=1000,
    )


class World:
    """The process.

    Args:
        orders: What it was told.
    """

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.contestant: Contestant = contestant(orders.contestant)
        self.raw = Redis.from_url(orders.store)
        self.plain = contestant("none")

    def uncached(self, ask: Callable[[], Any]) -> Any:
        """Return what the database says, as a list or a value of its own."""
        if self.orders.contestant == "genscache":
            from genscache import bypass  # noqa: PLC0415 - not there where others are measured

            with bypass():
                return ask()
        if self.orders.contestant == "cachalot":
            from cachalot.api import cachalot_disabled  # type: ignore[import-not-found]  # noqa: PLC0415 - the same

            with cachalot_disabled():
                return ask()
        if self.orders.contestant == "cacheops":
            from cacheops import invalidate_all  # type: ignore[import-not-found]  # noqa: PLC0415 - the same

            invalidate_all()
        return ask()

    def raw_get(self, value: object) -> Action:
        """Store a value as a pickle, and return the yardstick: one ``GET`` of it with redis-py, then ``loads``."""
        self.raw.set(RAW, pickle.dumps(value, pickle.HIGHEST_PROTOCOL))
        raw = self.raw
        return lambda: pickle.loads(raw.get(RAW))  # type: ignore[arg-type]

    def tidy(self) -> None:
        """Take away the articles that were made since the beginning, and what writes have left in the table."""
        with self._session() as session:
            session.execute("DELETE FROM journal_article WHERE id > %s", [self.orders.options["articles"]])
            session.execute("VACUUM journal_article")

    def _session(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1", port=self.orders.database, user="postgres", dbname="postgres", autocommit=True
        )

    def warm(self, action: Action) -> None:
        """Make sure that a call is a hit.

        Raises:
            NotCached: It is none.
        """
        for _ in range(4):
            action()
        with CaptureQueriesContext(connection) as queries:
            action()
        if len(queries):
            raise NotCached(f"{self.orders.contestant} asks the database: {queries[0]['sql']}")

    def processor_time(self) -> float:
        """Return the seconds that this process and the servers have used."""
        servers = [psutil.Process(pid) for pid in self.orders.servers]
        return time.process_time() + sum(used(server) for server in servers)
