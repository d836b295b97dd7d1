"""From a URL to a pair of stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from genscache.stores.address import is_torn, mask_url
from genscache.stores.base import AsyncStore, Store
from genscache.stores.defaults import default_url
from genscache.stores.fence import Fence
from genscache.stores.memory import AsyncMemoryStore, MemoryStore

__all__ = ["StorePair", "default_url", "open_stores"]

_FORMS: Final = (
    "redis://host:6379/0, rediss://host:6379/0, unix:///path/to/socket?db=0, memory:// or django://alias"
)


@dataclass(frozen=True, slots=True)
class StorePair:
    """One store for both kinds of callers.

    Attributes:
        sync: For synchronous callers.
        asynchronous: For coroutines; sees what ``sync`` sees.
        url_masked: Where it is, without the password.
    """

    sync: Store
    asynchronous: AsyncStore
    url_masked: str


def open_stores(url: str, *, prefix: str, fence: Fence | None = None) -> StorePair:
    """Return the stores at ``url``; nothing is connected yet.

    Args:
        url: ``redis://``, ``rediss://``, ``unix://``, ``memory://`` (with ``?max_bytes=``) or ``django://alias``.
        prefix: What every key of this project begins with; the bump clock is kept at ``<prefix>:1:clock``.
        fence: For a server: how it is noticed that it is not the one that it was; ``None``: it is not. Other stores
            end with their process or are Django's own, and need none.

    Raises:
        ValueError: The URL cannot be understood, or names a cache that does not exist.
    """
    openers: dict[str, Callable[[str, str, Fence | None], StorePair]] = {
        "memory": _memory,
        "redis": _redis,
        "rediss": _redis,
        "unix": _redis,
        "django": _django,
    }
    scheme, separator, _ = url.partition("://")
    opener = openers.get(scheme)
    if opener is None or not separator:
        message = f"{_shown(url)!r} is not the URL of a store. Use {_FORMS}."
        raise ValueError(message)
    return opener(url, prefix, fence)


def _memory(url: str, _prefix: str, _fence: Fence | None) -> StorePair:
    parts = urlsplit(url)
    options: Mapping[str, str] = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.netloc or parts.path.strip("/") or options.keys() - {"max_bytes"}:
        message = f"{_shown(url)!r} says more than a memory store can use. Use memory:// or memory://?max_bytes=67108864."
        raise ValueError(message)
    text = options.get("max_bytes")
    if text is None:
        memory = MemoryStore()
    elif text.isascii() and text.isdigit() and int(text) > 0:
        memory = MemoryStore(max_bytes=int(text))
    else:
        message = (
            f"max_bytes must be a positive number of bytes, got {text!r}. Use memory://?max_bytes=67108864."
        )
        raise ValueError(message)
    return StorePair(memory, AsyncMemoryStore(memory), "memory://")


def _redis(url: str, prefix: str, fence: Fence | None) -> StorePair:
    from genscache.stores.aioredis import AsyncRedisStore  # noqa: PLC0415  only who uses Redis pays for its driver
    from genscache.stores.gate import Gate  # noqa: PLC0415
    from genscache.stores.redis import RedisStore  # noqa: PLC0415

    clock_key = f"{prefix}:1:clock"
    gate = None if fence is None else Gate(fence, clock_key)
    masked = _shown(url)
    try:
        _check_address(url)
        return StorePair(
            RedisStore(url, clock_key=clock_key, gate=gate),
            AsyncRedisStore(url, clock_key=clock_key, gate=gate),
            masked,
        )
    except (ValueError, TypeError) as error:
        message = f"{masked!r} cannot be used: {error} Use a form like redis://user:password@host:6379/0."
        raise ValueError(message) from error


def _check_address(url: str) -> None:
    if is_torn(url):
        # Before anything that shows a part of it: what the driver takes for the port is the password's beginning.
        message = "A / ? # or @ in the password or in an option must be quoted: %2F %3F %23 %40."
        raise ValueError(message)
    parts = urlsplit(url)
    if parts.scheme == "unix":
        if not parts.path:
            message = "There is no path to a socket."
            raise ValueError(message)
        return
    if not parts.hostname:
        message = "There is no host."
        raise ValueError(message)
    if parts.port == 0:
        message = "Port 0 is not a port."
        raise ValueError(message)
    database = parts.path.strip("/")
    # The driver would take anything that is no number for database 0.
    if database and not (database.isascii() and database.isdigit()):
        message = f"{database!r} is not the number of a database."
        raise ValueError(message)


def _django(url: str, _prefix: str, _fence: Fence | None) -> StorePair:
    from django.core.cache import InvalidCacheBackendError  # noqa: PLC0415  the other stores do without Django

    from genscache.stores.django import AsyncDjangoStore, DjangoStore  # noqa: PLC0415

    alias = url.partition("://")[2].rstrip("/")
    try:
        store = DjangoStore(alias)
    except InvalidCacheBackendError as error:
        message = f"{url!r} names the cache {alias!r}, which cannot be used: {error} Add it to CACHES."
        raise ValueError(message) from error
    return StorePair(store, AsyncDjangoStore(store), url)


def _shown(url: str) -> str:
    try:
        return mask_url(url)
    except ValueError:
        # Even what cannot be taken apart must not show a password.
        return f"{url.partition('://')[0]}://***"
