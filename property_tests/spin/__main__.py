"""Search a Promela model of the protocol with Spin, and its wrong variants.

    python -m property_tests.spin             all variants; the exit code is 1 if one is not as it must be
    python -m property_tests.spin fence       those whose names contain a word

Needs ``spin`` and ``gcc`` (Debian: ``apt-get install spin gcc``); without them the exit code is 2.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MODEL = Path(__file__).with_name("protocol.pml")
TOOLS = ("spin", "gcc")


@dataclass(frozen=True)
class Variant:
    """One.

    Attributes:
        name: What it is.
        macros: What makes the model so.
        holds: The levels of the promise that hold.
    """

    name: str
    macros: tuple[str, ...]
    holds: tuple[int, ...] = (1, 2)


VARIANTS = (
    Variant("as designed, three readers", ("READERS=3",)),
    Variant("vector read after the query", ("VECTOR_LATE",), ()),
    Variant("no lease", ("NO_LEASE",), (1,)),
    Variant("bump before and after COMMIT, no lease", ("NO_LEASE", "BUMP_BEFORE"), (1,)),
    Variant("one lease register", ("ONE_REGISTER",), (1,)),
    Variant("writer killed, leases run out", ("CRASH", "EXPIRY")),
    Variant("writer killed, a lease ends without a bump", ("CRASH", "EXPIRY", "NO_BUMP_AT_END"), (1,)),
    Variant("lease shorter than COMMIT", ("EXPIRY", "HASTY"), (1,)),
    Variant("snapshot", ("SNAPSHOT",)),
    Variant("snapshot without the rule", ("SNAPSHOT", "NO_RULE"), ()),
    Variant("snapshot, entry in a second round trip", ("SNAPSHOT", "TWO_TRIPS"), ()),
    Variant("evicted counter", ("EVICT",)),
    Variant("evicted counter starts at 1", ("EVICT", "STARTS_AT_1"), ()),
    Variant("counter evicted with its leases", ("EVICT_LEASED",), (1,)),
    Variant("restart, no fence", ("RESTART",), ()),
    Variant("restart, fence without quarantine", ("RESTART", "FENCE"), (1,)),
    Variant("restart, fence and quarantine", ("RESTART", "FENCE", "QUARANTINE")),
    Variant(
        "restart, quarantine ends without a bump", ("RESTART", "FENCE", "QUARANTINE", "NO_BUMP_AT_END"), (1,)
    ),
)


@dataclass(frozen=True)
class Result:
    """Whether a level holds, and how many states Spin has met."""

    holds: bool
    states: int


def missing() -> list[str]:
    """Return the tools that are not installed."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def check(variant: Variant, level: int) -> Result:
    """Search one variant.

    Raises:
        RuntimeError: Spin or the compiler failed, or the search was not complete.
    """
    macros = [f"-D{each}" for each in (*variant.macros, f"LEVEL={level}")]
    with tempfile.TemporaryDirectory(prefix="genscache-spin-") as directory:
        _run(["spin", "-a", *macros, str(MODEL)], directory)
        _run(["gcc", "-O1", "-w", "-DSAFETY", "-DMEMLIM=1024", "-o", "pan", "pan.c"], directory)
        said = _run(["./pan", "-m100000"], directory)
    errors, states = re.search(r"errors: (\d+)", said), re.search(r"(\d+) states, stored", said)
    if errors is None or states is None or "max search depth too small" in said or "out of memory" in said:
        raise RuntimeError(f"{variant.name}: the search was not complete:\n{said[-2000:]}")
    return Result(errors[1] == "0", int(states[1]))


def _run(command: Sequence[str], directory: str) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def say(text: str) -> None:
    """Show progress at once, also through a pipe."""
    print(text, flush=True)  # noqa: T201 - a command


def main(words: Sequence[str]) -> int:
    """Search all variants that were asked for, and print a table."""
    if missing():
        say(f"Not installed: {', '.join(missing())}. On Debian: apt-get install spin gcc.")
        return 2
    began, wrong, total = time.monotonic(), 0, 0
    for variant in VARIANTS:
        if words and not any(word in variant.name for word in words):
            continue
        cells = []
        for level in (1, 2):
            result = check(variant, level)
            total += result.states
            bad = result.holds is not (level in variant.holds)
            wrong += bad
            word = "holds" if result.holds else "violated"
            cells.append(f"level {level} {word:8} {result.states:>9,} states{'  WRONG' if bad else ''}")
        say(f"{variant.name:44} {'   '.join(cells)}")
    say(f"{total:,} states, {wrong} not as they must be, {time.monotonic() - began:.0f} seconds")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
