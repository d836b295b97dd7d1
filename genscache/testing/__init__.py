"""Tests for stores, written once: for the stores of genscache and for yours.

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

__all__ = ["BlockingStore", "StoreContract"]


class StoreContract(CounterContract, LeaseContract, EntryContract, LockContract):
    """Every sentence of ``genscache.stores.base``, as tests.

    A subclass has a fixture ``store`` that gives a ``Store`` (an ``AsyncStore`` inside a ``BlockingStore``). Keys are
    different for each test, so a server may be shared. What the store's capabilities do not promise is not tested.
    """
