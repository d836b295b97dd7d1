"""Authors and articles, with columns of the kinds that projects have."""

from __future__ import annotations

from django.db import models


class Author(models.Model):
    """Who writes."""

    name = models.CharField(max_length=100)
    email = models.EmailField()
    born = models.DateField()
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        """Return the name."""
        return self.name


class Article(models.Model):
    """What is read."""

    title = models.CharField(max_length=200)
    slug = models.SlugField(max_length=200)
    summary = models.TextField()
    author = models.ForeignKey(Author, models.CASCADE, related_name="articles")
    section = models.IntegerField(db_index=True)
    published = models.DateTimeField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    words = models.IntegerField()
    public = models.BooleanField(default=True)

    def __str__(self) -> str:
        """Return the title."""
        return self.title
