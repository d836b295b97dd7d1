"""An asynchronous store for synchronous tests."""

from __future__ import annotations

import asyncio

from genscache.stores.base import Answer, AsyncStore, Operation, Store


class BlockingStore(Store):
    """Run an ``AsyncStore`` in an event loop of its own, one operation at a time.

    Args:
        store: The store to test.
    """

    def __init__(self, store: AsyncStore) -> None:
        """Start the loop."""
        self.capabilities = store.capabilities
        self._store = store
        self._runner = asyncio.Runner()

    def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation."""
        return self._runner.run(self._store.execute(operation))

    def close(self) -> None:
        """Give back the loop's connections; the next operation uses the loop again."""
        self._runner.run(self._store.aclose())

    def end(self) -> None:
        """Close the loop."""
        self._runner.close()
