"""Addresses of stores as they may be shown."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

_SECRETS: Final = frozenset({"password", "ssl_password"})


def is_torn(url: str) -> bool:
    """Tell whether an unquoted ``/``, ``?`` or ``#`` in a password ends the address before its host."""
    parts = urlsplit(url)
    return bool(parts.netloc) and "@" in f"{parts.path}{parts.query}{parts.fragment}"


def mask_url(url: str) -> str:
    """Return ``url`` with the password in it, wherever it stands, replaced by ``***``.

    Args:
        url: The address of a store, as in ``GENSCACHE["STORE"]``.

    Raises:
        ValueError: It cannot be taken apart; what it holds must not be shown then.
    """
    parts = urlsplit(url)
    if is_torn(url):
        # Where the password ends is anybody's guess.
        return f"{parts.scheme}://***@{url.rpartition('@')[2]}"
    userinfo, at, host = parts.netloc.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    shown = f"{parts.scheme}://{user}{colon and ':***'}{at}{host}{parts.path}" if "://" in url else parts.path
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    masked = [(name, "***" if name.lower() in _SECRETS else value) for name, value in pairs]
    return f"{shown}?{urlencode(masked, safe='*/')}" if masked else shown
