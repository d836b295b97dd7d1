"""A Django project made on the spot: SQLite in a directory that goes with it, and the store that was asked for."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, cast

import django
from django.apps import apps
from django.conf import settings  # noqa: TID251 - a project of its own: it makes settings and reads none
from django.db import connections

from genscache.apps import GenscacheConfig
from genscache.conf import Settings
from genscache.demo.counting import CountingStore
from genscache.engine import Engine
from genscache.exceptions import StoreError
from genscache.keys import SITE
from genscache.stores.address import mask_url
from genscache.stores.base import Bump, Ensure
from genscache.stores.opening import StorePair, open_stores

MEMORY: Final = "memory://?max_bytes=402653184"
"""Room for 100 000 entries and their counters: 384 MiB at most, about 80 of which are used."""

SCHEMES: Final = ("memory", "redis", "rediss", "unix")


class BadStore(Exception):
    """The store cannot be used; the message shows which, why, and the cure."""


@contextmanager
def project(url: str | None) -> Iterator[CountingStore]:
    """Set up Django with the demo's app; on the way out, remove every file and every key that was made.

    Args:
        url: The store's URL; ``None``: the memory of this process.

    Raises:
        BadStore: The URL cannot be understood, or nothing that can be used answers there.
    """
    prefix = f"gcdemo.{secrets.token_hex(4)}"
    # A memory store has less room unless it is told: the same room by its short name as by none.
    wanted = MEMORY if url is None or url == "memory://" else url
    pair = _open(wanted, prefix)
    with tempfile.TemporaryDirectory(prefix="genscache-demo-", ignore_cleanup_errors=True) as directory:
        _configure(Path(directory, "newsroom.sqlite3"), wanted, prefix)
        config = cast("GenscacheConfig", apps.get_app_config("genscache"))
        loaded = Settings.load()
        store = CountingStore(pair.sync, remember=pair.sync.capabilities.shared)
        config.engine = Engine(loaded, store=store, async_store=pair.asynchronous)
        try:
            _probe(store, config.engine)
            yield store
        finally:
            connections.close_all()
            _leave_nothing(store, config.engine)


def _open(url: str, prefix: str) -> StorePair:
    scheme, separator, _ = url.partition("://")
    # A Django cache would need a project's CACHES, and the demo is a project of its own.
    if not separator or scheme not in SCHEMES:
        raise BadStore(
            f"--store cannot be {_shown(url)!r}. Use redis://127.0.0.1:6379/0, rediss://... or unix:///socket, "
            "or leave --store out for the memory of this process."
        )
    try:
        return open_stores(url, prefix=prefix)
    except ValueError as error:
        raise BadStore(f"--store: {error}") from error


def _shown(url: str) -> str:
    """Return a URL without its password, also if it can be no URL at all."""
    try:
        return mask_url(url)
    except ValueError:
        return f"{url.partition('://')[0]}://***"


def _configure(database: Path, url: str, prefix: str) -> None:
    # WAL lets the race's reader and writer work at the same time; nothing here has to survive a power cut.
    options = {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF", "timeout": 20}
    settings.configure(
        INSTALLED_APPS=["genscache", "genscache.demo.newsroom"],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database), "OPTIONS": options}
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY=secrets.token_hex(32),
        USE_TZ=True,
        GENSCACHE={"STORE": url, "PREFIX": prefix},
    )
    django.setup()


def _probe(store: CountingStore, engine: Engine) -> None:
    """Create one counter and bump it: a server that refuses writes is found out before anything else is done.

    It also teaches a new server these steps, which it would otherwise ask for in a second round trip later.
    """
    site = (engine.keys.counter(SITE),)
    try:
        store.execute(Ensure(site))
        store.execute(Bump(site))
    except StoreError as error:
        raise BadStore(
            f"{error} Start a server there (valkey-server or redis-server), give the URL of another one, "
            "or leave --store out for the memory of this process."
        ) from error


def _leave_nothing(store: CountingStore, engine: Engine) -> None:
    """Take away what was made on a server: counters live for weeks, and the clock has no end at all."""
    # If the server has gone, there is nobody left to tell.
    with suppress(StoreError):
        store.unlink_all((engine.keys.clock,))
    engine.close()
