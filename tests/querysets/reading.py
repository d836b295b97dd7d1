"""Rows to ask for, and what a read did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection
from django.test.utils import CaptureQueriesContext

from genscache import stats
from tests.site.news.models import Article, Author, Section, Tag


@dataclass(frozen=True)
class Site:
    """Three articles of one author in two sections, the first two with a tag."""

    author: Author
    sections: tuple[Section, Section]
    articles: tuple[Article, Article, Article]
    tag: Tag


def make_site() -> Site:
    """Write the rows."""
    author = Author.objects.create(name="Ada")
    sections = (Section.objects.create(name="home"), Section.objects.create(name="world"))
    tag = Tag.objects.create(name="blue")
    articles = tuple(
        Article.objects.create(
            pk=number + 1, title=f"Title {number}", section=sections[number % 2], author=author, views=number
        )
        for number in range(3)
    )
    for article in articles[:2]:
        article.tags.add(tag)
    return Site(author, sections, articles, tag)  # type: ignore[arg-type]  # three


@dataclass(frozen=True)
class Seen:
    """What a read has returned and done."""

    result: object
    queries: int
    counts: dict[str, int]


def seen(read: Callable[[], object]) -> Seen:
    """Read, and count queries and what ``stats()`` counts."""
    before = stats()
    with CaptureQueriesContext(connection) as queries:
        result = read()
    after = stats()
    return Seen(
        result,
        len(queries),
        {key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key, 0)},
    )


def is_hit(read: Callable[[], object]) -> bool:
    """Tell whether a read was answered without the database."""
    found = seen(read)
    assert (found.queries == 0) == (found.counts.get("miss", 0) == 0 and found.counts.get("bypass", 0) == 0)
    return found.queries == 0


def why(read: Callable[[], object]) -> str:
    """Return the reason why a read was not cached."""
    return next(key.removeprefix("bypass: ") for key in seen(read).counts if key.startswith("bypass: "))
