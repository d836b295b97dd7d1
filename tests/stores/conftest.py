"""What the store tests share."""

from __future__ import annotations

import secrets

import pytest


@pytest.fixture(params=["valkey_url", "redis_url"])
def server_url(request: pytest.FixtureRequest) -> str:
    """Return the address of each server in turn."""
    return "redis://" + str(request.getfixturevalue(request.param)).partition("://")[2]


@pytest.fixture
def clock_key() -> str:
    """Return a bump clock of this test's own: servers are shared and never flushed."""
    return f"gc-{secrets.token_hex(8)}:1:clock"
