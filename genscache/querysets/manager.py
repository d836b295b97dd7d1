"""``CachedManager``, for models that name their manager; all others get the same methods by adoption."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import TypeVar, cast

from django.db import models

from genscache.policies import Op
from genscache.querysets.queryset import CachedQuerySet
from genscache.types import MISSING, Missing

M = TypeVar("M", bound=models.Model)


class CachedManager(models.Manager[M]):
    """A manager whose querysets know the cache: ``objects = CachedManager()``."""

    # What from_queryset() of a subclass puts in its place is a queryset class of the project's own.
    _queryset_class = CachedQuerySet

    def get_queryset(self) -> CachedQuerySet[M]:
        """Return all objects, as a queryset that knows the cache."""
        return cast("CachedQuerySet[M]", super().get_queryset())

    def cache(
        self,
        timeout: float | timedelta | Missing | None = MISSING,
        *,
        ops: Op | Collection[Op] | str | None = None,
        lock: bool | None = None,
    ) -> CachedQuerySet[M]:
        """Return a queryset whose answers are cached; see ``CachedQuerySet.cache``."""
        return self.get_queryset().cache(timeout, ops=ops, lock=lock)

    def nocache(self) -> CachedQuerySet[M]:
        """Return a queryset that asks the database."""
        return self.get_queryset().nocache()
