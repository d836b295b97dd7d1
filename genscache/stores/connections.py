"""Connections that an exception has interrupted, which must not be used again: the answer may still come."""

from __future__ import annotations

import sys
from typing import Any

from redis.connection import ConnectionPool
from redis.exceptions import RedisError


class CarefulPool(ConnectionPool):
    """Closes a connection that comes back while an exception of somebody else's goes by.

    A signal handler may raise (Ctrl-C, a task's time limit) between the moment at which the driver has sent a command
    and the one at which it begins to read. The driver puts such a connection back as it is, and whoever takes it next
    is given the answer to a question of somebody else. What the driver itself raises leaves a connection either in
    step or closed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the driver's
        """Take what the driver's pool takes."""
        self._before: dict[object, BaseException | None] = {}
        super().__init__(*args, **kwargs)

    def get_connection(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the driver's
        """Take a connection, and note which exception the caller is handling, if any: it is not to blame."""
        connection = super().get_connection(*args, **kwargs)
        self._before[connection] = sys.exception()
        return connection

    def release(self, connection: Any) -> None:  # noqa: ANN401 - the driver's
        """Give a connection back, closed if an answer may still be on its way to it."""
        error = sys.exception()
        if error is not self._before.pop(connection, None) and not isinstance(error, RedisError):
            connection.disconnect()
        super().release(connection)
