"""The contract of ``Acquire`` and ``Release``."""

from __future__ import annotations

from genscache.stores.base import Acquire, Release, Store
from genscache.testing.ground import LONG, Ground


class LockContract(Ground):
    """One holder at a time, and none for ever."""

    hold = 1
    """The shortest time that the store can hold a lock, in milliseconds."""

    def test_a_lock_has_one_holder(self, store: Store) -> None:
        self.needs(store, "locks")
        key, other = self.names(2)
        assert store.execute(Acquire(key, "a", LONG)) is True
        assert store.execute(Acquire(key, "b", LONG)) is False
        assert store.execute(Acquire(other, "b", LONG)) is True

    def test_its_holder_may_ask_again(self, store: Store) -> None:
        self.needs(store, "locks")
        (key,) = self.names(1)
        store.execute(Acquire(key, "a", LONG))
        # The first answer may have been lost on the network.
        assert store.execute(Acquire(key, "a", LONG)) is True

    def test_a_released_lock_is_free(self, store: Store) -> None:
        self.needs(store, "locks")
        (key,) = self.names(1)
        store.execute(Acquire(key, "a", LONG))
        store.execute(Release(key, "a"))
        assert store.execute(Acquire(key, "b", LONG)) is True

    def test_only_its_holder_releases_a_lock(self, store: Store) -> None:
        self.needs(store, "locks")
        key, free = self.names(2)
        store.execute(Acquire(key, "a", LONG))
        store.execute(Release(key, "b"))
        store.execute(Release(free, "b"))
        assert store.execute(Acquire(key, "b", LONG)) is False

    def test_a_lock_ends_by_itself(self, store: Store) -> None:
        self.needs(store, "locks")
        self.needs_time()
        (key,) = self.names(1)
        store.execute(Acquire(key, "a", self.hold))
        self.let_pass(store, self.hold + 2)
        assert store.execute(Acquire(key, "b", LONG)) is True
        store.execute(Release(key, "a"))
        assert store.execute(Acquire(key, "c", LONG)) is False

    def test_of_many_threads_one_gets_the_lock(self, store: Store) -> None:
        self.needs(store, "locks")
        if self.threads:
            (key,) = self.names(1)
            got = self.at_once(lambda number: store.execute(Acquire(key, f"t{number}", LONG)), 8)
            assert sorted(got) == [False] * 7 + [True]
