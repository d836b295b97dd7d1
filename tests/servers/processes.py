"""What tests need to know and do about processes and ports."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypedDict

import psutil

HOST = "127.0.0.1"
PR_SET_CHILD_SUBREAPER = 36


class ServerFailed(RuntimeError):
    """A server did not start, stop or freeze; the message ends with the tail of its log."""


class Identity(TypedDict, total=False):
    """The arguments of subprocess that say who runs a program; none for the one who runs the tests."""

    user: int
    group: int
    extra_groups: Sequence[int]


def free_port() -> int:
    """Return a loopback port that was free a moment ago; a server that loses it to another is started again."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Poll until the condition is true.

    Raises:
        ServerFailed: It was not, within that many seconds.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ServerFailed(f"{what} did not happen within {seconds:.0f} seconds.")
        time.sleep(0.01)


def adopt_orphans() -> None:
    """Become the parent of what a killed server leaves, to reap it: a container's first process often does not."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def is_gone(process: psutil.Process) -> bool:
    """Tell whether a process has ended, and reap it if it has become ours."""
    try:
        with suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)
        return process.status() == psutil.STATUS_ZOMBIE and process.ppid() != os.getpid()
    except psutil.NoSuchProcess:
        return True


def is_stopped(process: psutil.Process) -> bool:
    """Tell whether a process is frozen, or ended before it could be."""
    try:
        return process.status() in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}
    except psutil.NoSuchProcess:
        return True
