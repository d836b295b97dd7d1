"""Whether one evaluation of a queryset is cached, and its answer; for threads and for coroutines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from asgiref.sync import sync_to_async
from django.core.exceptions import SynchronousOnlyOperation

from genscache.answers import aread, read
from genscache.engine import Engine
from genscache.exceptions import UncacheableArgument
from genscache.filling import Job
from genscache.guards import SHADOW, switched_off
from genscache.querysets.options import Caching
from genscache.querysets.subjects import UNKNOWN, Ask, Asked, Form, job

Result = TypeVar("Result")

FOR_WRITE = "it reads for a write"
REFRESH = "refresh_from_db() asks the database"
ITERATOR = "iterator() is not cached"


def answer(engine: Engine, asked: Asked, caching: Caching, reason: str, compute: Ask[Result]) -> Result:
    """Return the answer from the store where that is known to be right, else what ``compute`` returns.

    Args:
        engine: The engine.
        asked: What is asked.
        caching: How it is cached.
        reason: Why it must not be; empty: it may. Whether the cache is switched off, the caller has seen.
        compute: Asks the database.
    """
    found = _job(engine, asked, caching, reason, compute)
    if found is None:
        return compute(UNKNOWN)
    return cast("Result", read(found))


async def aanswer(
    engine: Engine, asked: Asked, caching: Caching, reason: str, compute: Ask[Result]
) -> Result:
    """Do the same in a coroutine; only the database is asked in another thread."""

    async def ask(form: Form) -> Result:
        return await sync_to_async(compute)(form)

    try:
        reason = reason or switched_off(engine)
        found = _job(engine, asked, caching, reason, ask)
    except SynchronousOnlyOperation:
        # Compiling may ask the server for its version, which a coroutine must not: once for each shape of query.
        found = await sync_to_async(_job)(engine, asked, caching, reason, ask)
    if found is None:
        return await ask(UNKNOWN)
    return cast("Result", await aread(found))


async def aquick(found: Job) -> Any:  # noqa: ANN401 - what the question's answer is
    """Answer a job that needed no query, in a coroutine."""
    reason = switched_off(found.engine)
    if reason:
        note(found.engine, lambda: found.path, reason)
        return await cast("Awaitable[object]", found.compute.function())
    return await aread(found)


def note(engine: Engine, path: Callable[[], str], reason: str) -> None:
    """Count a read that was asked to be cached and is not; ``path`` says which one."""
    if reason != SHADOW:
        engine.hub.bypassed(path, reason)


def _job(engine: Engine, asked: Asked, caching: Caching, reason: str, compute: Ask[object]) -> Job | None:
    """Return the job, or count why there is none."""
    if not reason:
        try:
            found = job(engine, asked, caching, compute)
        except UncacheableArgument as error:
            reason = f"it has no fingerprint: {error}"
        else:
            if isinstance(found, Job):
                return found
            reason = found
    if reason:
        note(engine, lambda: f"{asked.model._meta.label}.{asked.op}", reason)
    return None
