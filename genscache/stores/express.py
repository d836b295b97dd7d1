"""The way of a hit: one ``MGET``, packed here and sent on a connection that the driver's pool has handed out.

The driver's client does a good deal around every command (measurements, tables of callbacks, a copy of its words) that
takes longer than the command itself. What keeps connections right stays the driver's: the pool, with its look for what
was left to be read and its forks; the handshake; health checks; the retry; and the closing of a connection on which
something went wrong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from redis.exceptions import ResponseError

if TYPE_CHECKING:
    from genscache.stores.base import Fetch
    from genscache.stores.commands import Reply

Result = TypeVar("Result")


class Retries(Protocol):
    """What decides whether a command is tried again."""

    def call_with_retry(self, do: Callable[[], Result], fail: Callable[[Exception], object]) -> Result:
        """Do it, once more where that may help; ``fail`` comes before each further try."""


class Connection(Protocol):
    """The part of a driver's connection that is used here, of either kind."""

    retry: Retries

    def send_packed_command(self, command: list[bytes]) -> object:
        """Send it, after a health check if it is time for one; connects where the connection is closed."""

    def read_response(self) -> object:
        """Read one answer; one that is an error is raised."""

    def should_reconnect(self) -> bool:
        """Tell whether the server wants the connection made anew."""

    def disconnect(self) -> object:
        """Close it."""

    def connect(self) -> object:
        """Open it, unless it is open."""


class Encoder(Protocol):
    """How the driver turns words into bytes."""

    def encode(self, value: str) -> bytes:
        """Do so."""


class Pool(Protocol):
    """The part of a driver's pool that is used here, of either kind."""

    def get_encoder(self) -> Encoder:
        """Return how words become bytes."""

    def get_connection(self) -> object:
        """Take a connection."""

    def release(self, connection: object) -> object:
        """Give it back."""


def is_plain(pool: Pool) -> bool:
    """Tell whether the driver would write our words as they are packed here: the address may name an encoding."""
    return pool.get_encoder().encode("gc:1{}") == b"gc:1{}"


def packed(operation: Fetch) -> list[bytes] | None:
    """Return the bytes of an ``MGET``; ``None`` where there is none, or a word that the driver must encode."""
    keys = operation.counters if operation.entry is None else (*operation.counters, operation.entry)
    words = " ".join(keys)
    if not keys or not words.isascii():
        return None
    head = f"*{len(keys) + 1}\r\n$4\r\nMGET\r\n"
    return [(head + "".join([f"${len(key)}\r\n{key}\r\n" for key in keys])).encode("ascii")]


def send(pool: Pool, command: list[bytes]) -> Reply:
    """Send a packed command and return the answer; one that is an error is returned, too.

    Raises:
        RedisError: What the driver raises.
    """
    connection = cast("Connection", pool.get_connection())

    def once() -> object:
        connection.send_packed_command(command)
        return connection.read_response()

    try:
        return connection.retry.call_with_retry(once, lambda _: connection.disconnect())
    except ResponseError as error:
        return error
    finally:
        try:
            if connection.should_reconnect():
                connection.disconnect()
                connection.connect()
        finally:
            pool.release(connection)


async def asend(pool: Pool, command: list[bytes]) -> Reply:
    """Do the same in a coroutine."""
    connection = cast("Connection", await cast("Awaitable[object]", pool.get_connection()))

    async def once() -> object:
        await cast("Awaitable[object]", connection.send_packed_command(command))
        return await cast("Awaitable[object]", connection.read_response())

    async def closed(_: Exception) -> None:
        await cast("Awaitable[object]", connection.disconnect())

    try:
        return await connection.retry.call_with_retry(once, closed)
    except ResponseError as error:
        return error
    finally:
        await cast("Awaitable[object]", pool.release(connection))
