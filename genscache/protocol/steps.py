"""What a protocol generator is, and the two drivers that run one against a store."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from genscache.stores.base import AsyncStore, Operation, Store

Result = TypeVar("Result")

# The type of an answer depends on the operation that was yielded, which a generator's type cannot say.
Steps: TypeAlias = Generator[Operation[Any], Any, Result]


class Local(Operation[Result]):
    """A step that the driver does itself, in the way of its kind: blocking or awaiting."""

    __slots__ = ()

    @abstractmethod
    def perform(self) -> Result:
        """Do it in a thread."""

    @abstractmethod
    async def aperform(self) -> Result:
        """Do it in a coroutine."""


@dataclass(frozen=True, slots=True)
class Pause(Local[None]):
    """Wait ``seconds`` before the next step."""

    seconds: float

    def perform(self) -> None:
        """Let the thread sleep."""
        time.sleep(self.seconds)

    async def aperform(self) -> None:
        """Let the task sleep."""
        await asyncio.sleep(self.seconds)


def run(steps: Steps[Result], store: Store) -> Result:
    """Drive ``steps`` to its end against ``store``.

    Whatever a step raises, KeyboardInterrupt included, is raised inside the generator, which decides what it means.
    """
    try:
        operation = next(steps)
        while True:
            try:
                answer = operation.perform() if isinstance(operation, Local) else store.execute(operation)
            except BaseException as error:  # noqa: BLE001 - the generator decides
                operation = steps.throw(error)
            else:
                operation = steps.send(answer)
    except StopIteration as stop:
        result: Result = stop.value
        return result


async def arun(steps: Steps[Result], store: AsyncStore) -> Result:
    """Drive ``steps`` to its end in a coroutine; a cancellation is raised inside the generator, too."""
    try:
        operation = next(steps)
        while True:
            try:
                answer = (
                    await operation.aperform()
                    if isinstance(operation, Local)
                    else await store.execute(operation)
                )
            except GeneratorExit:
                # The coroutine is being closed and may not await any more.
                steps.close()
                raise
            except BaseException as error:  # noqa: BLE001 - the generator decides
                operation = steps.throw(error)
            else:
                operation = steps.send(answer)
    except StopIteration as stop:
        result: Result = stop.value
        return result
