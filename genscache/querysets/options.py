"""What a queryset was told about caching, and what querysets made inside another one inherit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from genscache.policies import OPS, Op

_inherited: ContextVar[Caching | None] = ContextVar("genscache_prefetching", default=None)


ORIGINAL: Final = "_genscache_original"
"""In a class that was made by adoption, the class that it was made from."""

EVERYTHING: Final = frozenset(OPS)


@dataclass(frozen=True, slots=True)
class Caching:
    """What ``.cache()`` or ``.nocache()`` has said.

    Attributes:
        ops: What is cached.
        timeout: Life of an entry in seconds; ``None``: as the model's policy or the settings say.
        lock: One process at a time fills an entry; ``None``: as the model's policy says.
    """

    ops: frozenset[Op] = EVERYTHING
    timeout: float | None = None
    lock: bool | None = None


NEVER = Caching(frozenset())
"""What ``.nocache()`` says."""


@lru_cache(100)
def automatic(ops: frozenset[Op]) -> Caching:
    """Return how a queryset is cached that was told nothing, under a policy that caches these operations."""
    return Caching(ops)


def inherited() -> Caching | None:
    """Return what the queryset whose relations are being prefetched was told."""
    return _inherited.get()


@contextmanager
def passed_on(caching: Caching | None) -> Iterator[None]:
    """Let querysets that are made to prefetch relations be cached as the one that asked for them."""
    if caching is None:
        yield
        return
    token = _inherited.set(caching)
    try:
        yield
    finally:
        _inherited.reset(token)
