"""Connections that an exception has interrupted, which must not be used again: the answer may still come."""

from __future__ import annotations

import sys
from collections import deque
from functools import lru_cache
from inspect import Parameter, signature
from threading import Event, Lock
from typing import Any, Final

from redis.connection import ConnectionPool
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.exceptions import RedisError

PATIENCE: Final = 1.0
"""Seconds to wait for a connection where the address sets neither a limit of its own nor a ``socket_timeout``."""

UNLIMITED: Final = 2**31
"""Connections of a pool where the URL does not say otherwise: a thread must not fail because others are busy."""


class Line:
    """A queue of threads for a number of places; who comes first is served first, so nobody waits for ever.

    Args:
        places: How many threads may have one at a time.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[Event] = deque()
        self._lock = Lock()

    def enter(self, patience: float) -> bool:
        """Take a place, after ``patience`` seconds at most; return whether there was one."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return True
            turn = Event()
            self._waiting.append(turn)
        try:
            turn.wait(patience)
        finally:
            with self._lock:
                mine = turn.is_set()
                if not mine:
                    self._waiting.remove(turn)
        return mine

    def leave(self) -> None:
        """Hand the place to who has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1


@lru_cache(10)
def first_words(pool: type) -> tuple[str, ...]:
    """Return what a pool of this class wants to be told when a connection is taken: early drivers ask for a command."""
    wanted = signature(pool.get_connection).parameters.get("command_name")  # type: ignore[attr-defined]  # a pool's
    return ("MGET",) if wanted is not None and wanted.default is Parameter.empty else ()


class CarefulPool(ConnectionPool):
    """Closes a connection that comes back while an exception of somebody else's goes by.

    A signal handler may raise (Ctrl-C, a task's time limit) between the moment at which the driver has sent a command
    and the one at which it begins to read. The driver puts such a connection back as it is, and whoever takes it next
    is given the answer to a question of somebody else. What the driver itself raises leaves a connection either in
    step or closed.

    Where the address limits the connections, a thread waits for one, no longer than it would wait for an answer: that
    others are busy is no outage, and no reason to refuse a write.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the driver's
        """Take what the driver's pool takes."""
        self._before: dict[object, BaseException | None] = {}
        super().__init__(*args, **kwargs)

    def reset(self) -> None:
        """Begin anew, also in the child of a fork, whose parent's threads have places and locks for ever."""
        self._before.clear()
        self._line = Line(self.max_connections)
        super().reset()

    def get_connection(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the driver's
        """Take a connection, and note which exception the caller is handling, if any: it is not to blame."""
        # Before the line is looked at: in the child of a fork somebody of the parent's may hold its lock.
        self._checkpid()
        line, patience = self._line, self.connection_kwargs.get("socket_timeout") or PATIENCE
        if not line.enter(patience):
            raise DriverConnectionError(f"Too many connections: none was given back for {patience:g} s")
        try:
            connection = super().get_connection(*(args or first_words(ConnectionPool)), **kwargs)
        except BaseException:
            line.leave()
            raise
        self._before[connection] = sys.exception()
        return connection

    def keep(self) -> Any:  # noqa: ANN401 - the driver's
        """Take a connection for long: whatever the caller is handling now has nothing to do with what comes later."""
        connection = self.get_connection()
        self._before[connection] = None
        return connection

    def release(self, connection: Any) -> None:  # noqa: ANN401 - the driver's
        """Give a connection back, closed if an answer may still be on its way to it."""
        error = sys.exception()
        known = connection in self._before
        if error is not self._before.pop(connection, None) and not isinstance(error, RedisError):
            connection.disconnect()
        try:
            super().release(connection)
        finally:
            if known:
                self._line.leave()
