"""``Manager.raw()`` with ``.cache()``: it depends on the tables of its SQL, and on what is named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from asgiref.sync import sync_to_async
from django.db import models
from django.db.models.query import RawQuerySet

from genscache import conf
from genscache.answers import aread, read
from genscache.arguments import encode
from genscache.dependencies import Dependency, reading, untracked
from genscache.engine import Engine, current_engine
from genscache.exceptions import UncacheableArgument
from genscache.filling import Compute, Job
from genscache.functions import Call
from genscache.guards import switched_off
from genscache.keys import SITE, table_owner
from genscache.querysets.answering import note
from genscache.querysets.options import NEVER, Caching, inherited, passed_on
from genscache.querysets.plans import Planner
from genscache.querysets.subjects import QuerySubject
from genscache.tables import fold
from genscache.types import MISSING, Missing

M = TypeVar("M", bound=models.Model)


class CachedRawQuerySet(RawQuerySet, Generic[M]):  # type: ignore[type-arg]  # it takes none at run time
    """A queryset of SQL that knows the cache."""

    _caching: Caching | None = None
    _dependencies: tuple[object, ...] = ()

    if TYPE_CHECKING:
        # What Django's stubs leave out.
        _prefetch_related_lookups: tuple[object, ...]
        _result_cache: list[M] | None

        def _clone(self) -> Self: ...

    @classmethod
    def adopt(
        cls, made: RawQuerySet[M], caching: Caching | None, dependencies: tuple[object, ...] = ()
    ) -> Self:
        """Turn what Django has made into one of these."""
        made.__class__ = cls
        found = cast("Self", made)
        found._caching = caching
        found._dependencies = dependencies
        return found

    def cache(
        self,
        *dependencies: Dependency,
        timeout: float | timedelta | Missing | None = MISSING,
        lock: bool | None = None,
    ) -> Self:
        """Return a queryset whose rows are cached, until a table that its SQL names is written.

        Args:
            dependencies: What it depends on besides, or where its SQL does not tell: models, labels, ``obj(...)``,
                names.
            timeout: Life of an entry in seconds or as a ``timedelta``; ``None``: 30 days; 0: nothing is stored.
            lock: One process at a time fills an entry.

        Raises:
            InvalidNamespace: A dependency can be none.
            ValueError: The timeout is negative or too long.
        """
        reading(current_engine().catalog, dependencies)
        life = None if timeout is MISSING else conf.seconds("timeout", timeout)
        return self.adopt(self._clone(), Caching(Caching().ops, life, lock), dependencies)

    def __repr__(self) -> str:
        """Show what Django shows."""
        return f"<{RawQuerySet.__name__}: {self.query}>"

    def nocache(self) -> Self:
        """Return a queryset that asks the database."""
        return self.adopt(self._clone(), NEVER)

    def prefetch_related(self, *lookups: Any) -> Self:  # noqa: ANN401 - texts and Prefetch objects
        """Prefetch relations, as Django does."""
        return self.adopt(super().prefetch_related(*lookups), self._caching, self._dependencies)

    def using(self, alias: str | None) -> Self:
        """Choose a database, as Django does."""
        return self.adopt(super().using(alias), self._caching, self._dependencies)

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            job = self._job(self._rows)
            if job is not None:
                self._result_cache = cast("list[M]", read(job))
        with passed_on(self._caching if self._prefetch_related_lookups else None):
            super()._fetch_all()  # type: ignore[misc]  # not in the stubs

    def __aiter__(self) -> AsyncIterator[M]:
        """Iterate as Django does."""
        return self._aiterate()

    async def _aiterate(self) -> AsyncIterator[M]:
        if self._result_cache is None:
            job = self._job(sync_to_async(self._rows))
            if job is not None:
                self._result_cache = cast("list[M]", await aread(job))
        await sync_to_async(self._fetch_all)()
        for each in cast("list[M]", self._result_cache):
            yield each

    def _rows(self) -> list[M]:
        """Ask the database."""
        return list(self.iterator())

    def _job(self, compute: Callable[[], object]) -> Job | None:
        """Return the job of answering, ``None`` where the database is asked; that is counted."""
        caching = self._caching or inherited()
        if caching is None or "list" not in caching.ops:
            return None
        engine = current_engine()
        path = f"{cast('type[models.Model]', self.model)._meta.label}.raw"
        try:
            found = self._found(engine, caching, path, compute)
        except UncacheableArgument as error:
            found = f"its parameters cannot be part of a key: {error}"
        reason = switched_off(engine) or (found if isinstance(found, str) else "")
        if reason:
            note(engine, lambda: path, reason)
        return None if reason or isinstance(found, str) else found

    def _found(self, engine: Engine, caching: Caching, path: str, compute: Callable[[], object]) -> Job | str:
        model = cast("type[models.Model]", self.model)
        alias = engine.catalog.primary(self.db)
        forbidden, tables = engine.part(Planner).tables(str(self.raw_query))
        if forbidden:
            return forbidden
        reason = untracked(engine.catalog, self._dependencies)
        if reason:
            return reason
        translations = tuple(sorted(self.translations.items()))
        outside = (str(self.raw_query), self.params, translations, self.db, engine.catalog.describe(model))
        identity = encode(("raw", path, outside, engine.context(), engine.catalog.places()))
        declared = (
            *engine.catalog.reading_tables(alias, tables),
            *reading(engine.catalog, self._dependencies),
        )
        covered = frozenset((alias, table) for table in tables)
        policy = engine.policy(model)
        timeout = caching.timeout if caching.timeout is not None else policy.timeout
        subject = QuerySubject(
            path,
            table_owner(alias, fold(model._meta.db_table)),
            policy.lock if caching.lock is None else caching.lock,
        )
        life = engine.settings.timeout if timeout is None else timeout
        return Job(
            engine,
            subject,
            Call("", identity, (SITE,), declared, "", covered),
            Compute(compute),
            round(life * 1000),
        )
