"""``snapshot()``: a block in which what was asked once is answered again without asking the store.

That is less than the promise which holds everywhere else, and so it has to be asked for: a write of somebody else that
returns while the block runs is not seen by a question that the block has asked before. A write of its own is, and so
is every invalidation that it asks for: whatever was kept until then is forgotten.
"""

from __future__ import annotations

import time
from contextvars import ContextVar, Token
from datetime import timedelta
from types import TracebackType
from typing import Final, NamedTuple, ParamSpec, Self, TypeVar, cast

from genscache import conf
from genscache.blocks import Block
from genscache.codec import Decoded, Unreadable
from genscache.engine import Engine, current_engine
from genscache.keys import Namespace
from genscache.protocol.memory import Copies, Copy
from genscache.types import MISSING

LONGEST: Final = 10.0
"""Seconds for which an answer is kept where ``snapshot()`` is not told: a block may last for longer than a request."""

P = ParamSpec("P")
R = TypeVar("R")

_current: ContextVar[Snapshot | None] = ContextVar("genscache_snapshot", default=None)


class Kept(NamedTuple):
    """An answer.

    Attributes:
        namespaces: What it depends on, as the reader has them.
        until: When it is too old, on the monotonic clock.
        decoded: What builds it.
        sealed: Its key and payload instead, where it was computed in the block and has not been asked for again.
    """

    namespaces: tuple[Namespace, ...]
    until: float
    decoded: Decoded | None
    sealed: tuple[str, bytes] | None


class Snapshot:
    """The answers of one block; tasks and threads to which its context goes share it.

    Args:
        engine: Whose answers they are.
        max_age: Seconds for which one is kept.

    Attributes:
        epoch: Grows with each write of the block's own: a read that began before one must not be kept.
    """

    def __init__(self, engine: Engine, max_age: float) -> None:
        self.epoch = 0
        self._engine = engine
        self._max_age = max_age
        self._answers: Copies[bytes] = Copies(engine.settings.local_bytes)

    def again(self, engine: Engine, identity: bytes, namespaces: tuple[Namespace, ...]) -> object:
        """Return the answer that was given before, made anew; ``MISSING``: the store is to be asked.

        Args:
            engine: Who asks.
            identity: What tells the question from others.
            namespaces: What the answer depends on, as far as is known now.
        """
        answers = self._answers
        found = answers.get(identity)
        if found is None or engine is not self._engine:
            return MISSING
        kept = cast("Kept", found.value)
        if kept.namespaces != namespaces or kept.until < time.monotonic():
            return MISSING
        decoded = kept.decoded
        if decoded is None and kept.sealed is not None:
            key, payload = kept.sealed
            parsed = engine.codec.parse(payload, key=key)
            if isinstance(parsed, Unreadable):
                return MISSING
            decoded = parsed
            answers.keep(identity, Copy(b"", kept._replace(decoded=parsed, sealed=None), parsed.size))
        value = MISSING if decoded is None else decoded.build()
        return MISSING if isinstance(value, Unreadable) else value

    def keep(
        self,
        identity: bytes,
        namespaces: tuple[Namespace, ...],
        content: Decoded | tuple[str, bytes],
        *,
        epoch: int,
    ) -> None:
        """Keep an answer, unless a write of the block's own has come since the read began.

        Args:
            identity: What tells the question from others.
            namespaces: What the answer depends on.
            content: What builds it, or its key and payload.
            epoch: When the read began.
        """
        # Before the epoch: what is forgotten between the two lines takes these answers with it.
        answers = self._answers
        until = time.monotonic() + self._max_age
        if isinstance(content, tuple):
            kept, size = Kept(namespaces, until, None, content), len(content[1])
        else:
            kept, size = Kept(namespaces, until, content, None), content.size
        if answers.room and epoch == self.epoch:
            answers.keep(identity, Copy(b"", kept, size))

    def forget(self) -> None:
        """Keep nothing of what was read until now."""
        self.epoch += 1
        self._answers = Copies(self._answers.room)


class snapshot(Block):  # noqa: N801 - used as a function
    """Answer a question that was asked in the block before as it was answered then, without asking the store again.

    A block (``with`` or ``async with``), or a decorator of a function or of a coroutine function; one in another is
    one block. Writes and invalidations of the block itself are seen at once; those of others only by questions that
    the block has not asked yet, or has asked ``max_age`` ago. Inside a transaction that reads a snapshot of the
    database, inside a cached function and under ``bypass()`` it does nothing.

    Args:
        max_age: Seconds, or a ``timedelta``, after which the store is asked again.

    Raises:
        ValueError: ``max_age`` is negative or too long.
    """

    def __init__(self, max_age: float | timedelta = LONGEST) -> None:
        self._max_age = conf.seconds("max_age", max_age)
        self._tokens: list[Token[Snapshot | None]] = []

    def __enter__(self) -> Self:
        """Begin to keep answers."""
        self._tokens.append(_current.set(_current.get() or Snapshot(current_engine(), self._max_age)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Forget them, unless this was a block in a block."""
        _current.reset(self._tokens.pop())

    def _another(self) -> Self:
        return type(self)(self._max_age)


def current_snapshot() -> Snapshot | None:
    """Return the block in which this context runs."""
    return _current.get()


def wrote() -> None:
    """Note that this context has written or invalidated something."""
    found = _current.get()
    if found is not None:
        found.forget()
