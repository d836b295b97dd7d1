"""Whether a read may use the cache, may only be served from it, or must go to the database; and why."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from django.db.backends.base.base import BaseDatabaseWrapper

from genscache import isolation, sessions
from genscache.batches import open_batch
from genscache.blocks import Block
from genscache.engine import Engine
from genscache.keys import Namespace
from genscache.transactions import Transaction, in_transaction, is_quiet, open_transactions, own_connections
from genscache.types import Generation, Mode

OFF = 'the cache is switched off (GENSCACHE["ENABLED"])'
ASKED = "bypass() was asked for"
OWN_WRITES = "this transaction has written to what it depends on"
IN_BATCH = "the open batch has invalidated what it depends on"
WROTE = "this transaction has written: nothing is stored before its end"
SHADOW = "an audit asks the database"
UNREACHABLE = "the store cannot be reached"
OWED = "bumps are owed to the store, so it is not trusted"
NO_CLOCK = "the transaction reads a snapshot, and the store's clock before it is not known"
NOT_FIXED = "the transaction has not taken its snapshot yet"
PINNED = "an unfinished SELECT (an open iterator or cursor) pins an old snapshot of SQLite"

P = ParamSpec("P")
R = TypeVar("R")

bypassing: ContextVar[bool] = ContextVar("genscache_bypass", default=False)
_shadowing: ContextVar[bool] = ContextVar("genscache_shadow", default=False)


@contextmanager
def shadowing() -> Iterator[None]:
    """Let every read in the block go to the database, for an audit: it counts nowhere."""
    token = _shadowing.set(True)
    try:
        yield
    finally:
        _shadowing.reset(token)


class bypass(Block):  # noqa: N801 - used as a function
    """Let every read in the block, or in the decorated function, go to the database; nothing is stored either.

    A block (``with`` or ``async with``), or a decorator of a function or of a coroutine function.
    """

    def __init__(self) -> None:
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> Self:
        """Begin to bypass."""
        self._tokens.append(bypassing.set(True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Do what was done before."""
        bypassing.reset(self._tokens.pop())


@dataclass(frozen=True, slots=True)
class Decision:
    """What a read may do.

    Attributes:
        mode: Use the cache, only be served from it, or neither.
        reason: Why not all of it.
        not_after: Generations younger than this may not be used; ``None``: any may.
    """

    mode: Mode
    reason: str = ""
    not_after: Generation | None = None


USE = Decision(Mode.USE)
"""Nothing stands in the way."""


def decide(engine: Engine, namespaces: Collection[Namespace], *, looking: bool = False) -> Decision:
    """Say what a read that depends on ``namespaces`` may do, here and now.

    Args:
        engine: The engine.
        namespaces: What the read depends on.
        looking: There will be no read: open transactions stay as they are, and take no snapshot for it.
    """
    reason = switched_off(engine) or _owed(engine, namespaces)
    own = () if reason else own_connections()
    if not reason and is_quiet(own) and not sessions.is_waited_for():
        return USE
    reason = reason or sessions.forbidden(engine, own)
    if reason:
        return Decision(Mode.BYPASS, reason)
    decision = USE
    for connection, state in open_transactions(own):
        reason = _blocked(connection, state, namespaces)
        if reason:
            return Decision(Mode.BYPASS, reason)
        if looking:
            snapshot, clock, fixed = isolation.foresee(engine, connection, state)
        else:
            fixed = isolation.fixed(engine, connection, state) if in_transaction(connection, state) else True
            snapshot, clock = state.snapshot, state.clock
        if in_transaction(connection, state) and not fixed:
            return Decision(Mode.BYPASS, NOT_FIXED)
        if snapshot and clock is None:
            return Decision(Mode.BYPASS, NO_CLOCK)
        decision = _narrowed(decision, state, clock if snapshot else None)
    return decision


def may_fill() -> str:
    """Say why nothing may be stored now, after the result was computed; empty where it may."""
    for _, state in open_transactions():
        if state.wrote:
            return WROTE
    return ""


def switched_off(engine: Engine) -> str:
    """Say why no read may use the cache at all; empty where they may."""
    if not engine.settings.enabled:
        return OFF
    if _shadowing.get():
        return SHADOW
    if bypassing.get():
        return ASKED
    return "" if engine.breaker.outage is None else UNREACHABLE


def _owed(engine: Engine, namespaces: Collection[Namespace]) -> str:
    """Say which bumps on their way keep a read from the cache; empty where none do."""
    if engine.unsettled:
        return OWED
    batch = open_batch()
    if batch is not None and batch.touches(namespaces):
        return IN_BATCH
    return ""


def _blocked(connection: BaseDatabaseWrapper, state: Transaction, namespaces: Collection[Namespace]) -> str:
    """Say why an open transaction keeps a read from the cache."""
    if state.touches(namespaces):
        return OWN_WRITES
    return PINNED if connection.vendor == "sqlite" and state.pinned else ""


def _narrowed(decision: Decision, state: Transaction, clock: Generation | None) -> Decision:
    """Add what one open transaction asks for to a decision; ``clock``: before its snapshot, if it reads one."""
    not_after = decision.not_after
    if clock is not None:
        not_after = clock if not_after is None else min(not_after, clock)
    if state.wrote:
        return Decision(Mode.READ_ONLY, WROTE, not_after)
    return Decision(decision.mode, decision.reason, not_after)
