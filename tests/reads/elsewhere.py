"""Doing something in another thread, which has database connections and a context of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from django.db import connections

Result = TypeVar("Result")

PATIENCE = 30.0
"""Seconds until a test that hangs fails instead."""


class Started(Generic[Result]):
    """A call under way in another thread."""

    def __init__(self, action: Callable[[], Result]) -> None:
        self._action = action
        self._result: list[Result] = []
        self._error: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result.append(self._action())
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            self._error.append(error)
        finally:
            connections.close_all()

    def result(self) -> Result:
        """Wait for the end; return the result, or raise what was raised."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the other thread hangs"
        if self._error:
            raise self._error[0]
        return self._result[0]


def elsewhere(action: Callable[[], Result]) -> Result:
    """Do it in another thread, and wait for it."""
    return Started(action).result()


class Gate:
    """A place where a thread waits until the test lets it go on."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._open = threading.Event()

    def stop(self) -> None:
        """Wait here."""
        self._reached.set()
        assert self._open.wait(PATIENCE), "nobody opened the gate"

    def reached(self) -> None:
        """Wait until somebody stands at the gate."""
        assert self._reached.wait(PATIENCE), "nobody came to the gate"

    def open(self) -> None:
        """Let go on."""
        self._open.set()
