"""What can go wrong."""

from __future__ import annotations

from enum import Enum

from genscache.stores.base import Bump, Ensure, Lease, Put, Settle


class Fault(Enum):
    """One thing that goes wrong; the value is what a timeline calls it."""

    CRASH = "is killed"
    LOST = "done, but the answer is lost"
    DOWN = "does not reach the store"
    LATE = "no answer; it will reach the store later"
    REFUSED = "the database refuses the COMMIT"
    COMMITTED = "committed, but the answer is lost"
    NEVER = "the answer is lost, and nothing was committed"
    LATER = "the answer is lost; the database will commit later"
    EVICT = "a counter without a lease is evicted"
    EVICT_LEASED = "a counter and its leases are evicted"
    EVICT_CLOCK = "the bump clock is evicted"
    RESTART = "the store comes back as it was saved"


class Fence(Enum):
    """What whoever comes first does when the store is not the server that it was (design 3.7)."""

    NONE = "nothing"
    BUMP = "bumps the site"
    QUARANTINE = "bumps the site and leases it for the length of a lease"


STORE_FAULTS = (Fault.LOST, Fault.DOWN, Fault.LATE)
COMMIT_FAULTS = (Fault.REFUSED, Fault.COMMITTED, Fault.NEVER, Fault.LATER)
CHANGING = (Bump, Ensure, Lease, Put, Settle)
"""Operations that change something, so that it matters when they arrive."""
