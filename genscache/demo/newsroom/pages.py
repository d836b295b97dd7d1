"""What the site shows, cached. Entries live for two minutes at most: a server that is shared soon forgets them."""

from __future__ import annotations

from typing import Final, TypeAlias

from django.db.models import Count

from genscache.decorators import cached
from genscache.demo.newsroom.models import Article, Section
from genscache.dependencies import ObjectRef, obj

LIFE: Final = 120
"""Seconds that an entry of the demo lives."""

Page: TypeAlias = dict[str, list[tuple[str, ...]]]


@cached(timeout=LIFE)
def front_page(limit: int) -> Page:
    """Return the newest articles, the most read ones, and the sections; which tables it reads is found out."""
    newest = Article.objects.select_related("section", "author").prefetch_related("tags")
    return {
        "newest": [
            (each.title, each.section.name, each.author.name, ", ".join(tag.name for tag in each.tags.all()))
            for each in newest.order_by("-published", "-pk")[:limit]
        ],
        "most read": [
            (title,) for title in Article.objects.order_by("-views", "pk").values_list("title", flat=True)[:5]
        ],
        "sections": [
            (name, str(size))
            for name, size in Section.objects.order_by("name").values_list("name", Count("articles"))
        ],
    }


def _itself(pk: int) -> list[ObjectRef]:
    return [obj(Article, pk)]


@cached(timeout=LIFE, depends_on=_itself)
def article_page(pk: int) -> tuple[str, str]:
    """Return one article by its primary key; a write to another article leaves this entry alone."""
    title, body = Article.objects.values_list("title", "body").get(pk=pk)
    return title, body


@cached(Article, timeout=LIFE)
def headline(pk: int) -> str:
    """Return an article's title."""
    return title_of(pk)


@cached(Article, timeout=LIFE)
def teaser(number: int) -> str:
    """Return a short text that depends on the articles; it asks nothing, so that very many are soon made."""
    return f"Teaser {number}: read all about it."


def title_of(pk: int) -> str:
    """Ask the database for an article's title."""
    title: str = Article.objects.values_list("title", flat=True).get(pk=pk)
    return title
