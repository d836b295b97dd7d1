"""The breaker on real servers that are dead, frozen or back again: what it costs, and who asks meanwhile."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from django.db import transaction
from redis import Redis

from genscache import explain, invalidate, stats
from genscache.breaker import Breaker
from genscache.conf import Settings
from genscache.engine import Engine
from genscache.exceptions import StoreUnavailable, WriteRefused
from genscache.stores.base import Fetch, Put
from genscache.stores.opening import open_stores
from tests.outages.conftest import World, paid
from tests.outages.proxy import HANG_BEFORE, PASS, Fault, FaultProxy
from tests.reads.conftest import Use, counted, use
from tests.site.news.models import Section

__all__ = ["use"]  # a fixture of the reads' tests

NOBODY = "redis://127.0.0.1:1/0"
ASK = Fetch(("gc:a",))
NOT_ASKED = "bypass: the store cannot be reached"
BRIEF = "?socket_timeout=0.3&socket_connect_timeout=0.3"


def probers() -> list[threading.Thread]:
    """Return the threads that probe a store."""
    return [each for each in threading.enumerate() if each.name == "genscache-prober"]


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    yield
    assert not probers()


@contextmanager
def frozen(server: Any) -> Iterator[None]:
    server.pause()
    try:
        yield
    finally:
        server.resume()


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def test_only_the_first_read_waits_for_a_frozen_server(use: Use, own_valkey: Any) -> None:
    engine = use(STORE=own_valkey.url + BRIEF)
    one = counted(lambda: 7, "names")
    assert one() == one() == 7
    with frozen(own_valkey):
        assert 0.25 < seconds(one) < 0.6
        assert median(seconds(one) for _ in range(200)) < 0.001
        assert stats()[NOT_ASKED] == 200
    assert engine.breaker.hurry(10)
    one(), one()
    assert stats()["hit"] == 3
    assert (stats()["outage begun"], stats()["outage ended"]) == (1, 1)


def test_reads_under_way_wait_once_each_and_log_once_each(
    use: Use, own_valkey: Any, caplog: pytest.LogCaptureFixture
) -> None:
    use(STORE=own_valkey.url + BRIEF)
    one = counted(lambda key: key, "names", lock=False)
    one(0)
    took: list[float] = []
    start = threading.Barrier(8)

    def read(number: int) -> None:
        start.wait()
        took.append(seconds(lambda: one(number)))
        took.append(seconds(lambda: one(number)))

    with frozen(own_valkey):
        threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert sum(each > 0.25 for each in took) <= 8
        assert max(took) < 1
        assert sum("outage begun" in record.message for record in caplog.records) == 1
        assert sum("store unavailable" in record.message for record in caplog.records) <= 8
    assert stats()["outage begun"] == 1


def test_coroutines_share_the_breaker(use: Use, own_valkey: Any) -> None:
    engine = use(STORE=own_valkey.url + BRIEF)
    sync, coroutine = counted(lambda: 7, "names"), counted(lambda: 7, "names", sync=False)
    coroutine()
    with frozen(own_valkey):
        assert seconds(coroutine) > 0.25
        assert seconds(sync) < 0.1
        assert stats()[NOT_ASKED] == 1
    assert engine.breaker.hurry(10)
    assert coroutine() == 7
    assert stats()[NOT_ASKED] == 1


@pytest.mark.django_db(transaction=True)
def test_writes_are_refused_at_once(use: Use) -> None:
    use(STORE=NOBODY)
    counted(lambda: 7, "names")()

    def write() -> None:
        with pytest.raises(WriteRefused):
            Section.objects.create(name="x")
        with pytest.raises(WriteRefused), transaction.atomic():
            Section.objects.create(name="x")
        with pytest.raises(StoreUnavailable):
            invalidate("names")

    assert seconds(write) < 0.1
    assert not Section.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_proceeds_is_delivered_before_the_store_is_trusted_again(use: Use, own_valkey: Any) -> None:
    engine = use(STORE=own_valkey.url + BRIEF, ON_OUTAGE="proceed")
    section = Section.objects.create(name="old")
    names = counted(lambda: list(Section.objects.values_list("name", flat=True)), Section)
    assert names() == names() == ["old"]
    with frozen(own_valkey):
        invalidate("anything")
        Section.objects.filter(pk=section.pk).update(name="new")
        assert names() == ["new"]
        assert engine.unsettled
    assert engine.breaker.hurry(10)
    assert paid(engine)
    assert names() == names() == ["new"]
    assert (names.count, stats()["hit"]) == (3, 2)


def test_what_is_owed_is_delivered_though_nobody_reads(world: World) -> None:
    """A process that only writes: a bump that a full server refused arrives by itself."""
    read = world.reader(sync=True)
    with world.as_peer():
        read("key")
    world.truth["key"] = 1
    with (
        world.proxy.during(Fault(forward=False, error="OOM command not allowed"), ["bump"]) as rule,
        pytest.raises(StoreUnavailable),
    ):
        invalidate("key")
    assert rule.met == 1 or world.engine.unsettled
    assert paid(world.engine)
    with world.as_peer():
        assert read("key") == "key is 1"
    assert world.counts("outage begun") == 0


@pytest.mark.parametrize("hangs", [True])
def test_no_read_asks_a_store_that_only_probes_get_through_to(world: World) -> None:
    """Probes that succeed and reads that hang: the store is asked less and less often."""
    read = world.reader(sync=True)
    read("key"), read("key")
    with world.proxy.during(HANG_BEFORE, ["ensure"]) as rule:
        waited, number, end = 0, 0, time.monotonic() + 1.5
        while time.monotonic() < end:
            number += 1
            waited += seconds(partial(read, str(number))) > 0.14
        assert 1 <= rule.met <= 4
        assert waited >= 1


def test_a_failure_from_before_the_store_came_back_opens_nothing(world: World) -> None:
    """Two reads hang; one times out and the store comes back, before the other does."""
    store = world.engine.breaker
    epoch = store.admit()
    store.failed(StoreUnavailable("first"), epoch)
    assert store.hurry(10)
    store.failed(StoreUnavailable("second"), epoch)
    assert store.outage is None
    assert world.counts("outage begun") == 1


def test_the_probe_writes(own_valkey: Any, own_redis: Any, use: Use) -> None:
    """A primary that became a replica still answers reads, with what may be long outdated."""
    engine = use(STORE=own_valkey.url)
    one = counted(lambda: 7, "names")
    another = counted(lambda key: key, depends_on=lambda key: [key])
    one()
    with Redis.from_url(own_valkey.url) as admin:
        admin.replicaof("127.0.0.1", own_redis.port)
        assert another("key") == "key"
        assert not engine.unsettled
        assert not engine.breaker.hurry(0.3)
        one()
        assert stats()[NOT_ASKED] == 1
        admin.replicaof("NO", "ONE")
    assert engine.breaker.hurry(10)


def test_explain_tells(use: Use) -> None:
    use(STORE=NOBODY)
    one = counted(lambda: 7, "names")
    one()
    found = explain(one.function)
    assert (found.outcome, found.reason) == ("bypass", "the store cannot be reached")
    assert "127.0.0.1:1" in found.notes[0]
    assert stats()["bypass"] == 1


def test_many_engines_leave_no_threads() -> None:
    engines = [Engine(Settings.of({"STORE": NOBODY})) for _ in range(20)]
    for each in engines:
        with pytest.raises(StoreUnavailable):
            each.store.execute(ASK)
    assert len(probers()) == 20
    for each in engines:
        each.close()
    assert not probers()


def forgotten() -> Breaker:
    """Meet an outage with an engine, and lose it."""
    engine = Engine(Settings.of({"STORE": NOBODY}))
    with suppress(StoreUnavailable):
        engine.store.execute(ASK)
    return engine.breaker


def test_an_engine_that_nobody_closes_keeps_no_thread() -> None:
    breaker = forgotten()
    deadline = time.monotonic() + 10
    while not breaker.hurry(0.1) and time.monotonic() < deadline:
        gc.collect()
    assert breaker.outage is None
    for each in probers():
        each.join(10)


def test_closing_does_not_wait_for_a_probe_that_hangs(own_valkey: Any, use: Use) -> None:
    engine = use(STORE=f"{own_valkey.url}?socket_timeout=30")
    one = counted(lambda: 7, "names")
    one()
    engine.breaker.failed(StoreUnavailable("as if"), engine.breaker.admit())
    with frozen(own_valkey):
        assert seconds(engine.close) < 3


@pytest.mark.parametrize("hangs", [True])
def test_a_late_answer_goes_to_nobody(world: World) -> None:
    """It comes when its reader has given up, and another asks."""
    store = world.engine.store
    store.execute(Put((("gc:mine", b"mine"), ("gc:yours", b"yours")), 60_000))
    gate = threading.Event()
    with world.proxy.during(Fault(late=gate), ["mget"], 1), pytest.raises(StoreUnavailable):
        store.execute(Fetch((), "gc:mine"))
    gate.set()
    assert world.recovered()
    for key in ("yours", "mine"):
        assert store.execute(Fetch((), f"gc:{key}")).entry == key.encode()


def test_a_cancelled_request_leaves_its_answer_to_nobody(world: World) -> None:
    async def scene() -> None:
        store = open_stores(world.proxy.url(socket_timeout=10), prefix="gc").asynchronous
        await store.execute(Put(tuple((f"gc:{n}", str(n).encode()) for n in range(20)), 60_000))
        for number in range(0, 20, 2):
            gate = threading.Event()
            with world.proxy.during(Fault(late=gate), ["mget"], 1) as rule:
                task = asyncio.ensure_future(store.execute(Fetch((), f"gc:{number}")))
                assert await asyncio.to_thread(rule.reached.wait, 10)
                while not task.done():
                    # Python 3.11 may swallow one: its wait_for() does where both things happen at once.
                    task.cancel()
                    await asyncio.wait([task], timeout=0.05)
                assert task.cancelled()
                gate.set()
            found = await store.execute(Fetch((), f"gc:{number + 1}"))
            assert found.entry == str(number + 1).encode()
        await store.aclose()

    asyncio.run(scene())
    assert world.counts("outage begun") == 0


FORK = """
import os, sys, threading
sys.path.append({root!r})
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["genscache"], SECRET_KEY="x",
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    GENSCACHE={{"STORE": {url!r}, "FENCE": False}})
django.setup()
import logging
logging.getLogger("genscache").setLevel("CRITICAL")
from genscache import cached, stats
from genscache.engine import current_engine
@cached("names")
def one():
    return 7
breaker = current_engine().breaker
def threads():
    return sum(each.name == "genscache-prober" for each in threading.enumerate())
assert one() == 7 and breaker.outage and threads() == 1
{rest}
"""

CHILD = """
told, tell = os.pipe()
child = os.fork()
if not child:
    assert breaker._thread is None
    assert one() == 7 and threads() == 1, threads()
    os.write(tell, b"x")
    assert sys.stdin.readline() and breaker.hurry(10)
    one(), one()
    os._exit(0 if stats().get("hit") else 1)
os.close(tell)
os.read(told, 1)
print("forked", flush=True)
_, status = os.waitpid(child, 0)
assert breaker.hurry(10)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def script(rest: str, url: str) -> list[str]:
    root = str(Path(__file__).resolve().parents[2])
    return [sys.executable, "-c", FORK.format(root=root, url=url, rest=rest)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_probes_for_itself(own_valkey: Any) -> None:
    own_valkey.kill()
    with subprocess.Popen(
        script(CHILD, own_valkey.url), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "forked\n"
        own_valkey.restart()
        process.communicate("go\n", timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize("frozen_server", [True, False], ids=["frozen", "dead"])
def test_the_interpreter_ends_without_a_word(own_valkey: Any, *, frozen_server: bool) -> None:
    """An open breaker, a probe perhaps under way: no hang, no traceback."""
    if frozen_server:
        own_valkey.pause()
    url = f"{own_valkey.url}?socket_timeout=0.3" if frozen_server else NOBODY
    try:
        done = subprocess.run(script("", url), capture_output=True, text=True, timeout=20, check=False)
    finally:
        own_valkey.resume()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_probe_is_told_in_the_log_once(
    use: Use, own_valkey: Any, caplog: pytest.LogCaptureFixture
) -> None:
    engine = use(STORE=own_valkey.url)
    one = counted(lambda: 7, "names")
    own_valkey.kill()
    for _ in range(20):
        one()
    own_valkey.restart()
    assert engine.breaker.hurry(10)
    told = [
        r.message.split(":")[0]
        for r in caplog.records
        if r.name == "genscache" and r.levelno >= logging.WARNING
    ]
    assert told == ["outage begun", "store unavailable", "outage ended"]


@pytest.mark.django_db(transaction=True)
def test_transactions_under_an_outage_say_nothing_more(use: Use, caplog: pytest.LogCaptureFixture) -> None:
    """SQLite's read snapshots, so that each would ask for the store's clock."""
    use(STORE=NOBODY)
    counted(lambda: 7, "names")()
    for _ in range(5):
        with transaction.atomic():
            assert not Section.objects.exists()
    assert sum("store unavailable" in record.message for record in caplog.records) == 1


def test_the_proxy_does_no_harm_by_itself(world: World) -> None:
    read = world.reader(sync=True)
    with world.proxy.during(PASS):
        assert read("a") == read("a") == "a is 0"
    assert isinstance(world.proxy, FaultProxy)
    assert world.counts("hit") == 1
