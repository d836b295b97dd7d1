"""A process that outlives a killed test run just long enough to end the servers that it left.

Servers are stopped by the process that started them, also when its interpreter exits. What that cannot cover is
SIGKILL (a time limit, an out-of-memory kill). So each test process tells this one, through a pipe, what it started;
when the pipe closes, whatever was not taken back is ended and its directory removed.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

import psutil

END_SECONDS = 5.0


class Reaper:
    """The test process's end of the pipe."""

    def __init__(self) -> None:
        """Start the process, in a session of its own so that Ctrl-C does not reach it."""
        self._owner = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        atexit.register(self.close)

    def add(self, pid: int, directory: Path) -> None:
        """Take note of a process; its start time guards against another one that is given the same id later."""
        self._tell(pid=pid, created=psutil.Process(pid).create_time(), directory=str(directory))

    def drop(self, pid: int) -> None:
        """Forget a process that was ended."""
        self._tell(pid=pid, created=None, directory=None)

    def close(self) -> None:
        """End the process; a fork of the test process must not, for the parent still needs it."""
        if self._owner == os.getpid() and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(timeout=30)

    def _tell(self, **facts: float | str | None) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps(facts) + "\n")
            self._process.stdin.flush()


@cache
def reaper() -> Reaper:
    """Return the one reaper of this process, started when it is first needed."""
    return Reaper()


def watch(lines: IO[str]) -> dict[int, tuple[float, str]]:
    """Read what was started until the pipe closes, and return what is left: process id to start time and directory."""
    left: dict[int, tuple[float, str]] = {}
    for line in lines:
        fact = json.loads(line)
        if fact["created"] is None:
            left.pop(fact["pid"], None)
        else:
            left[fact["pid"]] = (fact["created"], fact["directory"])
    return left


def kill(pid: int, created: float) -> list[psutil.Process]:
    """Kill a process and its children if it is still the one that was started, and return them."""
    try:
        process = psutil.Process(pid)
        if process.create_time() != created:
            return []
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.send_signal(signal.SIGKILL)
    return family


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a killed process still holds its files; one that nobody reaps does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(left: dict[int, tuple[float, str]]) -> None:
    """Kill everything that is left, wait until it is gone, and remove the directories."""
    killed = [member for pid, (created, _) in left.items() for member in kill(pid, created)]
    deadline = time.monotonic() + END_SECONDS
    while any(map(is_alive, killed)) and time.monotonic() < deadline:
        time.sleep(0.01)
    for _, directory in left.values():
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    end(watch(sys.stdin))
