"""Connections that tasks of one event loop share, where the address limits their number."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from redis.asyncio.connection import ConnectionPool
from redis.exceptions import ConnectionError as DriverConnectionError

from genscache.stores.connections import PATIENCE, first_words

BUSY: Final = "Too many connections: none was given back for {:g} s"


class PatientPool(ConnectionPool):
    """Lets a task wait for a connection, who came first is served first, no longer than it would wait for an answer.

    That others are busy is no outage, and no reason to refuse a write. The driver's own pool that waits wakes whoever
    comes by, so that one task may wait for ever.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the driver's
        """Take what the driver's pool takes."""
        super().__init__(*args, **kwargs)
        self._places = asyncio.Semaphore(self.max_connections)
        self._given: set[object] = set()

    async def get_connection(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the driver's
        """Take a connection."""
        patience = self.connection_kwargs.get("socket_timeout") or PATIENCE
        try:
            async with asyncio.timeout(patience):
                await self._places.acquire()
        except TimeoutError:
            raise DriverConnectionError(BUSY.format(patience)) from None
        try:
            words = args or first_words(ConnectionPool)
            connection = await super().get_connection(*words, **kwargs)  # type: ignore[no-untyped-call]
        except BaseException:
            self._places.release()
            raise
        self._given.add(connection)
        return connection

    async def release(self, connection: Any) -> None:  # noqa: ANN401 - the driver's
        """Give a connection back."""
        try:
            await super().release(connection)
        finally:
            # The driver gives one back by itself that it could not connect: nobody was given that one.
            if connection in self._given:
                self._given.remove(connection)
                self._places.release()
