"""What the Redis driver raises, as what genscache raises: the one place where driver errors end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis import exceptions as driver

from genscache.exceptions import StoreError, StoreUnavailable

# Server answers that mean "not now" or "not here", as opposed to "not like this". Redis 6.2 puts them in the middle of
# the message of a step that failed, later servers in front.
_UNAVAILABLE: Final = re.compile(
    r"(?:^|[\s-])(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|BUSY|TRYAGAIN|NOAUTH|WRONGPASS|UNBLOCKED)\b"
)
_WORDS: Final = re.compile(r"(with args beginning with:).*", re.DOTALL)
_CURES: Final = (
    ("OOM", "Give the server more memory, or the eviction policy volatile-lru."),
    ("NOPERM", "Give the user the rights that docs/reference/stores.md lists."),
    ("MOVED", "Point STORE at a standalone server: this one is a node of a cluster."),
    ("CROSSSLOT", "Point STORE at a standalone server: this one is a node of a cluster."),
)


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn the driver's errors into ours, the driver's kept as the cause.

    Args:
        url: The store's address, already masked.

    Raises:
        StoreUnavailable: No connection, no answer in time, refused credentials, or a server that does not serve now.
        StoreError: The server answered with any other error.
    """
    try:
        yield
    except StoreError:
        raise
    except (
        driver.ConnectionError,
        driver.TimeoutError,
        driver.ReadOnlyError,
        OSError,
        TimeoutError,
    ) as error:
        message = f"The store at {url} cannot be used now: {_told(error)}. Check that it runs and that STORE is right."
        raise StoreUnavailable(message) from error
    except driver.RedisError as error:
        raise _answered(url, error) from error


def _answered(url: str, error: driver.RedisError) -> StoreError:
    text = _told(error)
    if _UNAVAILABLE.search(text) or isinstance(error, driver.ClusterDownError | driver.TryAgainError):
        return StoreUnavailable(f"The store at {url} does not serve now: {text}")
    for code, cure in _CURES:
        if _names(error, code, text):
            return StoreError(f"The store at {url} answered: {text} {cure}")
    return StoreError(f"The store at {url} answered: {text}")


def _told(error: BaseException) -> str:
    """Return the text of an error without the words of a command that the server does not know: AUTH's password."""
    return _WORDS.sub(r"\1 ***", str(error))


def _names(error: driver.RedisError, code: str, text: str) -> bool:
    # The driver cuts the code off the message where it has a class for it.
    classes: dict[str, type[driver.RedisError]] = {
        "OOM": driver.OutOfMemoryError,
        "NOPERM": driver.NoPermissionError,
        "MOVED": driver.AskError,
        "CROSSSLOT": driver.ClusterCrossSlotError,
    }
    return isinstance(error, classes[code]) or re.search(rf"(?:^|[\s-]){code}\b", text) is not None
