"""Bumps that could not be delivered: kept, sent again, and a reason to trust nothing until then."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping

RETRY_AFTER = 1.0
"""Seconds between two attempts to deliver."""


class Unsettled:
    """The counters that still owe a bump, each with the number of the failure that it is owed for."""

    def __init__(self) -> None:
        self._owed: dict[str, int] = {}
        self._serial = 0
        self._next = 0.0
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        """Tell whether anything is owed."""
        return bool(self._owed)

    def owe(self, counters: Iterable[str]) -> None:
        """Keep bumps that failed."""
        with self._lock:
            self._serial += 1
            self._owed.update(dict.fromkeys(counters, self._serial))
            self._next = time.monotonic() + RETRY_AFTER

    def due(self) -> Mapping[str, int]:
        """Return what to deliver now, nothing if the last attempt was a moment ago."""
        if not self._owed:
            return {}
        with self._lock:
            if time.monotonic() < self._next:
                return {}
            self._next = time.monotonic() + RETRY_AFTER
            return dict(self._owed)

    def all(self) -> Mapping[str, int]:
        """Return everything that is owed."""
        with self._lock:
            return dict(self._owed)

    def delivered(self, attempt: Mapping[str, int]) -> None:
        """Strike out what an attempt has bumped.

        What a later failure owes stays: that write may have committed after the attempt's bump.
        """
        with self._lock:
            for counter, serial in attempt.items():
                if self._owed.get(counter) == serial:
                    del self._owed[counter]
