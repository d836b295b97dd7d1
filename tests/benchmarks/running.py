"""Starts the servers and the processes of a benchmark, and puts together what they have found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final

import psutil
from redis import Redis

from tests.benchmarks.clocks import used
from tests.benchmarks.measuring import Spread
from tests.benchmarks.orders import CONTESTANTS, Orders
from tests.fences import age
from tests.reads.wire import Wire
from tests.servers import Postgres, Server, Valkey
from tests.servers import Redis as RedisServer

Row = dict[str, Any]
PARTS: Final = ("hits", "breakdown", "writes", "misses", "bypass", "mixed", "invalidation", "sizes", "growth")
COMMAND: Final = (sys.executable, "-m", "tests.benchmarks.child")
PREFIX: Final = "gc"
BY_SECTION: Final[dict[str, object]] = {
    "MODELS": {"journal.*": {"cache": "all"}, "journal.Article": {"match": [["section"]]}}
}
"""What a project whose lists are those of a section would write: cacheops and the hand-written cache do the same."""

MODULES: Final = {"cacheops": "cacheops", "cachalot": "cachalot"}


class ChildFailed(Exception):
    """A process of the benchmark ended in an error."""


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        rounds: How often each batch is repeated.
        seconds: What a batch takes, about.
        articles: Rows in the database.
        rows: Lengths of lists.
        namespaces: How many an entry depends on.
        entries: How many the store holds.
        processes: How many read at the same time.
        mixed: How many read and write at the same time.
        operations: What each of those does in a round.
        delays: What a round trip takes more, in milliseconds.
        mixed_rounds: How many rounds of operations there are.
        imported: Rows that are made one by one.
        batch: Rows that are invalidated one by one.
        processes_of_bypass: How many times bypasses are measured, each in a process of its own.
    """

    rounds: int = 25
    seconds: float = 0.03
    articles: int = 20_000
    rows: Sequence[int] = (1, 10, 100, 1_000, 10_000)
    namespaces: Sequence[int] = (1, 2, 5, 10, 20, 50)
    entries: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)
    processes: Sequence[int] = (1, 2, 4, 8)
    mixed: Sequence[int] = (2, 4)
    operations: int = 1_000
    delays: Sequence[float] = (0.25, 1.0, 5.0)
    mixed_rounds: int = 7
    imported: int = 1_000
    batch: int = 10_000
    processes_of_bypass: int = 3


SHORT: Final = Scale(
    2, 0.002, 1_200, (1, 100), (1, 5), (1_000, 2_000), (1, 2), (2,), 40, (0.25,), 2, 20, 10_000, 1
)


@dataclass
class Bench:
    """One run.

    Attributes:
        store: The store's URL.
        database: PostgreSQL's port.
        servers: The servers' process ids.
        scale: How much is measured.
        contestants: Who takes part.
        say: Tells of progress.
    """

    store: str
    database: int
    servers: list[int]
    scale: Scale
    contestants: Sequence[str]
    say: Callable[[str], None]
    found: dict[str, Any] = field(default_factory=dict)

    def populate(self) -> None:
        """Fill the database."""
        self._child("none", "populate_database")

    # -- the parts

    def hits(self) -> None:
        """Hits, timed; and counted in a second pass."""
        self.found["hits"] = self._with_counts("hits", self._each("hits"))

    def breakdown(self) -> None:
        """Hits, step by step."""
        self.found["breakdown"] = [
            row for name in ("genscache", "handwritten", "cacheops") for row in self._there(name, "breakdown")
        ]

    def writes(self) -> None:
        """Writes; and the invalidation of many rows by hand."""
        options = {"imported": self.scale.imported}
        self.found["writes"] = self._with_counts("writes", self._each("writes", **options), **options)
        rows: dict[str, Any] = {"rows": self.scale.batch}
        batches = [row for name in ("genscache", "handwritten") for row in self._there(name, "batch", **rows)]
        for row in batches:
            (counted,) = self._child(row["contestant"], "counts", what="batch", **rows)
            row["round_trips"] = counted["round_trips"]
        self.found["batch"] = batches

    def misses(self) -> None:
        """Misses with their fill."""
        self.found["misses"] = self._with_counts("misses", self._each("misses"))

    def bypass(self) -> None:
        """Reads with the cache switched off: more than one process of each kind, for memory is laid out by chance."""
        off: dict[str, object] = {"ENABLED": False}
        self.found["bypass"] = [
            row
            for name in ("genscache", "none")
            for row in _pooled(
                [self._there(name, "bypass", settings=off) for _ in range(self.scale.processes_of_bypass)]
            )
        ]

    def sizes(self) -> None:
        """What entries take."""
        self.found["sizes"] = self._there("genscache", "sizes")

    def invalidation(self) -> None:
        """``invalidate_model`` while the store gets fuller."""
        if "genscache" not in self.contestants:
            return
        self.found["invalidation"] = found = []
        there = 0
        self._empty()
        for entries in self.scale.entries:
            (row,) = self._child("genscache", "invalidation", empty=False, there=there, entries=entries)
            (counted,) = self._child("genscache", "counts", empty=False, what="invalidation")
            found.append({**row, "round_trips": counted["round_trips"]})
            there = entries
        self._empty()

    def mixed(self) -> None:
        """95 reads and 5 writes of 100, in several processes: processor time, as clocks depend on who else is there."""
        self.found["mixed"] = found = []
        for processes in self.scale.mixed:
            spent = Crowds(self, processes).run()
            base = spent.get("none")
            for name, cpu in spent.items():
                row: Row = {"processes": processes, "contestant": name, "cpu": Spread.of(cpu).median}
                if base:
                    row["ratio"] = Spread.of(
                        [mine / none for mine, none in zip(cpu, base, strict=True)]
                    ).plain()
                found.append(row)

    def growth(self) -> None:
        """How costs grow."""
        scale = self.scale
        cachers = [name for name in self.contestants if name != "none"]
        # The longest list has more bytes than an entry may have by default.
        longer: dict[str, object] = {"MAX_ENTRY_BYTES": 64 * 2**20, "LOCAL_BYTES": 64 * 2**20}
        rows = [
            row
            for name in cachers
            for row in self._child(name, "rows", settings=longer, steps=list(scale.rows))
        ]
        namespaces = self._child("genscache", "namespaces", steps=list(scale.namespaces))
        entries = self._child("genscache", "entries", steps=list(scale.entries))
        delays: list[Row] = []
        for milliseconds in scale.delays:
            relay = Wire(self.store, seconds=milliseconds / 1000)
            for name in cachers:
                delays += self._child(name, "delay", store=relay.url, milliseconds=milliseconds)
            relay.close()
        together: list[Row] = []
        for processes in scale.processes:
            for name in cachers:
                spent, calls, rate = self._at_once(name, "together", processes, **{"for": 20 * scale.seconds})
                together.append(
                    {
                        "x": processes,
                        "contestant": name,
                        "microseconds": spent / calls * 1_000_000,
                        "rate": rate,
                    }
                )
                self.say(f"  together {processes} {name:<12} {rate:9.0f} hits per second")
        self.found["growth"] = {
            "rows": rows, "namespaces": namespaces, "entries": entries, "delay": delays, "processes": together,
        }  # fmt: skip

    # -- processes

    def _with_counts(self, what: str, rows: list[Row], **options: Any) -> list[Row]:
        counted = {
            (row["case"], row["contestant"]): row for row in self._each("counts", what=what, **options)
        }
        return [{**row, **counted[row["case"], row["contestant"]]} for row in rows]

    def _each(self, part: str, **options: Any) -> list[Row]:
        return [row for name in self.contestants for row in self._child(name, part, **options)]

    def _there(self, name: str, part: str, **options: Any) -> list[Row]:
        return self._child(name, part, **options) if name in self.contestants else []

    def orders(
        self,
        name: str,
        part: str,
        *,
        store: str = "",
        settings: dict[str, object] | None = None,
        **options: Any,
    ) -> Orders:
        """Return what a process is told."""
        return Orders(
            name, part, store or self.store, self.database, self.scale.rounds, self.scale.seconds,
            {"articles": self.scale.articles, **options}, settings or {}, self.servers,
        )  # fmt: skip

    def _child(self, name: str, part: str, *, empty: bool = True, **options: Any) -> list[Row]:
        if empty:
            self._empty()
        orders = self.orders(name, part, **options)
        done = subprocess.run(
            COMMAND, env=orders.environment(), stdout=subprocess.PIPE, text=True, check=False
        )
        return _read(done.stdout, done.returncode, orders)

    def _at_once(self, name: str, part: str, processes: int, **options: Any) -> tuple[float, int, float]:
        """Run processes at the same time; return their and the servers' seconds, their calls, and calls a second."""
        self._empty()
        children = []
        for seed in range(processes):
            orders = self.orders(name, part, **{**options, "seed": seed + 1})
            children.append(_started(orders, stderr=subprocess.DEVNULL))
        for child in children:
            if child.stdout is None or child.stdout.readline() != "ready\n":
                raise ChildFailed(f"{name} is not ready for {part}")
        before = self.servers_time()
        for child in children:
            _send(child, "\n")
        found = [_read(child.communicate()[0], child.returncode, orders)[0] for child in children]
        spent = self.servers_time() - before + sum(row["cpu"] for row in found)
        calls = sum(row["calls"] for row in found)
        return spent, calls, sum(row["calls"] / row["seconds"] for row in found)

    def servers_time(self) -> float:
        """Return the seconds of processor time that the servers have used."""
        return sum(used(psutil.Process(pid)) for pid in self.servers)

    def _empty(self) -> None:
        empty(self.store)


def _started(orders: Orders, *, stderr: int | None = None) -> subprocess.Popen[str]:
    """Start a process that is told more on its standard input."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        COMMAND, env=orders.environment(), stdin=pipe, stdout=pipe, stderr=stderr, text=True
    )


def empty(store: str) -> None:
    """Take everything out of one of the store's databases."""
    with Redis.from_url(store) as client:
        client.flushdb()
    # Or genscache would take it for a server that has just lost everything, and cache nothing for a while.
    age(store, PREFIX)


@dataclass
class Crowds:
    """Several processes of each contestant, all there at the same time; one contestant's work at a time, in turns."""

    bench: Bench
    processes: int
    _there: dict[str, list[subprocess.Popen[str]]] = field(default_factory=dict)

    def run(self) -> dict[str, list[float]]:
        """Return the microseconds of processor time of one operation, servers included, by contestant and round."""
        scale = self.bench.scale
        spent: dict[str, list[float]] = {}
        try:
            for number, name in enumerate(self.bench.contestants):
                self._start(name, number)
            for name in self._there:
                self._work(name, scale.operations)  # until what is read most is there
            spent = {name: [] for name in self._there}
            for _ in range(scale.mixed_rounds):
                for name, found in spent.items():
                    found.append(self._work(name, scale.operations))
        finally:
            for child in (child for children in self._there.values() for child in children):
                child.communicate()
        for name, found in spent.items():
            self.bench.say(
                f"  mixed {self.processes} {name:<12} {Spread.of(found).median:8.0f} µs of processor time"
            )
        return spent

    def _start(self, name: str, number: int) -> None:
        # A database of its own: what another one has put there or taken away must not matter.
        store = self.bench.store.rpartition("/")[0] + f"/{number + 1}"
        empty(store)
        self._there[name] = children = []
        settings = BY_SECTION if name == "genscache" else None
        for seed in range(self.processes):
            orders = self.bench.orders(name, "mixed", store=store, settings=settings, seed=seed + 1)
            children.append(_started(orders))
        for child in children:
            _answer(child, name)

    def _work(self, name: str, operations: int) -> float:
        children = self._there[name]
        before = self.bench.servers_time()
        for child in children:
            _send(child, f"{operations}\n")
        spent = sum(float(_answer(child, name)) for child in children)
        spent += self.bench.servers_time() - before
        return spent / operations / self.processes * 1_000_000


def _answer(child: subprocess.Popen[str], name: str) -> str:
    line = child.stdout.readline() if child.stdout else ""
    if not line:
        raise ChildFailed(f"{name} ended with {child.wait()} in mixed")
    return line


def _send(child: subprocess.Popen[str], text: str) -> None:
    if child.stdin is not None:
        child.stdin.write(text)
        child.stdin.flush()


def _read(printed: str, code: int, orders: Orders) -> list[Row]:
    if code:
        raise ChildFailed(f"{orders.contestant} ended with {code} in {orders.part}")
    found: list[Row] = json.loads(printed.splitlines()[-1])
    return found


def _pooled(runs: list[list[Row]]) -> list[Row]:
    """Put together what several processes have found of the same cases."""
    found = []
    for same in zip(*runs, strict=True):
        ratios = [row["ratio"] for row in same]
        middle = sorted(range(len(same)), key=lambda each: ratios[each]["median"])[len(same) // 2]
        spread = {
            "median": ratios[middle]["median"],
            "low": min(each["low"] for each in ratios),
            "high": max(each["high"] for each in ratios),
        }
        found.append({**same[middle], "ratio": spread})
    return found


@contextmanager
def servers() -> Iterator[tuple[str, int, list[int], str]]:
    """Start Valkey, or Redis where that is all there is, and PostgreSQL."""
    kind: type[Server] = Valkey if Valkey.binary() else RedisServer
    with kind() as store, Postgres() as database:
        yield store.url, database.port, [store.pid, database.pid], kind.name  # type: ignore[attr-defined]


def installed(names: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """Return those of the contestants that can take part."""
    missing = [name for name in names if name in MODULES and find_spec(MODULES[name]) is None]
    for name in missing:
        say(f"{name} is not installed, and takes no part.")
    return [name for name in CONTESTANTS if name in names and name not in missing]
