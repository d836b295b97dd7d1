"""The Redis store and its twin on real servers: the contract, and what stands in Redis."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

import genscache.stores
from genscache.exceptions import StoreError
from genscache.stores.aioredis import AsyncRedisStore
from genscache.stores.base import Acquire, Bump, Ensure, Fetch, Lease, Put, ReadClock, Release, Settle
from genscache.stores.limits import COUNTER_TTL
from genscache.stores.redis import RedisStore
from genscache.testing import BlockingStore, StoreContract
from genscache.types import NO_GENERATION, CounterState, Fetched

LONG = 600_000
ALLOWED = {"MGET", "GETRANGE", "GET", "SET", "UNLINK", "EVALSHA", "EVAL"}


@pytest.fixture
def key() -> str:
    return f"gc:1:{{test.{secrets.token_hex(8)}}}:model"


class TestRedisStore(StoreContract):
    """The contract on Valkey and on Redis."""

    @pytest.fixture
    def store(self, server_url: str, clock_key: str) -> Iterator[RedisStore]:
        store = RedisStore(server_url, clock_key=clock_key)
        yield store
        store.close()


class TestAsyncRedisStore(StoreContract):
    """The contract on the twin."""

    threads = False

    @pytest.fixture
    def store(self, server_url: str, clock_key: str) -> Iterator[BlockingStore]:
        store = BlockingStore(AsyncRedisStore(server_url, clock_key=clock_key))
        yield store
        store.close()
        store.end()


def text(raw: Redis, key: str) -> str:
    value = raw.get(key)
    assert isinstance(value, bytes)
    return value.decode()


def life(raw: Redis, key: str) -> int:
    milliseconds = raw.pttl(key)
    assert isinstance(milliseconds, int)
    return milliseconds


def test_what_a_counter_looks_like(store: RedisStore, raw: Redis, key: str) -> None:
    generation = store.execute(Ensure((key,)))[0].generation
    assert text(raw, key) == str(generation)
    store.execute(Lease((key,), "w1", LONG))
    store.execute(Lease((key,), "w-2", LONG))
    match = re.fullmatch(rf"{generation} w1@(\d{{16}}) w-2@(\d{{16}})", text(raw, key))
    assert match
    seconds, microseconds = raw.time()
    now = int(seconds) * 1_000_000 + int(microseconds)
    assert now < int(match[1]) <= int(match[2]) <= now + 1000 * LONG
    store.execute(Settle("w1", bump=(), release=(key,)))
    assert text(raw, key) == f"{generation} w-2@{match[2]}"


def test_what_a_mark_looks_like(store: RedisStore, raw: Redis, key: str) -> None:
    store.execute(Lease((key,), "w1", LONG))
    assert re.fullmatch(r"0 w1@\d{16}", text(raw, key))
    assert 0 < life(raw, key) <= LONG


def test_the_clock_is_where_it_was_told_to_be(
    store: RedisStore, raw: Redis, key: str, clock_key: str
) -> None:
    assert store.execute(ReadClock()) == NO_GENERATION
    generation = store.execute(Ensure((key,)))[0].generation
    assert text(raw, clock_key) == str(generation)
    assert store.execute(ReadClock()) == generation
    assert life(raw, clock_key) == -1


def test_a_counter_lives_sixty_days_from_its_last_write(store: RedisStore, raw: Redis, key: str) -> None:
    store.execute(Ensure((key,)))
    assert COUNTER_TTL - 60_000 < life(raw, key) <= COUNTER_TTL
    raw.pexpire(key, LONG)
    store.execute(Ensure((key,)))
    assert LONG - 60_000 < life(raw, key) <= LONG, "a read renews nothing"
    store.execute(Lease((key,), "w1", 1_000))
    assert life(raw, key) > LONG, "its lease must not end with it"
    raw.pexpire(key, LONG)
    store.execute(Settle("w1", bump=(), release=(key,)))
    assert LONG - 60_000 < life(raw, key) <= LONG
    store.execute(Bump((key,)))
    assert life(raw, key) > LONG
    raw.pexpire(key, LONG)
    store.execute(Settle("w1", bump=(key,)))
    assert life(raw, key) > LONG


def test_a_brief_counter_lives_as_long_as_it_was_told(store: RedisStore, raw: Redis, key: str) -> None:
    other = key + "2"
    store.execute(Ensure((other, key), (key,), LONG))
    assert LONG - 60_000 < life(raw, key) <= LONG
    assert life(raw, other) > COUNTER_TTL - 60_000
    for brief in ((), (key, other)):
        store.execute(Ensure((key, other), brief, 2 * LONG))
        assert life(raw, key) <= LONG, "one that is there keeps its time"
        assert life(raw, other) > COUNTER_TTL - 60_000
    store.execute(Bump((key,)))
    assert life(raw, key) > COUNTER_TTL - 60_000


def test_a_brief_counter_that_outlives_a_dead_lease_ends_with_its_last_live_one(
    store: RedisStore, raw: Redis, key: str
) -> None:
    store.execute(Ensure((key,)))
    (before,) = store.execute(Ensure((key,)))
    dead = text(raw, key) + " dead@1"
    for value, brief_life, expected in ((dead, 60_000, 60_000), (f"{dead} live@{{}}", 60_000, LONG)):
        seconds, _ = raw.time()
        raw.set(key, value.format((int(seconds) * 1000 + LONG) * 1000))
        (after,) = store.execute(Ensure((key,), (key,), brief_life))
        assert after.generation > before.generation
        assert expected - 30_000 < life(raw, key) <= expected


def test_a_counter_does_not_end_under_a_lease(store: RedisStore, raw: Redis, key: str) -> None:
    store.execute(Ensure((key,)))
    raw.pexpire(key, 30_000)
    store.execute(Lease((key,), "w1", LONG))
    assert life(raw, key) > LONG - 60_000


def test_a_mark_gets_shorter_when_its_longest_lease_ends(store: RedisStore, raw: Redis, key: str) -> None:
    store.execute(Lease((key,), "long", LONG))
    store.execute(Lease((key,), "short", 60_000))
    assert life(raw, key) > 60_000
    store.execute(Settle("long", bump=(), release=(key,)))
    assert 0 < life(raw, key) <= 60_000


def test_entries_and_locks_end_by_themselves(store: RedisStore, raw: Redis, key: str) -> None:
    store.execute(Put(((key, b"value"),), 60_000))
    assert 0 < life(raw, key) <= 60_000
    store.execute(Acquire(key + ":l", "t", 60_000))
    assert text(raw, key + ":l") == "t"
    assert 0 < life(raw, key + ":l") <= 60_000


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b" ",
        b"0",
        b"-5",
        b"+5",
        b"007",
        b"1.5",
        b"1e9",
        b"0x10",
        b"nan",
        b"abc",
        b"\xff\xfe\x00",
        b"12\n",
        b" 12",
        b"12 ",
        b"12  a@1",
        b"12 a",
        b"12 a@",
        b"12 @5",
        b"12 a@b",
        b"12 a@1.5",
        b"12 a@007",
        b"12 a@5 ",
        b"12 a@5\x00",
        b"12 \xc3\xa9@5",
        b"9007199254740992",
        b"12 a@9007199254740992",
        b"99999999999999999999999999",
        b"9" * 100_000,
        "\N{ARABIC-INDIC DIGIT THREE}".encode(),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_garbage_counts_as_absent(store: RedisStore, raw: Redis, key: str, garbage: bytes) -> None:
    raw.set(key, garbage)
    assert store.execute(Fetch((key,))).states == (None,)
    assert store.execute(Bump((key,))) == (NO_GENERATION,)
    store.execute(Settle("w1", bump=(key,), release=(key,)))
    assert store.execute(Fetch((key,))).states == (None,)
    (made,) = store.execute(Ensure((key,)))
    assert store.execute(Fetch((key,))).states == (made,)
    raw.set(key, garbage)
    store.execute(Lease((key,), "w1", LONG))
    assert store.execute(Fetch((key,))).states == (CounterState(NO_GENERATION, leased=True),)


def test_another_type_counts_as_absent(store: RedisStore, raw: Redis, key: str, clock_key: str) -> None:
    for foreign in (key, clock_key):
        raw.delete(foreign)
        raw.rpush(foreign, "a")
    assert store.execute(Fetch((key,), key)).states == (None,)
    assert store.execute(Bump((key,))) == (NO_GENERATION,)
    (made,) = store.execute(Ensure((key,)))
    assert store.execute(Fetch((key,))).states == (made,)
    raw.delete(key)
    raw.rpush(key, "a")
    assert store.execute(Acquire(key, "t", 1_000)) is True
    store.execute(Release(key, "t"))


@pytest.mark.parametrize("garbage", [b"", b"x", b"-1", b"1e300", b"9" * 30, b"9007199254740992"])
def test_a_clock_of_garbage_starts_again_from_the_time(
    store: RedisStore, raw: Redis, key: str, clock_key: str, garbage: bytes
) -> None:
    raw.set(clock_key, garbage)
    assert store.execute(ReadClock()) == NO_GENERATION
    before = store.execute(Ensure((key,)))[0].generation
    raw.set(clock_key, garbage)
    assert store.execute(Bump((key,)))[0] > before


def test_generations_rise_when_the_clock_is_ahead_of_the_time(
    store: RedisStore, raw: Redis, key: str, clock_key: str
) -> None:
    ahead = 2**53 - 100
    raw.set(clock_key, ahead)
    assert store.execute(Ensure((key,)))[0].generation == ahead + 1
    assert store.execute(Bump((key,))) == (ahead + 2,)
    assert text(raw, key) == str(ahead + 2)


def test_a_counter_rises_also_when_the_clock_was_lost_and_the_time_was_set_back(
    store: RedisStore, raw: Redis, key: str, clock_key: str
) -> None:
    seconds, _ = raw.time()
    future = (int(seconds) + 86_400) * 1_000_000
    raw.set(key, future)
    raw.delete(clock_key)
    assert store.execute(Bump((key,))) == (future + 1,)
    assert store.execute(ReadClock()) == future + 1


def test_steps_that_the_server_forgot_are_sent_again(store: RedisStore, raw: Redis, key: str) -> None:
    store.execute(Ensure((key,)))
    raw.script_flush()
    (before,) = store.execute(Ensure((key,)))
    raw.script_flush()
    many = tuple(f"{key}:{number}" for number in range(1_201))
    store.execute(Ensure(many))
    raw.script_flush()
    after = store.execute(Bump((*many, key)))
    assert len(after) == 1_202
    assert after[-1] > before.generation


def everything(store: RedisStore, key: str) -> None:
    """Do each operation once."""
    counters = tuple(f"{key}:{number}" for number in range(1_201))
    store.execute(Ensure((key,)))
    store.execute(Fetch((key,), key + ":e"))
    store.execute(Fetch((key,), key + ":e", b"mark"))
    store.execute(Bump(counters))
    store.execute(Lease((key, key + "2"), "w1", LONG))
    store.execute(Settle("w1", bump=(key,), release=(key + "2",)))
    store.execute(Put(((key + ":e", b"x"), (key + ":f", b"y")), LONG, unlink=(key + ":g",)))
    store.execute(ReadClock())
    store.execute(Acquire(key + ":l", "t", LONG))
    store.execute(Release(key + ":l", "t"))


class Spy:
    """Counts the round trips of a store and the commands in them."""

    def __init__(self, store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[list[str]] = []
        send = store._send

        def seen(batch: list[tuple[str | bytes | int, ...]]) -> list[object]:
            self.batches.append([str(command[0]) for command in batch])
            return send(batch)

        monkeypatch.setattr(store, "_send", seen)
        fetch = store._fetch

        def fetching(operation: Fetch, command: bytes, answers: int) -> Fetched:
            self.batches.append(
                [line.decode() for line in command.split(b"\r\n") if line in {b"MGET", b"GETRANGE"}]
            )
            assert len(self.batches[-1]) == answers
            return fetch(operation, command, answers)

        monkeypatch.setattr(store, "_fetch", fetching)


def test_every_operation_is_one_round_trip(
    store: RedisStore, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(store, key)
    spy = Spy(store, monkeypatch)
    everything(store, key)
    assert len(spy.batches) == 10
    assert spy.batches[1] == ["MGET"]
    assert spy.batches[2] == ["GETRANGE", "MGET"]
    assert spy.batches[3] == ["EVALSHA"] * 3
    assert spy.batches[6] == ["UNLINK", "SET", "SET"]
    assert all(command in ALLOWED - {"EVAL"} for batch in spy.batches for command in batch)


def test_nothing_but_these_commands_reaches_the_server(
    store: RedisStore, raw: Redis, server_url: str, key: str
) -> None:
    everything(store, key)
    before = {name: int(stats["calls"]) for name, stats in raw.info("commandstats").items()}
    raw.script_flush()
    fresh = RedisStore(server_url, clock_key=key + ":clock")
    everything(fresh, key)
    fresh.close()
    after = {name: int(stats["calls"]) for name, stats in raw.info("commandstats").items()}
    used = {
        name.removeprefix("cmdstat_").upper() for name, calls in after.items() if calls > before.get(name, 0)
    }
    driver = {name for name in used if name.startswith(("CLIENT", "HELLO", "SCRIPT", "INFO"))}
    assert used - driver <= ALLOWED | {"TIME", "PTTL", "COMMAND"}


def test_a_user_with_only_these_rights_can_do_everything(
    raw: Redis, server_url: str, key: str, clock_key: str
) -> None:
    user = f"gc-{secrets.token_hex(4)}"
    rights = "~gc* +mget +getrange +get +set +unlink +evalsha +eval +time +pttl"
    raw.execute_command(  # type: ignore[no-untyped-call]
        "ACL", "SETUSER", user, "on", ">p@ss:w/rd", *rights.split()
    )
    try:
        store = RedisStore(server_url.replace("://", f"://{user}:p%40ss%3Aw%2Frd@"), clock_key=clock_key)
        everything(store, key)
        with pytest.raises(StoreError, match="rights") as caught:
            store.execute(Fetch(("elsewhere",)))
        assert "p@ss" not in str(caught.value)
        store.close()
    finally:
        raw.execute_command("ACL", "DELUSER", user)  # type: ignore[no-untyped-call]
    documented = Path(__file__).parents[2] / "docs" / "reference" / "stores.md"
    if documented.exists():
        assert rights.partition(" ")[2] in documented.read_text(encoding="utf-8")


def test_the_package_never_names_a_command_that_looks_for_keys() -> None:
    root = Path(genscache.stores.__file__).parent
    for file in (*root.rglob("*.py"), *root.rglob("*.lua")):
        source = file.read_text(encoding="utf-8")
        assert not re.search(
            r"""\b(?:FLUSHDB|FLUSHALL|flushdb|flushall|scan_iter|SCAN)\b|['"]KEYS['"]""", source
        ), file


def test_answers_are_bytes_whatever_the_url_asks_for(server_url: str, clock_key: str, key: str) -> None:
    for option in ("decode_responses=True", "protocol=3", "protocol=2", "health_check_interval=1"):
        store = RedisStore(f"{server_url}?{option}", clock_key=clock_key)
        generation = store.execute(Ensure((key,)))[0].generation
        store.execute(Put(((key + ":e", b"\xff"),), LONG))
        fetched = store.execute(Fetch((key,), key + ":e"))
        assert fetched.entry == b"\xff"
        assert fetched.states == (CounterState(generation, leased=False),)
        store.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_parent_and_child_use_connections_of_their_own(store: RedisStore, key: str) -> None:
    store.execute(Ensure((key,)))
    child = os.fork()
    if child == 0:
        alive = all(store.execute(Bump((key,)))[0] for _ in range(200))
        os._exit(0 if alive else 1)
    seen = [store.execute(Bump((key,)))[0] for _ in range(200)]
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert seen == sorted(set(seen))
