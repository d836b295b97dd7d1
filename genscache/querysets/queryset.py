"""``CachedQuerySet``: a queryset with ``.cache()`` and ``.nocache()``, whose answers may come from the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Self, TypeVar, cast

from asgiref.sync import sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.db import models
from django.db.models.expressions import OrderBy
from django.db.models.query import RawQuerySet

from genscache import conf
from genscache.answers import read
from genscache.engine import Engine, current_engine
from genscache.guards import switched_off
from genscache.policies import Op, checked_ops
from genscache.querysets.answering import aanswer, answer, aquick, note
from genscache.querysets.asking import AskingQuerySet
from genscache.querysets.options import EVERYTHING, NEVER, Caching, passed_on
from genscache.querysets.quick import quick_job
from genscache.querysets.raw import CachedRawQuerySet
from genscache.querysets.replay import awaited, current_script
from genscache.types import MISSING, Missing

M = TypeVar("M", bound=models.Model)
Result = TypeVar("Result")


class CachedQuerySet(AskingQuerySet[M]):
    """A queryset that knows the cache; every manager of an installed model makes such querysets."""

    # -- what users call

    def cache(
        self,
        timeout: float | timedelta | Missing | None = MISSING,
        *,
        ops: Op | Collection[Op] | str | None = None,
        lock: bool | None = None,
    ) -> Self:
        """Return a queryset whose answers are cached, until something that they depend on is written.

        Args:
            timeout: Life of an entry in seconds or as a ``timedelta``; ``None``: 30 days; 0: nothing is stored. Not
                given: the policy's in ``GENSCACHE["MODELS"]``, else ``GENSCACHE["TIMEOUT"]``.
            ops: Which of "get", "list", "count", "exists" and "aggregate" are cached. Not given: all of them.
            lock: One process at a time fills an entry; the others wait for it, 10 seconds at most.

        Raises:
            ValueError: The timeout is negative or too long, or there is no such operation.
        """
        found = self if self._genscache_owned else self._genscache_same()
        found._genscache_owned = False
        found._genscache_caching = Caching(
            EVERYTHING if ops is None else checked_ops("ops=", ops),
            None if timeout is MISSING else conf.seconds("timeout", timeout),
            lock,
        )
        return found

    def nocache(self) -> Self:
        """Return a queryset that asks the database, whatever ``GENSCACHE["MODELS"]`` says."""
        found = self if self._genscache_owned else self._genscache_same()
        found._genscache_owned = False
        found._genscache_caching = NEVER
        return found

    # -- Django's methods, in threads

    def _fetch_all(self) -> None:
        # A class that makes rows in its own way may derive querysets from this one.
        self._genscache_owned = False
        if self._result_cache is None:
            script = current_script()
            if script is not None:
                self._result_cache = cast("list[M]", script.take(self._genscache_acomplete))
                self._prefetch_done = True
                return
            caching = None
            if self._genscache_caching is not NEVER:
                engine = current_engine()
                caching = self._genscache_cached_by(engine, self._genscache_op)
            if caching is not None and not self._genscache_is_off(engine, self._genscache_op):
                asked = self._genscache_asked(self._genscache_op)
                rows = answer(
                    engine,
                    asked,
                    caching,
                    self._genscache_obstacle(),
                    self._genscache_rows(asked.database),
                )
                self._result_cache = self._genscache_introduced(rows)
        if self._genscache_caching is None or not self._prefetch_related_lookups:
            super()._fetch_all()
            return
        with passed_on(self._genscache_caching):
            super()._fetch_all()

    def get(self, *args: object, **kwargs: object) -> M:
        """Return the one object that fits, as Django does."""
        engine = current_engine()
        caching = self._genscache_told_to(engine)
        if not self._genscache_may_be_cached(caching):
            return super().get(*args, **kwargs)
        if current_script() is None:
            if self._genscache_is_off(engine, "get"):
                asking = self._genscache_as_get()
                asking._genscache_caching = NEVER
                return super(CachedQuerySet, asking).get(*args, **kwargs)
            if "get" in caching.ops and len(kwargs) == 1 and not args:
                found = quick_job(engine, self, "get", kwargs, caching)
                if found is not None:
                    return self._genscache_only(cast("list[M]", read(found)))
        return super(CachedQuerySet, self._genscache_as_get()).get(*args, **kwargs)

    def count(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401 - what a project's own class takes
        """Count rows, as Django does."""
        plain = partial(super().count, *args, **kwargs)
        return plain() if args or kwargs else self._genscache_told("count", plain)

    def exists(self, *args: Any, **kwargs: Any) -> bool:  # noqa: ANN401 - the same
        """Tell whether there is any row, as Django does."""
        plain = partial(super().exists, *args, **kwargs)
        return plain() if args or kwargs else self._genscache_told("exists", plain)

    def aggregate(self, *args: object, **kwargs: object) -> dict[str, Any]:
        """Aggregate over the rows, as Django does."""
        script = current_script()
        if script is not None:
            return cast("dict[str, Any]", script.take(partial(self.aaggregate, *args, **kwargs)))
        caching = self._genscache_cached_as("aggregate")
        if caching is None or self._genscache_is_off(current_engine(), "aggregate"):
            return super().aggregate(*args, **kwargs)
        asked = self._genscache_asked_aggregate(args, kwargs)
        if asked is None:
            return super().aggregate(*args, **kwargs)
        plain = self._genscache_plain(asked.database)
        return answer(
            current_engine(),
            asked,
            caching,
            self._genscache_obstacle(),
            lambda _form: plain.aggregate(*args, **kwargs),
        )

    def iterator(self, *args: Any, **kwargs: Any) -> Iterator[M]:  # noqa: ANN401 - the same
        """Iterate without keeping rows, as Django does; never cached."""
        self._genscache_note_iterator()
        return super().iterator(*args, **kwargs)

    def aiterator(self, *args: Any, **kwargs: Any) -> AsyncIterator[M]:  # noqa: ANN401 - the same
        """Iterate without keeping rows, as Django does; never cached."""
        self._genscache_note_iterator()
        return super().aiterator(*args, **kwargs)

    def raw(self, *args: Any, **kwargs: Any) -> CachedRawQuerySet[M]:  # noqa: ANN401 - the same
        """Make a queryset of SQL, as Django does; it has ``.cache()``, too, unless it is of a project's own class."""
        made = super().raw(*args, **kwargs)
        if type(made) is not RawQuerySet:
            return cast("CachedRawQuerySet[M]", made)
        return CachedRawQuerySet.adopt(made, self._genscache_caching)

    # -- Django's methods, in coroutines

    def __aiter__(self) -> AsyncIterator[M]:
        """Iterate as Django does."""
        return self._genscache_aiterate()

    async def aget(self, *args: object, **kwargs: object) -> M:
        """Return the one object that fits, as Django does."""
        caching = self._genscache_cached_as("get") if len(kwargs) == 1 and not args else None
        if caching is not None:
            found = quick_job(current_engine(), self, "get", kwargs, caching, sync_to_async)
            if found is not None:
                return self._genscache_only(await aquick(found))
        return await self._genscache_run(self.get, super().aget, *args, **kwargs)

    async def afirst(self) -> M | None:
        """Return the first object, as Django does."""
        return await self._genscache_run(self.first, super().afirst)

    async def alast(self) -> M | None:
        """Return the last object, as Django does."""
        return await self._genscache_run(self.last, super().alast)

    async def aearliest(self, *fields: str | OrderBy) -> M:
        """Return the earliest object, as Django does."""
        return await self._genscache_run(self.earliest, super().aearliest, *fields)

    async def alatest(self, *fields: str | OrderBy) -> M:
        """Return the latest object, as Django does."""
        return await self._genscache_run(self.latest, super().alatest, *fields)

    async def ain_bulk(self, *args: object, **kwargs: object) -> dict[object, M]:
        """Return objects by key, as Django does."""
        return await self._genscache_run(self.in_bulk, super().ain_bulk, *args, **kwargs)

    async def acontains(self, obj: models.Model) -> bool:
        """Tell whether an object is among the rows, as Django does."""
        return await self._genscache_run(self.contains, super().acontains, obj)

    async def acount(self) -> int:
        """Count rows, as Django does."""
        return await self._genscache_atold("count", super().acount)

    async def aexists(self) -> bool:
        """Tell whether there is any row, as Django does."""
        return await self._genscache_atold("exists", super().aexists)

    async def aaggregate(self, *args: object, **kwargs: object) -> dict[str, Any]:
        """Aggregate over the rows, as Django does."""
        caching = self._genscache_cached_as("aggregate")
        asked = None if caching is None else self._genscache_asked_aggregate(args, kwargs)
        if caching is None or asked is None:
            return await super().aaggregate(*args, **kwargs)
        plain = self._genscache_plain(asked.database)
        return await aanswer(
            current_engine(),
            asked,
            caching,
            self._genscache_obstacle(),
            lambda _form: plain.aggregate(*args, **kwargs),
        )

    # -- inside

    def _genscache_only(self, rows: list[M]) -> M:
        """Return the one row by its primary key, or raise what Django would."""
        found = self._genscache_introduced(rows)
        if len(found) == 1:
            return found[0]
        if found:
            raise self.model.MultipleObjectsReturned(  # type: ignore[attr-defined]  # not in the stubs
                f"get() returned more than one {self.model._meta.object_name} -- it returned {len(found)}!"
            )
        raise self.model.DoesNotExist(  # type: ignore[attr-defined]  # the same
            f"{self.model._meta.object_name} matching query does not exist."
        )

    def _genscache_is_off(self, engine: Engine, op: Op) -> bool:
        """Tell whether no read may use the cache now, and count that this one may not.

        Django answers then in its own way, and nothing that a cached read needs is worked out.
        """
        reason = switched_off(engine)
        if not reason:
            return False
        note(engine, lambda: f"{self.model._meta.label}.{op}", reason)
        return True

    def _genscache_told(self, op: Op, plain: Callable[[], Result]) -> Result:
        """Answer ``count`` or ``exists``."""
        if self._result_cache is not None:
            return plain()
        script = current_script()
        if script is not None:
            ask = self.acount if op == "count" else self.aexists
            return cast("Result", script.take(ask))
        engine = current_engine()
        caching = self._genscache_cached_by(engine, op)
        if caching is None or self._genscache_is_off(engine, op):
            return plain()
        found = quick_job(engine, self, op, {}, caching) if op == "count" else None
        if found is not None:
            return cast("Result", read(found))
        asked = self._genscache_asked(op)
        return answer(
            engine,
            asked,
            caching,
            self._genscache_obstacle(),
            self._genscache_counting(op, asked.database),
        )

    async def _genscache_atold(self, op: Op, plain: Callable[[], Awaitable[Result]]) -> Result:
        """Answer ``count`` or ``exists`` in a coroutine."""
        caching = None if self._result_cache is not None else self._genscache_cached_as(op)
        if caching is None:
            return await plain()
        engine = current_engine()
        found = quick_job(engine, self, op, {}, caching, sync_to_async) if op == "count" else None
        if found is not None:
            return cast("Result", await aquick(found))
        asked = self._genscache_asked(op)
        return await aanswer(
            engine,
            asked,
            caching,
            self._genscache_obstacle(),
            self._genscache_counting(op, asked.database),
        )

    async def _genscache_run(
        self,
        method: Callable[..., Result],
        plain: Callable[..., Awaitable[Result]],
        *args: object,
        **kwargs: object,
    ) -> Result:
        """Run one of Django's methods in a coroutine, in a thread only where nothing is cached."""
        if not self._genscache_may_be_cached(self._genscache_told_to(current_engine())):
            return await plain(*args, **kwargs)
        try:
            return await awaited(partial(method, *args, **kwargs))
        except SynchronousOnlyOperation:
            # The method asks the connection what it can do, which a coroutine must not (in_bulk() on SQLite).
            return await plain(*args, **kwargs)

    async def _genscache_acomplete(self) -> list[M]:
        """Return the rows with their prefetched relations."""
        if self._result_cache is None:
            caching = self._genscache_cached_as(self._genscache_op)
            if caching is None:
                await sync_to_async(self._fetch_all)()
            else:
                asked = self._genscache_asked(self._genscache_op)
                rows = await aanswer(
                    current_engine(),
                    asked,
                    caching,
                    self._genscache_obstacle(),
                    self._genscache_rows(asked.database),
                )
                self._result_cache = self._genscache_introduced(rows)
        if self._prefetch_related_lookups and not self._prefetch_done:
            await sync_to_async(self._fetch_all)()
        return cast("list[M]", self._result_cache)

    async def _genscache_aiterate(self) -> AsyncIterator[M]:
        for each in await self._genscache_acomplete():
            yield each
