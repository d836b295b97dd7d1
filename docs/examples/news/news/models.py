"""Articles by authors."""

from __future__ import annotations

from django.db import models


class Author(models.Model):
    """A person who writes."""

    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Article(models.Model):
    """What is read."""

    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="articles")
    views = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.title
