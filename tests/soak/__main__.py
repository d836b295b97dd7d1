"""Real processes write and read through a cache while everything around them fails; each read is checked.

    python -m tests.soak --seconds 60                        genscache: no stale read
    python -m tests.soak --seconds 20 --library naive        and others: the checker finds theirs
    python -m tests.soak --faults kill-writer,flush          some kinds of faults only; none: --faults ""

The exit code is 1 if a read broke the promise.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from tests.soak.faults import KINDS
from tests.soak.orders import LIBRARIES, Orders
from tests.soak.run import Outcome, Soak


def main() -> int:
    """Run, and print what was found."""
    given = parsed()
    orders = Orders(
        library=given.library,
        writers=given.writers,
        readers=given.readers,
        seed=given.seed,
        lease=given.lease,
        on_outage=given.on_outage,
        bug=given.bug,
    )
    kinds = tuple(filter(None, given.faults.split(",")))
    if unknown := set(kinds) - set(KINDS):
        sys.exit(f"--faults: there are no {sorted(unknown)}. There are {', '.join(KINDS)}.")
    outcome = Soak(orders, kinds, given.every).run(given.seconds, first=given.first, progress=progress)
    if sys.stderr.isatty():
        print(file=sys.stderr)  # noqa: T201 - a command
    text = json.dumps(asdict(outcome), indent=1) if given.json else report(outcome, orders)
    print(text)  # noqa: T201 - a command
    return 1 if outcome.stale else 0


def parsed() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--writers", type=int, default=2)
    parser.add_argument("--readers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--library", choices=LIBRARIES, default="genscache")
    parser.add_argument("--lease", type=float, default=1.0, help="seconds; 0: none, and so no level 2")
    parser.add_argument("--on-outage", choices=("refuse",), default="refuse")
    parser.add_argument(
        "--bug", choices=("", "lost-bumps", "no-fence"), default="", help="a deliberate error"
    )
    parser.add_argument("--faults", default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--every", type=float, default=0.35, help="seconds between two faults")
    parser.add_argument("--first", action="store_true", help="end at the first stale read")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def progress(line: str) -> None:
    """Show how far it is."""
    if sys.stderr.isatty():
        print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201 - a command


def report(outcome: Outcome, orders: Orders) -> str:
    """Return what was found, in words."""
    counts = outcome.counts
    asked = sum(counts[name] for name in ("hit", "miss", "bypass")) or 1
    shares = ", ".join(f"{name} {counts[name] / asked:.1%}" for name in ("hit", "miss", "bypass"))
    speed = counts["reads"] / outcome.seconds
    who = f"{orders.writers} writers, {orders.readers} readers, seed {orders.seed}"
    faults = f"{sum(outcome.faults.values())}: {outcome.faults}"
    writes = f"{counts['writes']} ({counts['writes'] / outcome.seconds:.0f}/s), {counts['refused']} refused"
    lines = [
        f"{orders.library}: {outcome.seconds:.0f} s, {who}",
        f"reads checked        {counts['reads']} ({counts['checked']} versions; {speed:.0f} reads/s)",
        f"writes               {writes}",
        f"raised               {dict(outcome.errors)}",
        f"faults               {faults}, {outcome.evicted} keys evicted",
        f"reads of the cache   {asked}: {shares}",
        f"not covered          {dict(outcome.excused)}",
        f"stale reads          level 1: {outcome.stale[1]}, level 2: {outcome.stale[2]}",
    ]
    return "\n".join([*outcome.timelines, *lines])


if __name__ == "__main__":
    sys.exit(main())
