"""Cached functions that a soak reads by."""

from __future__ import annotations

from genscache import cached, obj
from tests.site.news.models import Article


@cached
def discovered() -> list[tuple[int, int]]:
    """Return key and version of all articles; what it reads is found out."""
    return list(Article.objects.order_by("pk").values_list("pk", "views"))


@cached(depends_on=lambda key: [obj(Article, key)])
def declared(key: int) -> int:
    """Return the version of an article; it is declared to depend on it alone."""
    return Article.objects.get(pk=key).views


@cached
async def awaited() -> list[tuple[int, int]]:
    """Return key and version of all articles, in a coroutine."""
    return [row async for row in Article.objects.values_list("pk", "views")]
