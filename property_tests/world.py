"""Several processes over one database and one store, moved step by step, and judged after each step."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from django.apps import apps
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.utils import DatabaseError, OperationalError

from genscache.apps import GenscacheConfig
from genscache.conf import Settings
from genscache.engine import Engine
from genscache.exceptions import StoreUnavailable, WriteRefused
from genscache.protocol.steps import Pause
from genscache.stores.base import Put
from property_tests.actors import Actor, Ground, Killed, stop
from property_tests.databases import Driver, Stage, drop
from property_tests.history import History, Places, Row, Rows, Version
from property_tests.readers import OUTSIDE
from property_tests.stepping import GroundedStore, SteppedFlights, SteppedStore

LEASE = 10_000
"""Milliseconds that a lease lasts."""


class Session:
    """An actor, and what the model knows of it.

    Attributes:
        process: The number of its process.
        contexts: The open ``atomic`` and ``batch`` blocks, outermost first.
        frames: What it has written in each open ``atomic``.
        commits: Where its commits came to lie, of which its caller does not know yet.
        promised: What must be visible at the end of its batch.
        untold: Its running task writes behind everybody's back.
        pinned: It reads an old snapshot.
        broken: A write has failed: its transaction can only be rolled back.
        cursor: An unfinished SELECT.
        began: How many commits there were when it began its task.
        commit_fault: What happens to its next COMMIT: "done" or "late", and in both cases the answer is lost.
    """

    def __init__(self, actor: Actor, process: int) -> None:
        self.actor = actor
        self.process = process
        self.contexts: list[tuple[str, Any]] = []
        self.frames: list[list[tuple[Row, Version]]] = []
        self.commits: Places = {}
        self.promised: list[Places] = []
        self.untold = self.pinned = self.broken = False
        self.cursor: Any = None
        self.commit_fault = ""
        self.began = 0
        self.done: Callable[[Any], None] = lambda _: None
        self.failed: Callable[[], None] = lambda: None

    @property
    def batching(self) -> bool:
        """Tell whether a batch is open."""
        return any(kind == "batch" for kind, _ in self.contexts)

    def own(self, row: Row, version: Version) -> bool:
        """Tell whether it has written a version itself and not committed it."""
        return any((row, version) in frame for frame in self.frames)


class World:
    """The processes, their database and their store.

    Args:
        ground: The store.
        database: The database.
        prefix: Of all keys.
        leases: Whether writes take leases; with them, nobody goes back in time.
        processes: Which process each actor belongs to.
        options: What else ``GENSCACHE`` says.
    """

    def __init__(
        self,
        ground: Ground,
        database: Stage,
        *,
        prefix: str = "m",
        leases: bool = True,
        processes: tuple[int, ...] = (0, 0, 1),
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self.ground, self.database, self.leases = ground, database, leases
        self.outside: Version = 0
        self.version = 100
        self.commits = self.overtaken = 0
        self.history = History(self._state())
        self.reader_floors: dict[str, Places] = {}
        self.late: tuple[Driver, int] | None = None
        self._config = cast("GenscacheConfig", apps.get_app_config("genscache"))
        self._before = self._config.engine
        settings = Settings.of(
            {"STORE": "memory://", "PREFIX": prefix, "LEASE": LEASE // 1000 if leases else None, **options}
        )
        self._settings = settings
        self.engines = [self._engine() for _ in range(max(processes) + 1)]
        self._exit = ExitStack()
        self._patch()
        self.sessions = [self._session(index, process) for index, process in enumerate(processes)]

    def restart(self, process: int) -> None:
        """Let a process forget what it knows of the store."""
        self.engines[process] = self._engine()

    def _engine(self) -> Engine:
        engine = Engine(
            self._settings, store=SteppedStore(self.ground), async_store=GroundedStore(self.ground)
        )
        engine.flights = SteppedFlights()
        return engine

    def _patch(self) -> None:
        """Let no time pass by itself, and nobody sleep."""
        clock = SimpleNamespace(monotonic=lambda: 1000 + self.ground.milliseconds / 1000)
        for name, module in tuple(sys.modules.items()):
            # Waiting for a lock is ended by a pause; everything else at this level asks how much time has passed.
            if name.startswith("genscache.") and name.count(".") == 1 and vars(module).get("time") is time:
                self._exit.enter_context(patch.object(module, "time", clock))
        self._exit.enter_context(patch.object(Pause, "perform", lambda _: stop("a pause")))
        self._exit.enter_context(patch("genscache.answers.LOCK_PATIENCE", 0.02))
        connection_created.connect(self._connected)
        self._exit.callback(connection_created.disconnect, self._connected)

    def _session(self, index: int, process: int) -> Session:
        actor = Actor(f"actor {index}", lambda: drop(connections[self.database.alias]))
        session = Session(actor, process)
        actor.witness = self._witness
        actor.outside = lambda: {OUTSIDE: self.outside}
        actor.start()
        return session

    def _connected(self, *, connection: BaseDatabaseWrapper, **_: object) -> None:
        if isinstance(threading.current_thread(), Actor) and connection.alias == self.database.alias:
            self.database.prepare(connection)
            connection.execute_wrappers.append(_moved)
            connection._commit = lambda: self._commit(connection)

    def _commit(self, connection: BaseDatabaseWrapper) -> None:
        """Do what the database does with a COMMIT, unless its answer is to be lost."""
        session = next(each for each in self.sessions if each.actor is threading.current_thread())
        fault, session.commit_fault = session.commit_fault, ""
        if fault == "late" and self.late is None:
            # The server goes on with it; the client's next statement finds a new connection.
            self.late = connection.connection, self.ground.milliseconds + LEASE
            connection.connection = session.cursor = None
            session.pinned = False
        else:
            with connection.wrap_database_errors:
                connection.connection.commit()
        if fault:
            raise OperationalError("disk I/O error: the answer of COMMIT is lost")

    # -- steps

    def begin(
        self,
        session: Session,
        task: Callable[[], object],
        done: Callable[[Any], None] = lambda _: None,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        """Give an idle actor something to do; it begins with the next step."""
        session.done, session.failed = done, failed
        session.began = self.commits
        session.actor.give(task)

    def step(self, session: Session) -> None:
        """Let one actor go on until it stops, and judge what has happened."""
        self._config.engine = self.engines[session.process]
        actor = session.actor
        self.overtaken += isinstance(actor.at, Put) and self.commits > session.began
        actor.resume()
        session.commits |= self.observe(told=not session.untold)
        if actor.idle:
            self._finished(session)

    def finish(self, session: Session) -> None:
        """Let one actor go on to the end of its task; for a killed one, of its life."""
        while not session.actor.idle:
            self.step(session)

    def observe(self, *, told: bool = True) -> Places:
        """Look at the database, and note what was committed."""
        places = self.history.observe(self._state(), told=told)
        self.commits += bool(places)
        return places

    def kill(self, session: Session) -> None:
        """Let a process die where it stands, all its threads and all that it knew, and start another in its place."""
        for index, each in enumerate(self.sessions):
            if each.process == session.process:
                if each.actor.is_alive():
                    each.actor.kill()
                self.observe(told=not each.untold)
                self.sessions[index] = self._session(index, each.process)
        self.restart(session.process)

    def _finished(self, session: Session) -> None:
        error = session.actor.error
        session.untold = False
        if error is None:
            session.done(session.actor.result)
        session.commits = {}
        if session.actor.dead:
            session.actor.join(10)
            self.kill(session)
        elif error is not None:
            if not isinstance(error, DatabaseError | StoreUnavailable | WriteRefused | Killed):
                raise error
            session.failed()

    # -- the model

    def _state(self) -> Rows:
        return {**self.database.committed(), OUTSIDE: self.outside}

    def _witness(self, found: Rows) -> None:
        if self.leases:
            for row, version in found.items():
                self.history.seen(row, version)

    def set_outside(self) -> None:
        """Change what the database does not know."""
        self.version += 1
        self.outside = self.version
        self.observe(told=False)

    def returned(self, session: Session, places: Places, *, leased: bool) -> None:
        """A write or an invalidation has returned to its caller: level 1 holds from now on.

        In a batch, that is true at its end; of a write that is leased, at once.
        """
        if session.batching and not (leased and self.leases):
            session.promised.append(dict(places))
        else:
            self.history.raise_floor(places)

    # -- what happens to all

    def may_pass(self, milliseconds: int) -> bool:
        """Tell whether time may pass without a lease running out under a write that is not visible yet.

        That end of level 2 is documented.
        """
        deadlines = [session.actor.leased_until for session in self.sessions if session.actor.leased_until]
        deadlines += [self.late[1]] if self.late else []
        return not self.leases or all(self.ground.milliseconds + milliseconds < each for each in deadlines)

    def late_commit(self, *, commit: bool) -> None:
        """A COMMIT whose answer was lost takes effect after all, or does not."""
        assert self.late is not None
        (driver, _), self.late = self.late, None
        driver.commit() if commit else driver.rollback()
        driver.close()
        self.observe()

    def close(self) -> None:
        """End everything."""
        try:
            for session in self.sessions:
                if session.actor.is_alive():
                    session.actor.kill()
            if self.late is not None:
                self.late_commit(commit=False)
        finally:
            self._exit.close()
            self._config.engine = self._before
            self.database.close()
            self.ground.close()


def _moved(execute: Callable[..., object], sql: str, params: object, many: bool, context: object) -> object:  # noqa: FBT001
    """Note that a statement has run."""
    result = execute(sql, params, many, context)
    cast("Actor", threading.current_thread()).moved = True
    return result
