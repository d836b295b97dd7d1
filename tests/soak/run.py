"""One soak: servers, processes, faults; and what has become of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tests.servers import Postgres, ServerFailed, Valkey
from tests.servers.processes import wait_until
from tests.soak.board import COUNTS, Board
from tests.soak.diary import Diary, History
from tests.soak.faults import Faults
from tests.soak.orders import Orders
from tests.soak.slots import name_of

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SHOWN: Final = 3
CALM: Final = 20.0
"""Seconds without faults in which hits are waited for."""


@dataclass(slots=True)
class Outcome:
    """What a soak has found.

    Attributes:
        counts: Reads, writes and so on, of all processes.
        faults: How many of each kind.
        evicted: Keys that the store has evicted.
        seconds: How long it took.
        stale: Level -> reads that break the promise.
        excused: Why level 2 does not cover them -> reads.
        errors: What raised -> how often.
        timelines: What has happened, of the first ones.
    """

    counts: dict[str, int]
    faults: dict[str, int]
    evicted: int
    seconds: float
    stale: Counter[int] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    timelines: list[str] = field(default_factory=list)


class Soak:
    """A soak that is under way.

    Args:
        orders: What to do; ports and directory are filled in.
        kinds: Which faults.
        every: Seconds between two faults.
    """

    def __init__(self, orders: Orders, kinds: tuple[str, ...], every: float = 0.35) -> None:
        self.orders = orders
        self.kinds = kinds
        self.every = every
        self.pids: dict[int, int] = {}
        self.born = 0

    def run(
        self,
        seconds: float,
        *,
        first: bool = False,
        level: int = 1,
        hits: int = 0,
        progress: Callable[[str], None] | None = None,
    ) -> Outcome:
        """Run.

        Args:
            seconds: For how long.
            first: End at the first stale read of that level.
            level: 1 or 2.
            hits: Go on without faults until there are so many, for 20 seconds at most.
            progress: Told now and then how far it is.
        """
        with ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="genscache-soak-"))
            self.postgres = stack.enter_context(Postgres())
            self.valkey = stack.enter_context(Valkey())
            self.orders = replace(
                self.orders, directory=directory, database=self.postgres.port, store=self.valkey.port
            )
            self.board = Board(Path(directory, "board"), self.orders.actors)
            self.diary = Diary(directory)
            self._nursery(stack, directory)
            for index in range(self.orders.actors):
                self.spawn(index)
            until = f"stale{level}" if first else ""
            return self._play(seconds, until=until, hits=hits, progress=progress)

    def _play(
        self, seconds: float, *, until: str, hits: int, progress: Callable[[str], None] | None
    ) -> Outcome:
        faults = Faults(self, self.kinds, self.every)
        begin = time.monotonic()
        told = begin
        while (past := time.monotonic() - begin) < seconds:
            faults.step()
            if until and self.board.total(until):
                break
            if progress and time.monotonic() - told >= 1:
                told = time.monotonic()
                progress(self._progress(past, seconds, faults))
            time.sleep(0.005)
        faults.end()
        calm = time.monotonic() + CALM
        while self.board.total("hit") < hits and time.monotonic() < calm:
            time.sleep(0.05)
        past = time.monotonic() - begin
        self.board.end()
        self._leave()
        counts = {name: self.board.total(name) for name in COUNTS}
        outcome = Outcome(counts, dict(faults.injected), faults.evicted, past)
        self._judge(outcome)
        return outcome

    def _progress(self, past: float, seconds: float, faults: Faults) -> str:
        total = self.board.total
        return (
            f"{past:.0f}/{seconds:.0f} s  {total('reads')} reads  {total('writes')} writes "
            f" {faults.injected.total()} faults  stale: {total('stale1')} + {total('stale2')}"
        )

    def _judge(self, outcome: Outcome) -> None:
        history = History.read(self.orders.directory)
        for line in history.lines:
            if line["what"] == "failed":
                outcome.errors[line["error"].partition(":")[0]] += 1
            if line["what"] == "missing":
                outcome.stale[1] += 1
            if line["what"] != "stale":
                continue
            slots = [line["slot"]] if line["slot"] >= 0 else range(12)
            why = ""
            if line["level"] == 2:
                found = (history.excuse(slot, line["begin"], self.orders.lease) for slot in slots)
                why = next(filter(None, found), "")
            if why and self.orders.lease:
                outcome.excused[why] += 1
                continue
            outcome.stale[line["level"]] += 1
            if len(outcome.timelines) < SHOWN:
                where = name_of(line["slot"]) if line["slot"] >= 0 else "the sum of all articles"
                outcome.timelines.append(
                    f"level {line['level']}: {line['how']} ({', '.join(line['by']) or 'no word of a cache'}) gave"
                    f" version {line['version']} of {where}; the floor was {line['floor']}\n"
                    + history.timeline(line["slot"], line["begin"], line["t"], line["version"])
                )

    # -- processes

    def _nursery(self, stack: ExitStack, directory: str) -> None:
        environment = {**os.environ, **self.orders.environment()}
        environment["PYTHONPATH"] = os.pathsep.join([*filter(None, sys.path), str(ROOT)])
        self._errors = stack.enter_context(Path(directory, "errors").open("w+"))  # noqa: SIM115 - the stack closes it
        self._mother = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.soak.nursery"],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        stack.callback(self._end_nursery)
        self._hear()

    def _hear(self) -> str:
        assert self._mother.stdout is not None
        line = self._mother.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise ServerFailed(f"The processes of the soak have ended:\n{self._errors.read()[-3000:]}")
        return line

    def _end_nursery(self) -> None:
        for pid in self.pids.values():
            self._signal(pid, signal.SIGKILL)
        self._mother.kill()
        self._mother.communicate()

    def spawn(self, index: int) -> None:
        """Make a process."""
        assert self._mother.stdin is not None
        self._mother.stdin.write(f"{index} {self.born}\n")
        self._mother.stdin.flush()
        self.born += 1
        self.pids[index] = int(self._hear())

    def kill(self, index: int) -> None:
        """End a process with SIGKILL, and wait until it is gone: its cells are another one's then."""
        pid = self.pids.pop(index)
        self._signal(pid, signal.SIGKILL)
        self._gone(pid)
        self.diary.note("killed", victim=pid)

    def _leave(self) -> None:
        for pid in self.pids.values():
            self._gone(pid)
        self._errors.flush()
        trouble = Path(self.orders.directory, "errors").read_text()
        if "Traceback" in trouble:
            raise ServerFailed(f"A process of the soak has failed:\n{trouble[-3000:]}")

    def _gone(self, pid: int) -> None:
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), seconds=20, what=f"The end of process {pid}")

    def _signal(self, pid: int, number: signal.Signals) -> None:
        # Ids of children that have ended are not given anew within a soak: the kernel counts on.
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, number)
