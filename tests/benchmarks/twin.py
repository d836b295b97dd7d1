"""The yardstick of writes, misses and bypasses: plain Django in a process of its own, which does batches when told.

A library that patches or watches Django cannot be taken out of its own process, so what is done without it is done
next door, on the same processor, in turns with what is done with it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from tests.benchmarks.measuring import Action, Batch, batch
from tests.benchmarks.orders import Orders
from tests.benchmarks.saying import tell


class TwinFailed(Exception):
    """The process with plain Django has ended; what it said of that is on its standard error."""


def serve(actions: Mapping[str, Action]) -> None:
    """Be one: read "case times" from standard input, and answer with the microseconds of one call."""
    tell("ready")
    for line in sys.stdin:
        case, _, number = line.rpartition(" ")
        tell(str(batch(actions[case], int(number))))


@contextmanager
def twin(orders: Orders) -> Iterator[Callable[[str], Batch]]:
    """Start one for a process with these orders; what it gives returns the batches of a case."""
    environment = replace(orders, contestant="none", part="plain", settings={}).environment()
    command = [sys.executable, "-m", "tests.benchmarks.child"]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )

    def answer() -> str:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise TwinFailed(f"The process with plain Django ended with {process.wait()}.")
        return line

    def of(case: str) -> Batch:
        def batches(number: int) -> float:
            if process.stdin:
                process.stdin.write(f"{case} {number}\n")
            return float(answer())

        return batches

    try:
        answer()
        yield of
    finally:
        process.communicate()
