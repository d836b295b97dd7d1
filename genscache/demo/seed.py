"""Tables, and the same articles in every run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connection

from genscache.demo.newsroom.models import Article, Author, Section, Tag
from genscache.demo.progress import Progress
from genscache.demo.stage import Stage
from genscache.invalidation import batch_invalidations

SECTIONS: Final = ("Business", "Culture", "Home", "Science", "Sport", "Travel", "Weather", "World")
TAGS: Final = ("analysis", "breaking", "interview", "letters", "long read", "numbers", "opinion", "photos")
AUTHORS: Final = 50
PART: Final = 1000
FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)
BODY: Final = "The council met on Tuesday and, after a long debate, agreed to meet again. " * 6


def seed(stage: Stage) -> None:
    """Make the tables and fill them, and show how far that is."""
    with connection.schema_editor() as editor:
        for model in (Section, Author, Tag, Article):
            editor.create_model(model)
    with batch_invalidations():
        sections = Section.objects.bulk_create(Section(name=name) for name in SECTIONS)
        authors = Author.objects.bulk_create(Author(name=f"Author {number}") for number in range(AUTHORS))
        tags = Tag.objects.bulk_create(Tag(name=name) for name in TAGS)
        progress = Progress(stage.news, "Writing articles", stage.articles)
        for start in range(0, stage.articles, PART):
            stop = min(start + PART, stage.articles)
            _part(range(start, stop), sections, authors, tags)
            progress.at(stop)
        progress.end()


def _part(numbers: range, sections: list[Section], authors: list[Author], tags: list[Tag]) -> None:
    articles = Article.objects.bulk_create(
        Article(
            title=f"Article {number}",
            body=BODY,
            section=sections[number % len(sections)],
            author=authors[number * 7 % len(authors)],
            published=FIRST + timedelta(minutes=number),
            views=number * 7919 % 100_003,
        )
        for number in numbers
    )
    link = Article.tags.through
    link.objects.bulk_create(
        link(article_id=article.pk, tag_id=tags[(article.pk + step) % len(tags)].pk)
        for article in articles
        for step in (0, 3)
    )
