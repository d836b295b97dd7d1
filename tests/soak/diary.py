"""What each process has done and when: one line an event, in one file that all append to.

A line is written by one system call when the event has happened, so it survives the death of its writer. Times are
nanoseconds of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

NAME: Final = "diary"
LONGEST: Final = 60
"""Lines of a timeline."""


class Diary:
    """The file, open for appending."""

    def __init__(self, directory: str) -> None:
        self._file = os.open(Path(directory, NAME), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, what: str, /, **facts: object) -> int:
        """Append a line; returns its time."""
        now = time.monotonic_ns()
        line = {"t": now, "what": what, "pid": os.getpid(), **facts}
        os.write(self._file, json.dumps(line, separators=(",", ":")).encode() + b"\n")
        return now


@dataclass(slots=True)
class Window:
    """The time in which a write may have taken effect and has not returned."""

    begin: int
    slots: Sequence[int]
    pid: int
    end: int | None = None
    outcome: str = ""


@dataclass(slots=True)
class History:
    """All lines of a diary, and what follows from them."""

    lines: list[dict[str, Any]]
    windows: list[Window] = field(default_factory=list)
    losses: list[tuple[int, int, str]] = field(default_factory=list)

    @classmethod
    def read(cls, directory: str) -> History:
        """Read the diary; a line that was cut by a kill is left out."""
        history = cls(sorted(_lines(Path(directory, NAME)), key=lambda line: line["t"]))
        history._understand()
        return history

    def _understand(self) -> None:
        open_: dict[int, Window] = {}
        for line in self.lines:
            pid = line["pid"]
            match line["what"]:
                case "window":
                    open_[pid] = Window(line["t"], line["slots"], pid)
                    self.windows.append(open_[pid])
                case "returned" | "refused" | "failed" if pid in open_:
                    done = open_.pop(pid)
                    done.end, done.outcome = line["t"], line["what"]
                case "killed" if line["victim"] in open_:
                    done = open_.pop(line["victim"])
                    done.end, done.outcome = line["t"], "killed"
                case "loss":
                    self.losses.append((line["begin"], line["t"], line["how"]))

    def excuse(self, slot: int, begin: int, lease: float) -> str:
        """Return why level 2 does not cover a slot for a read that began then; "" if it does.

        A write of the slot must have been under way, or have ended without returning; and either its window was longer
        than three quarters of the lease, or the store has evicted keys (and so, perhaps, the lease) since it began.
        """
        for window in self.windows:
            if slot not in window.slots or window.begin > begin:
                continue
            end = window.end if window.end is not None and window.end < begin else begin
            if end == window.end and window.outcome in {"returned", "refused"}:
                continue
            if end - window.begin > lease * 0.75e9:
                return "the lease ran out before the write took effect"
            for start, stop, how in self.losses:
                if window.begin <= stop and start <= begin:
                    return f"the lease may have been lost with other keys ({how})"
        return ""

    def timeline(self, slot: int, begin: int, end: int, version: int) -> str:
        """Return what has happened to a slot around a read, one event a line, in milliseconds before its begin."""
        since = begin - 3_000_000_000
        for line in self.lines:
            # What the read gave may be of a write that never returned: then the one that it has missed.
            if line["what"] == "returned" and any(
                at == slot and made >= version for at, made in line["versions"]
            ):
                since = min(since, line["t"])
                break
        rows: list[str] = []
        for line in self.lines:
            if since <= line["t"] <= end + 5_000_000 and _concerns(line, slot):
                facts = " ".join(
                    f"{key}={_short(value, slot)}"
                    for key, value in line.items()
                    if key not in {"t", "what", "pid"}
                )
                rows.append(
                    f"  {(line['t'] - begin) / 1e6:+10.3f} ms  pid {line['pid']}  {line['what']:9} {facts}"
                )
        if len(rows) > LONGEST:
            middle = rows[10 : 10 - LONGEST]
            # What was written belongs to the story, however many have read meanwhile.
            told = [row for row in middle if f"  {'read':9} " not in row]
            rows = [*rows[:10], f"  … {len(middle) - len(told)} more", *told, *rows[10 - LONGEST :]]
        return "\n".join(rows)


def _concerns(line: dict[str, Any], slot: int) -> bool:
    if slot < 0:
        # A sum of all articles.
        return line["what"] in {"stale", "returned", "loss", "flushed", "restarted", "stopped", "killed"}
    if "versions" in line:
        return any(each[0] == slot for each in line["versions"])
    return slot in line["slots"] if "slots" in line else True


def _short(value: object, slot: int) -> object:
    if isinstance(value, list) and value and isinstance(value[0], list):
        return dict(each for each in value if each[0] == slot or slot < 0)
    return value


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue
