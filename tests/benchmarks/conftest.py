"""The fixtures of ``tests.reads``."""

from __future__ import annotations

from tests.reads.conftest import use, wire

__all__ = ["use", "wire"]
