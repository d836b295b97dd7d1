"""What ``manage.py genscache stats`` tells: the store, the settings in force, the models, and this process's counts."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, fields

from django.apps import apps

from genscache.engine import Engine
from genscache.exceptions import StoreError
from genscache.explanations import moment_of
from genscache.keys import SITE
from genscache.policies import OPS, ModelPolicy
from genscache.stores.base import Fetch, ReadClock
from genscache.types import NO_GENERATION

ROUND_TRIPS = 5
"""How often the store is asked; the quickest answer counts."""

Report = dict[str, object]


def whole_report(engine: Engine) -> Report:
    """Return everything, as plain values that ``json`` takes."""
    return {
        "store": store_report(engine),
        "settings": settings_report(engine),
        "models": models_report(engine),
        "process": process_report(engine),
    }


def store_report(engine: Engine) -> Report:
    """Tell what the store promises and whether it answers; nothing is written and no key is looked for."""
    capabilities = engine.store.capabilities
    promises = asdict(capabilities)
    # The name is the URL without its password.
    found: Report = {"url": promises.pop("name"), **promises, "reachable": True, "error": None}
    site = engine.keys.counter(SITE)
    best = float("inf")
    try:
        for _ in range(ROUND_TRIPS):
            began = time.perf_counter()
            state = engine.store.execute(Fetch((site,))).states[0]
            best = min(best, time.perf_counter() - began)
        clock = engine.store.execute(ReadClock())
    except StoreError as error:
        return {**found, "reachable": False, "error": str(error)}
    bumped = None if state is None or not state.generation else moment_of(state.generation)
    last = moment_of(clock) if clock != NO_GENERATION else None
    return {
        **found,
        "latency_ms": round(best * 1000, 3),
        "clock": None if last is None else last.isoformat(),
        "everything_invalidated_at": None if bumped is None else bumped.isoformat(),
    }


def settings_report(engine: Engine) -> Report:
    """Return the settings in force by their names; passwords are masked, and functions are named."""
    found: Report = {}
    for item in fields(engine.settings):
        value = getattr(engine.settings, item.name)
        found[item.name.upper()] = _plain(value)
    # As the user writes it.
    found["MODELS"] = {
        pattern: {"cache" if key == "ops" else key: _plain(value) for key, value in given.items()}
        for pattern, given in engine.settings.models.items()
    }
    found["STORE"] = engine.store.capabilities.name
    return found


def models_report(engine: Engine) -> Report:
    """Tell which models' queries are cached by themselves, and which tables are not tracked."""
    policies: dict[str, object] = {}
    for model in apps.get_models(include_auto_created=True):
        policy = engine.policy(model)
        if policy != ModelPolicy():
            policies[model._meta.label] = {
                "cache": [op for op in OPS if op in policy.ops],
                "timeout": engine.settings.timeout if policy.timeout is None else policy.timeout,
                "lock": policy.lock,
                "match": [list(each) for each in policy.match],
            }
    tables = engine.catalog.tables.values()
    return {
        "tracked": sum(each.tracked for each in tables),
        "untracked": sorted(each.label for each in tables if not each.tracked),
        "policies": policies,
    }


def process_report(engine: Engine) -> Report:
    """Return the counts of this process, which in a command of its own has read nothing."""
    counts = engine.hub.counts()
    reads = sum(counts.get(outcome, 0) for outcome in ("hit", "miss", "bypass"))
    ratio = round(counts.get("hit", 0) / reads, 4) if reads else None
    return {"pid": os.getpid(), "reads": reads, "hit_ratio": ratio, "counts": counts}


def _plain(value: object) -> object:
    """Return a setting as something that ``json`` takes."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return sorted((_plain(each) for each in value), key=str)
    if callable(value):
        return f"{value.__module__}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return str(value)
