"""What is said to a server, packed here and sent on a connection that the driver's pool has handed out.

The driver's client does a good deal around every command (measurements, tables of callbacks, a copy of its words) that
takes longer than the command itself. What keeps connections right stays the driver's: the pool, with its look for what
was left to be read and its forks; the handshake; health checks; the retry; and the closing of a connection on which
something went wrong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from redis.exceptions import ResponseError

from genscache.stores.commands import fetching
from genscache.stores.connections import first_words

if TYPE_CHECKING:
    from genscache.stores.base import Fetch
    from genscache.stores.commands import Command, Reply

Result = TypeVar("Result")


class Retries(Protocol):
    """What decides whether a command is tried again."""

    def call_with_retry(self, do: Callable[[], Result], fail: Callable[[Exception], object]) -> Result:
        """Do it, once more where that may help; ``fail`` comes before each further try."""


class Answering(Protocol):
    """What answers are read from, of either kind."""

    def read_response(self) -> object:
        """Read one answer; one that is an error is raised."""


class Connection(Answering, Protocol):
    """The part of a driver's connection that is used here, of either kind."""

    retry: Retries

    def send_packed_command(self, command: list[bytes]) -> object:
        """Send it, after a health check if it is time for one; connects where the connection is closed."""

    def disconnect(self) -> object:
        """Close it."""


class Pool(Protocol):
    """The part of a driver's pool that is used here, of either kind."""

    def get_connection(self, *words: str) -> object:
        """Take a connection."""

    def release(self, connection: object) -> object:
        """Give it back."""


def packed(commands: Sequence[Command]) -> bytes:
    """Return commands as they are sent.

    Words are what the driver makes of them where an address names no encoding; ours are of a plain alphabet.
    """
    parts: list[bytes] = []
    text: list[str] = []
    for command in commands:
        text.append(f"*{len(command)}\r\n")
        for word in command:
            said = word if type(word) is str else str(word) if type(word) is int else None
            if said is not None and said.isascii():
                # All at once below: as many characters as bytes.
                text.append(f"${len(said)}\r\n{said}\r\n")
                continue
            raw = word if isinstance(word, bytes) else str(word).encode()
            text.append(f"${len(raw)}\r\n")
            parts += ("".join(text).encode("ascii"), raw)
            text = ["\r\n"]
    parts.append("".join(text).encode("ascii"))
    return b"".join(parts)


def question(operation: Fetch) -> tuple[bytes, int] | None:
    """Return what a fetch says, and how many commands that is; ``None``: it asks for nothing."""
    memo = operation.memo
    if memo is not None and memo.question is not None:
        return memo.question
    commands = fetching(operation)
    if not commands:
        return None
    found = packed(commands), len(commands)
    if memo is not None:
        memo.question = found
    return found


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
        return [answer(connection) for _ in range(answers)]

    try:
        return (
            once()
            if tries == 1
            else connection.retry.call_with_retry(once, lambda _: connection.disconnect())
        )
    finally:
        pool.release(connection)


def answer(connection: Answering) -> Reply:
    """Return one answer; one that is an error is returned, too."""
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


async def asend(pool: Pool, command: bytes, answers: int) -> list[Reply]:
    """Do the same in a coroutine."""
    taken = pool.get_connection(*first_words(type(pool)))
    connection = cast("Connection", await cast("Awaitable[object]", taken))

    async def once() -> list[Reply]:
        await cast("Awaitable[object]", connection.send_packed_command([command]))
        return [await aanswer(connection) for _ in range(answers)]

    async def closed(_: Exception) -> None:
        await cast("Awaitable[object]", connection.disconnect())

    try:
        return await connection.retry.call_with_retry(once, closed)
    finally:
        await cast("Awaitable[object]", pool.release(connection))


async def aanswer(connection: Answering) -> Reply:
    """Do the same in a coroutine."""
    try:
        return await cast("Awaitable[Reply]", connection.read_response())
    except ResponseError as error:
        return error
