"""Reading answers as RESP2 and RESP3 write them, those that our commands get; others are strange, and the driver's."""

from __future__ import annotations

import socket
from typing import Final, TypeAlias

CHUNK: Final = 65536
"""Bytes that are read at once, at least."""

LONGEST_LINE: Final = 32
"""Bytes of a line that tells a length."""

LONGEST_ERROR: Final = 65536
"""Bytes of a line that tells an error."""

LONGEST_LENGTH: Final = 10
LONGEST_INTEGER: Final = 19
"""Digits of the numbers that are read."""

END: Final = b"\r\n"

DEEPEST: Final = 4
"""Lists in lists that are read."""


class Strange(Exception):
    """Something else has come."""


class Failure(str):
    """The text of an answer that is an error."""

    __slots__ = ()


Answer: TypeAlias = "bytes | int | Failure | list[Answer] | None"


class Incoming:
    """Bytes that come from a server.

    Args:
        found: Where more come from.
        data: Those that have come.
        position: How many of them were read.
    """

    __slots__ = ("_data", "_position", "_socket")

    def __init__(self, found: socket.socket, data: bytes, position: int) -> None:
        self._socket = found
        self._data = data
        self._position = position

    def text(self) -> bytes | None:
        """Read a text.

        Returns:
            Its bytes; ``None`` where there is none.

        Raises:
            Strange: It is something else.
            OSError: No more comes.
        """
        line = self._line()
        if line in (b"$-1", b"_"):
            return None
        length = _number(line, b"$")
        start = self._position
        self._await(start + length + 2)
        stop = start + length
        if self._data[stop : stop + 2] != END:
            raise Strange
        self._position = stop + 2
        return self._data[start:stop]

    def list_of(self, members: int) -> None:
        """Read the beginning of a list.

        Raises:
            Strange: It has another number of members, or is something else.
            OSError: No more comes.
        """
        if _number(self._line(), b"*") != members:
            raise Strange

    def answer(self, depth: int = DEEPEST) -> Answer:
        """Read any answer that our commands get.

        Raises:
            Strange: It is something else.
            OSError: No more comes.
        """
        self._await(self._position + 1)
        match self._data[self._position : self._position + 1]:
            case b"$" | b"_":
                return self.text()
            case b":":
                return _integer(self._line()[1:])
            case b"+":
                return self._line()[1:]
            case b"-":
                return Failure(self._line(LONGEST_ERROR)[1:].decode("utf-8", "replace"))
            case b"*" if depth:
                return [self.answer(depth - 1) for _ in range(_number(self._line(), b"*"))]
            case _:
                raise Strange

    def so_far(self) -> bytes:
        """Return what was read."""
        return self._data[: self._position]

    def end(self) -> None:
        """Make sure that nothing else has come.

        Raises:
            Strange: More has come than was asked for.
        """
        if len(self._data) != self._position:
            raise Strange

    def _line(self, longest: int = LONGEST_LINE) -> bytes:
        start = self._position
        while (stop := self._data.find(END, start, start + longest)) < 0:
            if len(self._data) >= start + longest:
                raise Strange
            self._await(len(self._data) + 1)
        self._position = stop + 2
        return self._data[start:stop]

    def _await(self, length: int) -> None:
        """Wait until so many bytes have come."""
        missing = length - len(self._data)
        if missing <= 0:
            return
        parts = [self._data]
        while missing > 0:
            part = self._socket.recv(max(CHUNK, missing))
            if not part:
                raise ConnectionResetError("Connection closed by server.")
            parts.append(part)
            missing -= len(part)
        self._data = b"".join(parts)


def _number(line: bytes, kind: bytes) -> int:
    if line[:1] != kind:
        raise Strange
    return _digits(line[1:], LONGEST_LENGTH)


def _integer(text: bytes) -> int:
    return -_digits(text[1:], LONGEST_INTEGER) if text[:1] == b"-" else _digits(text, LONGEST_INTEGER)


def _digits(text: bytes, longest: int) -> int:
    # isdigit() and a length: no sign, no blank, nothing that int() would take besides.
    if not text.isdigit() or len(text) > longest:
        raise Strange
    return int(text)
