"""The short way of a hit: connections kept out of the driver's pool, and answers read by hand."""

from __future__ import annotations

import os
import secrets
import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from redis import Redis

from genscache.exceptions import StoreError, StoreUnavailable
from genscache.stores import lane
from genscache.stores.base import MARK, Ensure, Fetch, Memo, Put
from genscache.stores.connections import CarefulPool, first_words
from genscache.stores.lane import Lane
from genscache.stores.redis import RedisStore
from genscache.stores.replies import Incoming, Strange
from genscache.types import Fetched
from tests.reads.wire import Wire
from tests.servers import Valkey


class TooLate(Exception):
    """What a signal handler raises: a task's time limit."""


@pytest.fixture
def key() -> str:
    return f"gc-{secrets.token_hex(8)}"


def kept(store: RedisStore) -> list[socket.socket]:
    assert store._lane is not None
    return [each.socket for each in store._lane._kept]


def payload(mark: bytes, rest: bytes = b"") -> bytes:
    return b"gc1\0name" + mark.ljust(16) + rest


def test_a_connection_is_kept_and_used_again(store: RedisStore, key: str) -> None:
    store.execute(Put(((key, b"x"),), 60_000))
    assert store.execute(Fetch((), key)) == Fetched((), b"x")
    (first,) = kept(store)
    assert store.execute(Fetch((), key)) == Fetched((), b"x")
    assert kept(store) == [first]
    store.close()
    assert kept(store) == []
    assert store.execute(Fetch((), key)) == Fetched((), b"x")


@pytest.mark.parametrize("size", [0, 1, 16, 65_530, 65_536, 65_542, 3_000_000])
def test_entries_of_any_size(store: RedisStore, key: str, size: int) -> None:
    value = os.urandom(size)
    store.execute(Put(((key, value),), 60_000))
    fetch = Fetch((key + ":c",), key, memo=Memo())
    for _ in range(3):
        assert store.execute(fetch) == Fetched((None,), value)


def test_what_was_answered_last_is_known_again_only_as_long_as_it_is_answered(
    store: RedisStore, key: str
) -> None:
    counters = (key + ":a", key + ":b")
    states = store.execute(Ensure(counters))
    fetch = Fetch(counters, key, memo=Memo())
    assert store.execute(fetch) == Fetched(states, None)
    again = store.execute(fetch)
    assert again == Fetched(states, None)
    assert again.states is store.execute(fetch).states
    store.execute(Put(((key, b"now"),), 60_000, unlink=(counters[1],)))
    assert store.execute(fetch) == Fetched((states[0], None), b"now")
    assert store.execute(fetch) == Fetched((states[0], None), b"now")
    states = store.execute(Ensure(counters))
    assert store.execute(fetch) == Fetched(states, b"now")


def test_marks(store: RedisStore, key: str) -> None:
    states = store.execute(Ensure((key + ":a",)))
    one, two = payload(b"one"), payload(b"two", b"longer")
    assert one[MARK] == b"one".ljust(16)
    fetch = Fetch((key + ":a",), key, one[MARK], Memo())
    assert store.execute(fetch) == Fetched(states, None, same=False)
    store.execute(Put(((key, one),), 60_000))
    for _ in range(3):
        assert store.execute(fetch) == Fetched(states, None, same=True)
    store.execute(Put(((key, two),), 60_000))
    for _ in range(2):
        assert store.execute(fetch) == Fetched(states, None, same=False)
    store.execute(Put(((key, one[:20]),), 60_000))
    assert store.execute(fetch) == Fetched(states, None, same=False)
    store.execute(Put(((key, one),), 60_000, unlink=(key + ":a",)))
    assert store.execute(fetch) == Fetched((None,), None, same=True)
    assert store.execute(Fetch((), key, one[MARK], Memo())) == Fetched((), None, same=True)


def test_what_nobody_has_asked_for_is_given_to_nobody(store: RedisStore, raw: Redis, key: str) -> None:
    """Something has come on a connection since it was used."""
    mine, yours = key + ":mine", key + ":yours"
    store.execute(Put(((mine, b"mine"), (yours, b"yours")), 60_000))
    store.execute(Fetch((), mine))
    (stray,) = kept(store)
    stray.sendall(f"*2\r\n$4\r\nMGET\r\n${len(mine)}\r\n{mine}\r\n".encode())
    while not select.select([stray], [], [], 10)[0]:
        pass
    # The right answer takes its time: who reads on would be given the wrong one, and it alone.
    raw.client_pause(200)
    assert store.execute(Fetch((), yours)) == Fetched((), b"yours")
    assert stray not in kept(store)


def test_more_than_was_asked_for_is_strange(store: RedisStore, key: str) -> None:
    """Two answers have come: which one is meant, nobody can know."""
    one = payload(b"one")
    states = store.execute(Ensure((key + ":a",)))
    store.execute(Put(((key, one),), 60_000))
    for fetch in (Fetch((key + ":a",), key, one[MARK], Memo()), Fetch((key + ":a",), key, memo=Memo())):
        right = store.execute(fetch)
        assert right.states == states
        assert store.execute(fetch) == right
        assert fetch.memo is not None
        assert fetch.memo.question is not None
        command, _ = fetch.memo.question
        assert store._lane is not None
        assert store._lane.fetch(fetch, command + command) is None
        assert kept(store) == []
        assert store.execute(fetch) == right


@pytest.mark.parametrize("error", [KeyboardInterrupt, TooLate])
def test_a_signal_while_the_answer_is_awaited(
    store: RedisStore, key: str, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    mine, yours = key + ":mine", key + ":yours"
    store.execute(Put(((mine, b"mine"), (yours, b"yours")), 60_000))
    store.execute(Fetch((), mine))
    (used,) = kept(store)

    def interrupted(*_: object) -> Fetched:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(lane, "_fetched", interrupted)
        with pytest.raises(error):
            store.execute(Fetch((), mine))
    assert kept(store) == []
    assert used.fileno() == -1
    assert store.execute(Fetch((), yours)) == Fetched((), b"yours")


def test_an_exception_that_the_caller_handles_closes_nothing(store: RedisStore, key: str) -> None:
    try:
        int("no number")
    except ValueError:
        store.execute(Fetch((key,)))
    before = kept(store)
    store.execute(Fetch((key,)))
    assert kept(store) == before
    pool = cast("CarefulPool", store._client.connection_pool)
    assert set(pool._before.values()) == {None}


def test_the_server_has_closed_the_connection(store: RedisStore, raw: Redis, key: str) -> None:
    """For being idle, say: no error, and no outage."""
    store.execute(Put(((key, b"x"),), 60_000))
    store.execute(Fetch((), key))
    (used,) = kept(store)
    port = used.getsockname()[1]
    raw.execute_command("CLIENT", "KILL", "ADDR", f"127.0.0.1:{port}")  # type: ignore[no-untyped-call]
    while not select.select([used], [], [], 10)[0]:
        pass
    assert store.execute(Fetch((), key)) == Fetched((), b"x")
    assert store.execute(Fetch((), key)) == Fetched((), b"x")
    assert used not in kept(store)


def test_a_server_that_is_silent_is_waited_for_once(own_valkey: Valkey) -> None:
    store = RedisStore(f"{own_valkey.url}?socket_timeout=0.2", clock_key="gc:1:clock")
    store.execute(Put((("a", b"a"),), 60_000))
    store.execute(Fetch((), "a"))
    own_valkey.pause()
    try:
        with pytest.raises(StoreUnavailable, match="Timeout"):
            store.execute(Fetch((), "a"))
        assert kept(store) == []
    finally:
        own_valkey.resume()
    assert store.execute(Fetch((), "a")) == Fetched((), b"a")
    store.close()


def test_closing_ends_a_wait_and_nobody_begins_another(
    own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RedisStore(f"{own_valkey.url}?socket_timeout=60", clock_key="gc:1:clock")
    store.execute(Fetch(("a",)))
    waiting = threading.Event()
    read = lane._fetched

    def noted(found: socket.socket, operation: Fetch) -> Fetched:
        waiting.set()
        return read(found, operation)

    monkeypatch.setattr(lane, "_fetched", noted)
    own_valkey.pause()
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            store.execute(Fetch(("a",)))
        except StoreUnavailable as error:
            raised.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert waiting.wait(10)
    store.close()
    thread.join(10)
    own_valkey.resume()
    assert not thread.is_alive()
    assert len(raised) == 1
    assert store.execute(Fetch(("a",))).states == (None,)
    store.close()


def test_an_answer_that_is_an_error_is_the_driver_s(store: RedisStore, raw: Redis, key: str) -> None:
    user = f"u{secrets.token_hex(4)}"
    raw.execute_command("ACL", "SETUSER", user, "on", ">p", "~gc*", "+get")  # type: ignore[no-untyped-call]
    try:
        options = raw.connection_pool.connection_kwargs
        store = RedisStore(f"redis://{user}:p@{options['host']}:{options['port']}/0", clock_key="gc:1:clock")
        for _ in range(2):
            with pytest.raises(StoreError, match="rights"):
                store.execute(Fetch((), key))
        store.close()
    finally:
        raw.execute_command("ACL", "DELUSER", user)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("option", ["max_connections=3", "health_check_interval=30"])
def test_what_the_pool_must_see_stays_with_the_pool(
    server_url: str, clock_key: str, option: str, key: str
) -> None:
    store = RedisStore(f"{server_url}?{option}", clock_key=clock_key)
    assert store._lane is None
    assert store.execute(Fetch((), key)) == Fetched((), None)
    store.close()


def test_threads_have_connections_of_their_own(store: RedisStore, key: str) -> None:
    keys = [f"{key}:{number}" for number in range(8)]
    store.execute(Put(tuple((each, each.encode()) for each in keys), 60_000))
    wrong: list[object] = []

    def read(each: str) -> None:
        fetch = Fetch((), each, memo=Memo())
        for _ in range(300):
            found = store.execute(fetch)
            if found.entry != each.encode():
                wrong.append(found)

    threads = [threading.Thread(target=read, args=(each,)) for each in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert 1 <= len(kept(store)) <= len(keys)


def test_the_child_of_a_fork_has_connections_of_its_own(store: RedisStore, key: str) -> None:
    store.execute(Put(((key, b"x"),), 60_000))
    store.execute(Fetch((), key))
    (used,) = kept(store)
    child = os.fork()
    if child == 0:
        right = store.execute(Fetch((), key)) == Fetched((), b"x") and used not in kept(store)
        os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert store.execute(Fetch((), key)) == Fetched((), b"x")
    assert kept(store) == [used]


def test_one_round_trip(own_valkey: Valkey) -> None:
    wire = Wire(own_valkey.url)
    store = RedisStore(wire.url, clock_key="gc:1:clock")
    store.execute(Fetch(("a",)))
    with wire.counting() as turns:
        store.execute(Fetch(("a", "b"), "c", b"m" * 16))
    assert turns == [1]
    store.close()
    wire.close()


Send = Callable[..., Incoming]


@pytest.fixture
def incoming() -> Iterator[Send]:
    """Let bytes come, and then no more: the first part is there already."""
    sockets: list[socket.socket] = []

    def incoming(*parts: bytes) -> Incoming:
        ours, theirs = socket.socketpair()
        sockets.append(ours)
        for part in parts[1:]:
            theirs.sendall(part)
        theirs.close()
        return Incoming(ours, parts[0], 0)

    yield incoming
    for each in sockets:
        each.close()


STRANGE = (
    b"-ERR no\r\n", b"+OK\r\n", b":1\r\n", b"*1\r\n", b"$\r\n", b"$-2\r\n", b"$+1\r\nx\r\n", b"$1\r\nxyz",
    b"$1 \r\nx\r\n", b"$99999999999\r\n", b"$" + b"0" * 40 + b"\r\n", b">2\r\n", b"$\xd9\xa1\r\nx\r\n", b"_x\r\n",
    b"\r\n",
)  # fmt: skip


@pytest.mark.parametrize("data", STRANGE)
def test_strange_texts(incoming: Send, data: bytes) -> None:
    with pytest.raises(Strange):
        incoming(data).text()


def three(found: Incoming) -> list[bytes | None]:
    found.list_of(3)
    return [found.text() for _ in range(3)]


def test_lists_and_texts_that_come_in_pieces(incoming: Send) -> None:
    whole = b"*3\r\n$2\r\nab\r\n$-1\r\n_\r\n"
    for cut in range(len(whole)):
        found = incoming(whole[:cut], whole[cut:])
        assert three(found) == [b"ab", None, None]
        found.end()
        assert found.so_far() == whole
        with pytest.raises(ConnectionResetError):
            three(incoming(b"", whole[:cut]))
    with pytest.raises(Strange):
        incoming(whole).list_of(2)
    with pytest.raises(Strange):
        incoming(whole).end()


def test_lane_is_what_stores_use(store: RedisStore) -> None:
    assert isinstance(store._lane, Lane)


def test_early_drivers_want_to_know_what_a_connection_is_for() -> None:
    """redis-py before 5.3 does not hand one out without the name of a command, later ones warn of one."""

    class Early:
        def get_connection(self, command_name: str, *keys: str) -> None: ...

    class Late:
        def get_connection(self, command_name: str | None = None, *keys: str) -> None: ...

    class Last:
        def get_connection(self) -> None: ...

    assert [first_words(kind) for kind in (Early, Late, Last)] == [("MGET",), (), ()]
