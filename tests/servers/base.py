"""What every server has in common: a directory, a port, a process, and the ways in which tests mistreat it."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

import psutil

from tests.servers.processes import (
    Identity,
    ServerFailed,
    adopt_orphans,
    free_port,
    is_gone,
    is_stopped,
    wait_until,
)
from tests.servers.reaper import reaper

START_SECONDS = 30.0
STOP_SECONDS = 20.0
ATTEMPTS = 5


class Server(ABC):
    """One server process with a directory of its own; a context manager that starts and stops it.

    Args:
        options: More arguments for the command line, after the ones that make it small and fast.
    """

    name: ClassVar[str]

    def __init__(self, *, options: Sequence[str] = ()) -> None:
        self.options = tuple(options)
        self.port = 0
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()

    # What a kind of server says of itself.

    @classmethod
    @abstractmethod
    def binary(cls) -> Path | None:
        """Return the program, or None where it is not installed."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the command line that runs the server in the foreground."""

    @abstractmethod
    def ready(self) -> bool:
        """Tell whether the very process that was started (not another one on the same port) takes connections."""

    def prepare(self) -> None:  # noqa: B027 - most servers need nothing
        """Make what the server needs in its empty directory before its first start."""

    def user(self) -> str | None:
        """Return the user to run as, None for the one who runs the tests."""
        return None

    # What tests do with it.

    @property
    def directory(self) -> Path:
        """Return the server's directory, which goes when it is stopped."""
        if self._directory is None:
            raise ServerFailed(f"{self.name} has no directory: call start() first.")
        return self._directory

    @property
    def pid(self) -> int:
        """Return the process id of the running server."""
        if self._process is None:
            raise ServerFailed(f"{self.name} is not running: call start() or restart() first.")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Tell whether the process is there (it may be frozen)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Make the directory, start the server on a free port and wait until it takes connections."""
        self._directory = Path(tempfile.mkdtemp(prefix="genscache-"))
        # A server that refuses to be root runs as somebody else, who must be able to reach its directory.
        self._directory.chmod(0o755)
        # Before the next line: at exit, what was registered last is called first, and a stop still needs the reaper.
        reaper()
        atexit.register(self._at_exit)
        try:
            self.prepare()
            self._launch(fresh_port=True)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server in an orderly way and remove its directory."""
        self._terminate()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
        atexit.unregister(self._at_exit)

    def kill(self) -> None:
        """End the server and its children with SIGKILL, as a power cut would; restart() brings it back."""
        family = self._family()
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGKILL)
        self._forget()
        wait_until(lambda: all(map(is_gone, family)), seconds=STOP_SECONDS, what=f"The end of {self.name}")

    def restart(self) -> None:
        """Start the server again on the same port and the same files, after an orderly stop or a kill."""
        self._terminate()
        self._launch(fresh_port=False)

    def pause(self) -> None:
        """Freeze the server: it keeps its connections, accepts new ones in the kernel, and answers nothing."""
        # The parent first, so that it cannot make a child that is missed.
        self._signal_family(signal.SIGSTOP)
        family = self._family()
        self._signal_family(signal.SIGSTOP)
        wait_until(lambda: all(map(is_stopped, family)), seconds=STOP_SECONDS, what=f"Freezing {self.name}")

    def resume(self) -> None:
        """Let a frozen server go on where it was."""
        self._signal_family(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    # How it is done.

    def log(self) -> str:
        """Return the end of what the server said since its last start."""
        path = self.directory / "log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def run(self, *command: str | Path) -> None:
        """Run a program to its end, as the server's user, in the server's directory."""
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=self.directory, **self._identity()
        )
        if done.returncode:
            raise ServerFailed(f"{command[0]} failed with {done.returncode}:\n{done.stdout}\n{done.stderr}")

    def _identity(self) -> Identity:
        name = self.user()
        if name is None:
            return {}
        entry = pwd.getpwnam(name)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": ()}

    def _launch(self, *, fresh_port: bool) -> None:
        for _ in range(ATTEMPTS):
            if fresh_port:
                self.port = free_port()
            if self._try_launch():
                return
        raise ServerFailed(f"{self.name} did not start on port {self.port}:\n{self.log()}")

    def _try_launch(self) -> bool:
        adopt_orphans()
        with (self.directory / "log").open("wb") as log:
            self._process = process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                start_new_session=True,
                **self._identity(),
            )
        reaper().add(process.pid, self.directory)
        wait_until(
            lambda: process.poll() is not None or self.ready(),
            seconds=START_SECONDS,
            what=f"The start of {self.name}",
        )
        if process.poll() is None:
            return True
        self._forget()
        return False

    def _family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]

    def _signal_family(self, number: signal.Signals) -> None:
        for member in self._family():
            with suppress(psutil.NoSuchProcess):
                member.send_signal(number)

    def _terminate(self) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self.resume()
            self._process.send_signal(self.stop_signal())
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self._forget()

    def stop_signal(self) -> signal.Signals:
        """Return the signal that asks for an orderly end without waiting for clients."""
        return signal.SIGTERM

    def _forget(self) -> None:
        if self._process is not None:
            self._process.wait(STOP_SECONDS)
            reaper().drop(self._process.pid)
            self._process = None

    def _at_exit(self) -> None:
        # A fork of the test process that exits must not end its parent's servers.
        if self._owner == os.getpid():
            self.stop()
