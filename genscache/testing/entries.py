"""The contract of ``Put`` and of the entry in ``Fetch``."""

from __future__ import annotations

from genscache.stores.base import MARK, Ensure, Fetch, Put, Store, TimeLeft
from genscache.testing.ground import LONG, Ground
from genscache.types import Fetched


class EntryContract(Ground):
    """Bytes go in and come out as they were, until their time is over."""

    def entry(self, store: Store, key: str) -> bytes | None:
        """Return what is stored under a key."""
        return store.execute(Fetch((), key)).entry

    def test_an_entry_comes_back_as_it_was(self, store: Store) -> None:
        every_byte = bytes(range(256))
        for value in (b"", b"x", b"123", b"0", every_byte, every_byte * 400):
            (key,) = self.names(1)
            store.execute(Put(((key, value),), LONG))
            assert self.entry(store, key) == value

    def test_counters_and_the_entry_come_in_one_fetch(self, store: Store) -> None:
        counter, absent, key = self.names(3)
        (state,) = store.execute(Ensure((counter,)))
        store.execute(Put(((key, b"value"),), LONG))
        assert store.execute(Fetch((absent, counter), key)) == Fetched((None, state), b"value")
        assert store.execute(Fetch((absent, counter))) == Fetched((None, state), None)

    def test_an_entry_that_is_still_the_same_is_not_sent(self, store: Store) -> None:
        self.needs(store, "marks")
        counter, absent, key = self.names(3)
        (state,) = store.execute(Ensure((counter,)))
        one, other = (bytes(8) + name.ljust(16) + b"the rest" for name in (b"one", b"other"))
        fetch = Fetch((counter, absent), key, one[MARK])
        assert store.execute(fetch) == Fetched((state, None), None, same=False)
        store.execute(Put(((key, one),), LONG))
        assert store.execute(fetch) == Fetched((state, None), None, same=True)
        assert store.execute(Fetch((), key, one[MARK])) == Fetched((), None, same=True)
        store.execute(Put(((key, other),), LONG))
        assert store.execute(fetch) == Fetched((state, None), None, same=False)
        store.execute(Put(((key, one[:20]),), LONG))
        assert store.execute(fetch) == Fetched((state, None), None, same=False)
        store.execute(Put(((key, one),), LONG, unlink=(counter,)))
        assert store.execute(fetch) == Fetched((None, None), None, same=True)

    def test_several_items_at_once(self, store: Store) -> None:
        keys = self.names(5)
        store.execute(Put(tuple((key, key.encode()) for key in keys), LONG))
        assert [self.entry(store, key) for key in keys] == [key.encode() for key in keys]

    def test_a_put_replaces(self, store: Store) -> None:
        (key,) = self.names(1)
        store.execute(Put(((key, b"old"),), LONG))
        store.execute(Put(((key, b"new"),), LONG))
        assert self.entry(store, key) == b"new"

    def test_a_put_unlinks_what_is_superseded(self, store: Store) -> None:
        old, new, other, absent = self.names(4)
        store.execute(Put(((old, b"old"), (other, b"other")), LONG))
        store.execute(Put(((new, b"new"),), LONG, unlink=(old, absent)))
        assert [self.entry(store, key) for key in (old, new, other)] == [None, b"new", b"other"]

    def test_a_put_may_only_unlink_or_do_nothing(self, store: Store) -> None:
        (key,) = self.names(1)
        store.execute(Put(((key, b"old"),), LONG))
        store.execute(Put((), LONG))
        assert self.entry(store, key) == b"old"
        store.execute(Put((), LONG, unlink=(key,)))
        assert self.entry(store, key) is None

    def test_a_key_in_both_lists_ends_up_stored(self, store: Store) -> None:
        (key,) = self.names(1)
        store.execute(Put(((key, b"old"),), LONG))
        store.execute(Put(((key, b"new"),), LONG, unlink=(key,)))
        assert self.entry(store, key) == b"new"

    def test_an_entry_ends_by_itself(self, store: Store) -> None:
        self.needs_time()
        short, long = self.names(2)
        store.execute(Put(((long, b"long"),), LONG))
        store.execute(Put(((short, b"short"),), self.life))
        self.let_pass(store, self.life + 2)
        assert self.entry(store, short) is None
        assert self.entry(store, long) == b"long"

    def test_the_time_that_an_entry_has_left_is_told_where_it_can_be(self, store: Store) -> None:
        key, absent = self.names(2)
        assert store.execute(TimeLeft(absent)) is None
        store.execute(Put(((key, b"value"),), LONG))
        left = store.execute(TimeLeft(key))
        assert left is None or 0 < left <= LONG
        assert self.entry(store, key) == b"value"

    def test_a_life_out_of_bounds_is_refused(self, store: Store) -> None:
        import pytest  # noqa: PLC0415  the package does without it

        (key,) = self.names(1)
        for ttl in (0, -5, 2**60):
            with pytest.raises(ValueError, match="ttl must be"):
                store.execute(Put(((key, b"x"),), ttl))
        assert self.entry(store, key) is None
