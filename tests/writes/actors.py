"""Who reads and writes in these tests: a cache that tells how it answered, and somebody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import pytest
from django.db import connections, transaction

from genscache.engine import Engine
from genscache.events import Event, Outcome, Read
from tests.writes.spy import SpyStore

Result = TypeVar("Result")

Configure = Callable[..., "Cache"]
"""Installs an engine on a store, with settings as keyword arguments."""

PATIENCE = 30.0
"""Seconds after which somebody who hangs fails the test."""


def databases(*aliases: str) -> pytest.MarkDecorator:
    """Run a test on each of ``aliases``."""
    return pytest.mark.parametrize(
        "alias",
        [
            pytest.param(alias, marks=pytest.mark.django_db(transaction=True, databases=[alias]))
            for alias in aliases
        ],
    )


every_database = databases("default", "postgres", "mariadb")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a read gave, and how the cache took part in it."""

    value: object
    outcome: Outcome
    reason: str


class Cache:
    """The engine of one test.

    Args:
        engine: Installed in the app.
        store: Its store.
    """

    def __init__(self, engine: Engine, store: SpyStore) -> None:
        self.engine = engine
        self.store = store

    def read(self, function: Callable[..., object], *args: object) -> Answer:
        """Call a cached function and tell how it was answered."""
        events: list[Read] = []
        name = f"{function.__module__}.{function.__qualname__}"
        me = threading.get_ident()

        def listen(event: Event) -> None:
            if isinstance(event, Read) and event.what == name and threading.get_ident() == me:
                events.append(event)

        stop = self.engine.hub.subscribe(listen)
        try:
            value = function(*args)
        finally:
            stop()
        return Answer(value, events[-1].outcome, events[-1].reason)

    def warm(self, function: Callable[..., object], *args: object) -> object:
        """Read until the entry is there; fail where it cannot be."""
        self.read(function, *args)
        answer = self.read(function, *args)
        assert answer.outcome == "hit", answer
        return answer.value


def elsewhere(call: Callable[[], Result]) -> Result:
    """Let somebody else (a thread with connections of its own) do something, and wait until it is done."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        raise TimeoutError("Somebody else hangs.")
    if errors:
        raise errors[0]
    return results[0]


def sql(alias: str, text: str, params: Sequence[str | int] | None = None) -> None:
    """Run a statement through a Django cursor."""
    with connections[alias].cursor() as cursor:
        cursor.execute(text, params)


def unseen(alias: str, text: str, params: tuple[object, ...] = ()) -> None:
    """Run a statement through the driver's own cursor, which nobody watches."""
    connections[alias].ensure_connection()
    driver = connections[alias].connection
    cursor = driver.cursor()
    cursor.execute(text, params)
    cursor.close()


class Undo(Exception):
    """Makes a transaction roll back."""


@contextmanager
def undone(alias: str, *, savepoint: bool = True) -> Iterator[None]:
    """Run a block in a transaction, or inside a savepoint, that an exception rolls back at its end."""
    with suppress(Undo), transaction.atomic(using=alias, savepoint=savepoint):
        yield
        raise Undo
