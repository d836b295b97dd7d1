"""The store on any Django cache.

A Django cache has no atomic step over a value, so a generation is not a reading of one clock here but a unique
number, written once. What follows rests on that alone:

    A reader fills under a generation that it *read from the cache before its query*. A bump overwrites the generation
    with a number that nobody has seen, so whatever was read before the bump is never current again, and who reads the
    new one queries after the bump.

- ``add`` against ``set``. A reader finds nothing, a writer bumps, the reader adds: the number is new, its query comes
  after. A file cache's ``add`` is a look and then a ``set``, so it may overwrite the bump: again with a new number.
  Either way ``Ensure`` returns what it *reads back*, never what it meant to write.
- Bumping what does not exist does nothing: a counter created after the look belongs to a reader who queries later.
- Culled, expired or flushed: the next number is new, too.
- A driver that sends one ``set`` twice by itself (after a lost answer) could put a number back over a later bump.
  Native stores do not have this window, nor does a driver with its retries turned off.

Numbers are not ordered and leases cannot be kept: see the capabilities.
"""

from __future__ import annotations

import secrets
import time
from typing import Final

from asgiref.sync import sync_to_async
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.db import connections, router

from genscache.exceptions import StoreError
from genscache.stores.base import Answer, AsyncStore, Capabilities, Operation, Store
from genscache.stores.cache_faults import cache_errors
from genscache.stores.cache_steps import CacheSteps
from genscache.stores.limits import check
from genscache.types import Generation

MEMCACHED_KEY_BYTES: Final = 250
MAX_KEY_BYTES: Final = 200


def unique_generation() -> Generation:
    """Return a number that was never returned before, in any process: the time in µs and 32 random bits.

    It is not below 2**53, as readings of a bump clock are: no Lua has to keep it exact, and nothing orders it.
    """
    return (time.time_ns() // 1000) << 32 | secrets.randbits(32)


def cache_capabilities(alias: str, cache: BaseCache) -> Capabilities:
    """Return what a Django cache can promise, by its class.

    Args:
        alias: Its name in ``CACHES``.
        cache: The cache itself.
    """
    process_only = isinstance(cache, LocMemCache | DummyCache)
    # A file cache's ``add`` looks first and writes later, so two processes may both get a lock; a dummy's always works.
    unsafe_add = isinstance(cache, FileBasedCache | DummyCache)
    own = len(str(cache.make_key("")).encode())
    return Capabilities(
        name=f"django://{alias}",
        shared=not process_only,
        leases=False,
        ordered=False,
        atomic=False,
        locks=not unsafe_add,
        max_key_bytes=max(1, min(MAX_KEY_BYTES, MEMCACHED_KEY_BYTES - own)),
        database=router.db_for_write(cache.cache_model_class)
        if isinstance(cache, BaseDatabaseCache)
        else None,
    )


class DjangoStore(Store):
    """A store on the Django cache ``alias``; its ``KEY_PREFIX``, ``VERSION`` and ``KEY_FUNCTION`` apply.

    Args:
        alias: A name in ``CACHES``.

    Raises:
        InvalidCacheBackendError: ``CACHES`` has no such alias, or its backend cannot be made.
    """

    def __init__(self, alias: str) -> None:
        """Look at the backend's class; nothing is connected."""
        self.capabilities = cache_capabilities(alias, caches[alias])
        self._alias = alias

    def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation; it takes several round trips unless it is a fetch."""
        check(operation)
        with cache_errors(self._alias):
            cache = caches[self._alias]
            _refuse_unsafe_database(self._alias, cache)
            return CacheSteps(cache, unique_generation).execute(operation)

    def close(self) -> None:
        """Give back this thread's connections, if the backend has any."""
        caches[self._alias].close()


class AsyncDjangoStore(AsyncStore):
    """The same cache for coroutines.

    A backend of Django's does its input and output in a thread, one hop for each of the ``a*`` methods; here a whole
    operation takes a single hop. The local memory cache is called directly, as it waits for nothing.

    Args:
        store: The store to share.
    """

    def __init__(self, store: DjangoStore) -> None:
        """Share ``store``."""
        self.capabilities = store.capabilities
        self._store = store
        self._direct = isinstance(caches[store._alias], LocMemCache | DummyCache)  # noqa: SLF001  its twin

    async def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation."""
        if self._direct:
            return self._store.execute(operation)
        return await sync_to_async(self._store.execute, thread_sensitive=True)(operation)

    async def aclose(self) -> None:
        """Give back the connections of the thread that works for this loop."""
        if not self._direct:
            await sync_to_async(self._store.close, thread_sensitive=True)()


def _refuse_unsafe_database(alias: str, cache: BaseCache) -> None:
    if not isinstance(cache, BaseDatabaseCache):
        return
    database = router.db_for_write(cache.cache_model_class)
    replica = router.db_for_read(cache.cache_model_class)
    if replica != database:
        # A replica that lags would go on showing the generation from before a bump.
        message = (
            f'The store django://{alias} reads from the database "{replica}" and writes to "{database}". '
            f'Let the router return "{database}" for both.'
        )
        raise StoreError(message)
    # A database cache works on Django's own connection. Inside a transaction of that database a new generation would be
    # invisible to everybody until COMMIT and gone after ROLLBACK, while a reader's own, uncommitted counter would hide
    # from the bump of a writer and come to light, with the old rows filled under it, after the bump.
    connection = connections[database]
    if connection.in_atomic_block or not connection.get_autocommit():
        message = (
            f'The store django://{alias} keeps generations in the database "{database}", which is inside a transaction '
            f"now. Route the cache table to a database alias of its own, or use Redis or Valkey."
        )
        raise StoreError(message)
