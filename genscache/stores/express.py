"""The way of a hit: one fetch, packed here and sent on a connection that the driver's pool has handed out.

The driver's client does a good deal around every command (measurements, tables of callbacks, a copy of its words) that
takes longer than the command itself. What keeps connections right stays the driver's: the pool, with its look for what
was left to be read and its forks; the handshake; health checks; the retry; and the closing of a connection on which
something went wrong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from redis.exceptions import ResponseError

from genscache.stores.commands import fetching

if TYPE_CHECKING:
    from genscache.stores.base import Fetch
    from genscache.stores.commands import Command, Reply

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

    def disconnect(self) -> object:
        """Close it."""


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


def packed(operation: Fetch) -> bytes | None:
    """Return the bytes of a fetch; ``None`` where it says nothing, or a word that the driver must encode."""
    memo = operation.memo
    if memo is not None and memo.command is not None:
        return memo.command
    commands = fetching(operation)
    text = "".join([_packed(command) for command in commands])
    if not text or not text.isascii():
        return None
    found = text.encode("ascii")
    if memo is not None:
        memo.command = found
    return found


def answers(operation: Fetch) -> int:
    """Return how many commands a fetch is."""
    return len(fetching(operation))


def _packed(command: Command) -> str:
    words = [str(word) for word in command]
    return f"*{len(words)}\r\n" + "".join([f"${len(word)}\r\n{word}\r\n" for word in words])


def send(pool: Pool, command: bytes, answers: int, tries: int) -> list[Reply]:
    """Send what is packed and return the answers; one that is an error is returned, too.

    Args:
        pool: Hands out a connection.
        command: What to send.
        answers: How many commands it is.
        tries: With 1, none follows where the connection is lost; else the driver's rules hold.

    Raises:
        RedisError: What the driver raises.
    """
    connection = cast("Connection", pool.get_connection())

    def once() -> list[Reply]:
        connection.send_packed_command([command])
        return [_answer(connection) for _ in range(answers)]

    try:
        return (
            once()
            if tries == 1
            else connection.retry.call_with_retry(once, lambda _: connection.disconnect())
        )
    finally:
        pool.release(connection)


def _answer(connection: Connection) -> Reply:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


async def asend(pool: Pool, command: bytes, answers: int) -> list[Reply]:
    """Do the same in a coroutine."""
    connection = cast("Connection", await cast("Awaitable[object]", pool.get_connection()))

    async def once() -> list[Reply]:
        await cast("Awaitable[object]", connection.send_packed_command([command]))
        return [await _aanswer(connection) for _ in range(answers)]

    async def closed(_: Exception) -> None:
        await cast("Awaitable[object]", connection.disconnect())

    try:
        return await connection.retry.call_with_retry(once, closed)
    finally:
        await cast("Awaitable[object]", pool.release(connection))


async def _aanswer(connection: Connection) -> Reply:
    try:
        return await cast("Awaitable[Reply]", connection.read_response())
    except ResponseError as error:
        return error
