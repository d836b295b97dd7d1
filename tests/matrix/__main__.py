"""Every kind of query against every kind of write: print where the cache's answer is not the database's.

    python -m tests.matrix                                  everything: three databases, three modes
    python -m tests.matrix --database sqlite --mode asked   one run
    python -m tests.matrix --shape m2m --write delete       rows and columns whose names contain a word
    python -m tests.matrix --store valkey                   entries in Valkey
    python -m tests.matrix --library cacheops               another library, for comparison

A row is a query, a column a write. ``.``: right, and the entry survived; ``o``: right, the database was asked again;
``-``: never cached; ``X``: stale; ``E``: it raised. The exit code is 1 if there is an X or an E, or if an entry was
lost to a write of tables that it has nothing to do with.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.matrix.findings import Findings, grid, summary
from tests.matrix.orders import DATABASES, MODES, Orders
from tests.matrix.picture import picture
from tests.matrix.runs import RunFailed, run, servers


def main() -> int:
    """Run what was asked for, and print the tables and the totals."""
    arguments = parsed()
    try:
        found = played(arguments)
    except RunFailed as error:
        say(error)
        return 2
    say(f"\n{summary(found)}")
    if arguments.picture:
        Path(arguments.picture).write_text(picture(found[0]))
    wrong = any(each.wrong() for each in found)
    lost = arguments.library == "genscache" and any(each.lost() or each.uncached() for each in found)
    return 1 if wrong or lost else 0


def parsed() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.matrix",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--database", action="append", choices=DATABASES, help="all")
    parser.add_argument("--mode", action="append", choices=MODES, help="all")
    parser.add_argument("--store", choices=("memory", "valkey"), default="memory")
    parser.add_argument("--shape", action="append", default=[], help="a word of the names of queries")
    parser.add_argument("--write", action="append", default=[], help="a word of the names of writes")
    parser.add_argument("--library", choices=("genscache", "cacheops", "cachalot"), default="genscache")
    parser.add_argument("--quiet", action="store_true", help="the totals only")
    parser.add_argument("--picture", metavar="FILE", help="write the first run as SVG")
    arguments = parser.parse_args()
    if arguments.library != "genscache":
        arguments.store = "valkey"
    return arguments


def played(arguments: argparse.Namespace) -> list[Findings]:
    """Return the findings of each run, and print each when it is there."""
    found = []
    databases = arguments.database or list(DATABASES)
    with servers(databases, arguments.store) as (ports, store):
        for mode in arguments.mode or MODES:
            for database in databases:
                orders = Orders(
                    database,
                    mode,
                    port=ports[database],
                    store=store,
                    library=arguments.library,
                    shapes=tuple(arguments.shape),
                    writes=tuple(arguments.write),
                    # Each of the threads is the first to read each shape after each write in one of two runs.
                    second_reader=mode == "automatic",
                )
                found.append(run(orders))
                show(found[-1], quiet=arguments.quiet)
    return found


def show(findings: Findings, *, quiet: bool) -> None:
    """Print one run."""
    if not quiet:
        say(f"\n{findings.title}\n\n{grid(findings)}")
    say(f"\n{summary([findings])}")
    for shape, write, cell in findings.wrong():
        say(f"{cell.sign} {shape} | {write}: {cell.detail}")
    for shape, write in findings.lost():
        say(f"lost: {shape} | {write}")
    if findings.uncached():
        say(f"never cached: {', '.join(findings.uncached())}")


def say(text: object) -> None:
    """Show progress at once, also through a pipe."""
    print(text, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main())
