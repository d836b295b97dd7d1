"""``CachedManager``, ``CachedQuerySet``, and managers that get their methods at run time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self, assert_type

from django.db import models

from genscache import CachedManager, CachedQuerySet
from tests.site.news.models import Article


class ShelfQuerySet(CachedQuerySet["Shelf"]):
    """A queryset with a method of its own."""

    def full(self) -> Self:
        return self.filter(books__gt=10)


class Shelf(models.Model):
    """A model that names its manager; never installed."""

    books = models.IntegerField(default=0)

    objects = CachedManager["Shelf"]()
    shelves = CachedManager.from_queryset(ShelfQuerySet)()

    class Meta:
        app_label = "typing"
        abstract = True


def querysets(found: CachedQuerySet[Article]) -> None:
    assert_type(found.cache(), CachedQuerySet[Article])
    assert_type(found.cache(timeout=5, ops=["get", "list"], lock=True), CachedQuerySet[Article])
    assert_type(found.cache(timedelta(minutes=1), ops="all").nocache(), CachedQuerySet[Article])
    assert_type(found.cache().get(pk=1), Article)
    assert_type(found.cache().filter(pk=1).first(), Article | None)
    assert_type(found.cache().count(), int)
    assert_type(found.cache().exists(), bool)
    assert_type(found.cache().aggregate(), dict[str, Any])
    found.cache(timeout="5")  # type: ignore[arg-type]


async def coroutines(found: CachedQuerySet[Article]) -> None:
    assert_type(await found.aget(pk=1), Article)
    assert_type(await found.afirst(), Article | None)
    assert_type(await found.acount(), int)
    assert_type([each async for each in found.cache()], list[Article])


def own(found: ShelfQuerySet) -> None:
    assert_type(found.cache().full(), ShelfQuerySet)
    assert_type(found.full().nocache(), ShelfQuerySet)


def managers_of_django_stay_as_they_are() -> None:
    assert_type(Article.objects.filter(pk=1), models.QuerySet[Article, Article])
    assert_type(Article.objects.get(pk=1), Article)
