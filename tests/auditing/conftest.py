"""An engine that audits every hit, on a memory store, and rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.reads.conftest import use
from tests.writes.actors import Cache
from tests.writes.conftest import clock, install, memory, rows
from tests.writes.spy import SpyStore

__all__ = ["clock", "install", "memory", "rows", "use"]


@pytest.fixture
def audited(install: Callable[..., Cache], memory: SpyStore) -> Iterator[Cache]:
    """Install an engine that audits every hit."""
    yield install(memory, AUDIT=1)
    assert not memory.waiting, "a callback was never called: the point of the test was not reached"
