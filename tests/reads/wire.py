"""A proxy between a client and a Redis server that counts round trips: the turns from asking to being answered."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

HOST = "127.0.0.1"


class Wire:
    """Listens on a port of its own and hands everything on; one object counts all of its connections.

    Args:
        upstream: URL of the server.
        seconds: What a round trip takes more than it does.
    """

    def __init__(self, upstream: str, *, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._target = urlsplit(upstream)
        self._listener = socket.create_server((HOST, 0))
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._turns = 0
        self._sent = bytearray()
        self._received = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The address to use instead of the server's."""
        return f"redis://{HOST}:{self._listener.getsockname()[1]}{self._target.path}"

    @contextmanager
    def counting(self) -> Iterator[list[int]]:
        """Put the number of round trips made in the block into the list, when the block ends."""
        with self._lock:
            before = self._turns
            self._sent.clear()
            self._received = 0
        found: list[int] = []
        yield found
        with self._lock:
            found.append(self._turns - before)

    @property
    def sent(self) -> bytes:
        """What clients have sent since the last count began."""
        with self._lock:
            return bytes(self._sent)

    @property
    def received(self) -> int:
        """How many bytes servers have sent since then."""
        with self._lock:
            return self._received

    def close(self) -> None:
        """End every connection and stop listening."""
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((str(self._target.hostname), int(self._target.port or 6379)))
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [client, server]
            line = _Line()
            threading.Thread(target=self._copy, args=(client, server, line, True), daemon=True).start()
            threading.Thread(target=self._copy, args=(server, client, line, False), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, line: _Line, asking: bool) -> None:  # noqa: FBT001
        with suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    if asking:
                        # Only the first part of a question is a new turn, however many packets it comes in.
                        self._turns += not line.asking
                        self._sent += data
                    else:
                        self._received += len(data)
                    line.asking = asking
                if asking and self._seconds:
                    time.sleep(self._seconds)
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Line:
    """One connection: whose turn it is."""

    def __init__(self) -> None:
        self.asking = False
