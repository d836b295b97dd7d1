"""Which servers a run must have: a missing one is skipped with a word, unless it was said that it must be there."""

from __future__ import annotations

import os

import pytest

from tests.servers import MariaDB, Postgres, Redis, Server, Valkey

VARIABLE = "GENSCACHE_TEST_REQUIRE"
KINDS: tuple[type[Server], ...] = (Valkey, Redis, Postgres, MariaDB)


def required() -> frozenset[str]:
    """Return the names in the environment variable.

    Raises:
        pytest.UsageError: One of them is no server; a typing error must not switch a requirement off.
    """
    names = frozenset(filter(None, (name.strip() for name in os.environ.get(VARIABLE, "").split(","))))
    known = {kind.name for kind in KINDS}
    if names - known:
        raise pytest.UsageError(f"{VARIABLE} names {sorted(names - known)}; the servers are {sorted(known)}.")
    return names


def demand(kind: type[Server]) -> None:
    """Skip the running test where the server is not installed, or fail it where the run requires the server."""
    if kind.binary() is not None:
        return
    if kind.name in required():
        pytest.fail(
            f"{kind.name} is not installed, and {VARIABLE} says that it must be there.", pytrace=False
        )
    pytest.skip(f"{kind.name} is not installed")
