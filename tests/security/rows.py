"""A class of the project's own that unsigned entries may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass
class Row:
    """Something that a project would put on the list."""

    name: str
    tags: list[str]


class Point(NamedTuple):
    """A tuple with names."""

    x: int
    y: int
