"""Every store operation on memory, Valkey and Redis side by side: the memory store is the model of the servers.

Generations are readings of three different clocks, so they are compared up to order: the same counters are absent,
marked, leased; what is equal, less or greater in one store is so in all of them; and no counter ever gets a generation
that it, or anything before it, has had.
"""

from __future__ import annotations

import contextlib
import secrets
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from genscache.stores.aioredis import AsyncRedisStore
from genscache.stores.base import (
    Acquire,
    Bump,
    Ensure,
    Fetch,
    Lease,
    Operation,
    Put,
    ReadClock,
    Release,
    Settle,
    Store,
)
from genscache.stores.memory import MemoryStore, microseconds
from genscache.stores.redis import RedisStore
from genscache.testing import BlockingStore
from genscache.types import NO_GENERATION, CounterState, Generation

Answer = TypeVar("Answer")

LONG = 600_000
SHORT = 1
COUNTERS = ("a", "b", "c")
ENTRIES = ("e", "f")
LOCKS = ("l", "m")
GARBAGE = (b"", b"x", b"0", b"007", b"12 ", b"12 w1", b"12 w1@", b"12 w1@x", b"-1", b"9" * 17, b"\xff\x00")

names = st.lists(st.sampled_from(COUNTERS), min_size=1, max_size=4).map(tuple)
tokens = st.sampled_from(("w1", "w2"))


class Memory:
    """The reference, and how a test reaches behind its back."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        self.store: Store = self.memory

    def time(self) -> int:
        return microseconds()

    def lose(self, key: str) -> None:
        self.memory._shelves.drop_counter(key)

    def spoil(self, key: str, garbage: bytes) -> None:
        self.lose(key)

    def set_clock(self, reading: Generation) -> None:
        self.memory._clock = reading

    def close(self) -> None:
        self.memory.close()


class Server:
    """A real server, and how a test reaches behind the store's back."""

    def __init__(self, url: str, place: str, open_store: Callable[[str, str], Store]) -> None:
        self.raw = Redis.from_url(url)
        self.clock_key = f"{place}:clock"
        self.store = open_store(url, self.clock_key)

    def time(self) -> int:
        seconds, microseconds = self.raw.time()
        return int(seconds) * 1_000_000 + int(microseconds)

    def lose(self, key: str) -> None:
        self.raw.delete(key)

    def spoil(self, key: str, garbage: bytes) -> None:
        self.raw.set(key, garbage)

    def set_clock(self, reading: Generation) -> None:
        if reading == NO_GENERATION:
            self.raw.delete(self.clock_key)
        else:
            self.raw.set(self.clock_key, reading)

    def close(self) -> None:
        self.store.close()
        if isinstance(self.store, BlockingStore):
            self.store.end()
        self.raw.close()


class Order:
    """Checks that generations of all stores stand in the same relations."""

    def __init__(self) -> None:
        self.seen: list[tuple[Generation, ...]] = []

    def add(self, generations: Sequence[Generation]) -> None:
        """Compare one observation, a generation of each store, with all that were made before."""
        new = tuple(generations)
        if not any(new):
            return
        at = bisect_left(self.seen, new)
        if at < len(self.seen) and self.seen[at] == new:
            return
        for lower in self.seen[max(0, at - 1) : at]:
            assert all(low < high for low, high in zip(lower, new, strict=True)), (lower, new)
        for higher in self.seen[at : at + 1]:
            assert all(low < high for low, high in zip(new, higher, strict=True)), (new, higher)
        self.seen.insert(at, new)


class StoreMachine(RuleBasedStateMachine):
    """Does the same to every store and compares what they answer."""

    def __init__(self, kinds: Sequence[Callable[[str], Memory | Server]]) -> None:
        super().__init__()
        self.place = f"gc:1:{{machine.{secrets.token_hex(8)}}}"
        self.sides = [kind(self.place) for kind in kinds]
        self.order = Order()
        self.had: dict[str, list[Generation]] = {counter: [] for counter in COUNTERS}
        self.ahead = False

    def teardown(self) -> None:
        for side in self.sides:
            for name in (*COUNTERS, *ENTRIES, *LOCKS, "clock"):
                side.lose(f"{self.place}:{name}")
            side.close()

    # -- the same on every side

    def keys(self, short: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"{self.place}:{name}" for name in short)

    def each(self, operation: Operation[Answer]) -> list[Answer]:
        return [side.store.execute(operation) for side in self.sides]

    def same(self, operation: Operation[Answer]) -> None:
        first, *others = self.each(operation)
        assert all(answer == first for answer in others), (operation, first, others)

    def agree(self, states: Sequence[Sequence[CounterState | None]]) -> None:
        for row in zip(*states, strict=True):
            shapes = {(state and (state.leased, state.generation == NO_GENERATION)) for state in row}
            assert len(shapes) == 1, row
            self.order.add([state.generation if state else NO_GENERATION for state in row])

    def wait(self, milliseconds: int) -> None:
        """Return when every side's own clock has moved on."""
        for side in self.sides:
            end = side.time() + 1000 * milliseconds
            while side.time() <= end:
                pass

    # -- counters

    @rule(counters=names)
    def ensure(self, counters: tuple[str, ...]) -> None:
        made = self.each(Ensure(self.keys(counters)))
        self.agree(made)

    @rule()
    def ensure_all(self) -> None:
        made = self.each(Ensure(self.keys(COUNTERS)))
        self.agree(made)

    @rule(counters=names)
    def bump(self, counters: tuple[str, ...]) -> None:
        for row in zip(*self.each(Bump(self.keys(counters))), strict=True):
            assert len({generation == NO_GENERATION for generation in row}) == 1, row
            self.order.add(row)

    @rule()
    def read_clock(self) -> None:
        readings = self.each(ReadClock())
        assert len({reading == NO_GENERATION for reading in readings}) == 1, readings
        self.order.add(readings)

    # -- leases

    @rule(counters=names, token=tokens)
    def lease(self, counters: tuple[str, ...], token: str) -> None:
        self.same(Lease(self.keys(counters), token, LONG))

    @rule(counters=names, token=tokens)
    def lease_that_runs_out(self, counters: tuple[str, ...], token: str) -> None:
        self.same(Lease(self.keys(counters), token, SHORT))
        self.wait(SHORT + 2)

    @rule(bumped=names, released=names, token=tokens, times=st.integers(1, 2))
    def settle(self, bumped: tuple[str, ...], released: tuple[str, ...], token: str, times: int) -> None:
        for _ in range(times):
            self.same(Settle(token, self.keys(bumped), self.keys(released)))

    # -- entries and locks

    @rule(
        entries=st.lists(st.sampled_from(ENTRIES)),
        value=st.binary(max_size=20),
        old=st.lists(st.sampled_from(ENTRIES)),
    )
    def put(self, entries: list[str], value: bytes, old: list[str]) -> None:
        items = tuple((key, value) for key in self.keys(entries))
        self.same(Put(items, LONG, unlink=self.keys(old)))

    @rule(entry=st.sampled_from(ENTRIES))
    def put_that_runs_out(self, entry: str) -> None:
        self.same(Put(((self.keys((entry,))[0], b"short"),), SHORT))
        self.wait(SHORT + 2)

    @rule(lock=st.sampled_from(LOCKS), token=tokens)
    def acquire(self, lock: str, token: str) -> None:
        self.same(Acquire(self.keys((lock,))[0], token, LONG))

    @rule(lock=st.sampled_from(LOCKS), token=tokens)
    def acquire_what_runs_out(self, lock: str, token: str) -> None:
        self.same(Acquire(self.keys((lock,))[0], token, SHORT))
        self.wait(SHORT + 2)

    @rule(lock=st.sampled_from(LOCKS), token=tokens)
    def release(self, lock: str, token: str) -> None:
        self.same(Release(self.keys((lock,))[0], token))

    # -- what goes wrong

    @rule(counter=st.sampled_from(COUNTERS))
    def lose(self, counter: str) -> None:
        for side in self.sides:
            side.lose(self.keys((counter,))[0])

    @rule(counter=st.sampled_from(COUNTERS), garbage=st.sampled_from(GARBAGE))
    def spoil(self, counter: str, garbage: bytes) -> None:
        for side in self.sides:
            side.spoil(self.keys((counter,))[0], garbage)

    @precondition(lambda self: not self.ahead)
    @rule()
    def lose_the_clock(self) -> None:
        for side in self.sides:
            while side.time() <= side.store.execute(ReadClock()):
                pass
            side.set_clock(NO_GENERATION)

    @precondition(lambda self: not self.ahead)
    @rule()
    def set_the_time_back(self) -> None:
        # As if every generation so far had been given an hour from now.
        self.ahead = True
        for side in self.sides:
            side.set_clock(side.time() + 3_600_000_000)

    # -- after each step

    @invariant()
    def all_stores_show_the_same(self) -> None:
        fetched = self.each(Fetch(self.keys(COUNTERS)))
        self.agree([answer.states for answer in fetched])
        for entry in ENTRIES:
            self.same(Fetch((), self.keys((entry,))[0]))

    @invariant()
    def no_counter_ever_goes_back(self) -> None:
        last = self.sides[-1].store
        for counter, state in zip(COUNTERS, last.execute(Fetch(self.keys(COUNTERS))).states, strict=True):
            had = self.had[counter]
            if state is not None and state.generation != NO_GENERATION and had[-1:] != [state.generation]:
                assert all(state.generation > earlier for earlier in had)
                had.append(state.generation)


def sync_store(url: str, clock_key: str) -> Store:
    """Open the store for synchronous callers."""
    return RedisStore(url, clock_key=clock_key)


def async_store(url: str, clock_key: str) -> Store:
    """Open the twin."""
    return BlockingStore(AsyncRedisStore(url, clock_key=clock_key))


@contextlib.contextmanager
def planted(monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str) -> Iterator[None]:
    """Change one step's Lua for a while, as somebody might by mistake."""
    from genscache.stores import scripts  # noqa: PLC0415

    load = scripts.Script.load

    def changed(cls: type[scripts.Script], step: str) -> scripts.Script:
        right = load(step)
        if step != name:
            return right
        if right.text.count(old) != 1:
            message = f"{old!r} stands {right.text.count(old)} times in {name}, not once"
            raise ValueError(message)
        text = right.text.replace(old, new)
        return cls(step, text, scripts.digest(text))

    with monkeypatch.context() as patch:
        patch.setattr(scripts.Script, "load", classmethod(changed))
        yield


def run(valkey_url: str, redis_url: str, *, search: settings | None = None) -> None:
    """Run the machine on memory, Valkey and Redis."""
    kinds: list[Callable[[str], Memory | Server]] = [
        lambda _: Memory(),
        lambda place: Server(valkey_url, place, sync_store),
        lambda place: Server(redis_url, place, async_store),
    ]

    class Here(StoreMachine):
        def __init__(self) -> None:
            super().__init__(kinds)

    run_state_machine_as_test(Here, settings=search)


def native(url: str) -> str:
    """Return the address in the form that the stores take."""
    return "redis://" + url.partition("://")[2]


def test_memory_valkey_and_redis_do_the_same(valkey_url: str, redis_url: str) -> None:
    run(native(valkey_url), native(redis_url))


BUGS = {
    "a missing counter starts at 1": (
        "ensure",
        "counter = { generation = clock.next(0), leases",
        "counter = { generation = 1, leases",
    ),
    "an expired lease is dropped without a bump": (
        "ensure",
        "counter.generation = clock.next(counter.generation)",
        "",
    ),
    "an expired lease is never dropped": ("ensure", "lease[2] > now_us()", "true"),
    "a bump drops leases": (
        "bump",
        "counter.generation = clock.next(counter.generation)",
        "counter.leases = {} counter.generation = clock.next(counter.generation)",
    ),
    "a bump creates what is absent": (
        "bump",
        "if counter and counter.generation > 0 then",
        "counter = counter or {generation = 0, leases = {}} if #counter.leases == 0 or counter.generation > 0 then",
    ),
    "a bump turns a mark into a counter": ("bump", "counter.generation > 0 then", "true then"),
    "a bump is a plain increment": ("bump", "clock.next(counter.generation)", "counter.generation + 1"),
    "the clock is not kept": (
        "bump",
        "last = math.max(last + 1, now_us(), above + 1)",
        "last = math.max(now_us(), above + 1)",
    ),
    "one token a counter instead of a set": ("lease", "if found[1] ~= ARGV[1] then", "if false then"),
    "a renewal shortens": ("lease", "deadline = math.max(deadline, found[2])", ""),
    "a lease replaces the generation": ("lease", "local counter = read(KEYS[i]) or", "local counter ="),
    "a settle bumps only while its token is there": (
        "settle",
        "elseif counter and i <= bumped then",
        "elseif counter and i <= bumped and dropped > 0 then",
    ),
    "a settle never bumps": ("settle", "local bumped = 1 + tonumber(ARGV[2])", "local bumped = 0"),
    "a release bumps": ("settle", "local bumped = 1 + tonumber(ARGV[2])", "local bumped = #KEYS"),
    "a lease on a counter without one is forgotten": (
        "lease",
        "store(KEYS[i], raw .. lease,",
        "store(KEYS[i], raw,",
    ),
    "a settle ends the only lease, whoever has it": ("settle", "token == ARGV[1] then", "token then"),
    "a settle of the only lease leaves the generation": (
        "settle",
        "text(clock.next(generation))",
        "text(generation)",
    ),
    "a settle ends everybody's leases": ("settle", "return lease[1] ~= ARGV[1]", "return false"),
    "a mark outlives its last token": ("settle", "    if dropped > 0 then", "    if false then"),
    "anybody may release a lock": ("release", "== ARGV[1] then", "then"),
    "a lock is taken twice": ("acquire", "if holder and holder ~= ARGV[1] then", "if false then"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_the_machine_catches_a_planted_bug(
    valkey_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    found = settings(max_examples=300, database=None, derandomize=True, report_multiple_bugs=False)
    with planted(monkeypatch, *BUGS[bug]), pytest.raises(AssertionError):
        # Found is enough: no time goes into the smallest example, and none is kept.
        run(native(valkey_url), native(redis_url), search=settings(found, phases=[Phase.generate]))
