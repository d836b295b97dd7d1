"""A proxy between a client and a Redis server that does to each request what it is told: loses, cuts, delays, lies."""

from __future__ import annotations

import math
import socket
import struct
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from genscache.stores.scripts import Script, Scripts, digest

HOST: Final = "127.0.0.1"
_NESTED: Final = {b"*": 1, b"%": 2, b"~": 1, b">": 1}
_SIZED: Final = b"$!="


class Gone(Exception):
    """One side has closed the connection."""


@dataclass(frozen=True)
class Fault:
    """What is done to a request; the default hands it on and its reply back.

    Attributes:
        forward: The server gets it.
        error: Answered instead of the server's reply, such as ``"OOM command not allowed"``.
        cut: The reply ends after this many bytes; ``None``: it is sent as a whole.
        end: And then: the connection goes on (``"keep"``; only with a whole reply), is closed (``"close"``), reset
            (``"reset"``), or stays open and silent until ``heal()`` (``"hang"``).
        gate: Waited for before anything is done.
        late: Waited for after the server has answered, before its reply is handed back.
    """

    forward: bool = True
    error: str = ""
    cut: int | None = None
    end: str = "keep"
    gate: threading.Event | None = None
    late: threading.Event | None = None


PASS: Final = Fault()
DROP_BEFORE: Final = Fault(forward=False, cut=0, end="close")
DROP_AFTER: Final = Fault(cut=0, end="close")
RESET_AFTER: Final = Fault(cut=0, end="reset")
HANG_BEFORE: Final = Fault(forward=False, cut=0, end="hang")
HANG_AFTER: Final = Fault(cut=0, end="hang")


def answers(error: str) -> Fault:
    """Answer with an error line; the server gets nothing."""
    return Fault(forward=False, error=error)


def cut(length: int, end: str = "close") -> Fault:
    """End the reply after ``length`` bytes."""
    return Fault(cut=length, end=end)


@dataclass
class _Rule:
    names: frozenset[str] | None
    fault: Fault
    left: float
    met: int = 0
    reached: threading.Event = field(default_factory=threading.Event)


class FaultProxy:
    """Listens on a port of its own, on loopback, with a thread for each connection.

    A request is named by its command, in lower case; an atomic step of ours by the step ("bump", "lease", ...).

    Args:
        upstream: URL of the server.

    Attributes:
        seen: The name and the reply of every request, in order; empty where there was none.
    """

    def __init__(self, upstream: str) -> None:
        self._target = urlsplit(upstream)
        self._steps = {
            getattr(steps, name).sha: name for steps in [Scripts.load()] for name in Scripts.__slots__
        }
        self._steps[Script.load("fence").sha] = "fence"
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._healed = threading.Event()
        self.seen: list[tuple[str, bytes]] = []
        self._listener = socket.create_server((HOST, 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, **options: object) -> str:
        """Return the address to use instead of the server's, with options of the driver."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"redis://{HOST}:{self._listener.getsockname()[1]}{self._target.path}?{query}"

    @contextmanager
    def during(
        self, fault: Fault, names: Collection[str] | None = None, times: float = math.inf
    ) -> Iterator[_Rule]:
        """Do ``fault`` to the requests ``names`` (all: ``None``) while the block lasts, ``times`` times at most."""
        rule = _Rule(None if names is None else frozenset(names), fault, times)
        with self._lock:
            self._rules.append(rule)
        try:
            yield rule
        finally:
            with self._lock:
                self._rules.remove(rule)
            self.heal()

    def heal(self) -> None:
        """Close the connections that hang."""
        with self._lock:
            healed, self._healed = self._healed, threading.Event()
        healed.set()

    def last(self, name: str) -> bytes:
        """Return the last reply that the server gave to a request of this name."""
        return next(reply for each, reply in reversed(self.seen) if each == name and reply)

    def close(self) -> None:
        """End everything."""
        self.heal()
        with self._lock:
            ends = [self._listener, *self._open]
        for each in ends:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection((HOST, self._target.port or 6379))
        except OSError:
            client.close()
            return
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open |= {client, server}
        try:
            asked, told = _Reader(client), _Reader(server)
            while self._handled(client, server, asked.message(), told):
                pass
        except (Gone, OSError):
            pass
        finally:
            with self._lock:
                self._open -= {client, server}
            client.close()
            server.close()

    def _handled(self, client: socket.socket, server: socket.socket, request: bytes, told: _Reader) -> bool:
        name = self._name(request)
        fault = self._fault(name)
        if fault.gate is not None:
            fault.gate.wait(30)
        reply = b""
        if fault.forward:
            server.sendall(request)
            reply = told.message()
        if fault.late is not None:
            fault.late.wait(30)
        self.seen.append((name, reply))
        if fault.error:
            reply = f"-{fault.error}\r\n".encode()
        healed = self._healed
        client.sendall(reply[: fault.cut])
        if fault.end == "hang":
            healed.wait(30)
        if fault.end == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return fault.end == "keep"

    def _fault(self, name: str) -> Fault:
        with self._lock:
            for rule in self._rules:
                if rule.left > 0 and (rule.names is None or name in rule.names):
                    rule.left -= 1
                    rule.met += 1
                    rule.reached.set()
                    return rule.fault
        return PASS

    def _name(self, request: bytes) -> str:
        words = request.split(b"\r\n", 5)
        command = words[2].decode().lower()
        if command == "evalsha":
            return self._steps.get(words[4].decode(), command)
        if command == "eval":
            length = int(words[3][1:])
            start = request.index(words[3]) + len(words[3]) + 2
            return self._steps.get(digest(request[start : start + length].decode()), command)
        return command


class _Reader:
    """Cuts a stream into whole messages of the protocol, requests or replies, RESP2 or RESP3."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._buffer = b""

    def message(self) -> bytes:
        """Return the next message as it came."""
        while True:
            end = self._end(0)
            if end is not None:
                found, self._buffer = self._buffer[:end], self._buffer[end:]
                return found
            data = self._source.recv(65_536)
            if not data:
                raise Gone
            self._buffer += data

    def _end(self, start: int) -> int | None:
        line = self._buffer.find(b"\r\n", start)
        if line < 0:
            return None
        kind, rest = self._buffer[start : start + 1], self._buffer[start + 1 : line]
        end: int | None = line + 2
        if kind in _NESTED:
            for _ in range(max(0, int(rest)) * _NESTED[kind]):
                end = None if end is None else self._end(end)
        elif kind in _SIZED and int(rest) >= 0:
            end = line + 2 + int(rest) + 2
        return None if end is None or end > len(self._buffer) else end
