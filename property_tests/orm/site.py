"""The rows with which each example begins, and the databases in which they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from property_tests.history import Rows
from tests.site.news.models import Article, Asset, Author, Column, Country, Section, Tag, Topic

TABLES = (
    *(
        "news_article_tags",
        "news_asset",
        "news_column",
        "news_article",
        "news_section",
        "news_author",
        "news_tag",
    ),
    *("news_country", "news_topic"),
)
NO_WAITING = {
    "sqlite": "PRAGMA busy_timeout = 0",
    "postgresql": "SET lock_timeout = '1ms'",
    "mysql": "SET SESSION innodb_lock_wait_timeout = 0",
}


class Site:
    """One database: what ``World`` wants to know of it.

    Args:
        alias: Its alias.

    Attributes:
        snapshots: Every transaction sees one state, without being asked to.
    """

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.snapshots = alias == "default"
        with transaction.atomic(using=alias):
            _write_rows(alias)

    def committed(self) -> Rows:
        """Return nothing: the oracle is what a connection itself sees."""
        return {}

    def prepare(self, connection: BaseDatabaseWrapper) -> None:
        """Let a new connection of an actor never wait for a lock: whoever holds it is stopped."""
        connection.connection.cursor().execute(NO_WAITING[connection.vendor])

    def close(self) -> None:
        """Keep the connection for the next example."""


def _write_rows(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        if alias == "mariadb":
            cursor.execute("UPDATE news_topic SET parent_id = NULL")
        for table in TABLES:
            cursor.execute(f"DELETE FROM {table}")
    when = datetime(2024, 1, 1, 18, tzinfo=UTC)
    models: tuple[Any, ...] = (Section, Author, Tag)
    for model in models:
        model.objects.using(alias).bulk_create([model(pk=pk, name=name) for pk, name in ((1, "a"), (2, "b"))])
    Article.objects.using(alias).bulk_create(
        [
            Article(
                pk=pk,
                title="abc"[pk - 1],
                section_id=1 + pk % 2,
                author_id=1 + pk % 2,
                views=pk - 1,
                published=when,
            )
            for pk in (1, 2)
        ]
    )
    Column(pk=3, title="c", section_id=1, author_id=1, views=100, series="a", published=when).save(
        using=alias
    )
    through = Article.tags.through.objects.using(alias)
    through.bulk_create(
        [through.model(article_id=pk, tag_id=tag) for pk, tag in ((1, 1), (1, 2), (2, 2), (3, 1))]
    )
    Asset.objects.using(alias).bulk_create([Asset(pk=UUID(int=pk), article_id=pk, path="a") for pk in (1, 2)])
    Country.objects.using(alias).bulk_create([Country(pk="aa", name="a")])
    Topic.objects.using(alias).bulk_create(
        [Topic(pk=1, name="a"), Topic(pk=2, name="b", parent_id=1), Topic(pk=3, name="a", parent_id=2)]
    )
