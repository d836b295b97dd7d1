"""What a Django cache raises, as what genscache raises: the one place where its errors end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import InterfaceError, OperationalError

from genscache.exceptions import StoreError, StoreUnavailable

# Drivers are many and optional, so their classes are known by name and not imported.
_OUTAGES: Final = (
    "ConnectionError",
    "TimeoutError",
    "ConnectionInterrupted",
    "MemcacheError",
    "BusyLoadingError",
)


@contextmanager
def cache_errors(alias: str) -> Iterator[None]:
    """Turn whatever a cache backend raises into ours, its own kept as the cause.

    Args:
        alias: The cache's name in ``CACHES``.

    Raises:
        StoreUnavailable: The backend cannot be reached, or not in time.
        StoreError: It failed in any other way.
    """
    try:
        yield
    except StoreError:
        raise
    except Exception as error:  # backends raise what they like, and none of it may reach a reader
        kind = StoreUnavailable if _is_outage(error) else StoreError
        message = (
            f"The cache {alias!r} failed: {type(error).__name__}: {error}. Check its server and its settings."
        )
        raise kind(message) from error


def _is_outage(error: Exception) -> bool:
    if isinstance(error, OSError | OperationalError | InterfaceError):
        return True
    return any(parent.__name__ in _OUTAGES for parent in type(error).__mro__)
