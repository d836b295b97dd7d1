"""The controller of a race: lets actors run to exact points, and watches the promise at every read."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import connections
from redis import Redis

from tests.races.actors import PATIENCE, Actor, Nursery, Result, Run
from tests.races.world import TITLES, Reader

if TYPE_CHECKING:
    from tests.writes.world import Rows

ROW = "row"
"""The family of readers of the one row that most races are about."""


@dataclass
class Stage:
    """One race: its actors, and what anybody has seen so far.

    Every read of a ``Reader`` is checked against the promise. It may not be older than what a write that had returned
    before it began has made (level 1), nor than what anybody had seen before it began (level 2).

    Args:
        alias: The database.
        rows: What is in it.
        url: The store.
        prefix: Begins every key.
        nursery: Makes actors.
        options: Settings for every actor's engine.
    """

    alias: str
    rows: Rows
    url: str
    prefix: str
    nursery: Nursery
    options: dict[str, object] = field(default_factory=dict)
    actors: list[Actor] = field(default_factory=list)
    floors: dict[str, tuple[int, str]] = field(default_factory=dict)

    # -- who

    def actor(self, name: str) -> Actor:
        """Let a process join."""
        actor = Actor(name, self.nursery.born())
        self.actors.append(actor)
        options = {"PREFIX": self.prefix, **self.options}
        actor.say(store=self.url, settings=options)
        return actor

    def cast(self, *names: str) -> Sequence[Actor]:
        """Let several processes join."""
        return [self.actor(name) for name in names]

    def close(self) -> None:
        """Send everybody home."""
        for actor in self.actors:
            actor.leave()

    # -- what they do

    def begins(
        self,
        actor: Actor,
        script: str,
        *args: object,
        until: str | None = None,
        done: Callable[[Result], None] | None = None,
        wait: bool = True,
    ) -> Run:
        """Let an actor begin a script, and go on to a point if one is given; ``ends()`` waits for the end.

        Without ``wait``, others act before it reaches the point: ``reaches()`` waits for that.
        """
        assert actor.run is None, f"the {actor.name} is busy"
        run = Run(actor, f"{script}{args}", done or (lambda _: None))
        actor.say(run=script, args=[self.alias, *args], until=until)
        if until is not None and wait:
            run.reaches(until)
        return run

    def does(self, actor: Actor, script: str, *args: object, raises: str = "") -> Result:
        """Let an actor run a script from beginning to end."""
        return self.begins(actor, script, *args).ends(raises=raises)

    def reading(self, actor: Actor, reader: Reader, *, until: str | None = None, family: str = ROW) -> Run:
        """Let an actor begin to read; when it has ended, what it was given is checked against the promise."""
        floor, why = self.floors.get(family, (0, ""))

        def check(result: Result) -> None:
            found = reader.of(result.value)
            where = f"{reader.run} by the {actor.name}: {result.value!r}, {result.outcome}, {result.trace}"
            assert found, f"nobody ever wrote what was read. {where}"
            assert max(found) >= floor, f"STALE: version {found} after {floor}, {why}. {where}"
            self.witness(min(found), f"which the {actor.name} saw by {reader.run}", family=family)

        return self.begins(actor, reader.run, *reader.args, until=until, done=check)

    def read(self, actor: Actor, reader: Reader, *, family: str = ROW) -> Result:
        """Let an actor read from beginning to end."""
        return self.reading(actor, reader, family=family).ends()

    def writing(
        self,
        actor: Actor,
        script: str,
        *args: object,
        version: int | None = None,
        until: str | None = None,
        family: str = ROW,
    ) -> Run:
        """Let an actor begin to write; from its end on, nobody may be given less than ``version``."""

        def returned(_: Result) -> None:
            if version is not None:
                self.witness(version, f"which {script} by the {actor.name} had written", family=family)

        return self.begins(actor, script, *args, until=until, done=returned)

    def write(self, actor: Actor, script: str, *args: object, version: int | None = None) -> Result:
        """Let an actor write from beginning to end."""
        return self.writing(actor, script, *args, version=version).ends()

    def witness(self, version: int, why: str, *, family: str = ROW) -> None:
        """Nobody who begins to read from now on may be given less."""
        if version > self.floors.get(family, (0, ""))[0]:
            self.floors[family] = (version, why)

    def sees(self, actor: Actor, version: int) -> None:
        """Somebody asks the database, by no cache, and sees this version: from now on, nobody may see less."""
        result = self.does(actor, "database")
        assert result.value[0] == TITLES[version], "the race is not what it should be"
        self.witness(version, f"which the {actor.name} saw in the database")

    # -- how it ends

    def idle(self) -> list[Actor]:
        """Return who has nothing to do."""
        return [actor for actor in self.actors if not actor.dead and actor.run is None]

    def everybody_reads(
        self, readers: Iterable[Reader], version: int, *, family: str = ROW, caches: bool = True
    ) -> None:
        """Every idle actor is given one version by every reader; and caching works: at the end they hit."""
        for reader in readers:
            for actor in self.idle():
                result = self.read(actor, reader, family=family)
                assert result.value == reader.versions[version], (reader.run, actor.name, result)
            if caches:
                for actor in self.idle():
                    result = self.read(actor, reader, family=family)
                    assert (result.value, result.outcome) == (reader.versions[version], "hit"), result

    def warm(self, actor: Actor, readers: Iterable[Reader]) -> None:
        """Fill entries of version 0, so that there is something to be stale."""
        for reader in readers:
            self.read(actor, reader)
            result = self.read(actor, reader)
            assert (result.value, result.outcome) == (reader.versions[0], "hit"), result

    # -- the store and the database

    def counters(self) -> dict[bytes, bytes]:
        """Return all counters, as the store keeps them."""
        with closing(Redis.from_url(self.url)) as client:
            keys = [key for key in client.scan_iter(f"{self.prefix}:*", count=1000) if _is_counter(key)]
            found: dict[bytes, bytes] = {}
            for key in keys:
                value = client.get(key)
                if isinstance(value, bytes):
                    found[key] = value
            return found

    def leases_run_out(self) -> None:
        """Let the time of every lease be over, as if one had waited for it."""
        leased = {key: value for key, value in self.counters().items() if b"@" in value}
        assert leased, "nothing is leased"
        with closing(Redis.from_url(self.url)) as client:
            for key, value in leased.items():
                client.set(key, re.sub(rb"@[0-9]+", b"@1", value), keepttl=True)

    def locks_run_out(self) -> None:
        """Let the locks of those who fill be over, as if one had waited for it."""
        with closing(Redis.from_url(self.url)) as client:
            keys = [key for key in client.scan_iter(f"{self.prefix}:*", count=1000) if b"}:l:" in key]
            assert keys, "nobody holds a lock"
            client.delete(*keys)

    def evict_counters(self, *, clock: bool = False) -> None:
        """Delete all counters, as a store does that is short of memory; on request also the bump clock."""
        keys = list(self.counters())
        assert keys, "there is nothing to evict"
        with closing(Redis.from_url(self.url)) as client:
            client.delete(*keys)
            if clock:
                assert client.delete(*client.keys(f"{self.prefix}:*:clock"))

    def until_blocked(self) -> None:
        """Wait until a statement waits for a lock in PostgreSQL."""
        end = time.monotonic() + PATIENCE
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND datname = current_database()"
        )
        with connections[self.alias].cursor() as cursor:
            while True:
                cursor.execute(waiting)
                if cursor.fetchone()[0]:
                    return
                assert time.monotonic() < end, "nobody waits for a lock"


def _is_counter(key: bytes) -> bool:
    return not key.endswith(b":clock") and not re.search(rb"\}:[ehl]:", key)
