"""Articles in sections, by authors, with tags."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Section(models.Model):
    """A part of the site."""

    name = models.CharField(max_length=100)

    objects: ClassVar[models.Manager[Section]] = models.Manager()

    def __str__(self) -> str:
        return self.name


class Author(models.Model):
    """A person who writes."""

    name = models.CharField(max_length=100)

    objects: ClassVar[models.Manager[Author]] = models.Manager()

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    """A word that articles are found by."""

    name = models.CharField(max_length=100)

    objects: ClassVar[models.Manager[Tag]] = models.Manager()

    def __str__(self) -> str:
        return self.name


class Article(models.Model):
    """What is read."""

    title = models.CharField(max_length=200)
    body = models.TextField()
    section = models.ForeignKey(Section, on_delete=models.CASCADE, related_name="articles")
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="articles")
    tags = models.ManyToManyField(Tag, related_name="articles")
    published = models.DateTimeField(db_index=True)
    views = models.IntegerField(default=0)

    objects: ClassVar[models.Manager[Article]] = models.Manager()

    def __str__(self) -> str:
        return self.title
