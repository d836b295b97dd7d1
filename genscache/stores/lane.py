"""The short way to the server for a thread: a connection that is kept, bytes out and bytes in.

The driver makes connections, shakes hands, and makes them anew; its pool counts them. Between two questions one is kept
here instead of in the pool: the way in and out of it, and the driver's work around a command, take longer than the
server's answer. Whatever is not as it was (a connection on which something has come meanwhile, an answer of a kind
that our commands never get) is left to the driver.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from redis.exceptions import ConnectionError as DriverConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as DriverTimeoutError

from genscache.stores.commands import parse_counter
from genscache.stores.connections import UNLIMITED, CarefulPool
from genscache.stores.replies import CHUNK, Failure, Incoming, Strange
from genscache.types import CounterState, Fetched

if TYPE_CHECKING:
    from genscache.stores.base import Fetch
    from genscache.stores.commands import Reply

Result = TypeVar("Result")


class Lost(DriverConnectionError):
    """The connection was lost while an answer was awaited; a fetch changes nothing, and may be tried again."""


class Connection(Protocol):
    """The part of a driver's connection that is used here."""

    _sock: socket.socket | None
    _parser: Parser

    def disconnect(self) -> None:
        """Close it."""


def may_keep(pool: CarefulPool) -> bool:
    """Tell whether connections may be kept out of a pool.

    Not where the address limits them, asks for signs of life or brings passwords that change: that is the pool's work.
    """
    options = pool.connection_kwargs
    watched = any(options.get(name) for name in ("health_check_interval", "credential_provider"))
    return pool.max_connections == UNLIMITED and not watched and hasattr(select, "poll")


class Parser(Protocol):
    """The part of what reads answers in the driver that is used here."""

    def parse_error(self, response: str) -> Exception:
        """Return the driver's exception for the text of an error."""


class _Kept:
    """A connection that is kept, and the socket that it had then."""

    __slots__ = ("connection", "pending", "poll", "socket")

    def __init__(self, connection: Connection, found: socket.socket) -> None:
        self.connection = connection
        self.socket = found
        self.poll = select.poll()
        self.poll.register(found, select.POLLIN)
        # TLS takes bytes off the socket before anybody reads them.
        self.pending: Callable[[], int] | None = getattr(found, "pending", None)

    def is_as_it_was(self) -> bool:
        """Tell whether it is open, and nothing has come that nobody has asked for: an answer to somebody else, say."""
        if self.connection._sock is not self.socket or self.poll.poll(0):  # noqa: SLF001 - see ``Connection``
            return False
        return self.pending is None or not self.pending()

    def error(self, text: str) -> Exception:
        """Return the driver's exception for an error.

        Raises:
            Strange: One after which the driver closes the connection, such as "LOADING".
        """
        found = self.connection._parser.parse_error(text)  # noqa: SLF001 - see ``Connection``
        if not isinstance(found, ResponseError):
            raise Strange
        return found


class Lane:
    """Connections that are kept; safe to use from several threads.

    There are as many as threads have asked at the same time.

    Args:
        pool: Makes them.
    """

    def __init__(self, pool: CarefulPool) -> None:
        self._pool = pool
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._kept: list[_Kept] = []

    def fetch(self, operation: Fetch, command: bytes) -> Fetched | None:
        """Do a fetch; as ``ask``.

        Args:
            operation: It.
            command: How it is said.
        """
        return self._turn(command, lambda kept: _fetched(kept.socket, operation))

    def ask(self, command: bytes, answers: int) -> list[Reply] | None:
        """Say commands and read their answers.

        Args:
            command: What is said.
            answers: How many commands it is.

        Returns:
            The answers, errors among them as the driver's exceptions; ``None``: nothing was said, or what has come is
            for the driver to read. It is to ask again; everything that is said here may be said twice.

        Raises:
            TimeoutError: No answer came in time (the driver's).
            ConnectionError: There is no connection, or it was lost (the driver's).
        """
        return self._turn(command, lambda kept: _answers(kept, answers))

    def _turn(self, command: bytes, read: Callable[[_Kept], Result]) -> Result | None:
        kept = self._take()
        if kept is None:
            return None
        try:
            kept.socket.sendall(command)
            found = read(kept)
        except TimeoutError as error:
            self._leave(kept)
            raise DriverTimeoutError("Timeout reading from socket") from error
        except OSError as error:
            self._leave(kept)
            raise Lost(str(error)) from error
        except Strange:
            self._leave(kept)
            return None
        except BaseException:
            # A signal: the answer may still be on its way.
            self._leave(kept)
            raise
        self._kept.append(kept)
        return found

    def close(self) -> None:
        """Give all connections back."""
        while self._kept:
            self._pool.release(self._kept.pop().connection)

    def _take(self) -> _Kept | None:
        if self._pid != os.getpid():
            # They are the parent's.
            self._start()
        try:
            kept = self._kept.pop()
        except IndexError:
            return self._new()
        if kept.is_as_it_was():
            return kept
        # Closed, and not just given back: the driver's pool overlooks what has come where it expects notices.
        self._leave(kept)
        return None

    def _new(self) -> _Kept | None:
        connection = cast("Connection", self._pool.keep())
        found = connection._sock  # noqa: SLF001 - see ``Connection``
        if found is not None:
            return _Kept(connection, found)
        self._pool.release(connection)
        return None

    def _leave(self, kept: _Kept) -> None:
        kept.connection.disconnect()
        self._pool.release(kept.connection)


def _answers(kept: _Kept, answers: int) -> list[Reply]:
    """Read so many answers."""
    data = kept.socket.recv(CHUNK)
    if answers == 1 and data == b":1\r\n":
        # What a step that is done says.
        return [1]
    incoming = Incoming(kept.socket, data, 0)
    found = [incoming.answer() for _ in range(answers)]
    incoming.end()
    return [kept.error(each) if isinstance(each, Failure) else each for each in found]


def _fetched(found: socket.socket, operation: Fetch) -> Fetched:
    """Read the answer to a fetch."""
    data = found.recv(CHUNK)
    memo = operation.memo
    answered = None if memo is None else memo.answered
    marked = operation.marked
    if answered is not None and data.startswith(answered[0]):
        # Byte for byte what it was, up to what tells of the entry: it means what it meant.
        start, states = answered
        if marked and len(data) == len(start):
            return Fetched(states, None, same=True)
        if not marked and operation.entry is not None:
            incoming = Incoming(found, data, len(start))
            entry = incoming.text()
            incoming.end()
            return Fetched(states, entry)
    return _read(Incoming(found, data, 0), operation)


def _read(incoming: Incoming, operation: Fetch) -> Fetched:
    """Read it word by word, and note what it was."""
    marked = operation.marked
    same = marked and incoming.text() == operation.mark
    asked = len(operation.counters)
    more = operation.entry is not None and not marked
    states: tuple[CounterState | None, ...] = ()
    if asked or more:
        incoming.list_of(asked + more)
        states = tuple([parse_counter(incoming.text()) for _ in range(asked)])
    start = incoming.so_far()
    entry = incoming.text() if more else None
    incoming.end()
    if operation.memo is not None and (more or same):
        operation.memo.answered = start, states
    return Fetched(states, entry, same)
