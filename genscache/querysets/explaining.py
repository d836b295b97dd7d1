"""What one evaluation of a queryset would ask of the store, or why it would not: for ``explain``, asking nothing."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from django.db import models
from django.db.models.query import QuerySet, RawQuerySet

from genscache.engine import Engine
from genscache.exceptions import UncacheableArgument
from genscache.filling import Job
from genscache.guards import switched_off
from genscache.policies import OPS, Op, fitting
from genscache.querysets.options import NEVER, Caching, inherited
from genscache.querysets.plans import NOTHING
from genscache.querysets.queryset import CachedQuerySet
from genscache.querysets.raw import CachedRawQuerySet
from genscache.querysets.replay import first_question
from genscache.querysets.subjects import Asked, job

METHODS: Final = ("first", "last", "earliest", "latest", "in_bulk", "contains")
"""Methods that ask for rows or for existence in their own way."""

UNAWARE = "this queryset knows no cache: it was not made by a manager of an installed model"
NOCACHE = ".nocache() was called"
RAW = "a raw queryset is cached only where .cache() was called"
HISTORIC = "its model belongs to a migration"


@dataclass(frozen=True, slots=True)
class Asking:
    """One evaluation.

    Attributes:
        what: What events call it.
        reason: Why it would not be cached; empty where it would.
        job: What would be asked of the store, also where a policy is all that is missing; ``None`` where nothing can.
        evaluated: The queryset holds its rows already, and asks nobody any more.
    """

    what: str
    reason: str
    job: Job | None
    evaluated: bool = False


def asking(
    engine: Engine, queryset: object, op: str | None, args: tuple[object, ...], kwargs: dict[str, object]
) -> Asking:
    """Return what evaluating a queryset would ask.

    Args:
        engine: The engine.
        queryset: A queryset, raw or not.
        op: What is asked of it; ``None``: its rows.
        args: The arguments of ``aggregate``, ``get`` and others.
        kwargs: Their keyword arguments.

    Raises:
        ValueError: There is no such operation, or arguments were given that it does not take.
    """
    if isinstance(queryset, RawQuerySet):
        return _raw(engine, queryset, op)
    found = cast("QuerySet[models.Model]", queryset)
    method = _method(op)
    if (args or kwargs) and method in ("list", "count", "exists"):
        raise ValueError(
            f'explain(queryset, "{method}") takes no more arguments. Filter the queryset before.'
        )
    what = f"{found.model._meta.label}.{'list' if method not in OPS else method}"
    if not isinstance(found, CachedQuerySet):
        return Asking(what, UNAWARE, None)
    if not found._genscache_is_installed():
        return Asking(what, HISTORIC, None)
    asked_op = cast("Op", method)
    if method == "get" or method not in OPS:
        asker = _asker(found, method, args, kwargs)
        if asker is None:
            return Asking(what, NOTHING, None)
        if method == "get":
            # It is a copy already; one on which nothing is cached does not say what it is asked for.
            asker._genscache_op = "get"
        found, asked_op = asker, asker._genscache_op
    asked = (
        found._genscache_asked_aggregate(args, kwargs)
        if asked_op == "aggregate"
        else found._genscache_asked(asked_op)
    )
    if asked is None:
        raise ValueError(f"{what} cannot be asked so: Django refuses these arguments of aggregate().")
    return _weighed(engine, found, asked)


def _weighed(engine: Engine, queryset: CachedQuerySet[models.Model], asked: Asked) -> Asking:
    """Say whether an evaluation would be cached, in the order in which it is found out when it happens."""
    op = asked.op
    caching = queryset._genscache_cached_as(op)
    reason = queryset._genscache_obstacle() if caching is not None else _uncached(engine, queryset, op)
    made, obstacle = _made(engine, asked, caching or Caching())
    held = op != "aggregate" and queryset._result_cache is not None
    return Asking(f"{asked.model._meta.label}.{op}", reason or switched_off(engine) or obstacle, made, held)


def _asker(
    queryset: CachedQuerySet[models.Model], method: str, args: tuple[object, ...], kwargs: dict[str, object]
) -> CachedQuerySet[models.Model] | None:
    """Return the queryset that Django's ``get()``, ``first()`` or another evaluates, ``None`` where it does not."""
    question = first_question(partial(getattr(queryset, method), *args, **kwargs))
    return cast("CachedQuerySet[models.Model] | None", question and getattr(question, "__self__", None))


def _method(op: object) -> Op | str:
    """Check the name of what is asked of a queryset; ``None`` means its rows.

    Raises:
        ValueError: There is no such method, or it is never cached.
    """
    if op is None:
        return "list"
    if op not in (*OPS, *METHODS):
        near = difflib.get_close_matches(str(op), (*OPS, *METHODS), n=1)
        cure = f"Use {near[0]!r}." if near else f"Known: {', '.join((*OPS, *METHODS))}."
        raise ValueError(f"explain(queryset, {op!r}): nothing is cached under that name. {cure}")
    return str(op)


def _made(engine: Engine, asked: Asked, caching: Caching) -> tuple[Job | None, str]:
    """Return the job, or why there is none."""
    try:
        found = job(engine, asked, caching, lambda _form: _never())
    except UncacheableArgument as error:
        return None, f"it has no fingerprint: {error}"
    return (found, "") if isinstance(found, Job) else (None, found or NOTHING)


def _raw(engine: Engine, queryset: RawQuerySet[Any], op: str | None) -> Asking:
    model = cast("type[models.Model]", queryset.model)
    what = f"{model._meta.label}.raw"
    if op not in (None, "list"):
        raise ValueError(
            f"A raw queryset can only be asked for its rows, got {op!r}. Call explain(queryset)."
        )
    if not isinstance(queryset, CachedRawQuerySet):
        return Asking(what, UNAWARE, None)
    caching = queryset._caching or inherited()
    reason = ""
    if caching is None:
        reason = RAW
    elif not caching.ops:
        reason = NOCACHE
    try:
        found = queryset._found(engine, caching or Caching(), what, _never)
    except UncacheableArgument as error:
        found = f"its parameters cannot be part of a key: {error}"
    held = queryset._result_cache is not None
    reason = reason or switched_off(engine)
    if isinstance(found, str):
        return Asking(what, reason or found, None, held)
    return Asking(what, reason, found, held)


def _uncached(engine: Engine, queryset: CachedQuerySet[models.Model], op: Op) -> str:
    """Say why nobody has asked for ``op`` to be cached here."""
    caching = queryset._genscache_caching or inherited()
    if caching == NEVER:
        return NOCACHE
    if caching is not None:
        listed = ", ".join(f'"{each}"' for each in OPS if each in caching.ops)
        return f'.cache(ops=[{listed}]) leaves out "{op}"'
    label = queryset.model._meta.label
    patterns = fitting(engine.settings.models, label)
    if not patterns:
        return (
            f'no policy for {label}: GENSCACHE["MODELS"] has no pattern for it, and .cache() was not called'
        )
    listed = ", ".join(f'"{each}"' for each in OPS if each in engine.policy(queryset.model).ops) or "nothing"
    named = " and ".join(f'"{pattern}"' for pattern in patterns)
    return (
        f'the policy for {label} caches {listed}, not "{op}" (GENSCACHE["MODELS"] {named}), '
        "and .cache() was not called"
    )


def _never() -> object:
    """Stand for the query, which nobody runs here."""
    raise AssertionError("explain() asks the database nothing")
