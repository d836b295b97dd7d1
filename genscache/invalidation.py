"""What users call after a write that nobody could see, and the block that gathers invalidations.

Outside a batch, a call bumps at once: when it returns, no reader is given what was computed before it. Inside a
transaction it bumps at once *and* again at COMMIT: the write that it announces may be the transaction's own, which
other readers see only then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import Token
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, overload

from django.db import models

from genscache.batches import Batch, current_batch, open_batch
from genscache.blocks import Block
from genscache.delivery import adeliver, deliver, insist
from genscache.dependencies import ModelClass, ObjectRef, named, obj, resolve_model
from genscache.engine import Engine, current_engine
from genscache.exceptions import InvalidNamespace
from genscache.keys import SITE, Namespace
from genscache.protocol.steps import Steps
from genscache.tables import fold
from genscache.transactions import open_transactions
from genscache.writes import ainvalidate_now, invalidate_now

P = ParamSpec("P")
R = TypeVar("R")


def invalidate(*names: str) -> None:
    """Invalidate every entry that was declared to depend on one of ``names``.

    Raises:
        InvalidNamespace: A name is empty or has the form of a model's label.
        StoreUnavailable: The store cannot be told, and ``ON_OUTAGE`` is ``"refuse"``; it is told later.
    """
    engine = current_engine()
    announce(engine, [named(engine.catalog, name) for name in _some(names, "a name")])


async def ainvalidate(*names: str) -> None:
    """Invalidate names from a coroutine; see ``invalidate``."""
    engine = current_engine()
    await aannounce(engine, [named(engine.catalog, name) for name in _some(names, "a name")])


def invalidate_model(*models: ModelClass | str) -> None:
    """Invalidate every entry that reads one of ``models``, in one round trip, however many entries there are.

    Args:
        models: Model classes or labels such as ``"blog.Post"``.

    Raises:
        InvalidNamespace: Something is not an installed model.
        StoreUnavailable: As ``invalidate``.
    """
    engine = current_engine()
    announce(engine, of_models(engine, models))


async def ainvalidate_model(*models: ModelClass | str) -> None:
    """Invalidate models from a coroutine; see ``invalidate_model``."""
    engine = current_engine()
    await aannounce(engine, of_models(engine, models))


def invalidate_obj(*objects: models.Model | ObjectRef) -> None:
    """Invalidate what depends on single objects, and the lists that may contain them.

    Args:
        objects: Saved instances, or ``obj(Model, pk)``.

    Raises:
        InvalidNamespace: An instance is unsaved.
        StoreUnavailable: As ``invalidate``.
    """
    engine = current_engine()
    announce(engine, of_objects(engine, objects))


async def ainvalidate_obj(*objects: models.Model | ObjectRef) -> None:
    """Invalidate objects from a coroutine; see ``invalidate_obj``."""
    engine = current_engine()
    await aannounce(engine, of_objects(engine, objects))


def invalidate_tables(*tables: str) -> None:
    """Invalidate every entry that reads one of ``tables``, named as in SQL; what derives from them goes, too.

    Raises:
        InvalidNamespace: A table's name is no text, or no model and no setting knows such a table.
        StoreUnavailable: As ``invalidate``.
    """
    engine = current_engine()
    announce(engine, of_tables(engine, tables))


def invalidate_all() -> None:
    """Invalidate every entry of this site, in one round trip; other users of the server are not touched.

    Raises:
        StoreUnavailable: As ``invalidate``.
    """
    announce(current_engine(), [SITE])


async def ainvalidate_all() -> None:
    """Invalidate every entry from a coroutine; see ``invalidate_all``."""
    await aannounce(current_engine(), [SITE])


def announce(engine: Engine, namespaces: Iterable[Namespace]) -> None:
    """Bump at once, and again when each transaction that is open in this thread commits."""
    invalidate_now(engine, _pending(namespaces))


async def aannounce(engine: Engine, namespaces: Iterable[Namespace]) -> None:
    """Bump at once from a coroutine; see ``announce``."""
    await ainvalidate_now(engine, _pending(namespaces))


class BatchInvalidations(Block):
    """One block of ``batch_invalidations``, plain or asynchronous; as a decorator, a new block for each call."""

    def __init__(self) -> None:
        self._batch: Batch | None = None
        self._token: Token[Batch | None] | None = None

    def __enter__(self) -> Self:
        """Open a batch, or join the one that is open."""
        if open_batch() is None:
            self._batch = Batch(current_engine())
            self._token = current_batch.set(self._batch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Send out what the outermost block has gathered, also when it raised."""
        batch, steps, bump = self._leave()
        if batch is not None and steps is not None:
            failed = deliver(batch.engine, steps, bump)
            insist(batch.engine, failed if error is None else None)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Send out what the outermost block has gathered, also when it raised or was cancelled."""
        batch, steps, bump = self._leave()
        if batch is not None and steps is not None:
            failed = await adeliver(batch.engine, steps, bump)
            insist(batch.engine, failed if error is None else None)

    def _leave(self) -> tuple[Batch | None, Steps[None] | None, tuple[str, ...]]:
        batch, token = self._batch, self._token
        if batch is None or token is None:
            return None, None, ()
        self._batch = self._token = None
        current_batch.reset(token)
        steps, bump = batch.end()
        return batch, steps, bump


@overload
def batch_invalidations() -> BatchInvalidations: ...


@overload
def batch_invalidations(function: Callable[P, R]) -> Callable[P, R]: ...


def batch_invalidations(function: Callable[P, R] | None = None) -> BatchInvalidations | Callable[P, R]:
    """Gather invalidations and send them out in one round trip at the end.

    A block (``with`` or ``async with``) or a decorator, with or without parentheses. Duplicates are merged; nested
    blocks are one batch; what was gathered is sent out also when the block raises. Inside, reads of what the batch
    has invalidated go to the database. A write through Django is leased once for each model when the batch first
    meets it, so that other readers go to the database too and a killed process leaves nothing stale.

    Raises:
        StoreUnavailable: At the end, if the store cannot be told, and ``ON_OUTAGE`` is ``"refuse"``.
    """
    block = BatchInvalidations()
    return block if function is None else block(function)


def _pending(namespaces: Iterable[Namespace]) -> set[Namespace]:
    """Leave namespaces with every open transaction of this thread, and return them."""
    found = set(namespaces)
    for _, state in open_transactions():
        state.add(found)
    return found


def of_models(engine: Engine, given: tuple[object, ...]) -> set[Namespace]:
    """Return what invalidating models bumps."""
    stand_for = [engine.catalog.declared(resolve_model(model)) for model in _some(given, "a model")]
    return {namespace for tables in stand_for for namespace in engine.catalog.everywhere(tables)}


def of_objects(engine: Engine, given: tuple[models.Model | ObjectRef, ...]) -> set[Namespace]:
    """Return what invalidating single objects bumps."""
    found: set[Namespace] = set()
    for each in _some(given, "an object"):
        if not isinstance(each, models.Model | ObjectRef):
            raise InvalidNamespace(f"{each!r} is not an object. Pass a saved instance or obj(Model, pk).")
        ref = obj(each) if isinstance(each, models.Model) else each
        found |= engine.catalog.writing_object(ref.model, ref.pk)
    return found


def of_tables(engine: Engine, given: tuple[object, ...]) -> set[Namespace]:
    """Return what invalidating tables bumps."""
    names = []
    for table in _some(given, "a table"):
        if not isinstance(table, str) or not table:
            raise InvalidNamespace(f'{table!r} is not the name of a table. Pass a text such as "blog_post".')
        engine.catalog.check_known(table)
        names.append(fold(table))
    return engine.catalog.everywhere(names)


def _some(given: tuple[R, ...], what: str) -> tuple[R, ...]:
    if not given:
        raise InvalidNamespace(f"Nothing was named. Pass {what}, or call invalidate_all().")
    return given
