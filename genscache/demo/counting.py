"""A store around the store: counts round trips, and remembers which keys to take away at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

from genscache.stores.base import Acquire, Answer, Ensure, Lease, Operation, Put, Store

Listener = Callable[[object, object], None]
"""Called with an operation and its answer."""


class CountingStore(Store):
    """Counts operations, each of which is one round trip to a server, by name.

    Args:
        inner: The store that does the work.
        remember: Keep the keys that were made, so that ``unlink_all`` can take them away.
    """

    def __init__(self, inner: Store, *, remember: bool) -> None:
        self.capabilities = inner.capabilities
        self._inner = inner
        self._remember = remember
        self._keys: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._listeners: tuple[Listener, ...] = ()
        self._lock = Lock()

    def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation and count it."""
        with self._lock:
            self._counts[type(operation).__name__] += 1
            if self._remember:
                self._keys.update(_made(operation))
        answer = self._inner.execute(operation)
        for listener in self._listeners:
            listener(operation, answer)
        return answer

    def close(self) -> None:
        """Give back connections."""
        self._inner.close()

    @contextmanager
    def counted(self) -> Iterator[Counter[str]]:
        """Give a counter that holds, once the block has ended, the operations done in it."""
        with self._lock:
            before = self._counts.copy()
        seen: Counter[str] = Counter()
        yield seen
        with self._lock:
            seen.update(self._counts - before)

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Call ``listener`` with each operation after it was done, in the thread that did it."""
        self._listeners = (*self._listeners, listener)
        try:
            yield
        finally:
            self._listeners = tuple(other for other in self._listeners if other is not listener)

    def unlink_all(self, more: Iterable[str]) -> None:
        """Take away every key that was made through this store, and ``more``; no key is searched for."""
        if not self._remember:
            return
        with self._lock:
            keys = (*self._keys, *more)
            self._keys.clear()
        for part in _parts(keys, 500):
            self._inner.execute(Put((), 1, part))


def _made(operation: object) -> Iterable[str]:
    """Return the keys that an operation may create."""
    match operation:
        case Ensure(counters=counters) | Lease(counters=counters):
            return counters
        case Put(items=items):
            return (key for key, _ in items)
        case Acquire(key=key):
            return (key,)
        case _:
            return ()


def _parts(keys: tuple[str, ...], size: int) -> Iterator[tuple[str, ...]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
