"""What actors do, and what the model makes of it: reads and writes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.db import connections

from genscache import (
    bypass,
    invalidate_model,
)
from property_tests import databases
from property_tests.history import Row, Rows, Version
from property_tests.readers import OUTSIDE, READERS, SECTIONS
from property_tests.world import Session, World
from tests.site.news.models import Author, Section

WRITES = ("save", "update", "update all", "delete", "create", "raw", "raw with a comment", "author")


# -- reads


def read(world: World, session: Session, name: str, *, fresh: bool = False, direct: bool = False) -> None:
    """Begin to read; what comes back is judged by what everybody knew at this moment.

    Args:
        world: The world.
        session: Who reads.
        name: Of the reader.
        fresh: Replace the entry.
        direct: Ask the database, in spite of the cache.
    """
    reader, alias, pinned = READERS[name], world.database.alias, session.pinned
    floors = dict(world.history.floor)
    if not direct:
        for each in (name, reader.function):
            for row, place in world.reader_floors.get(each, {}).items():
                floors[row] = max(floors[row], place)

    def task() -> Rows:
        if direct:
            with bypass():
                found = reader.call(alias)
        else:
            found = (reader.refresh if fresh else reader.call)(alias)
        if pinned and OUTSIDE not in found:
            snapshot = databases.read(connections[alias].connection)
            expected = {row: snapshot[row] for row in found}
            assert found == expected, f"{name} gave {found}, the transaction's own snapshot shows {expected}"
        return found

    def done(found: Rows) -> None:
        _pinned(world, session)
        for row, version in found.items():
            _judge(world, session, name, (row, version), floor=None if pinned else floors[row])

    world.begin(session, task, done)


def _judge(
    world: World, session: Session, name: str, seen: tuple[Row, Version], *, floor: int | None
) -> None:
    row, version = seen
    if session.own(row, version):
        return
    place = world.history.place(row, version)
    assert place is not None, (
        f"{session.actor.name}: {name} gave {row} = {version}, which was never committed"
    )
    assert floor is None or place >= floor, (
        f"{session.actor.name}: {name} gave {row} = {version}, after "
        f"{world.history.versions[row][floor]} was returned or seen; history {world.history.versions[row]}"
    )
    if world.leases:
        world.history.seen(row, version)


def _pinned(world: World, session: Session) -> None:
    if world.database.snapshots and session.frames:
        session.pinned = True


# -- writes


def write(world: World, session: Session, kind: str, pk: int) -> None:
    """Begin to write a new version, in a way that the library sees."""
    world.version += 1
    version: Version = world.version
    rows: tuple[Row, ...] = (("section", pk),)
    if kind == "update all":
        rows = SECTIONS
    elif kind == "create":
        rows = (("section", 3),)
    elif kind == "author":
        rows = (("author", 1),)
    task = partial(_WRITES[kind], world.database.alias, pk, str(version))
    if kind == "delete":
        version = None

    def done(_: object) -> None:
        _pinned(world, session)
        if session.frames:
            session.frames[-1] += [(row, version) for row in rows]
        else:
            world.returned(session, session.commits, leased=True)

    world.begin(session, task, done, lambda: _fail(session))


def _fail(session: Session) -> None:
    session.broken = bool(session.frames)


def _raw(text: str, alias: str, pk: int, name: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(text, [name, pk])


_WRITES: dict[str, Callable[[str, int, str], object]] = {
    "save": lambda alias, pk, name: Section(pk=pk, name=name).save(using=alias),
    "update": lambda alias, pk, name: Section.objects.using(alias).filter(pk=pk).update(name=name),
    "update all": lambda alias, _, name: Section.objects.using(alias).update(name=name),
    "delete": lambda alias, pk, _: Section.objects.using(alias).filter(pk=pk).delete(),
    "create": lambda alias, _, name: Section.objects.using(alias).create(pk=3, name=name),
    "raw": partial(_raw, "UPDATE news_section SET name = %s WHERE id = %s"),
    "raw with a comment": partial(
        _raw, "WITH c AS (SELECT 1) -- all\nUPDATE news_section SET name = %s WHERE id = %s"
    ),
    "author": lambda alias, _, name: Author(pk=1, name=name).save(using=alias),
}


def write_untold(world: World, session: Session, pk: int, *, announce: bool = True) -> None:
    """Begin to write by the driver's own connection; inside a transaction, tell at once if ``announce``."""
    world.version += 1
    version, alias = world.version, world.database.alias
    session.untold = not session.frames

    def task() -> None:
        connection = connections[alias]
        connection.ensure_connection()
        connection.connection.execute(f"UPDATE news_section SET name = '{version}' WHERE id = {pk}")
        if session.frames and announce:
            invalidate_model(Section)

    def done(_: object) -> None:
        _pinned(world, session)
        if session.frames:
            session.frames[-1].append((("section", pk), version))

    def failed() -> None:
        _fail(session)

    world.begin(session, _as_django(alias, task), done, failed)


def _as_django(alias: str, task: Callable[[], None]) -> Callable[[], None]:
    """Raise the driver's errors as Django's."""

    def wrapped() -> None:
        with connections[alias].wrap_database_errors:
            task()

    return wrapped


def pin(world: World, session: Session) -> None:
    """Leave a SELECT unfinished, which pins SQLite's snapshot."""

    def task() -> object:
        cursor = connections[world.database.alias].cursor()
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9)"
        cursor.execute(f"{numbers} SELECT n.i, (SELECT max(name) FROM news_section) FROM n")
        cursor.fetchone()
        return cursor

    def done(cursor: object) -> None:
        session.cursor, session.pinned = cursor, True

    world.begin(session, task, done)


def unpin(world: World, session: Session) -> None:
    """Finish it."""
    cursor, session.cursor = session.cursor, None
    session.pinned = False
    world.begin(session, cursor.close)
