"""Inside an actor: the scripts that read, each in another way."""

from __future__ import annotations

from typing import Any

from asgiref.sync import async_to_sync
from django.db import models
from django.db.models import Sum

from genscache import cached, obj
from genscache.dependencies import ObjectRef
from tests.races.actor import script
from tests.site.news.models import Article, Asset, Author, Column, Section, Tag
from tests.writes.world import both, found_titles, titles


def rows(model: type[models.Model], alias: str, **caching: object) -> Any:
    """Return a cached queryset."""
    manager: Any = model._default_manager.using(alias)
    return manager.cache(**caching)


@script
def get(alias: str, pk: int) -> str | None:
    try:
        found: str = rows(Article, alias).get(pk=pk).title
    except Article.DoesNotExist:
        return None
    return found


@script
def listed(alias: str) -> list[str]:
    return [article.title for article in rows(Article, alias).order_by("pk")]


@script
def values(alias: str) -> list[str]:
    return list(rows(Article, alias).order_by("pk").values_list("title", flat=True))


@script
def first(alias: str) -> str:
    found: str = rows(Article, alias).order_by("pk").first().title
    return found


@script
def seen(alias: str) -> int:
    """Count what was ever renamed."""
    found: int = rows(Article, alias).filter(views__gte=1).count()
    return found


@script
def any_seen(alias: str) -> bool:
    found: bool = rows(Article, alias).filter(views__gte=1).exists()
    return found


@script
def total(alias: str) -> int:
    found: int = rows(Article, alias).aggregate(total=Sum("views"))["total"] or 0
    return found


@script
def total_by_section(alias: str) -> list[int]:
    """Join another table to the one that is written."""
    return list(rows(Section, alias).annotate(total=Sum("articles__views")).values_list("total", flat=True))


@script
def in_section(alias: str, section: int) -> list[str]:
    """Go through a related manager."""
    manager: Any = Section(pk=section).articles.using(alias)
    return [article.title for article in manager.cache().order_by("pk")]


@script
def function(alias: str) -> list[str]:
    """Call a decorated function that says what it depends on."""
    return titles(alias)


@script
def discovering(alias: str) -> list[str]:
    """Call a decorated function whose tables are found."""
    return found_titles(alias)


def _article(alias: str, pk: int) -> list[ObjectRef]:
    return [obj(Article, pk)]


@cached(timeout=300, depends_on=_article)
def _title(alias: str, pk: int) -> str | None:
    return Article.objects.using(alias).filter(pk=pk).values_list("title", flat=True).first()


@script
def function_of_one(alias: str, pk: int) -> str | None:
    """Call a decorated function that depends on one object."""
    return _title(alias, pk)


@cached(timeout=300)
def _around(alias: str) -> list[str]:
    return [article.title for article in rows(Article, alias).order_by("pk")]


@script
def function_around_list(alias: str) -> list[str]:
    """Call a decorated function that reads a cached queryset: entries in entries."""
    return _around(alias)


@script
def aget(alias: str, pk: int) -> str | None:
    return async_to_sync(_aget)(alias, pk)


async def _aget(alias: str, pk: int) -> str | None:
    try:
        found: str = (await rows(Article, alias).aget(pk=pk)).title
    except Article.DoesNotExist:
        return None
    return found


@script
def alisted(alias: str) -> list[str]:
    return async_to_sync(_alisted)(alias)


async def _alisted(alias: str) -> list[str]:
    return [article.title async for article in rows(Article, alias).order_by("pk")]


@script
def locked(alias: str) -> list[str]:
    """Let one process at a time fill."""
    return [article.title for article in rows(Article, alias, lock=True).order_by("pk")]


@script
def by_policy(alias: str) -> list[str]:
    """Ask for nothing: GENSCACHE["MODELS"] does."""
    return [article.title for article in Article.objects.using(alias).order_by("pk")]


# -- other tables


@script
def tags_of(alias: str, pk: int) -> list[str]:
    return [tag.name for tag in rows(Tag, alias).filter(articles=pk).order_by("name")]


@script
def tags_by_relation(alias: str, pk: int) -> list[str]:
    manager: Any = Article(pk=pk).tags.using(alias)
    return [tag.name for tag in manager.cache().order_by("name")]


@script
def tag_count(alias: str, pk: int) -> int:
    found: int = rows(Tag, alias).filter(articles=pk).count()
    return found


@script
def tags_prefetched(alias: str, pk: int) -> list[str]:
    found = rows(Article, alias).prefetch_related("tags").get(pk=pk)
    return sorted(tag.name for tag in found.tags.all())


@script
def section_name(alias: str, pk: int) -> str:
    """Join by select_related."""
    found: str = rows(Article, alias).select_related("section").get(pk=pk).section.name
    return found


@script
def prefetched(alias: str) -> list[object]:
    """Return the name of a section and the titles in it: two queries, two entries."""
    section = rows(Section, alias).prefetch_related("articles").get()
    return [section.name, sorted(article.title for article in section.articles.all())]


@script
def sections(alias: str) -> list[str]:
    return [section.name for section in rows(Section, alias).order_by("pk")]


@script
def matched(alias: str, author: int) -> list[str]:
    """Filter by equality of a field for which ``match`` is asked."""
    return [article.title for article in rows(Article, alias).filter(author=author).order_by("pk")]


@script
def matched_count(alias: str, author: int) -> int:
    found: int = rows(Article, alias).filter(author=author).count()
    return found


@script
def asset(alias: str, pk: str) -> str:
    """Read by a key that is a UUID."""
    found: str = rows(Asset, alias).get(pk=pk).path
    return found


@script
def article_of_asset(alias: str, pk: str) -> int | None:
    found: int | None = rows(Asset, alias).get(pk=pk).article_id
    return found


@script
def column(alias: str, pk: int) -> str:
    """Read a child: its row is in two tables."""
    found: str = rows(Column, alias).get(pk=pk).title
    return found


@script
def some(alias: str, *pks: int) -> list[str]:
    """Read rows by a list of keys."""
    return [article.title for article in rows(Article, alias).filter(pk__in=pks).order_by("pk")]


@script
def bulk(alias: str, *pks: int) -> list[str]:
    return sorted(article.title for article in rows(Article, alias).in_bulk(pks).values())


@script
def by_key_and_title(alias: str, pk: int, title: str) -> bool:
    found: bool = rows(Article, alias).filter(pk=pk, title=title).exists()
    return found


@script
def authors(alias: str) -> list[str]:
    return [author.name for author in rows(Author, alias).order_by("pk")]


@script
def composite(alias: str) -> list[object]:
    """Call a decorated function of two queries."""
    return list(both(alias))


# -- the truth


@script
def database(alias: str) -> list[str]:
    """Ask the database, by no cache."""
    return list(Article.objects.using(alias).order_by("pk").values_list("title", flat=True))


READS: dict[str, Any] = {
    each.__name__: each
    for each in (get, listed, values, seen, total, function, discovering, prefetched, aget, authors, database)
}
"""The readers that others call by name."""
