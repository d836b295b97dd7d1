"""A store that counts every operation, calls back at an exact one, and breaks when told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from genscache.exceptions import StoreUnavailable
from genscache.stores.base import Answer, Bump, Lease, Operation, Settle, Store

Callback = Callable[[], object]


@dataclass
class Hook:
    """A call that waits for one operation."""

    kind: type[Operation[Any]]
    call: Callback
    before: bool


class SpyStore(Store):
    """Wraps a real store.

    Args:
        inner: The store that does the work.
        prefix: Begins every key of this test on a server that other tests use, too.

    Attributes:
        seen: Every operation that was sent, in order, those of callbacks included.
        down: The store answers nothing.
    """

    def __init__(self, inner: Store, *, prefix: str = "gc") -> None:
        self.inner = inner
        self.prefix = prefix
        self.capabilities = inner.capabilities
        self.seen: list[Operation[Any]] = []
        self.down = False
        self._hooks: list[Hook] = []
        self._watching: list[list[Operation[Any]]] = []

    def execute(self, operation: Operation[Answer]) -> Answer:
        """Do an operation, with what waits for it before and after."""
        self.seen.append(operation)
        for each in self._watching:
            each.append(operation)
        hooks = [hook for hook in self._hooks if isinstance(operation, hook.kind)]
        self._hooks = [hook for hook in self._hooks if hook not in hooks]
        for hook in hooks:
            if hook.before:
                hook.call()
        if self.down:
            raise StoreUnavailable("the spy's store is down")
        answer = self.inner.execute(operation)
        for hook in hooks:
            if not hook.before:
                hook.call()
        return answer

    def close(self) -> None:
        """Give back connections."""
        self.inner.close()

    def before(self, kind: type[Operation[Any]], call: Callback) -> None:
        """Call once, just before the next operation of a kind."""
        self._hooks.append(Hook(kind, call, before=True))

    def after(self, kind: type[Operation[Any]], call: Callback) -> None:
        """Call once, just after the next operation of a kind."""
        self._hooks.append(Hook(kind, call, before=False))

    @property
    def waiting(self) -> int:
        """How many callbacks have not been called: a test whose point was never reached must not pass."""
        return len(self._hooks)

    @contextmanager
    def watch(self) -> Iterator[list[Operation[Any]]]:
        """Collect the operations from now until the block ends."""
        found: list[Operation[Any]] = []
        self._watching.append(found)
        try:
            yield found
        finally:
            self._watching = [each for each in self._watching if each is not found]


def written(operations: list[Operation[Any]]) -> list[str]:
    """Return the names of the operations that leases, bumps and settles are made of."""
    return [type(each).__name__ for each in operations if isinstance(each, Bump | Lease | Settle)]


def bumped(operations: list[Operation[Any]]) -> set[str]:
    """Return the counters that operations bump."""
    found: set[str] = set()
    for each in operations:
        if isinstance(each, Bump):
            found.update(each.counters)
        elif isinstance(each, Settle):
            found.update(each.bump)
    return found
