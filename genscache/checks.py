"""System checks: what is configured, and in words what the store cannot promise."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from fnmatch import fnmatchcase

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's own names
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from genscache.dependencies import resolve_model
from genscache.engine import Engine, current_engine
from genscache.exceptions import InvalidNamespace
from genscache.match_settings import refusals
from genscache.orm.enforcing import SHORTEST_COUNTED, enforceable
from genscache.querysets.adoption import OFFERED, is_offered
from genscache.stores.base import Capabilities

TENANT_BACKENDS = ("django_tenants", "tenant_schemas", "django_pgschemas")
"""Packages whose connections set ``search_path`` on the driver's own cursor, which nobody watches."""


def check_engine(**_: object) -> list[CheckMessage]:
    """Check the settings and the store's capabilities; nothing is connected."""
    try:
        engine = current_engine()
        capabilities = engine.store.capabilities
    except ImproperlyConfigured as error:
        return [Error(str(error), id="genscache.E001")]
    return [
        *_capabilities(engine, capabilities),
        *_database(capabilities),
        *_settings(engine),
        *_models(engine),
        *_managers(),
        *_databases(engine),
        *_proofs(engine, capabilities),
    ]


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


def _models(engine: Engine) -> Iterator[CheckMessage]:
    for message in refusals(engine.settings):
        yield Error(message, id="genscache.E002")
    labels = {model._meta.label.casefold(): model._meta.label for model in apps.get_models()}
    for pattern in engine.settings.models:
        if any(fnmatchcase(label, pattern.casefold()) for label in labels):
            continue
        near = difflib.get_close_matches(pattern.casefold(), labels, n=1, cutoff=0.5)
        yield Warning(
            f'GENSCACHE["MODELS"]["{pattern}"] fits no installed model, so nothing is cached because of it.',
            hint=f'Did you mean "{labels[near[0]]}"?' if near else 'Write "app.Model", "app.*" or "*".',
            id="genscache.W007",
        )


def _managers() -> Iterator[CheckMessage]:
    for model in apps.get_models():
        for manager in model._meta.managers:
            taken = [name for name in OFFERED if not is_offered(manager, name)]
            if taken:
                names = " and ".join(f".{name}()" for name in taken)
                yield Warning(
                    f"The manager {manager.name!r} of {model._meta.label} has an attribute of its own named "
                    f"{', '.join(map(repr, taken))}, which stays: it has no {names} of genscache.",
                    hint=f"Write {model.__name__}.{manager.name}.all().{taken[0]}(), or rename the attribute.",
                    obj=model,
                    id="genscache.W008",
                )


def _databases(engine: Engine) -> Iterator[CheckMessage]:
    for alias, replica in engine.settings.replicas.items():
        vendors = {connections[each].vendor for each in (alias, replica.primary)}
        if replica.guard == "position" and vendors != {"postgresql"}:
            yield Warning(
                f'GENSCACHE["REPLICAS"]["{alias}"]["guard"] is "position", which only PostgreSQL tells, and this is '
                f"{' and '.join(sorted(vendors))}: nothing that is read there is stored.",
                hint=f'Write {{"primary": "{replica.primary}", "max_lag": 30}}.',
                id="genscache.W009",
            )
    for alias, settings in connections.settings.items():
        if (
            engine.settings.key_context is None
            and str(settings.get("ENGINE")).split(".")[0] in TENANT_BACKENDS
        ):
            yield Warning(
                f'The database "{alias}" changes its schema with each tenant, where genscache cannot see it: one '
                "tenant would be served what was stored for another.",
                hint='Set GENSCACHE["KEY_CONTEXT"] to a function that returns connection.schema_name.',
                id="genscache.W010",
            )


def _proofs(engine: Engine, capabilities: Capabilities) -> Iterator[CheckMessage]:
    leases = capabilities.leases and engine.settings.lease > 0
    can = any(enforceable(connections[alias], engine.settings.lease) for alias in connections)
    if engine.settings.enforce_leases and not (leases and can):
        yield Warning(
            'GENSCACHE["ENFORCE_LEASES"] makes no difference: '
            + (
                f'no database is PostgreSQL, nor MariaDB with a "LEASE" of at least {SHORTEST_COUNTED:g} seconds.'
                if leases
                else "no leases are taken."
            ),
            hint="Remove it.",
            id="genscache.W011",
        )
    if engine.settings.audit and not leases:
        yield Warning(
            'GENSCACHE["AUDIT"] can prove no violation: without leases a write may be between COMMIT and bump.',
            hint="Use Redis or Valkey, with leases.",
            id="genscache.W012",
        )
