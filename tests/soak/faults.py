"""What goes wrong on purpose: kinds of faults, drawn in an order that the seed says."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any, Final

import psycopg
import redis

if TYPE_CHECKING:
    from tests.soak.run import Soak

LOOK: Final = 0.05
"""Seconds for which a moment between lease and settle is looked for."""


class Faults:
    """The faults of one soak.

    Args:
        soak: Whose processes and servers they hit.
        kinds: Which kinds.
        every: Seconds between two.
    """

    def __init__(self, soak: Soak, kinds: tuple[str, ...], every: float) -> None:
        self.soak = soak
        self.kinds = kinds
        self.every = every
        self.injected: Counter[str] = Counter(dict.fromkeys(kinds, 0))
        self.evicted = 0
        self._chance = Random(f"faults {soak.orders.seed}")
        self._round: list[str] = []
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._stopped: set[int] = set()
        self._store_busy = False
        self._next = time.monotonic() + every

    def step(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        for item in [item for item in self._later if item[0] <= now]:
            self._later.remove(item)
            item[1]()
        if self.kinds and now >= self._next:
            self._next = now + self.every
            self._inject()

    def end(self) -> None:
        """Undo what is still under way."""
        for _, action in self._later:
            action()
        self._later.clear()

    def _inject(self) -> None:
        if not self._round:
            self._round = self._chance.sample(self.kinds, len(self.kinds))
        kind = self._round.pop()
        if getattr(self, KINDS[kind])():
            self.injected[kind] += 1
        else:
            # Another time: its server or process is busy with another fault.
            self._round.insert(0, kind)

    # -- processes

    def _pick(self, *, writer: bool) -> int | None:
        writers = self.soak.orders.writers
        indices = range(writers) if writer else range(writers, self.soak.orders.actors)
        free = [index for index in indices if index not in self._stopped]
        return self._chance.choice(free) if free else None

    def _kill(self, *, writer: bool) -> bool:
        index = self._pick(writer=writer)
        if index is None:
            return False
        self.soak.kill(index)
        self.soak.spawn(index)
        return True

    def kill_writer(self) -> bool:
        """SIGKILL a writer at any moment."""
        return self._kill(writer=True)

    def kill_reader(self) -> bool:
        """SIGKILL a reader at any moment."""
        return self._kill(writer=False)

    def _stop(self, index: int, seconds: float) -> None:
        self._stopped.add(index)
        pid = self.soak.pids[index]
        self.soak.diary.note("stopped", victim=pid, seconds=seconds)

        def go_on() -> None:
            self._stopped.discard(index)
            os.kill(pid, signal.SIGCONT)

        self._later.append((time.monotonic() + seconds, go_on))

    def stop_reader(self) -> bool:
        """Freeze a reader for longer than a lease, at any moment: between its query and its fill, too."""
        index = self._pick(writer=False)
        if index is None:
            return False
        os.kill(self.soak.pids[index], signal.SIGSTOP)
        self._stop(index, self._past)
        return True

    def stop_writer(self) -> bool:
        """Freeze a writer for longer than a lease outside of the window, or for a part of it within."""
        index = self._pick(writer=True)
        if index is None:
            return False
        os.kill(self.soak.pids[index], signal.SIGSTOP)
        inside = self.soak.board.in_window(index)
        self._stop(index, self.soak.orders.lease * 0.4 if inside else self._past)
        return True

    def stop_commit(self) -> bool:
        """Freeze a writer in the window for longer than its lease: level 1 must hold all the same."""
        index = self._pick(writer=True)
        if index is None:
            return False
        until = time.monotonic() + LOOK
        while not self.soak.board.in_window(index):
            if time.monotonic() > until:
                return False
        os.kill(self.soak.pids[index], signal.SIGSTOP)
        inside = self.soak.board.in_window(index)
        self._stop(index, self._past if inside else 0.0)
        return inside

    @property
    def _past(self) -> float:
        return (self.soak.orders.lease or 0.5) * 1.3

    # -- the database

    def terminate(self) -> bool:
        """End a connection of somebody, on the server's side."""
        settings = self.soak.postgres.settings
        with psycopg.connect(
            host=str(settings["HOST"]), port=int(settings["PORT"]), user="postgres", autocommit=True
        ) as connection:
            found = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE backend_type ="
                " 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1) AS one"
            ).fetchone()
        self.soak.diary.note("terminated")
        return bool(found and found[0])

    def restart_database(self) -> bool:
        """Kill the database as a power cut would; it recovers what it has acknowledged."""
        self.soak.postgres.kill()
        self.soak.postgres.restart()
        self.soak.diary.note("restarted", how="the database")
        return True

    # -- the store

    def _loss(self, how: str, begin: int) -> None:
        self.soak.diary.note("loss", how=how, begin=begin)

    def flush(self) -> bool:
        """FLUSHALL."""
        if self._store_busy:
            return False
        self._client().flushall()
        self.soak.diary.note("flushed")
        return True

    def restart_empty(self) -> bool:
        """Kill the store; it comes back with nothing."""
        if self._store_busy:
            return False
        self.soak.valkey.kill()
        self.soak.valkey.restart()
        self.soak.diary.note("restarted", how="empty")
        return True

    def restart_older(self) -> bool:
        """Save the store; a while later kill it. It comes back as it was saved, without the bumps and leases since."""
        if self._store_busy:
            return False
        self._client().save()
        self._store_busy = True

        def restart() -> None:
            self._store_busy = False
            self.soak.valkey.kill()
            self.soak.valkey.restart()
            (self.soak.valkey.directory / "dump.rdb").unlink()
            self.soak.diary.note("restarted", how="as it was saved")

        self._later.append((time.monotonic() + self._chance.uniform(0.01, 0.5), restart))
        return True

    def evict(self) -> bool:
        """Let the store have less memory than it needs for a while: allkeys-lru."""
        if self._store_busy:
            return False
        client = self._client()
        begin = time.monotonic_ns()
        memory: Any = client.info("memory")
        self._before: Any = client.info("stats")
        limit = int(memory["used_memory"]) - max(int(memory["used_memory_dataset"]) // 3, 4096)
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", limit)
        self._store_busy = True
        # Until it is over, it is a loss that has begun.
        self._loss("evictions", begin)

        def enough() -> None:
            self._store_busy = False
            with suppress(redis.RedisError):
                after: Any = client.info("stats")
                self.evicted += int(after["evicted_keys"]) - int(self._before["evicted_keys"])
                client.config_set("maxmemory", 0)
            self._loss("evictions", begin)

        self._later.append((time.monotonic() + 0.5, enough))
        return True

    def _freeze(self, seconds: float) -> bool:
        if self._store_busy:
            return False
        self._store_busy = True
        self.soak.valkey.pause()
        self.soak.diary.note("store frozen", seconds=seconds)

        def go_on() -> None:
            self._store_busy = False
            self.soak.valkey.resume()

        self._later.append((time.monotonic() + seconds, go_on))
        return True

    def cut_short(self) -> bool:
        """The store is silent for less than a timeout."""
        return self._freeze(0.3)

    def cut_long(self) -> bool:
        """The store is silent for longer than timeouts and leases."""
        return self._freeze(1.8)

    def _client(self) -> redis.Redis:
        return redis.Redis(host="127.0.0.1", port=self.soak.valkey.port, socket_timeout=5)


KINDS: Final = {
    "kill-writer": "kill_writer",
    "kill-reader": "kill_reader",
    "stop-writer": "stop_writer",
    "stop-commit": "stop_commit",
    "stop-reader": "stop_reader",
    "terminate": "terminate",
    "restart-database": "restart_database",
    "flush": "flush",
    "restart-empty": "restart_empty",
    "restart-older": "restart_older",
    "evict": "evict",
    "cut-short": "cut_short",
    "cut-long": "cut_long",
}
