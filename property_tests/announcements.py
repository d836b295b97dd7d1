"""The ways to invalidate, and what nobody may be given afterwards."""

from __future__ import annotations

from genscache import invalidate, invalidate_all, invalidate_model, invalidate_obj, invalidate_tables, obj
from property_tests.databases import ROWS
from property_tests.history import Places
from property_tests.readers import OUTSIDE, READERS, SECTIONS
from property_tests.world import Session, World
from tests.site.news.models import Section

INVALIDATIONS = ("model", "object", "all", "name", "tables", "call", "function")


def tell(world: World, session: Session, kind: str, name: str, pk: int) -> None:
    """Begin to invalidate; what is committed now is what nobody may go behind afterwards.

    Args:
        world: The world.
        session: Who tells.
        kind: How.
        name: Of the reader whose call or function is meant.
        pk: Of the object that is meant.
    """
    reader, alias = READERS[name], world.database.alias
    # What a function reads through another cached function is that one's: invalidating the outer call leaves it alone.
    own = tuple(row for row in (*ROWS, OUTSIDE) if not (name == "composite" and row in SECTIONS))
    task, rows = {
        "model": (lambda: invalidate_model(Section), SECTIONS),
        "object": (lambda: invalidate_obj(obj(Section, pk)), (("section", pk),)),
        "all": (invalidate_all, (*ROWS, OUTSIDE)),
        "name": (lambda: invalidate("outside"), (OUTSIDE,)),
        "tables": (lambda: invalidate_tables("news_section", "NEWS_AUTHOR"), ROWS),
        "call": (lambda: reader.invalidate(alias), own),
        "function": (reader.invalidate_all, own),
    }[kind]
    places = world.history.now(rows)

    def done(_: object) -> None:
        if kind in {"call", "function"}:
            _reader_floor(world, session, name if kind == "call" else reader.function, places)
        else:
            world.returned(session, places, leased=False)

    world.begin(session, task, done)


def _reader_floor(world: World, session: Session, reader: str, places: Places) -> None:
    if session.batching:
        return
    known = world.reader_floors.setdefault(reader, {})
    for row, place in places.items():
        known[row] = max(known.get(row, 0), place)
