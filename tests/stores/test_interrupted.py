"""Round trips that something interrupts: no answer is ever given to whoever asks next."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

import pytest
from redis.connection import AbstractConnection

from genscache.stores.aioredis import AsyncRedisStore
from genscache.stores.base import Fetch, Put
from genscache.stores.redis import RedisStore
from genscache.types import Fetched
from tests.servers import Valkey


class TooLate(Exception):
    """What a signal handler raises: a task's time limit."""


@pytest.fixture
def keys(server_url: str, clock_key: str) -> tuple[str, str]:
    """Two keys with values that tell them apart."""
    found = (f"gc-{secrets.token_hex(8)}:mine", f"gc-{secrets.token_hex(8)}:yours")
    store = RedisStore(server_url, clock_key=clock_key)
    store.execute(Put(tuple((key, key.encode()) for key in found), 60_000))
    store.close()
    return found


def before_the_read(monkeypatch: pytest.MonkeyPatch, error: type[BaseException], *, skip: int = 0) -> None:
    """Let a signal arrive just before the driver reads an answer, after ``skip`` other ones; once."""
    original = AbstractConnection.__dict__.get("read_response")
    from redis.connection import Connection  # noqa: PLC0415 - beside its use

    owner = AbstractConnection if original is not None else Connection
    read: Callable[..., object] = owner.read_response
    left = [skip]

    def interrupted(*args: object, **kwargs: object) -> object:
        if left[0] == 0:
            monkeypatch.setattr(owner, "read_response", read)
            raise error
        left[0] -= 1
        return read(*args, **kwargs)

    monkeypatch.setattr(owner, "read_response", interrupted)


def without_lane(store: RedisStore) -> RedisStore:
    """Leave everything to the driver, as where the address limits the connections; ``test_lane`` has the other way."""
    if store._lane is not None:
        store._lane.close()
    store._lane = None
    return store


@pytest.mark.parametrize("error", [KeyboardInterrupt, TooLate])
@pytest.mark.parametrize("warm", [True, False])
def test_a_signal_between_question_and_answer(
    server_url: str,
    clock_key: str,
    keys: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
    *,
    warm: bool,
) -> None:
    """With ``warm`` false, the connection is in the middle of its greeting."""
    mine, yours = keys
    store = without_lane(RedisStore(server_url, clock_key=clock_key))
    if warm:
        store.execute(Fetch((), mine))
    before_the_read(monkeypatch, error)
    with pytest.raises(error):
        store.execute(Fetch((), mine))

    assert [connection._sock for connection in store._client.connection_pool._available_connections] == [None]
    assert store.execute(Fetch((), yours)) == Fetched((), yours.encode())
    assert store.execute(Fetch((), mine)) == Fetched((), mine.encode())
    store.close()


def test_an_answer_that_comes_late_is_given_to_nobody(
    own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver looks whether a connection has something to read, and here it has nothing yet."""
    store = without_lane(RedisStore(own_valkey.url, clock_key="gc:1:clock"))
    store.execute(Put((("mine", b"mine"), ("yours", b"yours")), 60_000))
    store.execute(Fetch((), "mine"))
    own_valkey.pause()
    before_the_read(monkeypatch, TooLate)
    with pytest.raises(TooLate):
        store.execute(Fetch((), "mine"))
    send: Callable[..., object] = AbstractConnection.send_packed_command

    def resumed(*args: object, **kwargs: object) -> object:
        # The driver has looked: from now on the answer to the first question may come.
        monkeypatch.setattr(AbstractConnection, "send_packed_command", send)
        own_valkey.resume()
        return send(*args, **kwargs)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", resumed)

    assert store.execute(Fetch((), "yours")) == Fetched((), b"yours")
    store.close()


def test_an_exception_that_the_caller_handles_closes_nothing(server_url: str, clock_key: str) -> None:
    store = without_lane(RedisStore(server_url, clock_key=clock_key))
    store.execute(Fetch(("a",)))
    (before,) = [connection._sock for connection in store._client.connection_pool._available_connections]
    try:
        int("no number")
    except ValueError:
        store.execute(Fetch(("a",)))
    (after,) = [connection._sock for connection in store._client.connection_pool._available_connections]
    assert before is after is not None
    store.close()


def test_tasks_cancelled_while_the_server_is_silent(own_valkey: Valkey) -> None:
    """Their answers come when others already ask."""
    store = AsyncRedisStore(own_valkey.url, clock_key="gc:1:clock")
    keys = [f"key {number}" for number in range(8)]

    async def use() -> None:
        await store.execute(Put(tuple((key, key.encode()) for key in keys), 60_000))
        await asyncio.gather(*(store.execute(Fetch((), key)) for key in keys))
        own_valkey.pause()
        tasks = [asyncio.ensure_future(store.execute(Fetch((), key))) for key in keys]
        for _ in range(20):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks)
        others = [asyncio.ensure_future(store.execute(Fetch((), key))) for key in reversed(keys)]
        own_valkey.resume()
        answers = await asyncio.gather(*others)
        assert [answer.entry for answer in answers] == [key.encode() for key in reversed(keys)]
        await store.aclose()

    asyncio.run(use())
