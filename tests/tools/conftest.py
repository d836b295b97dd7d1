"""A fresh engine for each test."""

from __future__ import annotations

from tests.reads.conftest import engine, every_store, use

__all__ = ["engine", "every_store", "use"]
