"""What a server or the network does to a Redis store, and what the caller is told."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from redis import Redis
from redis import exceptions as driver

from genscache.exceptions import StoreError, StoreUnavailable
from genscache.stores.aioredis import AsyncRedisStore
from genscache.stores.base import Bump, Ensure, Fetch, Operation
from genscache.stores.commands import Commands
from genscache.stores.faults import translated
from genscache.stores.redis import RedisStore
from genscache.stores.scripts import Scripts


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield f"redis://me:secret@127.0.0.1:{listener.getsockname()[1]}?socket_timeout=0.05"


@pytest.fixture
def talkative() -> Iterator[str]:
    """The address of a server that answers everything with nonsense."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=babble, args=(listener,), daemon=True).start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}?protocol=2"


def babble(listener: socket.socket) -> None:
    """Answer each request with a number."""
    try:
        while True:
            connection, _ = listener.accept()
            with connection:
                while data := connection.recv(65_536):
                    connection.sendall(b":7\r\n" * data.count(b"\r\n*") + b":7\r\n")
    except OSError:
        return


def both(url: str) -> list[StoreError]:
    """Return what the two stores raise for a fetch."""
    errors: list[StoreError] = []
    store = RedisStore(url, clock_key="gc:1:clock")
    with pytest.raises(StoreError) as caught:
        store.execute(Fetch(("a",)))
    errors.append(caught.value)
    twin = AsyncRedisStore(url, clock_key="gc:1:clock")

    async def fetch() -> None:
        await twin.execute(Fetch(("a",)))

    with pytest.raises(StoreError) as caught:
        asyncio.run(fetch())
    errors.append(caught.value)
    store.close()
    return errors


def test_a_server_that_is_not_there() -> None:
    for error in both("redis://me:secret@127.0.0.1:1/3"):
        assert type(error) is StoreUnavailable
        assert "redis://me:***@127.0.0.1:1/3" in str(error)
        assert "secret" not in str(error)
        assert error.__cause__ is not None


def test_a_socket_that_is_not_there() -> None:
    kinds = [type(error) for error in both("unix:///no/such/socket")]
    assert kinds == [StoreUnavailable, StoreUnavailable]
    # redis-py 5.0 does not close a socket that could not connect; its complaint must not fall on another test.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_a_server_that_never_answers(silent: str) -> None:
    for error in both(silent):
        assert type(error) is StoreUnavailable
        assert "secret" not in str(error)


def test_a_password_that_is_wrong(server_url: str) -> None:
    for error in both(server_url.replace("://", "://nobody:secret@")):
        assert type(error) is StoreUnavailable
        assert "secret" not in str(error)


def test_an_answer_that_makes_no_sense(talkative: str) -> None:
    store = RedisStore(talkative, clock_key="gc:1:clock")
    operations: tuple[Operation[Any], ...] = (Fetch(("a",)), Ensure(("a",)), Bump(("a",)))
    for operation in operations:
        with pytest.raises(StoreError, match="makes no sense here: 7"):
            store.execute(operation)
    store.close()


@pytest.mark.parametrize(
    ("error", "kind", "word"),
    [
        (driver.ConnectionError("gone"), StoreUnavailable, "gone"),
        (driver.TimeoutError("late"), StoreUnavailable, "late"),
        (driver.BusyLoadingError("LOADING the dataset"), StoreUnavailable, "LOADING"),
        (driver.ReadOnlyError("You can't write against a read only replica."), StoreUnavailable, "read only"),
        (driver.AuthenticationError("invalid password"), StoreUnavailable, "invalid"),
        (driver.ResponseError("NOREPLICAS Not enough good replicas"), StoreUnavailable, "NOREPLICAS"),
        (driver.ResponseError("MASTERDOWN Link is down"), StoreUnavailable, "MASTERDOWN"),
        (driver.ResponseError("BUSY Redis is busy running a script"), StoreUnavailable, "BUSY"),
        (
            driver.ResponseError(
                "Error running script (call to f_1): @user_script:9: -READONLY You can't write"
            ),
            StoreUnavailable,
            "READONLY",
        ),
        (OSError("no route"), StoreUnavailable, "no route"),
        (driver.ResponseError("OOM command not allowed"), StoreError, "more memory"),
        (driver.OutOfMemoryError("command not allowed"), StoreError, "more memory"),
        (driver.NoPermissionError("no rights to run 'evalsha'"), StoreError, "docs/reference/stores.md"),
        (driver.ResponseError("MOVED 1 host:1"), StoreError, "node of a cluster"),
        (driver.ResponseError("ERR anything else"), StoreError, "anything else"),
        (driver.DataError("bad input"), StoreError, "bad input"),
    ],
)
def test_driver_errors_become_ours(error: Exception, kind: type[StoreError], word: str) -> None:
    with pytest.raises(StoreError, match=word) as caught, translated("redis://host"):
        raise error
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    assert "redis://host" in str(caught.value)


def test_what_is_not_the_stores_fault_passes() -> None:
    with pytest.raises(KeyError), translated("redis://host"):
        raise KeyError
    with pytest.raises(asyncio.CancelledError), translated("redis://host"):
        raise asyncio.CancelledError


def test_an_error_of_one_chunk_is_raised() -> None:
    dialogue = Commands("clock", Scripts.load()).dialogue(Bump(tuple(f"c{number}" for number in range(501))))
    assert [command[0] for command in next(dialogue)] == ["EVALSHA", "EVALSHA"]
    with pytest.raises(driver.ResponseError, match="second"):
        dialogue.send([[1] * 500, driver.ResponseError("second")])


def test_only_the_steps_that_the_server_does_not_know_are_sent_as_text() -> None:
    dialogue = Commands("clock", Scripts.load()).dialogue(Bump(tuple(f"c{number}" for number in range(501))))
    next(dialogue)
    again = dialogue.send([driver.NoScriptError("NOSCRIPT"), [8]])
    assert [command[0] for command in again] == ["EVAL"]
    with pytest.raises(StopIteration) as end:
        dialogue.send([[7] * 500])
    assert end.value.value == (7,) * 500 + (8,)


def test_a_connection_that_the_server_closed_is_replaced(server_url: str, clock_key: str) -> None:
    with Redis.from_url(server_url) as admin:
        store = RedisStore(server_url + "?client_name=tested", clock_key=clock_key)
        for _ in range(3):
            store.execute(Fetch(("a",)))
            for client in admin.client_list():
                if client["name"] == "tested":
                    admin.client_kill_filter(_id=client["id"])
        assert store.execute(Fetch(("a",))).states == (None,)
        store.close()
