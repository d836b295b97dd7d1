"""MariaDB, the system's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tests.servers.base import Server
from tests.servers.processes import HOST

# Debian keeps daemons where the PATH of an ordinary user does not look.
SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


class MariaDB(Server):
    """A MariaDB server with one superuser, ``root``, and no password; no configuration file is read."""

    name: ClassVar[str] = "mariadb"

    @property
    def settings(self) -> dict[str, str | int]:
        """Return what goes into Django's DATABASES."""
        return {"HOST": HOST, "PORT": self.port, "USER": "root", "PASSWORD": ""}

    @classmethod
    def binary(cls) -> Path | None:
        """Look on PATH and in the places for daemons; the program that makes the system tables is needed too."""
        found = shutil.which("mariadbd", path=SEARCH)
        return Path(found) if found and shutil.which("mariadb-install-db", path=SEARCH) else None

    def prepare(self) -> None:
        """Make the system tables."""
        installer = shutil.which("mariadb-install-db", path=SEARCH)
        if installer is None:
            raise FileNotFoundError("mariadb-install-db is not installed: install Debian's mariadb-server.")
        options = ["--skip-test-db", "--auth-root-authentication-method=normal", "--skip-name-resolve"]
        # A directory of its own: two that are made at the same time lose one another's temporary tables in /tmp.
        places = [f"--datadir={self._data}", f"--tmpdir={self.directory}"]
        self.run(installer, "--no-defaults", *self._as_root(), *places, *options)

    def command(self) -> Sequence[str | Path]:
        """Leave flushing to the kernel: after a SIGKILL, committed rows must still be there."""
        files = [
            f"--datadir={self._data}",
            f"--socket={self.directory / 'socket'}",
            f"--tmpdir={self.directory}",
        ]
        network = [f"--bind-address={HOST}", f"--port={self.port}", "--skip-name-resolve", "--skip-log-bin"]
        cheap = [
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-flush-method=nosync",
            "--innodb-buffer-pool-size=32M",
        ]
        words = ["--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin"]
        program = str(self.binary())
        return [program, "--no-defaults", *self._as_root(), *files, *network, *cheap, *words, *self.options]

    def ready(self) -> bool:
        """Read the log, which is begun anew at each start."""
        return "ready for connections" in self.log()

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _as_root(self) -> list[str]:
        # Root must say that it means it.
        return ["--user=root"] if os.geteuid() == 0 else []
