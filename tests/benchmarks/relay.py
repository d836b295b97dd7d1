"""A way to the store that takes longer: a relay on loopback that lets each question wait."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

HOST = "127.0.0.1"


class Relay:
    """Listens on a port of its own and hands everything on.

    Args:
        upstream: URL of the server.
        milliseconds: What a round trip takes more.
    """

    def __init__(self, upstream: str, milliseconds: float) -> None:
        self._target = urlsplit(upstream)
        self._seconds = milliseconds / 1000
        self._listener = socket.create_server((HOST, 0))
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The address to use instead of the server's."""
        return f"redis://{HOST}:{self._listener.getsockname()[1]}{self._target.path}"

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
            threading.Thread(target=self._copy, args=(client, server, self._seconds), daemon=True).start()
            threading.Thread(target=self._copy, args=(server, client, 0.0), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, seconds: float) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 20):
                if seconds:
                    time.sleep(seconds)
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
