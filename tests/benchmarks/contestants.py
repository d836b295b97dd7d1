"""The same questions and writes, asked of each contestant in the way of its users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django.core.cache import cache
from django.db.models import F
from django.db.models.signals import post_save

from tests.benchmarks.journal.models import Article, Author

CASES: Final = ("get", "list20", "list1000", "count", "function20")
LIFE: Final = 3600
PUBLISHED: Final = datetime(2020, 1, 1, tzinfo=UTC)
ARTICLES: Any = Article._default_manager
SECTION: Final = 3
PK: Final = 7
WRITTEN: Final = 900
"""The article that is saved."""

UPDATED: Final = 901
"""The article that an ``update()`` writes."""


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

    def update(self, pk: int) -> None:
        """Write a column of one article without reading it."""
        ARTICLES.filter(pk=pk).update(words=F("words") + 1)

    def create(self) -> None:
        """Make one article more."""
        made()

    def import_rows(self, rows: int) -> None:
        """Make articles, one by one, in autocommit."""
        for _ in range(rows):
            made()

    def know(self, pks: Sequence[int]) -> None:
        """Ask something about articles that does not answer what is asked later; only generations can be known."""

    def invalidate_rows(self, rows: int) -> None:
        """Tell of writes to articles that nobody here has seen, one by one; there is nothing to do without a cache."""


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

    def update(self, pk: int) -> None:
        super().update(pk)
        # No signal tells of it. Which section it is in is not known without a query.
        cache.delete_many([f"article:{pk}", *(f"section:{section}" for section in range(10))])

    def invalidate_rows(self, rows: int) -> None:
        cache.delete_many([f"article:{pk}" for pk in range(1, rows + 1)])

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

    def know(self, pks: Sequence[int]) -> None:
        for start in range(0, len(pks), 30):
            list(ARTICLES.filter(pk__in=pks[start : start + 30]))

    def import_rows(self, rows: int) -> None:
        from genscache import batch_invalidations  # noqa: PLC0415 - the same

        with batch_invalidations():
            super().import_rows(rows)

    def invalidate_rows(self, rows: int) -> None:
        from genscache import batch_invalidations, invalidate_obj, obj  # noqa: PLC0415 - the same

        with batch_invalidations():
            for pk in range(1, rows + 1):
                invalidate_obj(obj(Article, pk))


class Cacheops(Contestant):
    """django-cacheops."""

    def function(self) -> Callable[[], list[Any]] | None:
        from cacheops import cached_as  # type: ignore[import-not-found]  # noqa: PLC0415 - not there where others are

        found: Callable[[], list[Any]] = cached_as(Article, Author, timeout=LIFE)(twenty)
        return found

    def update(self, pk: int) -> None:
        # Its plain update() invalidates nothing.
        ARTICLES.filter(pk=pk).invalidated_update(words=F("words") + 1)


class Cachalot(Contestant):
    """django-cachalot."""

    def function(self) -> Callable[[], list[Any]] | None:
        return None


def made() -> None:
    """Make one article."""
    ARTICLES.create(
        title="One article more", slug="one-article-more", summary="A short one.", author_id=1, section=SECTION,
        published=PUBLISHED, price=Decimal("9.99"), words=300,
    )  # fmt: skip


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
