"""A server that is not the one that it was: restored, promoted, restarted empty, flushed."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis import Redis as Client

from genscache import explain, invalidate, stats
from genscache.exceptions import StoreUnavailable
from genscache.keys import SITE, KeySpace
from genscache.protocol.read import QUARANTINED
from genscache.stores.base import Ensure, Fetch, Lease, Operation, Put, Settle, Store
from genscache.stores.fence import Fence
from genscache.stores.opening import open_stores
from genscache.testing import BlockingStore
from genscache.types import CounterState
from tests.fences import age
from tests.reads.conftest import Counted, Use, counted, use
from tests.requirements import demand
from tests.servers import Redis, Valkey
from tests.servers.processes import wait_until
from tests.servers.resp import RespServer

__all__ = ["use"]

PREFIX = "gc"
KEYS = KeySpace(PREFIX)
ANY = KEYS.counter(SITE)
ONE = "gc:1:{names}:named"
ENTRY = "gc:1:{f}:e:x:g=1.2"
LEASE = 60_000
LONG = 600_000


@dataclass
class Process:
    """A store as a process of the project opens it, and what it was told."""

    store: Store
    told: list[tuple[str, int]] = field(default_factory=list)

    def sees(self) -> tuple[CounterState | None, ...]:
        """Read as a warm reader does."""
        return self.store.execute(Fetch((ANY, ONE))).states

    def observes(self) -> tuple[CounterState, ...]:
        """Read as one whose counters are not there."""
        return self.store.execute(Ensure((ANY, ONE)))


@pytest.fixture(params=[Valkey, Redis], ids=["valkey", "redis"])
def server(request: pytest.FixtureRequest) -> Iterator[RespServer]:
    demand(request.param)
    with request.param() as server:
        yield server


@pytest.fixture(params=["sync", "async"])
def joins(request: pytest.FixtureRequest, server: RespServer) -> Iterator[Callable[..., Process]]:
    """Return what lets another process join the project."""
    opened: list[Store] = []

    def join(lease: int = LEASE, url: str = "", *, fence: bool = True, **more: Any) -> Process:
        process = Process(None)  # type: ignore[arg-type]  # a moment later
        begun = more.pop("begun", lambda reason, length: process.told.append((reason, length)))
        pair = open_stores(
            url or server.url, prefix=PREFIX, fence=Fence(KEYS.fence, ANY, lease, begun) if fence else None
        )
        process.store = pair.sync if request.param == "sync" else BlockingStore(pair.asynchronous)
        opened.append(process.store)
        return process

    yield join
    for store in opened:
        store.close()
        if isinstance(store, BlockingStore):
            store.end()


@contextmanager
def client(server: RespServer) -> Iterator[Client]:
    with Client.from_url(server.url) as raw:
        yield raw


def time_passes(server: RespServer) -> None:
    """Let every lease be over."""
    with client(server) as raw:
        for key in raw.keys("*"):
            value: Any = raw.get(key)
            if b"@" in value:
                raw.set(key, re.sub(rb"@[0-9]+", b"@1", value), keepttl=True)


def leased(state: CounterState | None) -> bool:
    return state is not None and state.leased and state.quarantined


def words(process: Process) -> list[str]:
    return [reason.split()[3] for reason, _ in process.told]


def old_and_new(server: RespServer, process: Process) -> tuple[CounterState, ...]:
    """Store an entry, let the server save itself, and invalidate: what the server has saved is stale then."""
    before = process.observes()
    process.store.execute(Put(((ENTRY, b"old"),), LONG))
    with client(server) as raw:
        raw.save()
    process.store.execute(Settle("writer", bump=(ONE,)))
    return before


def test_a_server_that_comes_back_as_it_was_saved(server: RespServer, joins: Callable[..., Process]) -> None:
    age(server.url, PREFIX)
    known = joins()
    before = old_and_new(server, known)
    assert known.told == []
    server.kill()
    server.restart()

    # Without a fence, what was invalidated would be served: the same counters, and the entry under them.
    blind = joins(fence=False).store.execute(Fetch((ANY, ONE), ENTRY))
    assert (blind.states, blind.entry) == (before, b"old")

    new = joins()
    site, one = new.sees()
    assert leased(site)
    assert one == before[1], "the server has saved an older bump than this test thinks"
    assert site is not None
    assert site.generation > before[0].generation
    assert words(new) == ["restarted"]
    assert new.told[0][1] == LEASE
    # Whoever comes later finds it done, the process that knew the server before, too.
    assert leased(known.sees()[0])
    assert known.told == []
    assert leased(joins().observes()[0])
    # The end of the quarantine bumps.
    time_passes(server)
    after = joins().observes()[0]
    assert not after.leased
    assert after.generation > site.generation


def test_a_server_that_comes_back_empty(server: RespServer, joins: Callable[..., Process]) -> None:
    known = joins()
    known.observes()
    assert words(known) == ["started"], "a new server looks like one that has lost everything"
    server.kill()
    server.restart()
    stranger = joins()
    assert leased(stranger.observes()[0])
    assert words(stranger) == ["started"]
    assert stranger.told[0][1] <= LEASE
    server.kill()
    server.restart()
    # One that was here before knows more.
    assert leased(known.sees()[0])
    assert words(known)[1:] == ["flushed,"]


def test_a_server_that_is_older_than_every_lease(server: RespServer, joins: Callable[..., Process]) -> None:
    def grown() -> bool:
        with client(server) as raw:
            info: Any = raw.info("server")
            return int(info["uptime_in_seconds"]) >= 3

    wait_until(grown, seconds=20, what="a server that has run for three seconds")
    process = joins(1500)
    assert not process.observes()[0].leased
    assert process.told == []
    # In its third second leases that were longer may still have been lost.
    with client(server) as raw:
        raw.delete(KEYS.fence)
        raw.script_flush()
    other = joins(20_000)
    assert leased(other.sees()[0])
    assert 0 < other.told[0][1] <= 18_000


@pytest.mark.parametrize("everything", [True, False], ids=["FLUSHALL", "FLUSHDB"])
@pytest.mark.parametrize("comes", ["known", "new"])
def test_a_flush(server: RespServer, joins: Callable[..., Process], comes: str, *, everything: bool) -> None:
    """The lease of a write under way goes with it: nobody may serve or fill until it would have been over."""
    known = joins()
    with client(server) as raw:
        # Nothing to wait for, and the mark of who was here: as a project finds it that has used the server for long.
        joins(0).observes()
        age(server.url, PREFIX)
        known.observes()
        known.store.execute(Lease((ONE,), "writer", LEASE))
        raw.flushall() if everything else raw.flushdb()
    process = known if comes == "known" else joins()
    assert all(state is None or leased(state) for state in process.sees())
    assert leased(process.observes()[0])
    assert words(process) == ["flushed,"]
    assert process.told[0][1] == LEASE
    assert leased(joins().sees()[0])


def test_scripts_that_are_flushed_with_the_rest(server: RespServer, joins: Callable[..., Process]) -> None:
    """Who is there knows what a stranger cannot."""
    age(server.url, PREFIX)
    known = joins()
    known.observes()
    with client(server) as raw:
        raw.flushall()
        raw.script_flush()
    assert leased(known.observes()[0])
    assert words(known) == ["flushed,"]


def test_a_fence_that_was_evicted(server: RespServer, joins: Callable[..., Process]) -> None:
    age(server.url, PREFIX)
    known = joins()
    before = known.observes()
    with client(server) as raw:
        raw.delete(KEYS.fence, ONE)
    after = known.observes()
    assert leased(after[0])
    assert after[0].generation > before[0].generation
    assert words(known) == ["flushed,"]


def test_a_site_that_is_evicted_during_its_quarantine(
    server: RespServer, joins: Callable[..., Process]
) -> None:
    process = joins()
    (first, _) = process.observes()
    assert leased(first)
    with client(server) as raw:
        raw.delete(ANY)
    (again, _) = process.observes()
    assert leased(again)
    assert again.generation > first.generation
    time_passes(server)
    with client(server) as raw:
        value: Any = raw.get(KEYS.fence)
        raw.set(KEYS.fence, value.split()[0] + b" 1")
        raw.delete(ANY)
    assert not process.observes()[0].leased


def test_a_replica_serves_nobody_and_is_quarantined_when_it_takes_over(
    server: RespServer, joins: Callable[..., Process]
) -> None:
    age(server.url, PREFIX)
    with type(server)() as replica:
        with client(server) as raw, client(replica) as other:
            raw.config_set("repl-diskless-sync-delay", 0)
            other.replicaof("127.0.0.1", str(server.port))
        known = joins()
        before = known.observes()
        known.store.execute(Put(((ENTRY, b"old"),), LONG))
        with client(replica) as raw:
            wait_until(lambda: raw.get(ENTRY) == b"old", seconds=30, what="the replica's copy")
        at_replica = joins(url=replica.url)
        with pytest.raises(StoreUnavailable, match="read only replica"):
            at_replica.sees()
        with client(replica) as raw:
            raw.replicaof("NO", "ONE")
        known.store.execute(Settle("writer", bump=(ONE,)))
        server.kill()
        blind = joins(url=replica.url, fence=False)
        assert blind.store.execute(Fetch((ANY, ONE), ENTRY)).states == before, "it has the last bump, too"
        site, one = at_replica.sees()
        assert leased(site)
        assert one == before[1]
        assert words(at_replica) == ["restarted"]


def test_many_come_at_once(server: RespServer, joins: Callable[..., Process]) -> None:
    processes = [joins() for _ in range(8)]
    with ThreadPoolExecutor(8) as others:
        states = list(others.map(Process.observes, processes))
    assert len(set(states)) == 1
    assert all(leased(state[0]) for state in states)
    assert sum(len(process.told) for process in processes) == 1


def test_without_leases_there_is_nothing_to_wait_for(
    server: RespServer, joins: Callable[..., Process]
) -> None:
    age(server.url, PREFIX)
    known = joins(0)
    before = old_and_new(server, known)
    server.kill()
    server.restart()
    site, one = known.sees()
    assert site is not None
    assert not site.leased
    assert site.generation > before[0].generation
    assert one == before[1]
    assert [length for _, length in known.told] == [0]


def test_a_server_that_is_full(server: RespServer, joins: Callable[..., Process]) -> None:
    with client(server) as raw:
        raw.config_set("maxmemory-policy", "noeviction")
        raw.config_set("maxmemory", 1)
    process = joins()
    assert leased(process.sees()[0])
    assert words(process) == ["started"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_what_is_interrupted_while_it_connects_is_closed(
    server: RespServer, joins: Callable[..., Process], error: type[BaseException]
) -> None:
    errors = [error("in the middle")]

    def begun(_reason: str, _length: int) -> None:
        if errors:
            raise errors.pop()

    process = joins(begun=begun)
    with client(server) as raw:
        raw.set(ENTRY, b"mine")
        others = len(raw.client_list())
        with pytest.raises(error, match="in the middle"):
            process.store.execute(Fetch((ANY,), ENTRY))
        assert process.store.execute(Fetch((ANY,), ENTRY)).entry == b"mine"
        wait_until(
            lambda: len(raw.client_list()) == others + 1, seconds=10, what="the end of the first connection"
        )


@pytest.mark.parametrize("options", ["?protocol=3", "?protocol=2", "3?decode_responses=True"])
def test_each_kind_of_connection(server: RespServer, joins: Callable[..., Process], options: str) -> None:
    process = joins(url=server.url.rstrip("0") + options if options[0] == "3" else server.url + options)
    assert leased(process.observes()[0])
    assert words(process) == ["started"]


def test_databases_of_one_server_have_fences_of_their_own(
    server: RespServer, joins: Callable[..., Process]
) -> None:
    """One is flushed; a stranger to the other, which was never used, is told nothing of that."""
    with Client.from_url(server.url) as raw:
        joins().observes()
        other = joins(url=server.url[:-1] + "3")
        other.observes()
        assert words(other) == ["started"]
        raw.flushdb()
    assert words_after(joins()) == ["flushed,"]
    assert words_after(joins(url=server.url[:-1] + "3")) == []


def words_after(process: Process) -> list[str]:
    process.observes()
    return words(process)


def test_a_fill_uses_the_fence_once_a_second(server: RespServer, joins: Callable[..., Process]) -> None:
    age(server.url, PREFIX)
    process = joins()
    process.observes()
    with client(server) as raw:
        raw.config_resetstat()
        for _ in range(20):
            process.store.execute(Put(((ENTRY, b"x"),), LONG))
        counts: Any = raw.info("commandstats")
    assert counts["cmdstat_set"]["calls"] == 20
    assert 1 <= counts["cmdstat_mget"]["calls"] <= 3


OPERATIONS: list[Operation[Any]] = [Fetch((ANY,)), Ensure((ANY, ONE)), Settle("a", (ONE,))]


def heard(monitor: Any) -> str:
    """Return the next command that a client has sent, and not a step, nor the driver to introduce itself."""
    while True:
        line = monitor.next_command()
        command = str(line["command"]).split()[0]
        if line["client_type"] != "lua" and command not in {"HELLO", "CLIENT"}:
            return command


def test_a_warm_connection_says_no_more_than_without(
    server: RespServer, joins: Callable[..., Process]
) -> None:
    age(server.url, PREFIX)
    said: list[list[str]] = []
    for fence in (True, False):
        process = joins(fence=fence)
        for operation in OPERATIONS:
            process.store.execute(operation)
        with client(server) as raw, raw.monitor() as monitor:  # type: ignore[no-untyped-call]
            for operation in OPERATIONS:
                process.store.execute(operation)
            raw.echo("end")
            said.append(list(iter(lambda: heard(monitor), "ECHO")))
    assert said[0] == said[1] == ["MGET", "EVALSHA", "EVALSHA"]


# -- a project


@pytest.mark.parametrize("fence", [True, False], ids=["fence", "no fence"])
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_a_cached_function_over_a_restart(
    use: Use, own_valkey: Any, caplog: pytest.LogCaptureFixture, *, fence: bool, sync: bool
) -> None:
    engine = use(STORE=own_valkey.url, FENCE=fence)
    age(own_valkey.url, engine.settings.prefix)
    truth = [1]
    one: Counted = counted(lambda: truth[0], "names", sync=sync)
    assert (one(), one(), one.count) == (1, 1, 1)
    with client(own_valkey) as raw:
        raw.save()
    truth[0] = 2
    invalidate("names")
    own_valkey.kill()
    own_valkey.restart()

    engine = use(STORE=own_valkey.url, FENCE=fence)
    with caplog.at_level(logging.WARNING, logger="genscache"):
        found = one()
    if not fence:
        assert found == 1, "this test proves nothing: the server has not gone back"
        return
    assert found == 2
    assert one() == 2
    assert stats()["quarantine"] == 1
    assert stats()[f"bypass: {QUARANTINED}"] == 2
    assert "fill" not in stats()
    (told,) = [record.message for record in caplog.records if record.message.startswith("quarantine")]
    assert "for 10.0 s" in told
    assert "restarted with what it had saved" in told

    told_why = explain(one.function)
    assert (told_why.outcome, told_why.reason) == ("bypass", QUARANTINED)
    assert "QUARANTINED" in str(told_why)
    time_passes(own_valkey)
    one()
    count = one.count
    assert one() == 2
    assert one.count == count, "the cache does not come back"
    assert engine.hub.counts()["hit"] == 1
