"""Engines, rows, and the stage of races."""

from __future__ import annotations

from tests.races.conftest import nursery, readers, rows, stages
from tests.writes.conftest import clock, install, memory

__all__ = ["clock", "install", "memory", "nursery", "readers", "rows", "stages"]
