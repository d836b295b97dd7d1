"""Pools with fewer connections than there are threads or tasks: nobody waits for ever, nobody gets another's answer."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import close_old_connections, connections
from django.test import override_settings

from genscache import cached, invalidate, stats
from genscache.engine import Engine, current_engine
from genscache.exceptions import StoreUnavailable
from genscache.stores.aioredis import AsyncRedisStore
from genscache.stores.base import Fetch, Put
from genscache.stores.redis import RedisStore
from tests.fences import age
from tests.site.news.models import Section

SECTIONS: Any = Section.objects
"""With ``.cache()``, of which no stub knows."""

THREADS = 16
TURNS = 20

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(
    params=[
        pytest.param("", id="unlimited"),
        pytest.param("?max_connections=2", id="two"),
        pytest.param("?max_connections=1", id="one", marks=pytest.mark.whole),
    ]
)
def engine(request: pytest.FixtureRequest, valkey_url: str) -> Iterator[Engine]:
    """The engine on Valkey, with many connections or few."""
    options = {"STORE": f"{valkey_url}{request.param}", "PREFIX": f"t{secrets.token_hex(6)}"}
    age(valkey_url, options["PREFIX"])
    with override_settings(GENSCACHE=options):
        yield current_engine()
        current_engine().close()


def open_files() -> int:
    """Return how many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("lock", [False, True])
def test_threads_get_what_they_asked_for(engine: Engine, lock: bool) -> None:  # noqa: FBT001 - a parameter of a test
    @cached("names", lock=lock)
    def echo(thread: int, turn: int) -> tuple[int, int]:
        return thread, turn

    def ask(thread: int) -> list[object]:
        wrong: list[object] = []
        for turn in range(TURNS):
            # Each pair is new, then old; some are asked for by everybody at once.
            for pair in ((thread, turn), (thread, turn // 2), (-1, turn)):
                answer = echo(*pair)
                if answer != pair:
                    wrong.append((pair, answer))
            if turn % 10 == thread % 10:
                invalidate("something else")
        return wrong

    before = threading.active_count()
    with ThreadPoolExecutor(THREADS) as pool:
        assert [wrong for wrong in pool.map(ask, range(THREADS)) if wrong] == []
    counts = stats()
    assert sum(counts.get(outcome, 0) for outcome in ("hit", "miss", "bypass")) == THREADS * TURNS * 3
    assert not [kind for kind in counts if kind.startswith(("survived", "outage"))]
    # One more may be the breaker's, which asks whether the store is back.
    assert threading.active_count() <= before + 1


def test_threads_leave_neither_files_nor_threads_behind(engine: Engine) -> None:
    @cached("names")
    def echo(number: int) -> int:
        return number

    def use() -> None:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(echo, range(40))) == list(range(40))

    use()
    engine.close()
    before = open_files()
    for _ in range(5):
        use()
        engine.close()
    assert open_files() <= before


def test_what_a_thread_is_told_that_finds_no_connection(valkey_url: str) -> None:
    """It waits, for no longer than for an answer: neither a hang nor an answer of somebody else's."""
    store = RedisStore(f"{valkey_url}?max_connections=1&socket_timeout=0.2", clock_key="gc:1:clock")
    pool = store._client.connection_pool
    held = pool.get_connection()
    with pytest.raises(StoreUnavailable, match=r"(?i)too many connections"):
        store.execute(Fetch(("a",)))
    with ThreadPoolExecutor(1) as others:
        waiting = others.submit(store.execute, Fetch(("a",)))
        pool.release(held)
        assert waiting.result().states == (None,)
    store.close()


def test_tasks_get_what_they_asked_for(valkey_url: str) -> None:
    for limit in ("", "?max_connections=1", "?max_connections=3"):
        store = AsyncRedisStore(f"{valkey_url}{limit}", clock_key="gc:1:clock")
        place = secrets.token_hex(8)

        async def ask(number: int, store: AsyncRedisStore = store, place: str = place) -> int:
            answered = 0
            for turn in range(TURNS):
                key = f"{place}:{number}:{turn}"
                await store.execute(Put(((key, key.encode()),), 60_000))
                answered += (await store.execute(Fetch((), key))).entry == key.encode()
            return answered

        async def use(store: AsyncRedisStore = store) -> list[int]:
            try:
                return await asyncio.gather(*map(ask, range(THREADS)))
            finally:
                await store.aclose()

        answered = asyncio.run(use())
        assert answered == [TURNS] * THREADS


def test_what_a_task_is_told_that_finds_no_connection(valkey_url: str) -> None:
    """It waits as a thread does."""

    async def use() -> None:
        store = AsyncRedisStore(f"{valkey_url}?max_connections=1&socket_timeout=0.2", clock_key="gc:1:clock")
        pool = (await store._session()).client.connection_pool
        held = await pool.get_connection()  # type: ignore[no-untyped-call]
        with pytest.raises(StoreUnavailable, match=r"(?i)too many connections"):
            await store.execute(Fetch(("a",)))
        waiting = asyncio.ensure_future(store.execute(Fetch(("a",))))
        await asyncio.sleep(0)
        await pool.release(held)
        assert (await waiting).states == (None,)
        await store.aclose()

    asyncio.run(use())


@pytest.mark.django_db(transaction=True)
def test_a_function_that_asks_in_threads_of_its_own(engine: Engine) -> None:
    """Its context does not go with them: what they read is no part of what it depends on, unless it says so."""

    def ask(pk: int) -> str:
        try:
            return str(SECTIONS.cache().get(pk=pk).name)
        finally:
            connections.close_all()

    @cached(Section)
    def names(*pks: int) -> list[str]:
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(ask, pks))

    sections = [SECTIONS.create(name=f"n{number}") for number in range(8)]
    pks = [section.pk for section in sections]
    for turn in range(3):
        assert (
            names(*pks)
            == names(*pks)
            == [f"n{number}" for number in range(8)][: turn and 0]
            + [SECTIONS.get(pk=pk).name for pk in pks[turn and 0 :]]
        )
        SECTIONS.filter(pk=pks[turn]).update(name=f"t{turn}")


@pytest.mark.django_db(transaction=True)
def test_async_views_ask_through_threads(engine: Engine) -> None:
    """sync_to_async moves between threads; each task is given its own."""
    sections = [SECTIONS.create(name=f"n{number}") for number in range(6)]

    @cached(Section)
    async def name_of(pk: int) -> str:
        section = await SECTIONS.cache().aget(pk=pk)
        return str(section.name)

    def again(pk: int) -> str:
        close_old_connections()
        return str(SECTIONS.cache().get(pk=pk).name)

    async def view(pk: int) -> tuple[str, str, str]:
        return await name_of(pk), await sync_to_async(again)(pk), await name_of(pk)

    async def serve() -> list[tuple[str, str, str]]:
        return await asyncio.gather(*(view(section.pk) for section in sections * 3))

    answers = async_to_sync(serve)()
    assert answers == [(section.name,) * 3 for section in sections * 3]


@pytest.mark.django_db(transaction=True)
def test_connections_that_are_closed_between_requests(engine: Engine) -> None:
    """CONN_MAX_AGE = 0 closes after each request: the next one's connection is watched from its first statement."""
    section = SECTIONS.create(name="a")
    for name in "bcd":
        assert SECTIONS.cache().get(pk=section.pk).name == chr(ord(name) - 1)
        connections["default"].close_at = 0
        close_old_connections()
        assert connections["default"].connection is None
        SECTIONS.filter(pk=section.pk).update(name=name)
        connections["default"].close_at = 0
        close_old_connections()
    assert SECTIONS.cache().get(pk=section.pk).name == "d"
