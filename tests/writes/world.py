"""What the tests of writes read and write: cached readers, and rows to begin with."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from genscache import cached, obj
from genscache.dependencies import ObjectRef
from tests.site.news.models import Article, Asset, Author, Country, Section, Tag, Topic


def _article(alias: str, pk: int) -> list[ObjectRef]:
    return [obj(Article, pk)]


def _asset(alias: str, pk: object) -> list[ObjectRef]:
    return [obj(Asset, pk)]


def _country(alias: str, pk: str) -> list[ObjectRef]:
    return [obj(Country, pk)]


@cached(Article, timeout=300)
def titles(alias: str) -> list[str]:
    """List declared."""
    return list(Article.objects.using(alias).order_by("pk").values_list("title", flat=True))


@cached(timeout=300)
def found_titles(alias: str) -> list[str]:
    """List discovered."""
    return list(Article.objects.using(alias).order_by("pk").values_list("title", flat=True))


@cached(timeout=300, depends_on=_article)
def title(alias: str, pk: int) -> str | None:
    """One object."""
    return Article.objects.using(alias).filter(pk=pk).values_list("title", flat=True).first()


@cached(timeout=300)
def sections(alias: str) -> list[str]:
    """Another table."""
    return list(Section.objects.using(alias).order_by("pk").values_list("name", flat=True))


@cached(timeout=300)
def both(alias: str) -> tuple[list[str], list[str]]:
    """Two tables in two queries."""
    first = list(Article.objects.using(alias).order_by("pk").values_list("title", flat=True))
    return first, list(Section.objects.using(alias).order_by("pk").values_list("name", flat=True))


@cached(timeout=300)
def tags_of(alias: str, pk: int) -> list[str]:
    """The many-to-many side of an article."""
    return list(Tag.objects.using(alias).filter(articles=pk).order_by("name").values_list("name", flat=True))


@cached(timeout=300)
def paths(alias: str) -> list[tuple[str, int | None]]:
    """Rows with a UUID as their key."""
    return list(Asset.objects.using(alias).order_by("path").values_list("path", "article_id"))


@cached(timeout=300, depends_on=_asset)
def path(alias: str, pk: uuid.UUID | str) -> str | None:
    """One row with a UUID as its key."""
    return Asset.objects.using(alias).filter(pk=pk).values_list("path", flat=True).first()


@cached(timeout=300, depends_on=_country)
def country(alias: str, pk: str) -> str | None:
    """One row with a text as its key."""
    return Country.objects.using(alias).filter(pk=pk).values_list("name", flat=True).first()


@cached(timeout=300)
def topics(alias: str) -> list[str]:
    """A tree."""
    return list(Topic.objects.using(alias).order_by("pk").values_list("name", flat=True))


@dataclass(frozen=True, slots=True)
class Rows:
    """What every test begins with."""

    section: Section
    author: Author
    articles: list[Article]
    tags: list[Tag]
    pks: list[int]


def seed(alias: str, *, articles: int = 3) -> Rows:
    """Write a section, an author, two tags and some articles, called ``a0``, ``a1`` and so on."""
    section = Section.objects.using(alias).create(name="World")
    author = Author.objects.using(alias).create(name="Ada")
    made = [
        Article.objects.using(alias).create(title=f"a{index}", section=section, author=author)
        for index in range(articles)
    ]
    tags = [Tag.objects.using(alias).create(name=name) for name in ("one", "two")]
    return Rows(section, author, made, tags, [article.pk for article in made])


def database_titles(alias: str) -> list[str]:
    """Ask the database."""
    return list(Article.objects.using(alias).order_by("pk").values_list("title", flat=True))
