"""System checks: what is configured, and in words what the store cannot promise."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's own names
from django.core.exceptions import ImproperlyConfigured

from genscache.dependencies import resolve_model
from genscache.engine import Engine, current_engine
from genscache.exceptions import InvalidNamespace
from genscache.stores.base import Capabilities


def check_engine(**_: object) -> list[CheckMessage]:
    """Check the settings and the store's capabilities; nothing is connected."""
    try:
        engine = current_engine()
        capabilities = engine.store.capabilities
    except ImproperlyConfigured as error:
        return [Error(str(error), id="genscache.E001")]
    return [*_capabilities(engine, capabilities), *_database(capabilities), *_settings(engine)]


def _capabilities(engine: Engine, capabilities: Capabilities) -> Iterator[CheckMessage]:
    name = capabilities.name
    if not capabilities.shared:
        yield Warning(
            f"The store {name} belongs to one process: an invalidation does not reach the others.",
            hint='With several processes, set GENSCACHE = {"STORE": "redis://..."} or a shared CACHES["default"].',
            id="genscache.W001",
        )
    if not capabilities.leases and engine.settings.lease > 0:
        yield Warning(
            f"The store {name} has no write leases: a process that is killed between COMMIT and its invalidation "
            "leaves stale entries until they expire, and a reader may see a write before the cache does.",
            hint='Use Redis or Valkey, or accept it and set GENSCACHE = {"LEASE": 0}.',
            id="genscache.W002",
        )
    if not capabilities.ordered:
        yield Warning(
            f"The store {name} keeps no common clock: transactions that read a snapshot (REPEATABLE READ, "
            "SERIALIZABLE, every transaction of SQLite) do without the cache.",
            hint="Use Redis or Valkey.",
            id="genscache.W003",
        )


def _database(capabilities: Capabilities) -> Iterator[CheckMessage]:
    if capabilities.database is not None:
        yield Warning(
            f'The store {capabilities.name} is a table of the database "{capabilities.database}": inside its '
            "transactions nothing is cached, and what they write is invalidated a moment after COMMIT.",
            hint="Route the cache table to a database alias of its own, or use Redis or Valkey.",
            id="genscache.W006",
        )


def _settings(engine: Engine) -> Iterator[CheckMessage]:
    for name, sources in engine.settings.derived.items():
        for source in (name.removesuffix("()"), *sources):
            if source.count(".") != 1:
                continue
            try:
                resolve_model(source)
            except InvalidNamespace as error:
                yield Warning(
                    f'GENSCACHE["DERIVED"]["{name}"]: {error}',
                    hint="It is taken for a table with a schema.",
                    id="genscache.W004",
                )
    if not engine.settings.sign:
        yield Warning(
            "Entries are not signed: whoever can write to the store can forge results.",
            hint='Remove GENSCACHE["SIGN"]; a signature costs a few microseconds.',
            id="genscache.W005",
        )
