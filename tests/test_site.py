"""The databases that other tests write to: all there, and what they are said to be."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connections

from tests.servers import MariaDB, Postgres
from tests.site.news.models import Article, Author, Column, PopularArticle, Section, SectionSummary

every_alias = pytest.mark.parametrize(
    "alias",
    [
        pytest.param(alias, marks=pytest.mark.django_db(transaction=True, databases=[alias]))
        for alias in ("default", "sqlite2", "postgres", "mariadb")
    ],
)


def write_articles(alias: str) -> None:
    section = Section.objects.using(alias).create(name="World")
    author = Author.objects.using(alias).create(name="Ada")
    Article.objects.using(alias).create(title="One", section=section, author=author, views=7)
    Column.objects.using(alias).create(
        title="Two", section=section, author=author, views=100, score=Decimal("1.50"), series="Letters"
    )


@every_alias
def test_every_database_has_the_tables_and_the_view(alias: str) -> None:
    write_articles(alias)

    assert Article.objects.using(alias).count() == 2
    assert PopularArticle.objects.using(alias).get().score == Decimal("1.50")
    assert SectionSummary.objects.using(alias).get().views == 107


@pytest.mark.django_db(transaction=True, databases=["default"])
def test_sqlite_keeps_a_write_ahead_log_in_a_file() -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("wal",)
        cursor.execute("PRAGMA database_list")
        assert cursor.fetchone()[2].endswith("default.sqlite3")


@pytest.mark.django_db(transaction=True, databases=["postgres"])
def test_rows_that_postgres_committed_survive_a_kill(postgres: Postgres) -> None:
    write_articles("postgres")

    postgres.kill()
    postgres.restart()

    connections["postgres"].close()
    assert Article.objects.using("postgres").count() == 2


@pytest.mark.django_db(transaction=True, databases=["mariadb"])
def test_rows_that_mariadb_committed_survive_a_kill(mariadb: MariaDB) -> None:
    write_articles("mariadb")

    mariadb.kill()
    mariadb.restart()

    connections["mariadb"].close()
    assert Article.objects.using("mariadb").count() == 2
