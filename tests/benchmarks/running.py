"""Starts the servers and the processes of a benchmark, and puts together what they have found."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psutil
from redis import Redis

from tests.benchmarks.clocks import used
from tests.benchmarks.orders import CONTESTANTS, Orders
from tests.benchmarks.relay import Relay
from tests.servers import Postgres, Server, Valkey
from tests.servers import Redis as RedisServer

Row = dict[str, Any]
PARTS: Final = ("hits", "breakdown", "writes", "misses", "bypass", "mixed", "sizes", "growth")
MODULES: Final = {"cacheops": "cacheops", "cachalot": "cachalot"}


BY_SECTION: Final[dict[str, object]] = {
    "MODELS": {"journal.Article": {"cache": ["get", "list", "count"], "match": [["section"]]}}
}
"""What a project whose lists are those of a section would write: cacheops and the hand-written cache do the same."""


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
        operations: What each of those does.
        delays: What a round trip takes more, in milliseconds.
    """

    rounds: int = 25
    seconds: float = 0.03
    articles: int = 20_000
    rows: Sequence[int] = (1, 10, 100, 1_000, 10_000)
    namespaces: Sequence[int] = (1, 2, 5, 10, 20, 50)
    entries: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)
    processes: Sequence[int] = (1, 2, 4, 8)
    mixed: Sequence[int] = (2, 4)
    operations: int = 3_000
    delays: Sequence[float] = (0.25, 1.0, 5.0)


SHORT: Final = Scale(2, 0.002, 1_200, (1, 100), (1, 5), (1_000, 2_000), (1, 2), (2,), 40, (0.25,))


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
        self.found["hits"] = rows = self._each("hits")
        counted = {(row["case"], row["contestant"]): row for row in self._each("counts")}
        for row in rows:
            row.update(counted[row["case"], row["contestant"]])

    def breakdown(self) -> None:
        """Hits, step by step."""
        there = [name for name in self.contestants if name in {"genscache", "handwritten", "cacheops"}]
        self.found["breakdown"] = [row for name in there for row in self._child(name, "breakdown")]

    def writes(self) -> None:
        """Writes."""
        self.found["writes"] = _over_none(self._each("writes"))

    def misses(self) -> None:
        """Misses with their fill."""
        self.found["misses"] = _over_none(self._each("misses"))

    def bypass(self) -> None:
        """Reads with the cache switched off."""
        off: dict[str, object] = {"ENABLED": False}
        rows = [*self._child("genscache", "bypass", settings=off), *self._child("none", "bypass")]
        self.found["bypass"] = _over_none(rows)

    def sizes(self) -> None:
        """What entries take."""
        self.found["sizes"] = self._child("genscache", "sizes")

    def mixed(self) -> None:
        """95 reads and 5 writes, in several processes: processor time, as clocks depend on who else is there."""
        found: list[Row] = []
        for processes in self.scale.mixed:
            for name in self.contestants:
                spent, calls, _ = self._at_once(
                    name, "mixed", processes, settings=BY_SECTION, operations=self.scale.operations
                )
                found.append({"processes": processes, "contestant": name, "cpu": spent / calls * 1_000_000})
                self.say(f"  mixed {processes} {name:<12} {found[-1]['cpu']:8.0f} µs of processor time")
        base = {row["processes"]: row["cpu"] for row in found if row["contestant"] == "none"}
        for row in found:
            row["ratio"] = row["cpu"] / base[row["processes"]]
        self.found["mixed"] = found

    def growth(self) -> None:
        """How costs grow."""
        scale = self.scale
        cachers = [name for name in self.contestants if name != "none"]
        rows = [row for name in cachers for row in self._child(name, "rows", steps=list(scale.rows))]
        namespaces = self._child("genscache", "namespaces", steps=list(scale.namespaces))
        entries = self._child("genscache", "entries", steps=list(scale.entries))
        delays: list[Row] = []
        for milliseconds in scale.delays:
            relay = Relay(self.store, milliseconds)
            for name in cachers:
                delays += self._child(name, "delay", store=relay.url, milliseconds=milliseconds)
            relay.close()
        together: list[Row] = []
        for processes in scale.processes:
            for name in cachers:
                spent, calls, rate = self._at_once(name, "together", processes, duration=20 * scale.seconds)
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

    def _each(self, part: str) -> list[Row]:
        return [row for name in self.contestants for row in self._child(name, part)]

    def _orders(
        self, name: str, part: str, store: str, settings: dict[str, object] | None, options: dict[str, Any]
    ) -> Orders:
        return Orders(
            name, part, store, self.database, self.scale.rounds, self.scale.seconds,
            {"articles": self.scale.articles, "servers": self.servers, **options}, settings or {},
        )  # fmt: skip

    def _child(
        self,
        name: str,
        part: str,
        *,
        store: str = "",
        settings: dict[str, object] | None = None,
        **options: Any,
    ) -> list[Row]:
        self._empty()
        orders = self._orders(name, part, store or self.store, settings, options)
        done = subprocess.run(
            _command(), env=orders.environment(), stdout=subprocess.PIPE, text=True, check=False
        )
        return _read(done.stdout, done.returncode, orders)

    def _at_once(
        self,
        name: str,
        part: str,
        processes: int,
        *,
        settings: dict[str, object] | None = None,
        **options: Any,
    ) -> tuple[float, int, float]:
        """Run processes at the same time; return their and the servers' seconds, their calls, and calls a second."""
        self._empty()
        children = []
        for seed in range(processes):
            orders = self._orders(name, part, self.store, settings, {**options, "seed": seed + 1})
            children.append(
                subprocess.Popen(
                    _command(),
                    env=orders.environment(),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            )
        for child in children:
            if child.stdout is None or child.stdout.readline() != "ready\n":
                raise ChildFailed(f"{name} is not ready for {part}")
        before = self._servers_time()
        for child in children:
            _send(child, "\n")
        found = [_read(child.communicate()[0], child.returncode, orders)[0] for child in children]
        spent = self._servers_time() - before + sum(row["cpu"] for row in found)
        calls = sum(row.get("calls") or row["operations"] for row in found)
        return spent, calls, sum((row.get("calls") or row["operations"]) / row["seconds"] for row in found)

    def _servers_time(self) -> float:
        return sum(used(psutil.Process(pid)) for pid in self.servers)

    def _empty(self) -> None:
        client = Redis.from_url(self.store)
        client.flushdb()
        client.close()


def _send(child: subprocess.Popen[str], text: str) -> None:
    if child.stdin is not None:
        child.stdin.write(text)
        child.stdin.flush()


def _command() -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.child"]


def _read(printed: str, code: int, orders: Orders) -> list[Row]:
    if code:
        raise ChildFailed(f"{orders.contestant} ended with {code} in {orders.part}")
    found: list[Row] = json.loads(printed.splitlines()[-1])
    return found


def _over_none(rows: list[Row]) -> list[Row]:
    """Turn multiples of a yardstick into multiples of what is done without a cache."""
    base = {row["case"]: row["yardsticks"]["median"] for row in rows if row["contestant"] == "none"}
    for row in rows:
        over = base[row["case"]]
        row["ratio"] = {name: value / over for name, value in row.pop("yardsticks").items()}
    return rows


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


def machine(store: str, kind: str, *, pinned: bool) -> dict[str, object]:
    """Describe what it was measured on."""
    client = Redis.from_url(store)
    info = client.info("server")
    client.close()
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "store": f"{kind} {info.get('valkey_version') or info['redis_version']}",
        "pinned": pinned,
        "load": round(os.getloadavg()[0], 2),
        "date": time.strftime("%Y-%m-%d"),
        **{
            name: _version(name)
            for name in ("Django", "redis", "psycopg", "django-cacheops", "django-cachalot")
        },
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
