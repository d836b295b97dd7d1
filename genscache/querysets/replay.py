"""Django's own blocking methods, run by a coroutine: what they evaluate is awaited between two runs of them.

``first()``, ``latest()``, ``in_bulk()`` and their kind build querysets, evaluate one or two, and look at the rows.
Run inside ``awaited``, the first evaluation that has no answer yet stops the method; it is answered, and the method
runs again, now on that answer. So no logic of Django's is copied, and no thread is needed for a hit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TypeVar

Result = TypeVar("Result")

_script: ContextVar[Script | None] = ContextVar("genscache_replay", default=None)


class Unanswered(BaseException):
    """Stops a method at an evaluation; not an ``Exception``, so that nothing on the way takes it for an error."""

    def __init__(self, ask: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self.ask = ask


class Script:
    """The answers so far, in the order in which a method asks for them."""

    def __init__(self) -> None:
        self._answers: list[object] = []
        self._next = 0

    def rewind(self) -> None:
        """Begin the next run."""
        self._next = 0

    def take(self, ask: Callable[[], Awaitable[object]]) -> object:
        """Return the next answer.

        Raises:
            Unanswered: There is none yet.
        """
        if self._next == len(self._answers):
            raise Unanswered(ask)
        self._next += 1
        return self._answers[self._next - 1]

    def add(self, answer: object) -> None:
        """Add what an evaluation was answered."""
        self._answers.append(answer)


def current_script() -> Script | None:
    """Return the script of the method that is being run, ``None`` outside of one."""
    return _script.get()


def first_question(method: Callable[[], object]) -> Callable[[], Awaitable[object]] | None:
    """Return what ``method``, a blocking method of a queryset, would evaluate first; ``None``: nothing."""
    token = _script.set(Script())
    try:
        method()
    except Unanswered as question:
        return question.ask
    finally:
        _script.reset(token)
    return None


async def awaited(method: Callable[[], Result]) -> Result:
    """Run ``method``, a blocking method of a queryset, awaiting whatever it evaluates."""
    script = Script()
    while True:
        script.rewind()
        token = _script.set(script)
        try:
            return method()
        except Unanswered as question:
            ask = question.ask
        finally:
            _script.reset(token)
        script.add(await ask())
