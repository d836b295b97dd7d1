"""A user with the least rights: it can do everything that genscache does, and with one right less it cannot."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from django.db import transaction
from django.test import override_settings
from redis import Redis

from genscache import cached, invalidate, stats
from genscache.engine import current_engine
from genscache.exceptions import StoreError
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
    TimeLeft,
)
from genscache.stores.fence import Fence
from genscache.stores.gate import Gate
from genscache.stores.redis import RedisStore
from genscache.testing import BlockingStore, StoreContract
from tests.fences import age
from tests.fixtures import ROOT
from tests.site.news.models import Section

SECTIONS: Any = Section.objects
"""With ``.cache()``, of which no stub knows."""

PASSWORD = "p@ss:w/rd"
LINE = re.search(
    r"^ACL SETUSER genscache on >password (.*)$",
    (ROOT / "docs" / "howto" / "least-privilege.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
assert LINE is not None, "the page has no line with the rights"
RIGHTS = LINE[1].split()
COMMANDS = [right for right in RIGHTS if right.startswith("+")]


@pytest.fixture(params=["valkey_url", "redis_url"])
def server_url(request: pytest.FixtureRequest) -> str:
    """Return the address of each server in turn."""
    return str(request.getfixturevalue(request.param))


@contextmanager
def user(server_url: str, rights: list[str]) -> Iterator[tuple[str, Redis]]:
    """Make a user for the time of the block; yield the address with its name and password, and an administrator."""
    name = f"gc-{secrets.token_hex(4)}"
    raw = Redis.from_url(server_url)
    raw.execute_command("ACL", "SETUSER", name, "on", f">{PASSWORD}", *rights)  # type: ignore[no-untyped-call]
    try:
        yield server_url.replace("://", f"://{name}:{quote(PASSWORD, safe='')}@"), raw
    finally:
        raw.execute_command("ACL", "DELUSER", name)  # type: ignore[no-untyped-call]
        raw.close()


@pytest.fixture
def url(server_url: str) -> Iterator[str]:
    """Return the address of each server for a user with the documented rights."""
    with user(server_url, RIGHTS) as (url, _):
        yield url


@pytest.fixture
def clock_key() -> str:
    """Return a clock of this test's own, within the rights."""
    return f"gc:{secrets.token_hex(8)}:clock"


class TestRedisStore(StoreContract):
    """The contract as that user."""

    @pytest.fixture
    def store(self, url: str, clock_key: str) -> Iterator[RedisStore]:
        store = RedisStore(url, clock_key=clock_key)
        yield store
        store.close()


class TestAsyncRedisStore(StoreContract):
    """The contract as that user, on the twin."""

    threads = False

    @pytest.fixture
    def store(self, url: str, clock_key: str) -> Iterator[BlockingStore]:
        store = BlockingStore(AsyncRedisStore(url, clock_key=clock_key))
        yield store
        store.close()
        store.end()


def everything() -> list[Operation[Any]]:
    """Return each operation, in an order in which each has something to do."""
    place = secrets.token_hex(8)
    one, two, entry, lock = (f"gc:1:{{{place}}}:{name}" for name in ("one", "two", "entry", "lock"))
    operations: list[Operation[Any]] = [
        Ensure((one,)),
        Fetch((one,), entry),
        Fetch((one,), entry, b"mark"),
        Bump((one,)),
        Lease((one, two), "writer", 60_000),
        Settle("writer", bump=(one,), release=(two,)),
        Put(((entry, b"x"),), 60_000, unlink=(f"{entry}:old",)),
        ReadClock(),
        TimeLeft(entry),
        Acquire(lock, "holder", 60_000),
        Release(lock, "holder"),
    ]
    return operations


def refused(url: str, clock_key: str) -> list[StoreError]:
    """Do everything; return what was refused."""
    place = f"gc:{secrets.token_hex(8)}"
    gate = Gate(Fence(f"{place}:fence", f"{place}:site", 1, lambda _reason, _length: None), clock_key)
    store = RedisStore(url, clock_key=clock_key, gate=gate)
    found: list[StoreError] = []
    for operation in everything():
        try:
            store.execute(operation)
        except StoreError as error:
            found.append(error)
    store.close()
    return found


def test_nothing_is_refused_also_when_the_server_has_forgotten_every_step(
    server_url: str, clock_key: str
) -> None:
    with user(server_url, RIGHTS) as (url, raw):
        raw.script_flush()
        assert refused(url, clock_key) == []
        assert refused(url, clock_key) == []


@pytest.mark.parametrize("right", COMMANDS)
def test_with_one_right_less_something_is_refused(right: str, server_url: str, clock_key: str) -> None:
    with user(server_url, [each for each in RIGHTS if each != right]) as (url, raw):
        raw.script_flush()
        errors = refused(url, clock_key)
    assert errors, f"{right} is not needed"
    # Redis says only that a script may not run "this command".
    assert any(f"'{right[1:]}" in str(error).lower() or "script" in str(error) for error in errors)
    assert not [error for error in errors if PASSWORD in str(error)]


def test_keys_of_others_are_out_of_reach(url: str) -> None:
    store = RedisStore(url, clock_key="other:1:clock")
    operations: list[Operation[Any]] = [
        Ensure(("other:1:a",)),
        Fetch(("other:1:a",)),
        Put((("other:1:e", b"x"),), 1000),
        ReadClock(),
    ]
    for operation in operations:
        with pytest.raises(StoreError, match="rights"):
            store.execute(operation)
    store.close()


@pytest.mark.django_db(transaction=True)
def test_a_queryset_is_read_written_and_read_again(url: str) -> None:
    age(url, "gc")
    with override_settings(GENSCACHE={"STORE": url, "PREFIX": "gc"}):

        @cached(f"acl-{secrets.token_hex(4)}", lock=True)
        def one() -> int:
            return 1

        section = SECTIONS.create(name="a")
        for name in ("a", "b"):
            with transaction.atomic():
                SECTIONS.filter(pk=section.pk).update(name=name)
            assert [each.name for each in SECTIONS.cache()] == [name]
            assert [each.name for each in SECTIONS.cache()] == [name]
            assert one() == one() == 1
        # The third time, from a copy.
        assert one() == one() == 1
        invalidate("anything")
        counts = stats()
        current_engine().close()
    assert counts["hit"] == 7
    assert not [name for name in counts if name.startswith("survived")]
