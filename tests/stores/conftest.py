"""What the store tests share."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from redis import Redis

from genscache.stores.redis import RedisStore


@pytest.fixture(params=["valkey_url", "redis_url"])
def server_url(request: pytest.FixtureRequest) -> str:
    """Return the address of each server in turn."""
    return "redis://" + str(request.getfixturevalue(request.param)).partition("://")[2]


@pytest.fixture
def clock_key() -> str:
    """Return a bump clock of this test's own: servers are shared and never flushed."""
    return f"gc-{secrets.token_hex(8)}:1:clock"


@pytest.fixture
def store(server_url: str, clock_key: str) -> Iterator[RedisStore]:
    """The store on each server in turn."""
    store = RedisStore(server_url, clock_key=clock_key)
    yield store
    store.close()


@pytest.fixture
def raw(server_url: str) -> Iterator[Redis]:
    """A client that sees the server as redis-cli does."""
    client = Redis.from_url(server_url)
    yield client
    client.close()
