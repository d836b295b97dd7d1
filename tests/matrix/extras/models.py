"""Generic relations, a one-to-one field, ordering over a relation, managers of its own, and a trigger's target."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models

from tests.site.news.models import Author, Section


class Profile(models.Model):
    """What is told of an author: a one-to-one field."""

    author = models.OneToOneField(Author, on_delete=models.CASCADE, related_name="profile")
    text = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.text


class Comment(models.Model):
    """Said of anything: a generic foreign key."""

    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.BigIntegerField()
    about = GenericForeignKey("content_type", "object_id")
    text = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.text


class VideoQuerySet(models.QuerySet["Video"]):
    """A queryset with a method of its own."""

    def long(self) -> models.QuerySet[Video]:
        """Keep those that take ten minutes."""
        return self.filter(minutes__gte=10)


class ShownManager(models.Manager["Video"]):
    """A manager that leaves rows out."""

    def get_queryset(self) -> models.QuerySet[Video]:
        """Leave out what is hidden."""
        return super().get_queryset().filter(hidden=False)


class Video(models.Model):
    """What is watched: a generic relation, and two managers."""

    title = models.CharField(max_length=100)
    minutes = models.IntegerField(default=0)
    hidden = models.BooleanField(default=False)
    comments = GenericRelation(Comment)

    objects = VideoQuerySet.as_manager()
    shown: ClassVar[ShownManager] = ShownManager()

    def __str__(self) -> str:
        return self.title


class Book(models.Model):
    """A book, in the order of titles."""

    title = models.CharField(max_length=100)

    class Meta:
        ordering: ClassVar[list[str]] = ["title"]

    def __str__(self) -> str:
        return self.title


class Chapter(models.Model):
    """A chapter, in the order of its book: of the books' titles."""

    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="chapters")
    number = models.IntegerField()

    class Meta:
        ordering: ClassVar[list[str]] = ["book", "number"]

    def __str__(self) -> str:
        return f"{self.book} {self.number}"


class Tally(models.Model):
    """How many articles a section has: kept by triggers (see ``schema.py``), declared in ``DERIVED``."""

    section = models.OneToOneField(Section, on_delete=models.CASCADE, primary_key=True, db_constraint=False)
    articles = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.section_id}: {self.articles}"


class Weather(models.Model):
    """What no query of the matrix reads."""

    degrees = models.IntegerField()

    def __str__(self) -> str:
        return str(self.degrees)
