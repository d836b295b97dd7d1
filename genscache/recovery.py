"""A store with a breaker in front of it, and what the breaker's thread does to it before it is trusted again."""

from __future__ import annotations

import threading
from typing import Final

from genscache.breaker import Breaker
from genscache.events import Hub, logger
from genscache.exceptions import StoreError, StoreUnavailable
from genscache.protocol import write
from genscache.protocol.steps import run
from genscache.stores.base import Acquire, Answer, AsyncStore, Fetch, Operation, Store
from genscache.unsettled import Unsettled

PROBE_LIFE: Final = 1_000
"""Milliseconds that the key of a probe lives."""

JOIN_SECONDS: Final = 5.0
"""Seconds that ``close`` waits for a probe under way."""


class GuardedStore(Store):
    """A store that is not asked while the breaker is open, and opens it where it cannot be asked."""

    def __init__(self, inner: Store, breaker: Breaker) -> None:
        self.inner = inner
        self.capabilities = inner.capabilities
        self._breaker = breaker

    def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation, or none."""
        epoch = self._breaker.admit()
        try:
            return self.inner.execute(operation)
        except StoreUnavailable as error:
            self._breaker.failed(error, epoch)
            raise

    def close(self) -> None:
        """End the thread and give back connections, the one of a probe under way included."""
        thread = self._breaker.stop()
        self.inner.close()
        if thread is not None and thread is not threading.current_thread():
            thread.join(JOIN_SECONDS)
            self.inner.close()


class GuardedAsyncStore(AsyncStore):
    """The twin of ``GuardedStore`` for coroutines; the breaker is the same."""

    def __init__(self, inner: AsyncStore, breaker: Breaker) -> None:
        self.inner = inner
        self.capabilities = inner.capabilities
        self._breaker = breaker

    async def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation, or none."""
        epoch = self._breaker.admit()
        try:
            return await self.inner.execute(operation)
        except StoreUnavailable as error:
            self._breaker.failed(error, epoch)
            raise

    async def aclose(self) -> None:
        """Give back the connections of the running event loop."""
        await self.inner.aclose()


def recover(store: Store, unsettled: Unsettled, hub: Hub, *, key: str, token: str) -> bool:
    """Find out whether a store can be asked, and deliver what is owed before anybody trusts it again.

    The probe reads and writes: a replica, or a primary that has lost its replicas (``min-replicas-to-write``), answers
    reads with what may be long outdated.

    Args:
        store: The store itself, unguarded.
        unsettled: What is owed.
        hub: Told of debts that the store does not take.
        key: A key that is of use to nobody else.
        token: What is written there.

    Returns:
        Whether nothing is owed any more.

    Raises:
        StoreUnavailable: It cannot be asked.
    """
    try:
        store.execute(Fetch((), key))
        store.execute(Acquire(key, token, PROBE_LIFE))
    except StoreUnavailable:
        raise
    except StoreError as error:
        # It answers: full, or with a disk that is. Reads find out for themselves what still works.
        logger.debug("the probe was answered: %s", error)
    attempt = unsettled.all()
    if not attempt:
        return True
    try:
        run(write.bump(tuple(attempt)), store)
    except StoreUnavailable:
        raise
    except StoreError as error:
        hub.survived("store error", f"{len(attempt)} bumps are still owed: {error}")
        return False
    unsettled.delivered(attempt)
    return not unsettled
