"""The blocks that actors open and end: transactions, savepoints and batches."""

from __future__ import annotations

from django.db import transaction

from genscache import batch_invalidations
from property_tests.world import Session, World


class RolledBack(Exception):
    """Ends a block in the other way."""


def enter(world: World, session: Session, kind: str) -> None:
    """Begin a transaction, a savepoint or a batch."""
    block = transaction.atomic(using=world.database.alias) if kind == "atomic" else batch_invalidations()

    def done(_: object) -> None:
        session.contexts.append((kind, block))
        if kind == "atomic":
            session.frames.append([])

    world.begin(session, block.__enter__, done)


def leave(world: World, session: Session, *, well: bool) -> None:
    """Begin to end the innermost block: commit or roll back, or the end of a batch, with or without an error."""
    kind, block = session.contexts.pop()
    error = (None, None, None) if well else (RolledBack, RolledBack(), None)

    def done(_: object) -> None:
        if kind == "batch":
            _batch_done(world, session, told=True)
        else:
            _atomic_done(world, session, kept=well)

    def failed() -> None:
        if kind == "batch":
            _batch_done(world, session, told=False)
        else:
            session.commits = {}
            _atomic_done(world, session, kept=False)

    world.begin(session, lambda: block.__exit__(*error), done, failed)


def _atomic_done(world: World, session: Session, *, kept: bool) -> None:
    frame = session.frames.pop()
    if session.frames:
        session.frames[-1] += frame if kept else []
        return
    session.pinned = session.broken = False
    world.returned(session, session.commits, leased=True)


def _batch_done(world: World, session: Session, *, told: bool) -> None:
    if session.batching:
        return
    promised, session.promised = session.promised, []
    for places in promised if told else ():
        world.history.raise_floor(places)
