"""Bumps on their way to the store: which ones, and what becomes of those that it does not take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from django.db import connections

from genscache.engine import Engine
from genscache.events import logger
from genscache.exceptions import StoreError, StoreUnavailable
from genscache.keys import SITE, Kind, Namespace
from genscache.protocol import write
from genscache.protocol.steps import Steps, run
from genscache.snapshots import wrote

MANY_ROWS = 300
"""A write that knows more rows, or values, of one table than this bumps the table's ``model`` namespace instead."""

_WIDER = {
    Kind.ROWS: Kind.MODEL, Kind.OBJECT: Kind.MODEL, Kind.MATCH: Kind.MODEL, Kind.CALL: Kind.FUNCTION,
}  # fmt: skip
_WIDE = frozenset(_WIDER.values())


def coarsened(namespaces: Iterable[Namespace]) -> set[Namespace]:
    """Leave out what a wider namespace covers, and name the model instead of very many of its rows.

    Every entry depends on the site; every entry that reads rows, objects or values of a table depends on its
    model; every entry of one call depends on its function.
    """
    found = set(namespaces)
    if SITE in found:
        return {SITE}
    if len(found) > MANY_ROWS:
        rows = Counter((each.kind, each.owner) for each in found if each.kind in (Kind.OBJECT, Kind.MATCH))
        found |= {Namespace(Kind.MODEL, owner) for (_, owner), count in rows.items() if count > MANY_ROWS}
    wide = {(kind, owner) for kind, owner, _ in found if kind in _WIDE}
    return {each for each in found if (_WIDER.get(each.kind), each.owner) not in wide} if wide else found


def as_models(namespaces: Iterable[Namespace]) -> set[Namespace]:
    """Return the models that the tables among ``namespaces`` belong to; a batch leases these once."""
    return coarsened(
        Namespace(Kind.MODEL, each.owner) if _WIDER.get(each.kind) is Kind.MODEL else each
        for each in namespaces
    )


def insist(engine: Engine, error: StoreError | None) -> None:
    """Tell the caller of an invalidation that it has not reached anybody, where writes are refused in an outage."""
    if error is not None and engine.settings.on_outage == "refuse":
        raise StoreUnavailable(
            f"The invalidation has not reached the store ({error}). It is kept and sent again, but until then other "
            'processes may serve old values. Bring the store back, or accept that: GENSCACHE["ON_OUTAGE"] = "proceed".'
        ) from error


def deliver(engine: Engine, steps: Steps[None], bump: tuple[str, ...]) -> StoreError | None:
    """Run steps that bump or release; return the error of a bump that the store did not take.

    Such a bump is kept, and until it is delivered this process trusts the store with nothing.
    """
    try:
        return _deliver(engine, steps, bump)
    finally:
        if bump:
            wrote()


def _deliver(engine: Engine, steps: Steps[None], bump: tuple[str, ...]) -> StoreError | None:
    if _in_its_own_transaction(engine):
        # A database cache: what it is told now is part of the transaction. pay_debts() follows when that is over.
        engine.unsettled.owe(bump)
        return None
    try:
        engine.run(steps)
    except StoreError as error:
        return _undelivered(engine, bump, error)
    except BaseException:
        # A signal handler raised between sending and the answer: the bump may not have arrived.
        engine.owe(bump)
        raise
    _delivered(engine, bump)
    return None


async def adeliver(engine: Engine, steps: Steps[None], bump: tuple[str, ...]) -> StoreError | None:
    """Run steps that bump or release, from a coroutine; see ``deliver``.

    A cancellation may come between sending and the answer: the bump is then owed, since it may not have arrived.
    """
    try:
        await engine.arun(steps)
    except StoreError as error:
        return _undelivered(engine, bump, error)
    except BaseException:
        engine.owe(bump)
        raise
    finally:
        if bump:
            wrote()
    _delivered(engine, bump)
    return None


def pay_debts(engine: Engine, database: str) -> None:
    """Deliver what a store inside ``database`` could not be told during the transaction that has just ended."""
    attempt = engine.unsettled.all()
    if not attempt or engine.store.capabilities.database != database:
        return
    if deliver(engine, write.bump(tuple(attempt)), tuple(attempt)) is None:
        engine.unsettled.delivered(attempt)


def say_farewell(engine: Engine) -> None:
    """Try once more to deliver what is owed before the process ends, and log what is lost with it."""
    attempt = engine.unsettled.all()
    try:
        run(write.bump(tuple(attempt)), engine.unguarded)
    except StoreError as error:
        logger.error(
            "The process ends and owes the store %d bumps, so stale entries may be served until they expire: %s. "
            "Call invalidate_all() when the store is back. Owed: %s",
            len(attempt),
            error,
            ", ".join(attempt),
        )
    else:
        engine.unsettled.delivered(attempt)


def _in_its_own_transaction(engine: Engine) -> bool:
    database = engine.store.capabilities.database
    if database is None:
        return False
    connection = connections[database]
    return connection.connection is not None and (connection.in_atomic_block or not connection.autocommit)


def _delivered(engine: Engine, bump: tuple[str, ...]) -> None:
    if bump:
        engine.hub.invalidated(len(bump))


def _undelivered(engine: Engine, bump: tuple[str, ...], error: StoreError) -> StoreError | None:
    if not bump:
        engine.trouble(error, "a lease of a write that was rolled back runs out by itself")
        return None
    engine.owe(bump)
    engine.hub.survived(
        "bump delayed", f"{len(bump)} bumps are kept and sent again; until then every read bypasses: {error}"
    )
    return error
