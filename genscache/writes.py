"""Leases and bumps of this process's writes: one at a time, per transaction, or gathered in a batch."""

from __future__ import annotations

import time
from collections.abc import Iterable

from genscache.batches import open_batch
from genscache.delivery import adeliver, as_models, coarsened, deliver, insist
from genscache.engine import Engine
from genscache.exceptions import StoreError, WriteRefused
from genscache.keys import Namespace
from genscache.protocol import write


class Ticket:
    """One write to the database: leased before it can be seen, settled after.

    Args:
        engine: The engine.
        namespaces: What the write may change, as far as it is known before.

    Attributes:
        until: Every lease of it lasts at least until then, on ``time.monotonic``; ``None``: it has none.

    Raises:
        WriteRefused: No lease can be had, and ``ON_OUTAGE`` is ``"refuse"``.
    """

    def __init__(self, engine: Engine, namespaces: Iterable[Namespace]) -> None:
        self._engine = engine
        self._batch = open_batch()
        self._token = engine.token() if self._batch is None else self._batch.token
        self._namespaces = namespaces
        self._leased: tuple[str, ...] = ()
        self.until: float | None = None
        if self._batch is not None:
            self._batch.begin()
        if not leases(engine):
            return
        coarse = coarsened(namespaces) if self._batch is None else as_models(namespaces)
        counters = engine.counters(coarse)
        if self._batch is not None:
            counters = self._batch.to_lease(counters, renew_after=engine.settings.lease / 4)
        try:
            self._lease(counters)
        except BaseException:
            if self._batch is not None:
                self._batch.finish()
            raise

    def settle(self, namespaces: Iterable[Namespace]) -> None:
        """The write has taken effect: bump what it changed, or leave that to the end of the batch."""
        if self._batch is not None and self._batch.add(namespaces):
            self._batch.finish()
            return
        # Most often it is what was leased, and has its names.
        known = self._leased if namespaces is self._namespaces else ()
        bump = known or self._engine.counters(coarsened(namespaces))
        release = () if known else tuple(set(self._leased).difference(bump))
        if bump or release:
            deliver(self._engine, write.settle(self._token, bump=bump, release=release), bump)

    def release(self) -> None:
        """The write has definitely not taken effect: end the lease and leave the generations alone."""
        if self._batch is not None:
            self._batch.finish()
        elif self._leased:
            deliver(self._engine, write.settle(self._token, bump=(), release=self._leased), ())

    def abandon(self, namespaces: Iterable[Namespace], error: BaseException) -> None:
        """Nobody knows whether the write will take effect: bump now, and leave the lease, which ends with a bump."""
        detail = f"{type(error).__name__}: the outcome of a write is unknown; its lease runs out by itself"
        self._engine.hub.survived("commit unknown", detail)
        if self._batch is not None and self._batch.abandon(namespaces):
            self._batch.finish()
            return
        bump = self._engine.counters(coarsened(namespaces))
        if bump:
            deliver(self._engine, write.bump(bump), bump)

    def _lease(self, counters: tuple[str, ...]) -> None:
        asked = time.monotonic()
        length = self._engine.settings.lease
        # A batch does not renew a lease that is younger than a quarter of its length.
        until = asked + (length if self._batch is None else length * 3 / 4)
        if not counters:
            self.until = until if self._batch is not None else None
            return
        duration = round(length * 1000)
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
        self.until = until
        if self._batch is None:
            self._leased = counters
        else:
            self._batch.leased(counters, since=asked)


def leases(engine: Engine) -> bool:
    """Tell whether writes take leases."""
    return engine.settings.lease > 0 and engine.store.capabilities.leases


def invalidate_now(engine: Engine, namespaces: Iterable[Namespace]) -> None:
    """Bump at once, or at the end of the batch that is open."""
    batch = open_batch()
    if batch is not None and batch.add(namespaces):
        return
    counters = engine.counters(coarsened(namespaces))
    if counters:
        insist(engine, deliver(engine, write.bump(counters), counters))


async def ainvalidate_now(engine: Engine, namespaces: Iterable[Namespace]) -> None:
    """Bump at once, or at the end of the batch that is open."""
    batch = open_batch()
    if batch is not None and batch.add(namespaces):
        return
    counters = engine.counters(coarsened(namespaces))
    if counters:
        insist(engine, await adeliver(engine, write.bump(counters), counters))
