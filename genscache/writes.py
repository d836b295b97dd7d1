"""Leases and bumps of this process's writes: one at a time, per transaction, or gathered in a batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable
from contextvars import ContextVar

from genscache.engine import Engine
from genscache.events import Invalidated, logger
from genscache.exceptions import StoreError, StoreUnavailable, WriteRefused
from genscache.keys import SITE, Kind, Namespace
from genscache.protocol import write
from genscache.protocol.steps import Steps

MANY_ROWS = 300
"""A write that knows more rows of one table than this bumps the table's ``model`` namespace instead."""

current_batch: ContextVar[Batch | None] = ContextVar("genscache_batch", default=None)


class Ticket:
    """One write to the database: leased before it can be seen, settled after.

    Args:
        engine: The engine.
        namespaces: What the write may change, as far as it is known before.

    Raises:
        WriteRefused: No lease can be had, and ``ON_OUTAGE`` is ``"refuse"``.
    """

    def __init__(self, engine: Engine, namespaces: Iterable[Namespace]) -> None:
        self._engine = engine
        self._batch = current_batch.get()
        self._token = engine.token() if self._batch is None else self._batch.token
        self._leased: tuple[str, ...] = ()
        if not leases(engine):
            return
        coarse = coarsened(namespaces) if self._batch is None else as_models(namespaces)
        counters = engine.counters(coarse)
        if self._batch is not None:
            counters = self._batch.to_lease(counters, renew_after=engine.settings.lease / 2)
        self._lease(counters)

    def settle(self, namespaces: Iterable[Namespace]) -> None:
        """The write has taken effect: bump what it changed, or leave that to the end of the batch."""
        if self._batch is not None and self._batch.add(namespaces):
            return
        bump = self._engine.counters(coarsened(namespaces))
        release = tuple(set(self._leased).difference(bump))
        if bump or release:
            deliver(self._engine, write.settle(self._token, bump=bump, release=release), bump)

    def release(self) -> None:
        """The write has definitely not taken effect: end the lease and leave the generations alone."""
        if self._leased and self._batch is None:
            deliver(self._engine, write.settle(self._token, bump=(), release=self._leased), ())

    def abandon(self, namespaces: Iterable[Namespace], error: BaseException) -> None:
        """Nobody knows whether the write will take effect: bump now, and leave the lease, which ends with a bump."""
        detail = f"{type(error).__name__}: the outcome of a write is unknown; its lease runs out by itself"
        self._engine.hub.survived("commit unknown", detail)
        if self._batch is not None and self._batch.abandon(namespaces):
            return
        bump = self._engine.counters(coarsened(namespaces))
        if bump:
            deliver(self._engine, write.bump(bump), bump)

    def _lease(self, counters: tuple[str, ...]) -> None:
        if not counters:
            return
        duration = round(self._engine.settings.lease * 1000)
        asked = time.monotonic()
        try:
            self._engine.run(write.lease(counters, token=self._token, duration=duration))
        except StoreError as error:
            if self._engine.settings.on_outage == "proceed":
                self._engine.trouble(error, "a write goes on without a lease")
                return
            self._engine.hub.survived("write refused", str(error))
            raise WriteRefused(
                f"The write was not done, because the cache's store cannot grant a lease for it ({error}). "
                'Bring the store back, or let writes go on without it: GENSCACHE["ON_OUTAGE"] = "proceed".'
            ) from error
        if self._batch is None:
            self._leased = counters
        else:
            self._batch.leased(counters, since=asked)


class Batch:
    """Invalidations gathered until the outermost ``batch_invalidations()`` ends."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.token = engine.token()
        self._pending: dict[Namespace, None] = {}
        self._leases: dict[str, float] = {}
        self._open = True
        self._lock = threading.Lock()

    def add(self, namespaces: Iterable[Namespace]) -> bool:
        """Gather; false where the batch has ended (a thread that outlived it): then the caller bumps by itself."""
        with self._lock:
            if self._open:
                self._pending.update(dict.fromkeys(namespaces))
            return self._open

    def touches(self, namespaces: Collection[Namespace]) -> bool:
        """Tell whether a read of ``namespaces`` must see what the batch has not sent out yet."""
        return not self._pending.keys().isdisjoint(namespaces)

    def to_lease(self, counters: Iterable[str], *, renew_after: float) -> tuple[str, ...]:
        """Return which of ``counters`` are not leased yet, or not for long enough, in seconds."""
        now = time.monotonic()
        with self._lock:
            return tuple(
                each for each in counters if now - self._leases.get(each, -renew_after) >= renew_after
            )

    def leased(self, counters: Iterable[str], *, since: float) -> None:
        """Remember leases that the batch's token holds, and when they were asked for: the answer may come late."""
        with self._lock:
            self._leases.update(dict.fromkeys(counters, since))

    def abandon(self, namespaces: Iterable[Namespace]) -> bool:
        """Gather what a COMMIT without an answer may yet write; its lease must outlive the batch.

        So the batch goes on under another token, and the leases of the one so far run out by themselves.
        """
        with self._lock:
            if self._open:
                self._pending.update(dict.fromkeys(namespaces))
                self._leases.clear()
                self.token = self.engine.token()
            return self._open

    def end(self) -> tuple[Steps[None] | None, tuple[str, ...]]:
        """Close the batch; return the one step that settles it (``None``: nothing to do) and what that bumps."""
        with self._lock:
            self._open = False
            bump = self.engine.counters(coarsened(self._pending))
            release = tuple(set(self._leases).difference(bump))
        if not bump and not release:
            return None, ()
        return write.settle(self.token, bump=bump, release=release), bump


def leases(engine: Engine) -> bool:
    """Tell whether writes take leases."""
    return engine.settings.lease > 0 and engine.store.capabilities.leases


def invalidate_now(engine: Engine, namespaces: Iterable[Namespace]) -> None:
    """Bump at once, or at the end of the batch that is open."""
    batch = current_batch.get()
    if batch is not None and batch.add(namespaces):
        return
    counters = engine.counters(coarsened(namespaces))
    if counters:
        insist(engine, deliver(engine, write.bump(counters), counters))


async def ainvalidate_now(engine: Engine, namespaces: Iterable[Namespace]) -> None:
    """Bump at once, or at the end of the batch that is open."""
    batch = current_batch.get()
    if batch is not None and batch.add(namespaces):
        return
    counters = engine.counters(coarsened(namespaces))
    if counters:
        insist(engine, await adeliver(engine, write.bump(counters), counters))


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
        engine.run(steps)
    except StoreError as error:
        return _undelivered(engine, bump, error)
    except BaseException:
        # A signal handler raised between sending and the answer: the bump may not have arrived.
        engine.unsettled.owe(bump)
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
        engine.unsettled.owe(bump)
        raise
    _delivered(engine, bump)
    return None


def say_farewell(engine: Engine) -> None:
    """Try once more to deliver what is owed before the process ends, and log what is lost with it."""
    attempt = engine.unsettled.all()
    try:
        engine.run(write.bump(tuple(attempt)))
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


def coarsened(namespaces: Iterable[Namespace]) -> set[Namespace]:
    """Leave out what a wider namespace covers, and name the model instead of very many of its rows.

    Every entry depends on the site; every entry that reads rows or objects of a table depends on its model; every
    entry of one call depends on its function.
    """
    found = set(namespaces)
    if SITE in found:
        return {SITE}
    rows: dict[str, int] = {}
    for namespace in found:
        if namespace.kind is Kind.OBJECT:
            rows[namespace.owner] = rows.get(namespace.owner, 0) + 1
    found |= {Namespace(Kind.MODEL, owner) for owner, count in rows.items() if count > MANY_ROWS}
    wide = {(namespace.kind, namespace.owner) for namespace in found}
    return {each for each in found if (_WIDER.get(each.kind), each.owner) not in wide}


def as_models(namespaces: Iterable[Namespace]) -> set[Namespace]:
    """Return the models that the tables among ``namespaces`` belong to; a batch leases these once."""
    return coarsened(
        Namespace(Kind.MODEL, each.owner) if _WIDER.get(each.kind) is Kind.MODEL else each
        for each in namespaces
    )


def _delivered(engine: Engine, bump: tuple[str, ...]) -> None:
    if bump:
        engine.hub.send(Invalidated(len(bump)))


def _undelivered(engine: Engine, bump: tuple[str, ...], error: StoreError) -> StoreError | None:
    if not bump:
        engine.trouble(error, "a lease of a write that was rolled back runs out by itself")
        return None
    engine.unsettled.owe(bump)
    engine.hub.survived(
        "bump delayed", f"{len(bump)} bumps are kept and sent again; until then every read bypasses: {error}"
    )
    return error


_WIDER = {Kind.ROWS: Kind.MODEL, Kind.OBJECT: Kind.MODEL, Kind.CALL: Kind.FUNCTION}
