"""The functions that are cached with ``@cached``."""

from __future__ import annotations

from tests.site.news.models import Article, Section


def newest() -> list[tuple[str, str]]:
    """Read declared models."""
    return list(Article.objects.order_by("-published").values_list("title", "author__name")[:2])


def titled(pk: int) -> str:
    """Read one object."""
    return Article.objects.get(pk=pk).title


def sections() -> dict[str, int]:
    """Read tables that are discovered."""
    return {each.name: each.articles.count() for each in Section.objects.order_by("pk")}
