"""Inside an actor: the exact places at which it can be stopped, and the pipe over which it is told to go on.

A place has a name. ``before Put`` and ``after Put`` are around a store operation, by the name of its class; ``before
sql UPDATE news_article`` and ``after sql ...`` around a statement, next to the database: after a lease was taken,
before it is settled; ``before commit`` and ``after commit`` around the database's own COMMIT; and any text that a
script gives to ``here()``. The controller names a place by a pattern as ``fnmatch`` knows it; its beginning is enough.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from genscache.stores.base import Answer, AsyncStore, Operation, Store

Result = TypeVar("Result")

LONGEST_SQL = 400


class Points:
    """Stops the actor where the controller has asked for it.

    Args:
        pipe: Leads to the controller.

    Attributes:
        until: The place to stop at next, ``None`` for the end.
        trace: What has happened in this run, in order: store operations, statements, COMMIT, and what scripts name.
    """

    def __init__(self, pipe: socket.socket) -> None:
        self._lines = pipe.makefile("rw", encoding="utf-8")
        self.until: str | None = None
        self.trace: list[str] = []

    def hear(self) -> dict[str, Any]:
        """Wait for the controller; when it has gone, so does the actor."""
        line = self._lines.readline()
        if not line:
            os._exit(0)
        heard: dict[str, Any] = json.loads(line)
        return heard

    def say(self, **words: object) -> None:
        """Tell the controller."""
        self._lines.write(json.dumps(words) + "\n")
        self._lines.flush()

    def at(self, place: str) -> None:
        """Stop here if the controller wants it, until it says how far to go on."""
        if self.until is not None and fnmatchcase(place, self.until + "*"):
            self.say(at=place)
            self.until = self.hear()["until"]

    def around(self, what: str, call: Callable[[], Result]) -> Result:
        """Do something between its two places."""
        self.at(f"before {what}")
        self.trace.append(what)
        result = call()
        self.at(f"after {what}")
        return result

    # -- connections

    def watch_connections(self) -> None:
        """Put places around what this process's connections do."""
        connection_created.connect(self._connected, weak=False, dispatch_uid="races")

    def _connected(self, *, connection: BaseDatabaseWrapper, **_: object) -> None:
        if self._statement in connection.execute_wrappers:
            return
        # Last in the list: next to the database.
        connection.execute_wrappers.append(self._statement)
        inner: Any = connection
        commit = inner._commit
        inner._commit = lambda: self.around("commit", commit)

    def _statement(self, execute: Callable[..., object], sql: str, *rest: object) -> object:
        text = " ".join(sql.replace('"', "").replace("`", "").split())[:LONGEST_SQL]
        return self.around(f"sql {text}", lambda: execute(sql, *rest))


class StoppingStore(Store):
    """A real store with places around its operations."""

    def __init__(self, inner: Store, points: Points) -> None:
        self.inner = inner
        self.capabilities = inner.capabilities
        self._points = points

    def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation."""
        return self._points.around(type(operation).__name__, lambda: self.inner.execute(operation))

    def close(self) -> None:
        """Give back connections."""
        self.inner.close()


class AsyncStoppingStore(AsyncStore):
    """Its twin: the whole process stops, the event loop with it."""

    def __init__(self, inner: AsyncStore, points: Points) -> None:
        self.inner = inner
        self.capabilities = inner.capabilities
        self._points = points

    async def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation."""
        name = type(operation).__name__
        self._points.at(f"before {name}")
        self._points.trace.append(name)
        answer = await self.inner.execute(operation)
        self._points.at(f"after {name}")
        return answer

    async def aclose(self) -> None:
        """Give back connections."""
        await self.inner.aclose()
