"""How long the counters of a cached function's calls stay in the store."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import pytest
from pytest_django import Settings
from redis import Redis

from genscache import cached
from genscache.engine import current_engine
from genscache.stores.limits import COUNTER_TTL

MINUTE = 60_000
DAY = 24 * 60 * MINUTE


@pytest.fixture
def raw(valkey_url: str, settings: Settings) -> Iterator[Redis]:
    """A client of the server that the engine uses, which has a prefix of this test's own."""
    # Without a fence: a server that has just been started would be quarantined.
    prefix = f"t{secrets.token_hex(6)}"
    settings.GENSCACHE = {"STORE": valkey_url, "PREFIX": prefix, "TIMEOUT": 300, "FENCE": False}
    client = Redis.from_url(valkey_url)
    yield client
    client.close()
    current_engine().close()


def lives(raw: Redis, what: str) -> list[int]:
    """Return how long each of this test's keys of one kind lives, in milliseconds, shortest first."""
    keys: list[bytes] = list(raw.scan_iter(match=f"{current_engine().settings.prefix}:*", count=10_000))
    return sorted(raw.pttl(key) for key in keys if re.search(rf"\}}:{what}\b", key.decode()))


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [(1, 62_000), (3600, 7_260_000), (None, 60 * DAY), (29 * DAY / 1000, 58 * DAY + MINUTE)],
)
def test_the_counter_of_a_call_lives_a_little_longer_than_its_entries(
    raw: Redis, timeout: float | None, expected: int
) -> None:
    @cached("prices", timeout=timeout)
    def double(number: int) -> int:
        return 2 * number

    assert [double(1), double(1)] == [2, 2]
    assert expected - MINUTE / 2 < lives(raw, "call")[0] <= expected


def test_without_a_timeout_of_its_own_the_default_counts(raw: Redis) -> None:
    @cached("prices")
    def double(number: int) -> int:
        return 2 * number

    assert double(1) == 2
    assert 630_000 < lives(raw, "call")[0] <= 660_000


def test_what_many_calls_share_lives_as_long_as_ever(raw: Redis) -> None:
    @cached("prices", timeout=1)
    def double(number: int) -> int:
        return 2 * number

    for number in range(3):
        double(number)
    assert len(lives(raw, "call")) == 3
    assert lives(raw, "call")[-1] <= 62_000
    for what in ("site", "named", "function"):
        (life,) = lives(raw, what)
        assert life > COUNTER_TTL - MINUTE, what


def test_a_call_that_another_depends_on_keeps_its_own_short_life(raw: Redis) -> None:
    @cached("prices", timeout=1)
    def inner() -> int:
        return 1

    @cached(timeout=3600)
    def outer() -> int:
        return inner() + 1

    assert [outer(), outer()] == [2, 2]
    short, long = lives(raw, "call")
    assert 32_000 < short <= 62_000
    assert 7_230_000 < long <= 7_260_000


def test_a_call_whose_counter_has_ended_is_computed_again_and_kept(raw: Redis) -> None:
    runs: list[int] = []

    @cached("prices", timeout=300)
    def double(number: int) -> int:
        runs.append(number)
        return 2 * number

    double(1)
    (counter,) = (key for key in raw.scan_iter(f"{current_engine().settings.prefix}:*") if b":call=" in key)
    raw.delete(counter)
    assert [double(1), double(1)] == [2, 2]
    assert runs == [1, 1]
    assert 630_000 < lives(raw, "call")[0] <= 660_000
