"""Which store to use where no setting names one: what ``CACHES["default"]`` is, natively if that is Redis."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from django.utils.module_loading import import_string

FALLBACK: Final = "django://default"
NATIVE: Final = frozenset({"django.core.cache.backends.redis.RedisCache", "django_redis.cache.RedisCache"})

# How values are written there is no concern of ours: we keep our own keys and bytes.
_IRRELEVANT: Final = frozenset(
    {
        "serializer",
        "compressor",
        "pickle_version",
        "parser_class",
        "pool_class",
        "connection_pool_class",
        "ignore_exceptions",
        "log_ignored_exceptions",
        "max_entries",
        "cull_frequency",
        "close_connection",
        "decode_responses",
        "max_connections",
    }
)
_MAPPED: Final = frozenset({"db", "socket_timeout", "socket_connect_timeout"})
_CREDENTIALS: Final = frozenset({"username", "password"})
_DEFAULT_CLIENT: Final = "django_redis.client.DefaultClient"


def default_url(caches_settings: Mapping[str, Mapping[str, object]]) -> str:
    """Return the URL of the store to use where ``GENSCACHE["STORE"]`` is not set.

    The cache's ``KEY_PREFIX`` and ``VERSION`` do not apply to a native store: the keys have a prefix of their own.

    Args:
        caches_settings: Django's ``CACHES``.

    Returns:
        The native URL of Redis where ``CACHES["default"]`` is one and can be described by a URL exactly, else
        ``"django://default"``.
    """
    settings = caches_settings.get("default", {})
    location = _first_location(settings.get("LOCATION"))
    options = settings.get("OPTIONS") or {}
    if location is None or not isinstance(options, Mapping) or not _is_native(settings.get("BACKEND")):
        return FALLBACK
    return _merged(location, options) or FALLBACK


def _is_native(backend: object) -> bool:
    if not isinstance(backend, str):
        return False
    if backend in NATIVE:
        return True
    try:
        found: object = import_string(backend)
    except ImportError:
        # Django says it better, when the cache is used.
        return False
    parents = found.__mro__ if isinstance(found, type) else ()
    return any(f"{parent.__module__}.{parent.__qualname__}" in NATIVE for parent in parents)


def _first_location(location: object) -> str | None:
    # The first server is the one that both backends write to; the others are its replicas, which may lag.
    if isinstance(location, str):
        location = re.split("[;,]", location)
    if not isinstance(location, Sequence) or not location or not isinstance(location[0], str):
        return None
    first = location[0].strip()
    return first if first.startswith(("redis://", "rediss://", "unix://")) else None


def _merged(location: str, options: Mapping[object, object]) -> str | None:
    """Return ``location`` with what ``options`` add to it, or ``None`` where they say more than a URL can."""
    found: dict[str, str] = {}
    for name, value in options.items():
        key = str(name).lower()
        if key in _IRRELEVANT or (key == "client_class" and value == _DEFAULT_CLIENT):
            continue
        if key not in _MAPPED | _CREDENTIALS or isinstance(value, bool):
            return None
        if isinstance(value, str | int | float):
            found[key] = str(value)
        elif value is not None or key in {"socket_timeout", "socket_connect_timeout"}:
            return None
    try:
        parts = urlsplit(location)
    except ValueError:
        return None
    return _with_options(_with_credentials(parts, found), found)


def _with_credentials(parts: SplitResult, found: Mapping[str, str]) -> SplitResult:
    query = dict(parse_qsl(parts.query))
    # What stands in the URL wins, as it does in the driver.
    username = parts.username or quote(query.get("username", found.get("username", "")), safe="")
    password = parts.password or quote(query.get("password", found.get("password", "")), safe="")
    host = parts.netloc.rpartition("@")[2]
    if not username and not password:
        return parts
    return parts._replace(netloc=f"{username}:{password}@{host}" if password else f"{username}@{host}")


def _with_options(parts: SplitResult, found: Mapping[str, str]) -> str:
    query = dict(parse_qsl(parts.query))
    in_path = parts.scheme != "unix" and unquote(parts.path).strip("/") != ""
    for name in sorted(_MAPPED & found.keys()):
        if not (name == "db" and in_path):
            query.setdefault(name, found[name])
    text = f"{parts.scheme}://{parts.netloc}{parts.path}"
    return f"{text}?{urlencode(query)}" if query else text
