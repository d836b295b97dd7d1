"""For tests: of your project, with a cache of their own, and of your store.

    from genscache.testing import assert_hits, live_cache

    class PageTest(TestCase):
        @live_cache()
        def test_the_second_time_is_a_hit(self):
            page()
            with assert_hits(1, of=page):
                page()

The tests for stores are written once: for the stores of genscache and for yours.

    import pytest
    from genscache.testing import StoreContract

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self):
            store = MyStore()
            yield store
            store.close()

Importing this needs neither pytest nor configured Django settings.
"""

from __future__ import annotations

from genscache.testing.blocking import BlockingStore
from genscache.testing.counters import CounterContract
from genscache.testing.entries import EntryContract
from genscache.testing.leases import LeaseContract
from genscache.testing.locks import LockContract
from genscache.testing.overriding import live_cache, override_genscache
from genscache.testing.probes import CacheProbe, assert_bypasses, assert_hits, assert_misses

__all__ = [
    "BlockingStore",
    "CacheProbe",
    "StoreContract",
    "assert_bypasses",
    "assert_hits",
    "assert_misses",
    "live_cache",
    "override_genscache",
]


class StoreContract(CounterContract, LeaseContract, EntryContract, LockContract):
    """Every sentence of ``genscache.stores.base``, as tests.

    A subclass has a fixture ``store`` that gives a ``Store`` (an ``AsyncStore`` inside a ``BlockingStore``). Keys are
    different for each test, so a server may be shared. What the store's capabilities do not promise is not tested.
    """
