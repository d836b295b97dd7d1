"""The same questions and writes, asked of each contestant in the way of its users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from django.core.cache import cache
from django.db.models.signals import post_save

from tests.benchmarks.journal.models import Article, Author

CASES: Final = ("get", "list20", "list1000", "count", "function20")
LIFE: Final = 3600
# The types know managers of installed apps only, and this one is installed where it is measured.
ARTICLES: Any = cast("Any", Article).objects
AUTHORS: Any = cast("Any", Author).objects
SECTION: Final = 3
PK: Final = 7


def one(pk: int = PK) -> Any:
    """Return one article."""
    return ARTICLES.get(pk=pk)


def many(rows: int) -> list[Any]:
    """Return articles."""
    return list(ARTICLES.order_by("pk")[:rows])


def listed(section: int = SECTION) -> list[Any]:
    """Return twenty articles with their authors, as a page would list them."""
    return list(ARTICLES.select_related("author").filter(section=section).order_by("-published", "pk")[:20])


def long_ones(words: int) -> list[Any]:
    """Return twenty articles of a section that are not too short; no article is that short."""
    found: Any = ARTICLES.select_related("author").filter(section=SECTION, words__gt=-words)
    return list(found.order_by("-published", "pk")[:20])


def counted(section: int = SECTION) -> int:
    """Count articles."""
    found: int = ARTICLES.filter(section=section).count()
    return found


class Contestant:
    """Nobody caches: the database is asked."""

    def get(self, pk: int = PK) -> Any:
        """Return one article by its key."""
        return one(pk)

    def list20(self, section: int = SECTION) -> list[Any]:
        """Return twenty articles with their authors."""
        return listed(section)

    def long20(self, words: int) -> list[Any]:
        """Return the same, asked for in as many ways as there are numbers."""
        return long_ones(words)

    def list1000(self) -> list[Any]:
        """Return a thousand articles."""
        return many(1000)

    def rows(self, rows: int) -> list[Any]:
        """Return articles."""
        return many(rows)

    def count(self, section: int = SECTION) -> int:
        """Count the articles of a section."""
        return counted(section)

    def function(self) -> Callable[[], list[Any]] | None:
        """Return a cached function that returns twenty articles; ``None``: it cannot cache functions."""
        return listed

    def save(self, article: Any) -> None:
        """Save an article that was read before."""
        article.save()


class Handwritten(Contestant):
    """``cache.get``, else ask and ``cache.set``; deleted when an article is saved."""

    def __init__(self) -> None:
        post_save.connect(self._saved, Article, weak=False)

    def get(self, pk: int = PK) -> Any:
        return self._cached(f"article:{pk}", lambda: one(pk))

    def list20(self, section: int = SECTION) -> list[Any]:
        found: list[Any] = self._cached(f"section:{section}", lambda: listed(section))
        return found

    def long20(self, words: int) -> list[Any]:
        found: list[Any] = self._cached(f"long:{words}", lambda: long_ones(words))
        return found

    def list1000(self) -> list[Any]:
        return self.rows(1000)

    def rows(self, rows: int) -> list[Any]:
        found: list[Any] = self._cached(f"articles:{rows}", lambda: many(rows))
        return found

    def count(self, section: int = SECTION) -> int:
        found: int = self._cached(f"count:{section}", lambda: counted(section))
        return found

    def function(self) -> Callable[[], list[Any]] | None:
        return lambda: self.list20(SECTION)

    def _cached(self, key: str, ask: Callable[[], Any]) -> Any:
        found = cache.get(key)
        if found is None:
            found = ask()
            cache.set(key, found, LIFE)
        return found

    def _saved(self, instance: Any, **_: object) -> None:
        keys = [
            f"article:{instance.pk}",
            f"section:{instance.section}",
            f"count:{instance.section}",
            "articles:1000",
        ]
        cache.delete_many(keys)


class Genscache(Contestant):
    """The library under test."""

    def function(self) -> Callable[[], list[Any]] | None:
        from genscache import cached  # noqa: PLC0415 - not there where others are measured

        return cached(Article, Author)(twenty)


class Cacheops(Contestant):
    """django-cacheops."""

    def function(self) -> Callable[[], list[Any]] | None:
        from cacheops import cached_as  # type: ignore[import-not-found]  # noqa: PLC0415 - not there where others are

        found: Callable[[], list[Any]] = cached_as(Article, Author, timeout=LIFE)(twenty)
        return found


class Cachalot(Contestant):
    """django-cachalot."""

    def function(self) -> Callable[[], list[Any]] | None:
        return None


def twenty() -> list[Any]:
    """Return what a cached function returns: genscache knows the inner list, too, and is not to be helped by that."""
    found: Any = ARTICLES.select_related("author")
    if hasattr(found, "nocache"):
        found = found.nocache()
    return list(found.filter(section=SECTION).order_by("-published", "pk")[:20])


def contestant(name: str) -> Contestant:
    """Return a contestant; this process must be its own."""
    kinds: dict[str, type[Contestant]] = {
        "genscache": Genscache,
        "handwritten": Handwritten,
        "cacheops": Cacheops,
        "cachalot": Cachalot,
        "none": Contestant,
    }
    return kinds[name]()
