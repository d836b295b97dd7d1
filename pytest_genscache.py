"""The pytest plugin: the fixture ``genscache``. It imports genscache, and Django, only where the fixture is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from genscache.testing import CacheProbe

DATABASE_FIXTURES = ("transactional_db", "db")
"""Of pytest-django; they come first, since the cache lives in the transaction that they begin."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", 'genscache(**settings): keys of GENSCACHE for the fixture "genscache" in this test.'
    )


@pytest.fixture
def genscache(request: pytest.FixtureRequest) -> Iterator[CacheProbe]:
    """Give the test an empty cache in memory that lives inside its transaction; see ``genscache.testing.live_cache``.

    The value has ``hits``, ``misses``, ``bypasses``, ``reads`` and ``clear()``. Settings come from the marker
    ``genscache``: ``@pytest.mark.genscache(TIMEOUT=60)``.
    """
    from genscache.testing import live_cache  # noqa: PLC0415 - not before a test needs it

    for name in DATABASE_FIXTURES:
        if name in request.fixturenames:
            request.getfixturevalue(name)
    marker = request.node.get_closest_marker("genscache")
    with live_cache(**(marker.kwargs if marker else {})) as probe:
        yield probe
