"""One actor, run again from its beginning up to a given answer: the real engine over a store and a database that ask.

Python cannot copy a generator, and much of what matters (``Ticket``, ``committing``, the guards) is no generator. So
an actor is run anew for every history of answers that it can have had: what it asks is answered from the history, and
its first question beyond it is where it stands. That costs well under a millisecond, once a history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

from django.db import IntegrityError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from genscache.answers import read
from genscache.conf import Settings
from genscache.decoded import Decoded
from genscache.engine import Engine
from genscache.exceptions import StoreUnavailable
from genscache.filling import Compute, Job
from genscache.functions import Call
from genscache.keys import SITE, KeySpace, Kind, Namespace, table_owner
from genscache.orm.connection import committing
from genscache.orm.watcher import Watcher
from genscache.protocol.expecting import Expectation
from genscache.protocol.memory import Copy, Recent
from genscache.protocol.read import Question
from genscache.stores.base import AsyncStore, Operation, Store
from genscache.stores.memory import MemoryStore
from genscache.transactions import ATTRIBUTE, Transaction, remember
from genscache.unsettled import Unsettled
from property_tests.explorer.steps import Begins, Deed, Event, Failure, Gives, Returns, Row, Sql, Step

TABLES = ("news_section", "news_author")
"""The table of each row; models of the tests' site."""

MODELS = tuple(Namespace(Kind.MODEL, table_owner("default", table)) for table in TABLES)
PREFIX = "x"
SITE_KEY = KeySpace(PREFIX).counter(SITE)
TTL = 3_600_000
LEASE_SECONDS = 10

Memo: TypeAlias = tuple[tuple[tuple[str, Any], ...], ...]
"""What a process remembers of the store between two tasks."""

FORGETFUL: Memo = ((), (), (), (), ())


class Suspended(BaseException):
    """The history has no answer to what was asked; whatever catches this cannot ask anything else."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How all processes are set up."""

    leases: bool = True
    on_outage: str = "refuse"
    copies: bool = False
    """Processes keep copies of entries, of each from its first hit on."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where an actor stands.

    Attributes:
        step: What it is about to do; ``None``: its task is done.
        events: What it has to say, in order, since its last step.
        memo: At the end of the task, what its process remembers.
    """

    step: Step | None
    events: tuple[Event, ...]
    memo: Memo


class _Patient(Unsettled):
    """Bumps that are owed; all that is explored takes less than the second after which they are tried again."""

    def due(self) -> Mapping[str, int]:
        return {}


class _Eager(Recent[tuple[str, str], Expectation]):
    """Expectations of which each is thought to have been asked before, so that copies are kept at once."""

    def put(self, key: tuple[str, str], value: Expectation) -> None:
        value.repeat()
        super().put(key, value)


class _NamedEngine(Engine):
    """An engine whose tokens tell who leased."""

    name = ""
    tokens: Iterator[int] = count(1)

    def forget(self) -> None:
        super().forget()
        self.memory.expectations = _Eager(100)
        self.unsettled = _Patient()

    def token(self) -> str:
        return f"{self.name.replace(' ', '-')}.{next(self.tokens)}"


class _Asking(Store):
    """A store that asks."""

    def __init__(self) -> None:
        self.capabilities = MemoryStore().capabilities
        self.process: Process | None = None

    def execute(self, operation: Operation[Any]) -> Any:
        return cast("Process", self.process).ask(operation)

    def close(self) -> None:
        """Do nothing."""


class Machinery:
    """The engine that all replays share, one after the other; each begins with what its own process remembers."""

    def __init__(self, setup: Setup) -> None:
        given: dict[str, object] = {
            "STORE": "memory://",
            "PREFIX": PREFIX,
            "LEASE": LEASE_SECONDS if setup.leases else None,
            "ON_OUTAGE": setup.on_outage,
            "LOCAL_BYTES": 1_000_000 if setup.copies else 0,
        }
        self.store = _Asking()
        self.engine = _NamedEngine(
            Settings.of(given), store=self.store, async_store=cast("AsyncStore", self.store)
        )
        self.watcher = Watcher(lambda: self.engine)

    def replay(self, name: str, task: Task, memo: Memo, answers: Sequence[object]) -> Stand:
        """Run a task up to the first question that ``answers`` does not answer."""
        engine = self.engine
        engine.forget()
        engine.name, engine.tokens = name, count(1)
        process = Process(self, answers)
        self.store.process = process
        _remember(engine, memo)
        with suppress(Suspended):
            copy_context().run(task, process)
        if process.step is not None:
            return Stand(process.step, tuple(process.events), FORGETFUL)
        if process.position < len(answers):
            raise AssertionError(f"{name} does not ask for what it was told: {answers[process.position :]!r}")
        return Stand(None, tuple(process.events), _recall(engine))


class Connection:
    """What genscache needs of Django's connection: one to PostgreSQL, whose statements are steps."""

    alias = "default"
    vendor = "postgresql"
    autocommit = True
    needs_rollback = False
    features = SimpleNamespace(uses_savepoints=True, supports_transactions=True)
    Database = SimpleNamespace(Error=OperationalError)

    def __init__(self, process: Process, *, snapshot: bool) -> None:
        self._process = process
        self.in_atomic_block = False
        self.snapshot = snapshot
        self.connection = SimpleNamespace(
            cursor=lambda: SimpleNamespace(execute=self._bare, fetchall=lambda: [(1,)], close=lambda: None)
        )
        self.state = Transaction()
        self.state.isolation = "repeatable read" if snapshot else "read committed"
        setattr(self, ATTRIBUTE, self.state)

    def rollback(self) -> None:
        self._process.ask(Sql(Deed.ROLLBACK))
        self.state.reset()

    def _bare(self, sql: str) -> None:
        """Run what genscache sends itself: the level is read committed as told, SELECT 1 takes the snapshot."""
        if sql == "SHOW transaction_isolation":
            raise AssertionError("the level is known")
        self._process.ask(Sql(Deed.SNAPSHOT, snapshot=True))


@dataclass(frozen=True, slots=True)
class Subject:
    """A read of rows, as the store knows it: its vector is the site and the rows' models, nothing else."""

    rows: tuple[Row, ...]
    discover: bool = False
    lock: bool = False
    transparent: bool = False

    @property
    def path(self) -> str:
        return "read_" + "_".join(TABLES[row] for row in self.rows)

    def question(self, engine: Engine, call: Call, namespaces: tuple[Namespace, ...]) -> Question:
        ordered = sorted(set(namespaces))
        print_ = "-".join(f"{each.kind}.{each.owner}" for each in ordered)
        return Question(self.path, print_, tuple(engine.keys.counter(each) for each in ordered))


class Process:
    """What a task uses: reads through the cache, statements, transactions.

    Args:
        machinery: The engine and what watches statements.
        answers: The history.
    """

    def __init__(self, machinery: Machinery, answers: Sequence[object]) -> None:
        self._machinery = machinery
        self._answers = answers
        self.position = 0
        self.step: Step | None = None
        self.events: list[Event] = []
        self.connection = Connection(self, snapshot=False)

    # -- steps

    def ask(self, step: Step) -> Any:
        """Return the answer to a step from the history, or stand there."""
        if self.step is not None:
            raise Suspended
        if self.position == len(self._answers):
            self.step = step
            raise Suspended
        answer = self._answers[self.position]
        self.position += 1
        if self.position == len(self._answers):
            self.events.clear()
        match answer:
            case Failure.UNAVAILABLE:
                raise StoreUnavailable("no answer")
            case Failure.REFUSED:
                raise IntegrityError("a deferred constraint is violated")
            case Failure.UNKNOWN:
                raise OperationalError("server closed the connection unexpectedly")
            case Failure.CONFLICT:
                raise OperationalError("could not serialize access") from _SerializationFailure()
        return answer

    # -- what tasks do

    def read(self, *rows: Row, discover: bool = False) -> None:
        """Read rows through the cache, each by a query of its own; the dependencies are declared or discovered."""
        snapshot = self.connection.snapshot and self.connection.in_atomic_block
        declared = () if discover else tuple(MODELS[row] for row in rows)
        subject = Subject(rows, discover)
        call = Call("", subject.path.encode(), (SITE,), declared, "")
        how = ["hit"]
        job = Job(self._machinery.engine, subject, call, Compute(lambda: self._query(rows, how)), TTL)
        self.events.append(Begins(rows))
        found = read(job)
        self.events.append(Gives(rows, cast("tuple[int, ...]", found), snapshot, how[-1]))

    def update(self, row: Row, *, also: tuple[Row, ...] = ()) -> None:
        """Make the next version of a row: pending in a transaction, else committed and settled.

        Args:
            row: It.
            also: What a trigger that nobody has declared changes with it.
        """
        pending = self.connection.in_atomic_block
        deed = Deed.UPDATE if pending else Deed.AUTOCOMMIT
        versions = self.statement(
            f"UPDATE {TABLES[row]} SET name = name || '.'", Sql(deed, (row, *also), self.connection.snapshot)
        )
        if not pending:
            self.events.append(Returns((row,), versions))

    def statement(self, sql: str, step: Sql) -> Any:
        """Send a statement through the real ``execute_wrapper``."""
        context = {"connection": self.connection, "cursor": SimpleNamespace(cursor=None)}
        return self._machinery.watcher(lambda *_: self.ask(step), sql, (), False, cast("Any", context))

    def begin(self, *, snapshot: bool = False) -> None:
        """Begin a transaction."""
        self.connection = Connection(self, snapshot=snapshot)
        self.connection.in_atomic_block = True
        self.connection.state.verified = not snapshot
        # So do guards learn of it: it is a transaction that is open around the read.
        remember(cast("BaseDatabaseWrapper", self.connection))

    def commit(self) -> None:
        """Commit as the watched connection does; what was written has returned when this does."""
        rows = _written(self.connection.state)
        with committing(cast("BaseDatabaseWrapper", self.connection), lambda: self._machinery.engine):
            versions = self.ask(Sql(Deed.COMMIT, rows))
        self.connection.in_atomic_block = False
        if rows:
            self.events.append(Returns(rows, versions))

    def lose_connection(self) -> None:
        """Go on with another connection, after a write that was refused or whose outcome is unknown."""
        self.connection = Connection(self, snapshot=False)

    def roll_back(self) -> None:
        """Roll back."""
        self.connection.rollback()
        self.connection.in_atomic_block = False

    def _query(self, rows: tuple[Row, ...], how: list[str]) -> tuple[int, ...]:
        found: list[int] = []
        how.append("database")
        for row in rows:
            step = Sql(Deed.QUERY, (row,), self.connection.snapshot and self.connection.in_atomic_block)
            found.extend(self.statement(f"SELECT name FROM {TABLES[row]}", step))
        return tuple(found)


Task: TypeAlias = Callable[[Process], None]


class _SerializationFailure(Exception):
    sqlstate = "40001"


def _written(state: Transaction) -> tuple[Row, ...]:
    pending = state.pending()
    return tuple(row for row, model in enumerate(MODELS) if model in pending)


def _recall(engine: Engine) -> Memo:
    memory = engine.memory
    return (
        tuple(sorted(memory._generations._items.items())),
        tuple(sorted(memory._vectors._items.items())),
        tuple(sorted((key.decode(), found) for key, found in engine.dependencies._items.items())),
        tuple((counter, 0) for counter in sorted(engine.unsettled.all())),
        tuple(sorted((key, _kept(copy)) for key, copy in memory.copies._copies.items())),
    )


def _kept(copy: Copy) -> tuple[bytes, object]:
    return copy.mark, cast("Decoded", copy.value).build()


def _remember(engine: Engine, memo: Memo) -> None:
    generations, vectors, dependencies, owed, copies = memo
    engine.memory._generations._items.update(generations)
    engine.memory._vectors._items.update(vectors)
    engine.dependencies._items.update((key.encode(), found) for key, found in dependencies)
    for key, (mark, value) in copies:
        engine.memory.copies.keep(key, Copy(mark, Decoded(partial(_same, value), 1), 1))
    if owed:
        engine.unsettled.owe(counter for counter, _ in owed)


def _same(value: object) -> object:
    """Return a tuple of versions, which nobody can change."""
    return value
