"""The fence of an installation: where the store's identity is kept, and what is told when it has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

REASONS: Final = {
    "restored": "the store has restarted with what it had saved, or another server has taken its place",
    "flushed": "the store was flushed, or has evicted the fence",
    "empty": "the store has started a moment ago and is empty",
}
"""Why a quarantine begins, in words, by the name that the server's step gives it."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Where the fence of one installation is, and what it does.

    Attributes:
        key: Where the server's run id is kept.
        site: The counter that every entry depends on.
        lease: Length of a write lease in milliseconds; 0: there are none, and the site is only bumped.
        begun: Called when a connection of this process begins a quarantine, with the reason in words and its length
            in milliseconds.
    """

    key: str
    site: str
    lease: int
    begun: Callable[[str, int], None]
