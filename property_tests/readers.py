"""The cached functions that actors call; each stops before and after its query."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from genscache import cached, obj
from genscache.decorators import CachedFunction
from property_tests.actors import Actor, stop
from property_tests.databases import ROWS
from property_tests.history import Row, Rows
from tests.site.news.models import Author, Section

SECTIONS = tuple(row for row in ROWS if row[0] == "section")
OUTSIDE: Row = ("outside", 1)
"""What the database does not know: only ``invalidate("outside")`` tells of it."""


def look(alias: str, rows: tuple[Row, ...]) -> Rows:
    """Query rows of one table."""
    stop("query")
    table = Section if rows[0][0] == "section" else Author
    names = dict(
        table._default_manager.using(alias).filter(pk__in=[pk for _, pk in rows]).values_list("pk", "name")
    )
    found: Rows = {row: int(names[row[1]]) if row[1] in names else None for row in rows}
    actor = threading.current_thread()
    if isinstance(actor, Actor):
        actor.witness(found)
    stop("queried")
    return found


@cached()
def discovered(alias: str) -> Rows:
    """Depend on what is found."""
    return look(alias, SECTIONS)


@cached(Section)
def declared(alias: str) -> Rows:
    """Depend on a model."""
    return look(alias, SECTIONS)


@cached(depends_on=lambda _alias, pk: [obj(Section, pk)])
def one(alias: str, pk: int) -> Rows:
    """Depend on one object."""
    return look(alias, (("section", pk),))


@cached()
def composite(alias: str) -> Rows:
    """Run two queries, one of them inside another cached function."""
    return {**look(alias, (("author", 1),)), **one(alias, 1)}


@cached(lock=True)
def patient(alias: str) -> Rows:
    """Let one process fill at a time."""
    return look(alias, SECTIONS)


@cached("outside")
def outside(_alias: str) -> Rows:
    """Read what is in no database."""
    stop("query")
    return cast("Actor", threading.current_thread()).outside()


@dataclass(frozen=True)
class Reader:
    """A call that actors make.

    Attributes:
        call: Answers it from the store or the database.
        refresh: Replaces its entry.
        invalidate: Invalidates this call.
        invalidate_all: Invalidates all calls of the function.
        function: The name of the function.
    """

    function: str
    call: Callable[[str], Rows]
    refresh: Callable[[str], Rows]
    invalidate: Callable[[str], None]
    invalidate_all: Callable[[], None]


def _plain(function: CachedFunction[[str], Rows]) -> Reader:
    return Reader(
        function.__wrapped__.__name__,
        function,
        function.refresh,
        function.invalidate,
        function.invalidate_all,
    )


def _one(pk: int) -> Reader:
    return Reader(
        "one",
        lambda alias: one(alias, pk),
        lambda alias: one.refresh(alias, pk),
        lambda alias: one.invalidate(alias, pk),
        one.invalidate_all,
    )


READERS = {
    "discovered": _plain(discovered),
    "declared": _plain(declared),
    "composite": _plain(composite),
    "patient": _plain(patient),
    "outside": _plain(outside),
    "one 1": _one(1),
    "one 2": _one(2),
    "one 3": _one(3),
}
