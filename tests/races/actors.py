"""The processes of a race, as the controller sees them: born within milliseconds, told what to run, stopped, killed.

Nothing sleeps here. Every wait is for a message over a pipe, and ends after ``PATIENCE`` seconds with a word about who
was to come where.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pytest

PATIENCE = 20.0
"""Seconds after which an actor that neither reaches its point nor ends fails the test."""


class Nursery:
    """The process that forks actors."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.races.nursery", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=environment,
            )
        self._socket = ours
        ours.settimeout(PATIENCE * 2)
        assert ours.recv(1) == b"r", "the nursery has not started"

    def born(self) -> socket.socket:
        """Fork an actor; return the pipe to it."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._socket, [b"a"], [theirs.fileno()])
        return ours

    def close(self) -> None:
        """Let it end."""
        self._socket.close()
        self._process.wait(PATIENCE)


@dataclass(frozen=True, slots=True)
class Result:
    """What a script has done.

    Attributes:
        value: What it returned.
        raised: The name of the exception that it raised; empty if none.
        detail: Where it was raised.
        trace: What happened, in order: store operations, ``sql ...``, ``commit``, places in scripts.
        reads: Each read that the cache took part in: what, outcome, reason.
        survived: What went wrong and was lived with.
    """

    value: Any
    raised: str
    detail: str
    trace: list[str]
    reads: list[tuple[str, str, str]]
    survived: list[str]

    @property
    def outcome(self) -> str:
        """How the outermost read was answered: hit, miss or bypass."""
        return self.reads[-1][1] if self.reads else "not asked"

    @property
    def filled(self) -> bool:
        """Tell whether something was stored."""
        return "Put" in self.trace

    def asked(self, table: str = "") -> int:
        """Return how many SELECTs were sent that name a table."""
        return sum(fnmatchcase(each, f"sql SELECT*{table}*") for each in self.trace)


class Actor:
    """A process of its own that runs scripts.

    Args:
        name: What messages call it.
        pipe: Leads to it.
    """

    def __init__(self, name: str, pipe: socket.socket) -> None:
        self.name = name
        self.run: Run | None = None
        self.dead = False
        pipe.settimeout(PATIENCE)
        self._pipe = pipe
        self._lines = pipe.makefile("rw", encoding="utf-8")
        self.pid = int(self.hear("to be born")["pid"])

    def say(self, **words: object) -> None:
        """Tell it."""
        self._lines.write(json.dumps(words) + "\n")
        self._lines.flush()

    def hear(self, hoped: str) -> dict[str, Any]:
        """Wait for it to say something; ``hoped`` says for what."""
        try:
            line = self._lines.readline()
        except TimeoutError:
            pytest.fail(f"The {self.name} hangs: it was {hoped} within {PATIENCE:.0f} seconds.")
        if not line:
            pytest.fail(f"The {self.name} is gone: it was {hoped}.")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def kill(self) -> None:
        """Kill it (SIGKILL) where it stands, and wait until it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        self.dead, self.run = True, None
        while self._lines.readline():
            pass
        self._pipe.close()

    def leave(self) -> None:
        """Be done with it, whatever it does."""
        if not self.dead:
            self.kill()


class Run:
    """A script under way.

    Args:
        actor: Who runs it.
        what: What messages call it.
        done: Called with the result when it has ended.
    """

    def __init__(self, actor: Actor, what: str, done: Callable[[Result], None]) -> None:
        self.actor = actor
        self._what = what
        self._done = done
        actor.run = self

    def reaches(self, point: str) -> None:
        """Wait until it stands at a point."""
        heard = self.actor.hear(f"to reach {point!r} in {self._what}")
        if "at" not in heard:
            end = heard["raised"] or f"returned {heard['end']!r}"
            pytest.fail(
                f"The {self.actor.name} never reached {point!r} in {self._what}: it {end} after "
                f"{heard['trace']}, {heard['reads']}. {heard['detail']}"
            )
        assert fnmatchcase(heard["at"], point + "*"), (
            f"the {self.actor.name} stands at {heard['at']!r}, not {point!r}"
        )

    def on(self, *, until: str) -> Run:
        """Let it go on to the next point."""
        self.goes_on(until=until)
        self.reaches(until)
        return self

    def goes_on(self, *, until: str | None = None) -> None:
        """Let it go on, and do not wait."""
        self.actor.say(until=until)

    def end(self, *, raises: str = "") -> Result:
        """Let it go on to its end."""
        self.goes_on()
        return self.ends(raises=raises)

    def ends(self, *, raises: str = "") -> Result:
        """Wait for its end."""
        heard = self.actor.hear(f"to end {self._what}")
        if "at" in heard:
            pytest.fail(f"The {self.actor.name} stands at {heard['at']!r} and should have ended.")
        self.actor.run = None
        reads = [(what, outcome, reason) for what, outcome, reason in heard["reads"]]
        result = Result(
            heard["end"], heard["raised"], heard["detail"], heard["trace"], reads, heard["survived"]
        )
        assert result.raised == raises, f"{self._what} raised {result.raised!r}: {result.detail}"
        self._done(result)
        return result
