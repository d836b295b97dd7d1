"""Passwords and values that are planted, and looked for in everything that is logged, raised, told or shown."""

from __future__ import annotations

import io
import json
import logging
import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import override_settings

from genscache import cached, explain, invalidate, stats
from genscache.checks import check_engine
from genscache.conf import Settings
from genscache.engine import Engine, current_engine
from genscache.exceptions import StoreError
from genscache.stores.address import mask_url
from genscache.stores.base import Ensure, Fetch, Operation, Put, ReadClock
from genscache.stores.opening import open_stores
from genscache.stores.redis import RedisStore
from tests.servers import Redis, Server, Valkey

PASSWORD = "pl4nted-p4ss"
VALUE = "pl4nted-v4lue"


def chain(error: BaseException) -> str:
    """Return an error with everything that it came from, as a server's log would have it."""
    return "".join(traceback.format_exception(error))


def babbling(answer: bytes) -> Iterator[int]:
    """Run a server that gives the same answer to everything; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=babble, args=(client,), daemon=True).start()

        def babble(client: socket.socket) -> None:
            with client, suppress(OSError):
                while client.recv(65536):
                    client.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


ANSWERS = {
    "wrong password": b"-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    "no password wanted": b"-ERR AUTH <password> called without any password configured for the default user.\r\n",
    "unknown command": (
        b"-ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'me' '"
        + PASSWORD.encode()
        + b"' "
        + VALUE.encode()
        + b"\r\n"
    ),
    "values where there should be others": b"*3\r\n" + 3 * (b"$13\r\n" + VALUE.encode() + b"\r\n"),
    "a text": b"$13\r\n" + VALUE.encode() + b"\r\n",
    "noise": b"\x00\xff\r\n",
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_a_server_answers_shows_neither(answer: str) -> None:
    for port in babbling(ANSWERS[answer]):
        store = RedisStore(f"redis://me:{PASSWORD}@127.0.0.1:{port}?protocol=2", clock_key="c")
        operations: list[Operation[Any]] = [
            Fetch(("a",), "b"),
            Ensure(("a",)),
            Put((("a", VALUE.encode()),), 1000),
            ReadClock(),
        ]
        for operation in operations:
            try:
                store.execute(operation)
            except StoreError as error:
                assert PASSWORD not in str(error)  # noqa: PT017 - it need not raise
                assert VALUE not in str(error)  # noqa: PT017 - it need not raise
        store.close()


URLS = [
    "redis://me:{0}@127.0.0.1:1",
    "redis://:{0}@127.0.0.1:1/x",
    "redis://127.0.0.1:1?password={0}",
    "redis://127.0.0.1:1?PassWord={0}",
    "rediss://127.0.0.1:1?ssl_password={0}&bogus=1",
    "redis://me:a/{0}@host",
    "redis://me:{0}/a@host",
    "redis://me:{0}?a@host",
    "redis://me:{0}#a@host",
    "redis://me:a@{0}/b@host",
    "redis://me:{0}@host:port",
    "unix://me:{0}@/no/such/socket",
    "memory://me:{0}@host",
    "mysql://me:{0}@host",
    "redis://me:{0}@[host",
]


@pytest.mark.parametrize("url", URLS)
def test_no_address_shows_its_password(url: str) -> None:
    url = url.format(PASSWORD)
    with suppress(ValueError):
        assert PASSWORD not in mask_url(url)
    try:
        pair = open_stores(url, prefix="gc")
    except ValueError as error:
        assert PASSWORD not in str(error)  # noqa: PT017 - it need not raise
        return
    assert PASSWORD not in f"{pair.url_masked} {pair.sync.capabilities!r} {pair.sync!r} {pair.asynchronous!r}"
    with pytest.raises(StoreError) as caught:
        pair.sync.execute(Ensure(("a",)))
    assert PASSWORD not in chain(caught.value)


@pytest.mark.parametrize("kind", [Valkey, Redis], ids=lambda kind: kind.name)
def test_a_server_without_the_command_that_takes_the_password(kind: type[Server]) -> None:
    """It repeats the command that it does not know, with the password in it."""
    if kind.binary() is None:
        pytest.skip(f"{kind.name} is not installed")
    options = ("--rename-command", "HELLO", "", "--rename-command", "AUTH", "")
    with kind(options=options) as server:
        for protocol in (2, 3):
            url = f"redis://me:{PASSWORD}@127.0.0.1:{server.port}?protocol={protocol}"
            store = RedisStore(url, clock_key="c")
            with pytest.raises(StoreError) as caught:
                store.execute(Fetch(("a",)))
            assert PASSWORD not in str(caught.value)
            store.close()


def engine_with(url: str, **options: object) -> Engine:
    """Return the engine of settings that are overridden."""
    with override_settings(GENSCACHE={"STORE": url, "FENCE": False, **options}):
        return current_engine()


def test_nothing_that_is_shown_of_the_settings_has_the_password() -> None:
    url = f"redis://me:{PASSWORD}@127.0.0.1:1/0"
    with override_settings(GENSCACHE={"STORE": url, "ON_OUTAGE": "proceed"}):
        engine = current_engine()
        out = io.StringIO()
        with pytest.raises(CommandError) as error:
            call_command("genscache", "stats", stdout=out)
        with pytest.raises(CommandError):
            call_command("genscache", "stats", "--json", stdout=out)
        shown = [
            str(error.value),
            out.getvalue(),
            repr(engine),
            repr(engine.settings),
            str(engine.settings),
            repr(engine.store),
        ]
        shown += [
            repr(engine.async_store),
            repr(engine.codec),
            repr(Settings.load()),
            *map(str, check_engine()),
        ]
    assert not [text for text in shown if PASSWORD in text]
    for wrong in (url.partition("://")[2], url.replace("redis", "mysql")):
        with override_settings(GENSCACHE={"STORE": wrong}), pytest.raises(ImproperlyConfigured) as caught:
            current_engine().store  # noqa: B018 - opened when it is asked for
        assert PASSWORD not in str(caught.value)


class Refused:
    """A result that cannot be stored."""

    def __repr__(self) -> str:
        return VALUE

    def __reduce__(self) -> str:
        raise TypeError("no")


@pytest.mark.parametrize("sign", [True, False])
def test_neither_is_logged_told_or_explained(
    sign: bool,  # noqa: FBT001 - a parameter of a test
    own_valkey: Valkey,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"redis://me:{PASSWORD}@127.0.0.1:{own_valkey.port}/0"
    client: Any = RedisStore(own_valkey.url, clock_key="gc:1:clock")
    client._client.execute_command("ACL", "SETUSER", "me", "on", f">{PASSWORD}", "~*", "+@all")
    shown: list[str] = []

    @cached("names")
    def good(text: str) -> dict[str, str]:
        return {"text": text + VALUE}

    @cached("names")
    def bad(text: str) -> object:
        return Refused()

    @cached("names")
    def large(text: str) -> str:
        return VALUE * 1000

    @cached("names")
    def odd(text: str) -> object:
        return slice(VALUE)

    def everything() -> None:
        for function in (good, bad, large, odd):
            for _ in range(2):
                function(VALUE)
            shown.append(str(explain(function, VALUE)))
            shown.append(json.dumps(explain(function, VALUE).as_dict()))
        with suppress(StoreError):
            invalidate("names")
        shown.append(json.dumps(stats()))

    options = {"STORE": url, "MAX_ENTRY_BYTES": 5000, "FENCE": False, "SIGN": sign}
    with override_settings(GENSCACHE=options):
        everything()
        good(VALUE)
        # What was stored, damaged.
        for key in client._client.keys("gc:1:*:e:*"):
            client._client.setrange(key, 40, b"\xff" * 5)
        assert good(VALUE) == {"text": VALUE * 2}
        everything()
        client._client.execute_command("ACL", "SETUSER", "me", "-set")
        everything()
        client._client.execute_command("ACL", "SETUSER", "me", "-@all")
        everything()
        client._client.execute_command("ACL", "SETUSER", "me", "resetpass")
        client._client.execute_command("CLIENT", "KILL", "USER", "me")
        everything()
        own_valkey.kill()
        everything()
        current_engine().close()
    text = "\n".join([*shown, *(record.getMessage() for record in caplog.records)])
    text += "".join(
        chain(record.exc_info[1]) for record in caplog.records if record.exc_info and record.exc_info[1]
    )
    for outcome in ("unreadable entry", "not stored", "no permissions", "cannot be used now"):
        assert outcome in text, outcome
    assert PASSWORD not in text
    assert VALUE not in text
    client.close()
