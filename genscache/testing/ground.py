"""What the store tests stand on: names of their own, the store's time, and what a store does not promise."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from genscache.stores.base import Bump, Ensure, Fetch, Store
from genscache.types import CounterState, Generation

Result = TypeVar("Result")

LONG = 600_000
"""A duration that does not end during a test, in milliseconds."""

SHORT = 1
"""The shortest duration, in milliseconds."""


class Ground:
    """Base of the parts of the contract.

    Attributes:
        threads: The store may be used from several threads at once.
        passes_time: ``let_pass`` works.
        life: The shortest life of an entry or a counter that the store can keep apart from none, in milliseconds.
    """

    threads = True
    passes_time = True
    life = 1

    def let_pass(self, store: Store, milliseconds: int) -> None:
        """Return when the store's own clock has moved on; override it where the clock can be set.

        This one asks the bump clock, which follows the store's time, until it has; nobody sleeps for a guess.

        Args:
            store: The store under test.
            milliseconds: How far.
        """
        (ticker,) = self.names(1)
        start = self.generation(store, ticker)
        while store.execute(Bump((ticker,)))[0] <= start + 1000 * milliseconds:
            pass

    def names(self, count: int) -> tuple[str, ...]:
        """Return keys that no other test has."""
        place = secrets.token_hex(8)
        return tuple(f"gc:1:{{test.{place}}}:n={number}" for number in range(count))

    def needs(self, store: Store, *promises: str) -> None:
        """Skip the running test where the store does not promise what it is about."""
        import pytest  # noqa: PLC0415  the package does without it

        for promise in promises:
            if not getattr(store.capabilities, promise):
                pytest.skip(f"{store.capabilities.name} declares {promise}=False")

    def needs_time(self) -> None:
        """Skip the running test where time cannot be made to pass."""
        if not self.passes_time:
            import pytest  # noqa: PLC0415

            pytest.skip("time cannot be made to pass for this store")

    def generation(self, store: Store, counter: str) -> Generation:
        """Return a counter's generation, created if absent."""
        return store.execute(Ensure((counter,)))[0].generation

    def bumped(self, store: Store, *counters: str) -> tuple[Generation, ...]:
        """Bump counters and return their generations."""
        return store.execute(Bump(counters))

    def state(self, store: Store, counter: str) -> CounterState | None:
        """Return what readers see of a counter."""
        return store.execute(Fetch((counter,))).states[0]

    def at_once(self, task: Callable[[int], Result], count: int) -> list[Result]:
        """Run a task in several threads at once."""
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(task, range(count)))
