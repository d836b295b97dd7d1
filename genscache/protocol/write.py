"""How a write tells the store: lease before it can be seen, settle when it is (design 3.3 and 3.4)."""

from __future__ import annotations

from genscache.exceptions import StoreUnavailable
from genscache.protocol.steps import Steps
from genscache.stores.base import Bump, Lease, Operation, Settle
from genscache.types import Generation


def bump(counters: tuple[str, ...]) -> Steps[None]:
    """Give each counter that exists a new generation."""
    yield from _once_more(Bump(counters))


def lease(counters: tuple[str, ...], *, token: str, duration: int) -> Steps[None]:
    """Mark counters for ``duration`` milliseconds: readers neither serve nor fill what depends on them."""
    yield from _once_more(Lease(counters, token, duration))


def settle(token: str, *, bump: tuple[str, ...], release: tuple[str, ...] = ()) -> Steps[None]:
    """End the leases of ``token``; see ``Settle``."""
    yield from _once_more(Settle(token, bump, release))


def _once_more(operation: Operation[None] | Operation[tuple[Generation, ...]]) -> Steps[None]:
    """Repeat an operation whose answer was lost: bumping, leasing and settling twice is harmless."""
    try:
        yield operation
    except StoreUnavailable:
        yield operation
