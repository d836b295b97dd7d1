"""The memory store: the contract on a clock that tests move, and what only this store has."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from genscache.stores.base import Acquire, Bump, Ensure, Fetch, Lease, Put, ReadClock, Settle, Store
from genscache.stores.limits import COUNTER_TTL
from genscache.stores.memory import AsyncMemoryStore, MemoryStore
from genscache.testing import BlockingStore, StoreContract
from genscache.types import NO_GENERATION, CounterState, Fetched

START = 1_700_000_000_000_000


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> MemoryStore:
    return MemoryStore(now=clock)


class TestMemoryStore(StoreContract):
    """The contract, with time in the tests' hands."""

    @pytest.fixture
    def store(self, memory: MemoryStore) -> MemoryStore:
        return memory

    @pytest.fixture(autouse=True)
    def _hold_the_clock(self, clock: Clock) -> None:
        self.clock = clock

    def let_pass(self, store: Store, milliseconds: int) -> None:
        self.clock.now += 1000 * milliseconds


class TestMemoryStoreOnTheWallClock(StoreContract):
    """The contract on the clock that users get."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestAsyncMemoryStore(TestMemoryStore):
    """The twin."""

    threads = False

    @pytest.fixture
    def store(self, memory: MemoryStore) -> Iterator[BlockingStore]:
        store = BlockingStore(AsyncMemoryStore(memory))
        yield store
        store.end()


def test_a_generation_is_a_reading_of_the_clock(memory: MemoryStore, clock: Clock) -> None:
    (first,) = memory.execute(Ensure(("a",)))
    clock.now += 5_000_000
    (second,) = memory.execute(Bump(("a",)))
    assert (first.generation, second) == (START, START + 5_000_000)
    assert memory.execute(ReadClock()) == second


def test_generations_rise_also_when_the_clock_steps_back(memory: MemoryStore, clock: Clock) -> None:
    (first,) = memory.execute(Ensure(("a",)))
    clock.now -= 3_600_000_000
    assert memory.execute(Bump(("a",))) == (first.generation + 1,)
    assert memory.execute(Ensure(("b",)))[0].generation == first.generation + 2


def test_a_counter_ends_after_its_life_and_a_bump_renews_it(memory: MemoryStore, clock: Clock) -> None:
    memory.execute(Ensure(("bumped", "forgotten")))
    clock.now += 1000 * (COUNTER_TTL - 1)
    memory.execute(Bump(("bumped",)))
    clock.now += 2000
    bumped, forgotten = memory.execute(Fetch(("bumped", "forgotten"))).states
    assert bumped is not None
    assert forgotten is None


def test_a_counter_does_not_end_under_a_lease(memory: MemoryStore, clock: Clock) -> None:
    memory.execute(Ensure(("a",)))
    clock.now += 1000 * (COUNTER_TTL - 10)
    memory.execute(Lease(("a",), "w1", 60_000))
    clock.now += 1000 * 30_000
    (state,) = memory.execute(Fetch(("a",))).states
    assert state is not None
    assert state.leased


def test_both_twins_see_one_memory(memory: MemoryStore) -> None:
    memory.execute(Put((("key", b"value"),), 1000))
    assert asyncio.run(AsyncMemoryStore(memory).execute(Fetch((), "key"))).entry == b"value"


def test_the_least_recently_used_entry_goes_first(clock: Clock) -> None:
    store = MemoryStore(now=clock, max_bytes=5_000)
    for key in ("a", "b", "c"):
        store.execute(Put(((key, bytes(1_200)),), 60_000))
    store.execute(Fetch((), "a"))
    store.execute(Put((("d", bytes(1_200)),), 60_000))
    assert [store.execute(Fetch((), key)).entry is not None for key in "abcd"] == [True, False, True, True]


def test_entries_and_counters_go_in_one_order_of_use(clock: Clock) -> None:
    store = MemoryStore(now=clock, max_bytes=4_000)
    fetched, ensured, idle = store.execute(Ensure(("fetched", "ensured", "idle")))
    store.execute(Put((("used", b"x"), ("unused", b"x")), 60_000))
    for number in range(50):
        store.execute(Put(((f"e{number}", bytes(900)),), 60_000))
        assert store.execute(Fetch(("fetched",), "used")) == Fetched((fetched,), b"x")
        assert store.execute(Ensure(("ensured",))) == (ensured,)
    assert store.execute(Fetch(("idle",), "unused")) == Fetched((None,), None)
    assert store.execute(Ensure(("idle",)))[0].generation > idle.generation


def test_calls_that_are_made_once_do_not_push_out_what_is_in_use(clock: Clock) -> None:
    store = MemoryStore(now=clock, max_bytes=100_000)
    store.execute(Lease(("leased",), "w1", 600_000))
    site, hot = store.execute(Ensure(("site", "f:call=hot")))
    store.execute(Put((("hot", b"result"),), 600_000))
    for number in range(20_000):
        store.execute(Ensure(("site", f"f:call={number}")))
        store.execute(Put(((f"e{number}", b"result"),), 600_000))
        if number % 50 == 0:
            found = store.execute(Fetch(("site", "f:call=hot"), "hot"))
            assert found == Fetched((site, hot), b"result"), number
        assert store._shelves.used <= 100_000
    assert store.execute(Fetch(("f:call=0",), "e0")) == Fetched((None,), None)
    assert store.execute(Fetch(("leased",))).states == (CounterState(NO_GENERATION, leased=True),)


def test_a_new_entry_drops_as_many_old_things_as_it_needs(clock: Clock) -> None:
    store = MemoryStore(now=clock, max_bytes=200_000)
    store.execute(Ensure(tuple(f"c{number}" for number in range(600))))
    store.execute(Put((("large", bytes(190_000)),), 60_000))
    assert store._shelves.used <= 200_000
    assert len(store.execute(Fetch((), "large")).entry or b"") == 190_000


def test_things_that_must_stay_do_not_stop_the_search_for_room(clock: Clock) -> None:
    store = MemoryStore(now=clock, max_bytes=200_000)
    leased = tuple(f"l{number}" for number in range(300))
    store.execute(Lease(leased, "w1", 600_000))
    for number in range(1_000):
        store.execute(Ensure((f"c{number}",)))
    assert store._shelves.used <= 200_000
    assert None not in store.execute(Fetch(leased)).states


def test_what_is_stored_under_a_key_replaces_what_was_there(clock: Clock) -> None:
    store = MemoryStore(now=clock)
    (first,) = store.execute(Ensure(("key",)))
    store.execute(Put((("key", b"value"),), 60_000))
    assert store.execute(Fetch(("key",), "key")) == Fetched((None,), b"value")
    (second,) = store.execute(Ensure(("key",)))
    assert second.generation > first.generation
    assert store.execute(Fetch(("key",), "key")) == Fetched((second,), None)
    store.execute(Put((), 1, unlink=("key",)))
    assert store._shelves.used == 0


def test_a_brief_counter_lives_as_long_as_it_was_told(memory: MemoryStore, clock: Clock) -> None:
    brief, lasting = memory.execute(Ensure(("brief", "lasting"), ("brief",), 62_000))
    clock.now += 1000 * 61_999
    assert memory.execute(Ensure(("brief", "lasting"), ("brief",), 62_000)) == (brief, lasting)
    clock.now += 1000
    assert memory.execute(Fetch(("brief", "lasting"))).states == (None, lasting)
    assert memory.execute(Ensure(("brief",), ("brief",), 62_000))[0].generation > brief.generation


def test_a_bump_gives_a_brief_counter_a_full_life(memory: MemoryStore, clock: Clock) -> None:
    memory.execute(Ensure(("a",), ("a",), 1_000))
    (after,) = memory.execute(Bump(("a",)))
    clock.now += 1000 * (COUNTER_TTL - 1)
    assert memory.execute(Fetch(("a",))).states == (CounterState(after, leased=False),)


def test_an_evicted_counter_gets_a_new_generation(clock: Clock) -> None:
    store = MemoryStore(now=clock, max_bytes=2_000)
    (before,) = store.execute(Ensure(("first",)))
    store.execute(Ensure(tuple(f"c{number}" for number in range(100))))
    assert store.execute(Fetch(("first",))).states == (None,)
    assert store.execute(Ensure(("first",)))[0].generation > before.generation


def test_a_live_lease_is_never_evicted_and_an_expired_one_may_be(clock: Clock) -> None:
    store = MemoryStore(now=clock, max_bytes=2_000)
    store.execute(Lease(("leased",), "w1", 1_000))
    (before,) = store.execute(Ensure(("counter",)))
    store.execute(Lease(("counter",), "w1", 1_000))
    for number in range(100):
        store.execute(Ensure((f"c{number}",)))
    states = store.execute(Fetch(("leased", "counter"))).states
    assert all(state is not None and state.leased for state in states)
    clock.now += 2_000_000
    for number in range(100):
        store.execute(Ensure((f"d{number}",)))
    assert store.execute(Fetch(("leased", "counter"))).states == (None, None)
    assert store.execute(Ensure(("counter",)))[0].generation > before.generation


def test_an_entry_larger_than_the_store_is_not_kept_and_drops_nothing(clock: Clock) -> None:
    store = MemoryStore(now=clock, max_bytes=4_000)
    store.execute(Put((("small", b"x"), ("key", b"old")), 60_000))
    store.execute(Put((("key", bytes(5_000)),), 60_000))
    assert store.execute(Fetch((), "key")).entry is None
    assert store.execute(Fetch((), "small")).entry == b"x"


def test_a_million_operations_worth_of_room_stays_bounded(clock: Clock) -> None:
    store = MemoryStore(now=clock, max_bytes=50_000)
    for number in range(2_000):
        key = f"k{number}"
        store.execute(Put(((key, bytes(number % 700)),), 60_000, unlink=(f"k{number - 3}",)))
        store.execute(Ensure((f"c{number}",)))
        store.execute(Lease((f"m{number % 9}", f"c{number}"), f"w{number}", 1_000))
        store.execute(Settle(f"w{number}", bump=(f"m{number % 9}",), release=(f"c{number}",)))
        store.execute(Acquire(f"l{number}", "t", 1))
        clock.now += 1_000
        assert store._shelves.used <= 50_000
    assert store._shelves.used > 40_000


def test_held_locks_are_not_evicted(clock: Clock) -> None:
    store = MemoryStore(now=clock, max_bytes=1_000)
    store.execute(Acquire("lock", "a", 1_000))
    store.execute(Ensure(tuple(f"c{number}" for number in range(50))))
    assert store.execute(Acquire("lock", "b", 1_000)) is False


def test_no_room_at_all_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"max_bytes must be a positive number of bytes, got 0\. Use 67108864"
    ):
        MemoryStore(max_bytes=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_starts_empty_also_when_the_lock_was_held(memory: MemoryStore) -> None:
    (before,) = memory.execute(Ensure(("a",)))
    with memory._lock:
        child = os.fork()
        if child == 0:
            absent = memory.execute(Fetch(("a",))).states == (None,)
            higher = memory.execute(Ensure(("a",)))[0].generation > before.generation
            os._exit(0 if absent and higher else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert memory.execute(Fetch(("a",))).states == (before,)
