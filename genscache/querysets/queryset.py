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

from genscache import conf
from genscache.engine import current_engine
from genscache.policies import Op, checked_ops
from genscache.querysets.answering import aanswer, answer
from genscache.querysets.asking import AskingQuerySet
from genscache.querysets.options import NEVER, Caching, passed_on
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
        found = self._same()
        found._caching = Caching(
            Caching().ops if ops is None else checked_ops("ops=", ops),
            None if timeout is MISSING else conf.seconds("timeout", timeout),
            lock,
        )
        return found

    def nocache(self) -> Self:
        """Return a queryset that asks the database, whatever ``GENSCACHE["MODELS"]`` says."""
        found = self._same()
        found._caching = NEVER
        return found

    # -- Django's methods, in threads

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            script = current_script()
            if script is not None:
                self._result_cache = cast("list[M]", script.take(self._acomplete))
                self._prefetch_done = True
                return
            caching = self._cached_as(self._op)
            if caching is not None:
                asked = self._asked(self._op)
                rows = answer(current_engine(), asked, caching, self._obstacle(), self._rows(asked.database))
                self._result_cache = self._introduced(rows)
        with passed_on(self._caching if self._prefetch_related_lookups else None):
            super()._fetch_all()

    def get(self, *args: object, **kwargs: object) -> M:
        """Return the one object that fits, as Django does."""
        return super(CachedQuerySet, self._as_get()).get(*args, **kwargs)

    def count(self) -> int:
        """Count rows, as Django does."""
        return self._told("count", partial(super().count))

    def exists(self) -> bool:
        """Tell whether there is any row, as Django does."""
        return self._told("exists", partial(super().exists))

    def aggregate(self, *args: object, **kwargs: object) -> dict[str, Any]:
        """Aggregate over the rows, as Django does."""
        script = current_script()
        if script is not None:
            return cast("dict[str, Any]", script.take(partial(self.aaggregate, *args, **kwargs)))
        caching = self._cached_as("aggregate")
        asked = None if caching is None else self._asked_aggregate(args, kwargs)
        if caching is None or asked is None:
            return super().aggregate(*args, **kwargs)
        plain = self._plain(asked.database)
        return answer(
            current_engine(), asked, caching, self._obstacle(), lambda: plain.aggregate(*args, **kwargs)
        )

    def iterator(self, chunk_size: int | None = None) -> Iterator[M]:
        """Iterate without keeping rows, as Django does; never cached."""
        self._note_iterator()
        return super().iterator(chunk_size)

    def aiterator(self, chunk_size: int = 2000) -> AsyncIterator[M]:
        """Iterate without keeping rows, as Django does; never cached."""
        self._note_iterator()
        return super().aiterator(chunk_size)

    def raw(
        self,
        raw_query: Any,  # noqa: ANN401 - text, or what psycopg composes
        params: object = (),
        translations: dict[str, str] | None = None,
        using: str | None = None,
    ) -> CachedRawQuerySet[M]:
        """Make a queryset of SQL, as Django does; it has ``.cache()``, too."""
        made = super().raw(raw_query, params, translations, using)
        return CachedRawQuerySet.adopt(made, self._caching)

    # -- Django's methods, in coroutines

    def __aiter__(self) -> AsyncIterator[M]:
        """Iterate as Django does."""
        return self._aiterate()

    async def aget(self, *args: object, **kwargs: object) -> M:
        """Return the one object that fits, as Django does."""
        return await self._run(self.get, super().aget, *args, **kwargs)

    async def afirst(self) -> M | None:
        """Return the first object, as Django does."""
        return await self._run(self.first, super().afirst)

    async def alast(self) -> M | None:
        """Return the last object, as Django does."""
        return await self._run(self.last, super().alast)

    async def aearliest(self, *fields: str | OrderBy) -> M:
        """Return the earliest object, as Django does."""
        return await self._run(self.earliest, super().aearliest, *fields)

    async def alatest(self, *fields: str | OrderBy) -> M:
        """Return the latest object, as Django does."""
        return await self._run(self.latest, super().alatest, *fields)

    async def ain_bulk(self, *args: object, **kwargs: object) -> dict[object, M]:
        """Return objects by key, as Django does."""
        return await self._run(self.in_bulk, super().ain_bulk, *args, **kwargs)

    async def acontains(self, obj: models.Model) -> bool:
        """Tell whether an object is among the rows, as Django does."""
        return await self._run(self.contains, super().acontains, obj)

    async def acount(self) -> int:
        """Count rows, as Django does."""
        return await self._atold("count", super().acount)

    async def aexists(self) -> bool:
        """Tell whether there is any row, as Django does."""
        return await self._atold("exists", super().aexists)

    async def aaggregate(self, *args: object, **kwargs: object) -> dict[str, Any]:
        """Aggregate over the rows, as Django does."""
        caching = self._cached_as("aggregate")
        asked = None if caching is None else self._asked_aggregate(args, kwargs)
        if caching is None or asked is None:
            return await super().aaggregate(*args, **kwargs)
        plain = self._plain(asked.database)
        return await aanswer(
            current_engine(), asked, caching, self._obstacle(), lambda: plain.aggregate(*args, **kwargs)
        )

    # -- inside

    def _told(self, op: Op, plain: Callable[[], Result]) -> Result:
        """Answer ``count`` or ``exists``."""
        if self._result_cache is not None:
            return plain()
        script = current_script()
        if script is not None:
            ask = self.acount if op == "count" else self.aexists
            return cast("Result", script.take(ask))
        caching = self._cached_as(op)
        if caching is None:
            return plain()
        asked = self._asked(op)
        return answer(current_engine(), asked, caching, self._obstacle(), self._counting(op, asked.database))

    async def _atold(self, op: Op, plain: Callable[[], Awaitable[Result]]) -> Result:
        """Answer ``count`` or ``exists`` in a coroutine."""
        caching = None if self._result_cache is not None else self._cached_as(op)
        if caching is None:
            return await plain()
        asked = self._asked(op)
        return await aanswer(
            current_engine(), asked, caching, self._obstacle(), self._counting(op, asked.database)
        )

    async def _run(
        self,
        method: Callable[..., Result],
        plain: Callable[..., Awaitable[Result]],
        *args: object,
        **kwargs: object,
    ) -> Result:
        """Run one of Django's methods in a coroutine, in a thread only where nothing is cached."""
        if self._cached_as("list") is None and self._cached_as("get") is None:
            return await plain(*args, **kwargs)
        try:
            return await awaited(partial(method, *args, **kwargs))
        except SynchronousOnlyOperation:
            # The method asks the connection what it can do, which a coroutine must not (in_bulk() on SQLite).
            return await plain(*args, **kwargs)

    async def _acomplete(self) -> list[M]:
        """Return the rows with their prefetched relations."""
        if self._result_cache is None:
            caching = self._cached_as(self._op)
            if caching is None:
                await sync_to_async(self._fetch_all)()
            else:
                asked = self._asked(self._op)
                rows = await aanswer(
                    current_engine(), asked, caching, self._obstacle(), self._rows(asked.database)
                )
                self._result_cache = self._introduced(rows)
        if self._prefetch_related_lookups and not self._prefetch_done:
            await sync_to_async(self._fetch_all)()
        return cast("list[M]", self._result_cache)

    async def _aiterate(self) -> AsyncIterator[M]:
        for each in await self._acomplete():
            yield each
