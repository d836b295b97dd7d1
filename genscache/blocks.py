"""Blocks for ``with`` and ``async with`` that are decorators, too, of functions and of coroutine functions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


class Block(ABC):
    """One block; as a decorator, a new one for each call, so that threads and tasks may call at the same time."""

    @abstractmethod
    def __enter__(self) -> Self:
        """Begin."""

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End."""

    async def __aenter__(self) -> Self:
        """Begin in a coroutine."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End in a coroutine."""
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or a coroutine function."""
        if iscoroutinefunction(function):

            @wraps(function)
            async def arun(*args: P.args, **kwargs: P.kwargs) -> object:
                async with self._another():
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", arun)

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._another():
                return function(*args, **kwargs)

        return run

    def _another(self) -> Self:
        """Return a block of the same kind, for one call."""
        return type(self)()
