"""A fresh engine for each test, and rows to ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reads.conftest import engine, every_store, on_valkey, use, wire

if TYPE_CHECKING:
    from tests.querysets.reading import Site

__all__ = ["engine", "every_store", "on_valkey", "use", "wire"]


@pytest.fixture
def site() -> Site:
    """Write three articles of one author."""
    from tests.querysets.reading import make_site  # noqa: PLC0415 - models are there only when Django is set up

    return make_site()
