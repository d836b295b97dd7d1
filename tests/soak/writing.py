"""Ways to write, each of which knows the versions that it has made: they rise by one under the row's lock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from django.db import connection, transaction
from django.db.models import F

from tests.site.news.models import Article, Asset, Author, Country, Tag
from tests.soak.slots import (
    ARTICLES,
    ASSETS,
    ASSETS_AT,
    AUTHORS,
    AUTHORS_AT,
    COUNTRIES,
    COUNTRIES_AT,
    SECTIONS,
    TAGS_AT,
    asset_key,
    country_key,
)

if TYPE_CHECKING:
    from tests.soak.libraries import Library

Versions: TypeAlias = list[tuple[int, int]]


class Write:
    """What a way to write is given.

    Args:
        chance: Where to.
        library: What caches.
        window: Called with slots when the write may take effect from now on, and has not returned.
        loop: For coroutines.
    """

    def __init__(
        self,
        chance: Random,
        library: Library,
        window: Callable[[Sequence[int]], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.chance = chance
        self.library = library
        self.window = window
        self.loop = loop

    def articles(self, count: int = 1) -> list[int]:
        """Return slots of articles, in the order in which everybody locks them."""
        return sorted(self.chance.sample(range(ARTICLES), count))

    @contextmanager
    def atomic(self, slots: Sequence[int]) -> Iterator[None]:
        """Commit at the end; the window opens there."""
        with transaction.atomic():
            yield
            self.window(slots)


def version_of(write: Write, slot: int, *, lock: bool = False) -> int:
    """Return the version of an article as the database has it."""
    queryset = write.library.plain(Article.objects.filter(pk=slot + 1))
    if lock:
        queryset = queryset.select_for_update()
    return int(queryset.values_list("views", flat=True).get())


def locked(write: Write, slot: int) -> Article:
    """Return the article, and keep everybody else from writing it."""
    found: Article = write.library.plain(Article.objects.select_for_update()).get(pk=slot + 1)
    return found


def compare_and_set(write: Write) -> Versions:
    """An UPDATE in autocommit, of a row that is as it was when it was looked at."""
    (slot,) = write.articles()
    version = version_of(write, slot)
    write.window([slot])
    done = Article.objects.filter(pk=slot + 1, views=version).update(views=version + 1)
    return [(slot, version + 1)] if done else []


def compare_and_set_in_a_coroutine(write: Write) -> Versions:
    """The same, awaited."""
    (slot,) = write.articles()
    version = version_of(write, slot)
    write.window([slot])
    queryset = Article.objects.filter(pk=slot + 1, views=version)
    done = write.loop.run_until_complete(queryset.aupdate(views=version + 1))
    return [(slot, version + 1)] if done else []


def raw(write: Write) -> Versions:
    """SQL in autocommit."""
    (slot,) = write.articles()
    write.window([slot])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE news_article SET views = views + 1 WHERE id = %s RETURNING views", [slot + 1])
        return [(slot, int(cursor.fetchone()[0]))]


def raw_in_a_transaction(write: Write) -> Versions:
    """SQL between BEGIN and COMMIT by Django."""
    slots = write.articles(2)
    made = []
    with write.atomic(slots), connection.cursor() as cursor:
        for slot in slots:
            cursor.execute(
                "UPDATE news_article SET views = views + 1 WHERE id = %s RETURNING views", [slot + 1]
            )
            made.append((slot, int(cursor.fetchone()[0])))
    return made


def save(write: Write) -> Versions:
    """Save a row that is locked."""
    (slot,) = write.articles()
    with write.atomic([slot]):
        article = locked(write, slot)
        article.views += 1
        article.save()
    return [(slot, article.views)]


def add_in_sql(write: Write) -> Versions:
    """update() with F(), of two rows."""
    slots = write.articles(2)
    with write.atomic(slots):
        for slot in slots:
            Article.objects.filter(pk=slot + 1).update(views=F("views") + 1)
        return [(slot, version_of(write, slot)) for slot in slots]


def in_bulk(write: Write) -> Versions:
    """bulk_update()."""
    slots = write.articles(3)
    with write.atomic(slots):
        articles = [locked(write, slot) for slot in slots]
        for article in articles:
            article.views += 1
        Article.objects.bulk_update(articles, ["views"])
    return [(article.pk - 1, article.views) for article in articles]


def inner_rollback(write: Write) -> Versions:
    """A savepoint that is rolled back, and a write beside it."""
    first, second = write.articles(2)
    with write.atomic([second]):
        with transaction.atomic():
            Article.objects.filter(pk=first + 1).update(views=F("views") + 1000)
            transaction.set_rollback(True)
        Article.objects.filter(pk=second + 1).update(views=F("views") + 1)
        return [(second, version_of(write, second))]


def rollback(write: Write) -> Versions:
    """A transaction that comes to nothing."""
    (slot,) = write.articles()
    with transaction.atomic():
        Article.objects.filter(pk=slot + 1).update(views=F("views") + 1000)
        version_of(write, slot)
        transaction.set_rollback(True)
    return []


def move(write: Write) -> Versions:
    """An article goes to another section: a value of ``match``."""
    (slot,) = write.articles()
    with write.atomic([slot]):
        article = locked(write, slot)
        article.views += 1
        article.section_id = article.section_id % SECTIONS + 1
        article.save(update_fields=["views", "section"])
    return [(slot, article.views)]


def tags(write: Write) -> Versions:
    """A link is made and another one removed."""
    (slot,) = write.articles()
    with write.atomic([TAGS_AT + slot]):
        article = locked(write, slot)
        (old,) = write.library.plain(article.tags.all())
        version = int(old.name.partition(":")[2]) + 1
        article.tags.add(Tag.objects.create(name=f"{slot + 1}:{version}"))
        article.tags.remove(old)
        old.delete()
    return [(TAGS_AT + slot, version)]


def birth(write: Write) -> Versions:
    """A row is deleted and made again under its key."""
    index = write.chance.randrange(ASSETS)
    with write.atomic([ASSETS_AT + index]):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ASSETS_AT + index])
        asset = write.library.plain(Asset.objects.all()).get(pk=asset_key(index))
        version = int(asset.path) + 1
        asset.delete()
        Asset.objects.create(pk=asset_key(index), path=str(version))
    return [(ASSETS_AT + index, version)]


def batch(write: Write) -> Versions:
    """Two transactions in a batch."""
    from genscache import batch_invalidations  # noqa: PLC0415 - not installed where another library is looked at

    made = []
    with batch_invalidations():
        for index in write.chance.sample(range(AUTHORS), 2):
            write.window([AUTHORS_AT + index])
            with transaction.atomic():
                author = write.library.plain(Author.objects.select_for_update()).get(pk=index + 1)
                author.name = str(int(author.name) + 1)
                author.save()
            made.append((AUTHORS_AT + index, int(author.name)))
    return made


def behind_its_back(write: Write) -> Versions:
    """The driver's own cursor, and a word about it afterwards."""
    from genscache import invalidate_obj, obj  # noqa: PLC0415 - not installed where another library is looked at

    index = write.chance.randrange(COUNTRIES)
    write.window([COUNTRIES_AT + index])
    connection.ensure_connection()
    driver: Any = connection.connection
    with driver.cursor() as cursor:
        cursor.execute(
            "UPDATE news_country SET name = (name::int + 1)::text WHERE code = %s RETURNING name",
            [country_key(index)],
        )
        version = int(cursor.fetchone()[0])
    invalidate_obj(obj(Country, country_key(index)))
    return [(COUNTRIES_AT + index, version)]


COMMON: Final = (
    compare_and_set,
    raw,
    raw_in_a_transaction,
    save,
    add_in_sql,
    in_bulk,
    inner_rollback,
    rollback,
    move,
    tags,
    birth,
)
OWN: Final = (compare_and_set_in_a_coroutine, batch, behind_its_back)
"""Only genscache is asked for these."""
