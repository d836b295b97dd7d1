"""How fast genscache is: beside one ``GET`` of a pickle, a hand-written cache, two other libraries, and no cache.

    python -m tests.benchmarks                        everything, in about twenty minutes
    python -m tests.benchmarks --only hits,misses     parts of it
    python -m tests.benchmarks --short                everything once, in a minute: the numbers mean nothing
    python -m tests.benchmarks --json results.json    and the numbers as JSON

It starts a store and PostgreSQL, keeps itself and them on one processor, and lets each contestant run in processes of
its own. What is compared is done in turns, round by round; a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.clocks import pin
from tests.benchmarks.machine import machine
from tests.benchmarks.measuring import rounded
from tests.benchmarks.orders import CONTESTANTS
from tests.benchmarks.running import PARTS, SHORT, Bench, ChildFailed, Scale, installed, servers
from tests.benchmarks.saying import say, tell
from tests.benchmarks.tables import TABLES


def main(given: Sequence[str] | None = None) -> int:
    """Measure what was asked for, and print the tables."""
    arguments = parsed(given)
    scale = SHORT if arguments.short else Scale()
    if arguments.rounds:
        scale = replace(scale, rounds=arguments.rounds)
    pinned = pin(arguments.processor)
    try:
        with servers() as (store, database, pids, kind):
            bench = Bench(store, database, pids, scale, installed(arguments.contestants, say), say)
            bench.found = {
                "format": 1,
                "command": " ".join(["python -m tests.benchmarks", *(given or sys.argv[1:])]),
                "rounds": scale.rounds,
                "machine": machine(store, database, kind, pinned=pinned),
            }
            if arguments.add:
                before = json.loads(Path(arguments.json).read_text())
                command = f"{before['command']}; {bench.found['command']}"
                bench.found |= {**before, "command": command}
            say(f"{bench.found['machine']}")
            bench.populate()
            for part in arguments.only:
                begun = time.perf_counter()
                say(f"{part} ...")
                getattr(bench, part)()
                say(f"{part}: {time.perf_counter() - begun:.0f} s")
                if arguments.json:
                    # After each part: what was measured is not lost where a later one fails.
                    Path(arguments.json).write_text(json.dumps(rounded(bench.found), indent=1) + "\n")
    except ChildFailed as error:
        say(str(error))
        return 1
    found = rounded(bench.found)
    for part, table in TABLES.items():
        if part in found:
            tell(f"\n{table(found)}")
    return 0


def parsed(given: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", type=_some(PARTS), default=PARTS, metavar="PART,...", help=", ".join(PARTS))
    parser.add_argument(
        "--contestants",
        type=_some(CONTESTANTS),
        default=CONTESTANTS,
        metavar="NAME,...",
        help=", ".join(CONTESTANTS),
    )
    parser.add_argument("--rounds", type=int, default=0, help="how often each batch is repeated")
    parser.add_argument(
        "--processor",
        type=int,
        default=None,
        help="the number of the one where all of it runs; left out: the last",
    )
    parser.add_argument("--short", action="store_true", help="everything once")
    parser.add_argument("--json", metavar="FILE", help="write the numbers as JSON")
    parser.add_argument("--add", action="store_true", help="to those that the file has, of other parts")
    found = parser.parse_args(given)
    if found.add and not found.json:
        parser.error("--add needs --json FILE")
    return found


def _some(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Return what reads some of these names, with commas between."""

    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",")]
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"there is no {sorted(unknown)}; there are {', '.join(known)}")
        return [name for name in known if name in names]

    return read


if __name__ == "__main__":
    sys.exit(main())
