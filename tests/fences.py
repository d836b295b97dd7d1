"""Servers that are a moment old, as though they had run for long when the project first came to them."""

from __future__ import annotations

from typing import cast

from redis import Redis

from genscache.keys import KeySpace


def age(url: str, prefix: str) -> None:
    """Put the fence there that a project with ``prefix`` would have made on a server without anything to quarantine."""
    with Redis.from_url(url) as client:
        info = cast("dict[str, str]", client.info("server"))
        client.set(KeySpace(prefix).fence, f"{info['run_id']} 0")
