"""The asynchronous Redis store across event loops, tasks and cancellation."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings

import pytest

from genscache.stores.aioredis import AsyncRedisStore
from genscache.stores.base import Bump, Ensure, Fetch, Put
from genscache.types import Fetched


@pytest.fixture
def store(server_url: str, clock_key: str) -> AsyncRedisStore:
    return AsyncRedisStore(server_url, clock_key=clock_key)


def sockets_left_open() -> list[str]:
    """Return what the garbage collector complains about."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
    return [str(warning.message) for warning in caught if issubclass(warning.category, ResourceWarning)]


def test_run_after_run_uses_the_store_and_leaves_nothing_open(store: AsyncRedisStore) -> None:
    async def use() -> Fetched:
        await asyncio.gather(*(store.execute(Fetch((f"c{number}",))) for number in range(5)))
        return await store.execute(Fetch(("absent",)))

    gc.collect()
    for _ in range(5):
        assert asyncio.run(use()) == Fetched((None,), None)
        assert len(store._sessions) == 0
    assert sockets_left_open() == []


def test_loops_in_several_threads_have_clients_of_their_own(store: AsyncRedisStore, clock_key: str) -> None:
    counter = clock_key + ":counter"
    seen: list[int] = []

    async def use() -> None:
        await store.execute(Ensure((counter,)))
        for _ in range(20):
            (generation,) = await store.execute(Bump((counter,)))
            seen.append(generation)

    threads = [threading.Thread(target=asyncio.run, args=(use(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == len(seen) == 80


def test_a_loop_that_was_closed_without_a_word_is_forgotten(store: AsyncRedisStore) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(store.execute(Fetch(("a",))))
    loop.run_until_complete(store._sessions[loop].client.connection_pool.disconnect())
    loop.close()
    assert len(store._sessions) == 1

    async def use() -> int:
        await store.execute(Fetch(("a",)))
        return len(store._sessions)

    assert asyncio.run(use()) == 1


def test_closing_gives_back_this_loops_connections_only(store: AsyncRedisStore) -> None:
    async def use() -> None:
        await store.execute(Fetch(("a",)))
        await store.aclose()
        await store.aclose()
        assert len(store._sessions) == 0
        await store.execute(Fetch(("a",)))

    asyncio.run(use())


def test_a_cancelled_operation_never_leaves_its_answer_to_another(
    store: AsyncRedisStore, clock_key: str
) -> None:
    async def use() -> None:
        keys = [f"{clock_key}:{number}" for number in range(20)]
        await store.execute(Put(tuple((key, key.encode() * 100) for key in keys), 60_000))
        for turns in range(60):
            tasks = [asyncio.ensure_future(store.execute(Fetch((), key))) for key in keys]
            for _ in range(turns % 12):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            for key, answer in zip(keys, answers, strict=True):
                if not isinstance(answer, asyncio.CancelledError):
                    assert isinstance(answer, Fetched), answer
                    assert answer.entry == key.encode() * 100

    asyncio.run(use())
