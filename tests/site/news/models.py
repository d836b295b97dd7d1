"""Articles in sections by authors with tags; and the odd kinds of model that a cache must get right too."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone


class Section(models.Model):
    """A part of the site."""

    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Author(models.Model):
    """A person who writes."""

    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    """A word that articles are found by."""

    name = models.CharField(max_length=100, unique=True)

    def __str__(self) -> str:
        return self.name


class Article(models.Model):
    """What is read; the parent of ``Column`` by multi-table inheritance."""

    title = models.CharField(max_length=200)
    body = models.TextField(blank=True, default="")
    section = models.ForeignKey(Section, on_delete=models.CASCADE, related_name="articles")
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="articles")
    tags = models.ManyToManyField(Tag, related_name="articles", blank=True)
    published = models.DateTimeField(default=timezone.now)
    views = models.IntegerField(default=0)
    score = models.DecimalField(max_digits=6, decimal_places=2, default=0)

    def __str__(self) -> str:
        return self.title


class Column(Article):
    """An article of a series: its rows are in two tables."""

    series = models.CharField(max_length=100)

    def __str__(self) -> str:
        return f"{self.series}: {self.title}"


class PopularManager(models.Manager["PopularArticle"]):
    """Those that were read often."""

    def get_queryset(self) -> models.QuerySet[PopularArticle]:
        """Leave out what nobody reads."""
        return super().get_queryset().filter(views__gte=100)


class PopularArticle(Article):
    """A proxy: the rows are those of ``Article``."""

    objects: ClassVar[PopularManager] = PopularManager()

    class Meta:
        proxy = True


class Asset(models.Model):
    """A file, with a UUID as its primary key and an article that it may belong to."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    article = models.ForeignKey(
        Article, on_delete=models.SET_NULL, null=True, blank=True, related_name="assets"
    )
    path = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.path


class Country(models.Model):
    """A country, with a text as its primary key."""

    code = models.CharField(primary_key=True, max_length=2)
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Topic(models.Model):
    """A tree: a foreign key to the same model, and fast deletes that cascade."""

    name = models.CharField(max_length=100)
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="children"
    )

    def __str__(self) -> str:
        return self.name


class SectionSummary(models.Model):
    """An unmanaged model over a view of ``Section`` and ``Article`` (see ``derived.py``)."""

    name = models.CharField(max_length=100)
    articles = models.IntegerField()
    views = models.IntegerField()

    class Meta:
        managed = False
        db_table = "news_sectionsummary"

    def __str__(self) -> str:
        return f"{self.name}: {self.articles}"


class CacheNamedManager(models.Manager["Hoard"]):
    """A manager whose author had the word ``cache`` first."""

    def cache(self) -> str:
        """Be what it was before genscache was installed."""
        return "the manager's own"


class Hoard(models.Model):
    """A model whose manager already has an attribute ``cache``."""

    name = models.CharField(max_length=100)

    objects: ClassVar[CacheNamedManager] = CacheNamedManager()

    def __str__(self) -> str:
        return self.name


class Reader(models.Model):
    """A person who reads, with friends: a many-to-many field to itself, in both directions at once."""

    name = models.CharField(max_length=100)
    friends = models.ManyToManyField("self")

    def __str__(self) -> str:
        return self.name


class Club(models.Model):
    """Readers who meet: a many-to-many field with a model of its own between."""

    name = models.CharField(max_length=100)
    founded = models.DateField(null=True)
    open = models.BooleanField(default=True)
    members = models.ManyToManyField(Reader, through="Membership", related_name="clubs")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """That a reader belongs to a club."""

    club = models.ForeignKey(Club, on_delete=models.CASCADE)
    reader = models.ForeignKey(Reader, on_delete=models.CASCADE)

    def __str__(self) -> str:
        return f"{self.reader} in {self.club}"
