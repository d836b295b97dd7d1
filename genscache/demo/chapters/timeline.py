"""Two threads that wait for each other, and who did what in which order, in two columns."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from django.db import connections

COLUMN: Final = 44
PATIENCE: Final = 30.0
"""Seconds after which a thread that was waited for is given up: the demo ends with an error and does not hang."""


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody did."""

    who: str
    what: str


class Timeline:
    """Steps in the order in which they were done; a thread's column is told by its name."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._lock = threading.Lock()

    def add(self, what: str) -> None:
        """Note a step of this thread."""
        name = threading.current_thread().name
        who = name.partition("_")[0] if name.startswith(("reader", "writer")) else "later reader"
        with self._lock:
            self.steps.append(Step(who, what))

    def lines(self) -> list[str]:
        """Return the timeline as text."""
        rule = "-" * COLUMN
        lines = [f"      {'reader':{COLUMN}}  writer", f"      {rule}  {rule}"]
        for number, step in enumerate(self.steps, 1):
            what = f"(later) {step.what}" if step.who == "later reader" else step.what
            for at, part in enumerate(textwrap.wrap(what, COLUMN)):
                label = f"{number:4}  " if at == 0 else " " * 6
                cells = ("", part) if step.who == "writer" else (part, "")
                lines.append(f"{label}{cells[0]:{COLUMN}}  {cells[1]}".rstrip())
        return lines


def two_threads(read: Callable[[Callable[[], None]], object], write: Callable[[], object]) -> None:
    """Let ``write`` run from beginning to end while ``read`` stands still in the call of its argument.

    Raises:
        TimeoutError: One of the two waited for the other in vain.
    """
    has_read, has_written = threading.Event(), threading.Event()

    def pause() -> None:
        has_read.set()
        _wait(has_written)

    def reader() -> None:
        try:
            read(pause)
        finally:
            has_read.set()
            connections.close_all()

    def writer() -> None:
        try:
            _wait(has_read)
            write()
        finally:
            has_written.set()
            connections.close_all()

    with (
        ThreadPoolExecutor(1, thread_name_prefix="reader") as first,
        ThreadPoolExecutor(1, thread_name_prefix="writer") as second,
    ):
        ends: list[Future[None]] = [first.submit(reader), second.submit(writer)]
    for end in ends:
        end.result()


def _wait(event: threading.Event) -> None:
    if not event.wait(PATIENCE):
        raise TimeoutError(f"The other thread did not get on within {PATIENCE:.0f} s.")
