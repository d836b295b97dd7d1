"""``python manage.py seed``."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from news.models import Article, Author


class Command(BaseCommand):
    """Write a hundred articles."""

    help = "Write a hundred articles."

    def handle(self, **_: object) -> None:
        """Do it."""
        authors = Author.objects.bulk_create(Author(name=name) for name in ("Ada", "Grace", "Edsger"))
        articles = [Article(title=f"Article {at}", author=authors[at % 3]) for at in range(1, 101)]
        Article.objects.bulk_create(articles)
        self.stdout.write(f"{len(articles)} articles by {len(authors)} authors")
