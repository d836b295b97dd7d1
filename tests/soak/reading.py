"""Ways to read, each of which tells the versions that it was given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ObjectDoesNotExist
from django.db import connection, transaction
from django.db.models import Sum

from tests.site.news.models import Article, Asset, Author, Country
from tests.soak.slots import (
    ARTICLES,
    ASSETS,
    ASSETS_AT,
    AUTHORS_AT,
    COUNTRIES,
    COUNTRIES_AT,
    GONE,
    SECTIONS,
    TAGS_AT,
    asset_key,
    country_key,
)
from tests.soak.writing import Versions

if TYPE_CHECKING:
    from tests.soak.libraries import Library


class Reading:
    """What a way to read is given.

    Attributes:
        total: The sum of all articles' versions, where that is what was read.
    """

    def __init__(self, chance: Random, library: Library, loop: asyncio.AbstractEventLoop) -> None:
        self.chance = chance
        self.library = library
        self.loop = loop
        self.total: int | None = None
        self.functions: dict[str, Callable[..., Any]] = {}

    def slot(self) -> int:
        """Choose an article."""
        return self.chance.randrange(ARTICLES)


def everything(rows: Iterable[tuple[int, int]]) -> Versions:
    """Complete the articles (key, version) with what is missing."""
    found = dict(rows)
    return [(slot, found.get(slot + 1, GONE)) for slot in range(ARTICLES)]


def get(reading: Reading) -> Versions:
    """Read by primary key."""
    slot = reading.slot()
    article = reading.library.get(f"article:{slot}", lambda: Article.objects.filter(pk=slot + 1))
    return [(slot, article.views)]


def rows(reading: Reading) -> Versions:
    """A list of all."""
    return everything((each.pk, each.views) for each in reading.library.cached(Article.objects.all()))


def values(reading: Reading) -> Versions:
    """values_list() of all."""
    return everything(reading.library.cached(Article.objects.values_list("pk", "views")))


def section(reading: Reading) -> Versions:
    """A list that is filtered by a value of ``match``."""
    key = reading.chance.randrange(SECTIONS) + 1
    return [
        (each.pk - 1, each.views) for each in reading.library.cached(Article.objects.filter(section_id=key))
    ]


def total(reading: Reading) -> Versions:
    """An aggregate."""
    reading.total = reading.library.cached(Article.objects.all()).aggregate(total=Sum("views"))["total"]
    return []


def joined(reading: Reading) -> Versions:
    """select_related()."""
    slot = reading.slot()
    queryset = Article.objects.select_related("author").filter(pk=slot + 1)
    article = reading.library.get(f"article:{slot}", lambda: queryset)
    return [(slot, article.views), (AUTHORS_AT + article.author_id - 1, int(article.author.name))]


def linked(reading: Reading) -> Versions:
    """The tags of one."""
    slot = reading.slot()
    article = Article(pk=slot + 1)
    return [(TAGS_AT + slot, newest(reading.library.cached(article.tags.all())))]


def prefetched(reading: Reading) -> Versions:
    """prefetch_related()."""
    queryset = Article.objects.filter(pk__lte=4).prefetch_related("tags")
    made = []
    for article in reading.library.cached(queryset):
        made += [(article.pk - 1, article.views), (TAGS_AT + article.pk - 1, newest(article.tags.all()))]
    return made


def newest(found: Iterable[Any]) -> int:
    """Return the newest version that tags tell of."""
    return max((int(tag.name.partition(":")[2]) for tag in found), default=GONE)


def asset(reading: Reading) -> Versions:
    """A row that is made anew all the time."""
    index = reading.chance.randrange(ASSETS)
    queryset = Asset.objects.filter(pk=asset_key(index))
    return [(ASSETS_AT + index, int(reading.library.get(f"asset:{index}", lambda: queryset).path))]


def in_a_transaction(reading: Reading) -> Versions:
    """Twice in a transaction that sees each statement's own moment."""
    with transaction.atomic():
        return [*get(reading), *rows(reading)]


def in_a_snapshot(reading: Reading) -> Versions:
    """Twice in a transaction that sees one moment."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return [*rows(reading), *get(reading), *linked(reading)]


def country(reading: Reading) -> Versions:
    """A row that is written behind Django's back."""
    index = reading.chance.randrange(COUNTRIES)
    found = reading.library.cached(Country.objects.all()).get(pk=country_key(index))
    return [(COUNTRIES_AT + index, int(found.name))]


def authors(reading: Reading) -> Versions:
    """Rows that are written in batches."""
    return [
        (AUTHORS_AT + each.pk - 1, int(each.name)) for each in reading.library.cached(Author.objects.all())
    ]


def selected(reading: Reading) -> Versions:
    """A raw queryset."""
    return everything(
        (each.pk, each.views) for each in Article.objects.raw("SELECT * FROM news_article").cache()
    )


def discovered(reading: Reading) -> Versions:
    """A function that nobody told what it depends on."""
    return everything(function(reading, "discovered")())


def declared(reading: Reading) -> Versions:
    """A function that depends on one object."""
    slot = reading.slot()
    return [(slot, function(reading, "declared")(slot + 1))]


def awaited(reading: Reading) -> Versions:
    """A coroutine, of a queryset."""
    slot = reading.slot()
    article = reading.loop.run_until_complete(Article.objects.cache().aget(pk=slot + 1))
    return [(slot, article.views)]


def awaited_function(reading: Reading) -> Versions:
    """A cached coroutine function."""
    return everything(reading.loop.run_until_complete(function(reading, "awaited")()))


def function(reading: Reading, name: str) -> Callable[..., Any]:
    """Return a cached function."""
    if not reading.functions:
        from tests.soak import functions  # noqa: PLC0415 - genscache may not be installed

        reading.functions = {
            "discovered": functions.discovered,
            "declared": functions.declared,
            "awaited": functions.awaited,
        }
    return reading.functions[name]


GETS: Final = (get, asset)
"""What a cache by hand has, too."""
COMMON: Final = (
    *GETS,
    rows,
    values,
    section,
    total,
    joined,
    linked,
    prefetched,
    in_a_transaction,
    in_a_snapshot,
)
OWN: Final = (country, authors, selected, discovered, declared, awaited, awaited_function)
"""Only genscache is asked for these."""

MISSING: Final = (ObjectDoesNotExist,)
