"""Read a million hostile payloads: ``python -m tests.security.fuzz --examples 1000000 [--seed 1]``.

Each is decoded as it is where entries are not signed, and where they are. Nothing may be raised, nothing may be
imported, opened or run, no value may be of a class that is not on the list, and time and memory must stay bounded.
A violation is printed with the seed that makes it again, and ends the run with 1.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

from genscache.codec import Codec, Unreadable
from genscache.opcodes import MOST_MEMORY
from tests.fixtures import set_up_django
from tests.security.attacks import KEY, Attacker

SLOWEST: Final = 10.0
"""Seconds that no payload may take, on a busy machine."""

MOST_GROWTH: Final = 2 * MOST_MEMORY + 2**28
"""Bytes by which the process may grow: the estimate, as much again for what is inflated, and for the payloads."""

# Django's own lookups by name raise these when they are first asked.
HARMLESS: Final = frozenset(
    {"pickle.find_class", "object.__getattr__", "object.__setattr__", "sys._getframe"}
)
SAFE: Final = frozenset(
    {
        "builtins",
        "datetime",
        "decimal",
        "fractions",
        "uuid",
        "ipaddress",
        "zoneinfo",
        "collections",
        "pathlib",
    }
    | {"django.db.models.base", "django.utils.safestring", "tests.security.rows", "tests.site.news.models"}
    # The reviver, which does no more as a value than as what is called.
    | {"genscache.unpickling"}
)


class Violation(Exception):
    """The decoder did what it must not do."""


@dataclass
class Watchman:
    """Hears what the interpreter does while a payload is read."""

    heard: list[str] = field(default_factory=list)
    watching: bool = False

    def hear(self, event: str, args: tuple[object, ...]) -> None:
        """Note an audit event."""
        if self.watching and event not in HARMLESS and not _is_zone(event, args):
            self.heard.append(f"{event} {args!r:.200}")

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Watch for the time of the block.

        Raises:
            Violation: Something was imported, opened or run.
        """
        self.heard.clear()
        self.watching = True
        try:
            yield
        finally:
            self.watching = False
        if self.heard:
            raise Violation(f"heard {self.heard}")


def _is_zone(event: str, args: tuple[object, ...]) -> bool:
    """Tell whether a time zone's data is being looked up, in the system's or the package tzdata's."""
    if event in {"os.listdir", "os.scandir", "marshal.loads", "exec", "compile"}:
        return "tzdata" in repr(args[:1]) or event == "marshal.loads"
    if event == "import":
        return str(args[0]).split(".")[0] in {"tzdata", "importlib"}
    places = (*TZPATH, "tzdata")
    return event == "open" and any(place in str(Path(str(args[0]))) for place in places)


class Fuzzer:
    """Decodes hostile payloads and looks at what comes of it."""

    def __init__(self) -> None:
        from genscache.engine import current_engine  # noqa: PLC0415 - after Django is set up
        from tests.site.news.models import Article, Section  # noqa: PLC0415

        catalog, anatomy = current_engine().catalog, current_engine().codec.anatomy
        allowed = frozenset({"tests.security.rows.Row", "tests.security.rows.Point"})
        self._unsigned = Codec(
            signed=False,
            allowed=allowed,
            describe=catalog.describe,
            resolve=catalog.resolve,
            anatomy=anatomy,
        )
        self._signed = Codec(
            keys=(b"s" * 32,), describe=catalog.describe, resolve=catalog.resolve, anatomy=anatomy
        )
        section = Section(pk=1, name="a")
        articles = [Article(pk=number, section=section, title="b") for number in range(4)]
        beside = {"all": articles, "first": articles[0], "others": [1, ["x"]], "n": 5}
        by_pickle = {"a": {"b": {"c": {"d": {"e": articles[0]}}}}}
        self._attacker = Attacker(self._unsigned, [[section], articles, beside, by_pickle])
        self.outcomes: Counter[str] = Counter()
        self.slowest = 0.0
        # The first look for a zone loads what looks into packages.
        for zone in ("Nowhere", "Europe/Nowhere", "Europe/Berlin"):
            with suppress(ZoneInfoNotFoundError):
                ZoneInfo(zone)
        self._watchman = Watchman()
        sys.addaudithook(self._watchman.hear)

    def try_one(self, seed: int) -> None:
        """Make the payload of a seed, and read it.

        Raises:
            Violation: As its text says.
        """
        kind, payload = self._attacker.attack(seed)
        loaded = len(sys.modules)
        start = time.process_time()
        try:
            with self._watchman.watch():
                found = self._unsigned.decode(payload, key=KEY)
                trusted = self._signed.decode(payload, key=KEY)
        except Violation:
            raise
        except BaseException as error:
            raise Violation(f"{kind} raised {error!r:.200}") from error
        took = time.process_time() - start
        self.slowest = max(self.slowest, took)
        if took > SLOWEST:
            raise Violation(f"{kind} took {took:.1f} s")
        if not isinstance(trusted, Unreadable):
            raise Violation(f"{kind} was believed without the secret")
        if len(sys.modules) != loaded and not all(
            each.startswith(("tzdata", "importlib.")) for each in list(sys.modules)[loaded:]
        ):
            raise Violation(f"{kind} imported {list(sys.modules)[loaded:]}")
        self.outcomes[f"{kind}: {found.reason if isinstance(found, Unreadable) else 'a value'}"] += 1
        if not isinstance(found, Unreadable):
            _look_at(found)


def _look_at(value: object) -> None:
    """Look at the classes of the first values in a value."""
    left, seen = [value], 0
    while left and seen < 200:
        each, seen = left.pop(), seen + 1
        kind = each if isinstance(each, type) else type(each)
        if kind.__module__.removesuffix("._local") not in SAFE:  # pathlib, from Python 3.13 on
            raise Violation(f"a value of {kind!r}")
        if isinstance(each, dict):
            left += [*list(each)[:100], *list(each.values())[:100]]
        elif isinstance(each, list | tuple | set | frozenset):
            left += list(each)[:100]
        elif kind is type(each) and kind.__module__ == "tests.site.news.models":
            left += [vars(each).get("_state"), *vars(each).values()]


def run(examples: int, seed: int, *, every: float = 10.0) -> Fuzzer:
    """Read ``examples`` payloads; print where it is every so many seconds.

    Raises:
        Violation: The seed, and what happened.
    """
    warnings.simplefilter("ignore")
    fuzzer = Fuzzer()
    first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = said = time.monotonic()
    for number in range(seed, seed + examples):
        try:
            fuzzer.try_one(number)
        except Violation as violation:
            raise Violation(f"--examples 1 --seed {number}: {violation}") from violation
        if time.monotonic() - said > every:
            said = time.monotonic()
            print(f"{number - seed + 1:>9} of {examples} in {said - began:.0f} s", flush=True)  # noqa: T201
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - first) * 1024
        if grown > MOST_GROWTH:
            raise Violation(f"--examples 1 --seed {number}: the process grew by {grown >> 20} MiB")
    took = time.monotonic() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - first) >> 10
    print(  # noqa: T201
        f"{examples} payloads, 0 violations, {took:.0f} s, the slowest {fuzzer.slowest:.2f} s, grown by {grown} MiB"
    )
    return fuzzer


def main() -> int:
    """Run with the arguments of the command line; return what the process ends with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    set_up_django()
    try:
        fuzzer = run(options.examples, options.seed)
    except Violation as violation:
        print(violation)  # noqa: T201
        return 1
    for outcome, count in sorted(fuzzer.outcomes.items()):
        print(f"{count:>9}  {outcome}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
