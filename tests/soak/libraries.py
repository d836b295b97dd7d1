"""How each library is asked to cache, and told of a write where it does not notice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.core.cache import cache

from tests.soak.orders import Orders

T = TypeVar("T")


class Library:
    """A library that caches querysets by itself, and notices writes by itself: cacheops, cachalot."""

    def cached(self, queryset: Any) -> Any:
        """Return the queryset so that the cache may answer."""
        return queryset

    def plain(self, queryset: Any) -> Any:
        """Return the queryset so that the database answers."""
        return queryset

    def get(self, key: str, queryset: Callable[[], Any]) -> Any:
        """Return the one object of a queryset."""
        return self.cached(queryset()).get()

    def written(self, keys: Iterable[str]) -> None:
        """Hear that a write has returned."""


class Genscache(Library):
    """The library under test."""

    def cached(self, queryset: Any) -> Any:
        return queryset.cache()

    def plain(self, queryset: Any) -> Any:
        return queryset.nocache()


class Cacheops(Library):
    """django-cacheops."""

    def plain(self, queryset: Any) -> Any:
        return queryset.nocache()


class Cachalot(Library):
    """django-cachalot; inside of its transactions it keeps to the database for what was written."""


class Naive(Library):
    """What is written by hand most often: get, else query and set; delete after the write."""

    def get(self, key: str, queryset: Callable[[], Any]) -> Any:
        found = cache.get(key)
        if found is None:
            found = queryset().get()
            cache.set(key, found, 600)
        return found

    def written(self, keys: Iterable[str]) -> None:
        for key in keys:
            cache.delete(key)


def library(orders: Orders) -> Library:
    """Return the library that is ordered."""
    kinds: dict[str, type[Library]] = {
        "genscache": Genscache,
        "cacheops": Cacheops,
        "cachalot": Cachalot,
        "naive": Naive,
    }
    return kinds[orders.library]()
