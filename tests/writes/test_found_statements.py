"""Statements that were found to do something else, or at another time, than the cache believed."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connections, transaction

from genscache.orm.sql import scan
from tests.site.news.models import Article, Section
from tests.writes.actors import Cache, databases, elsewhere, every_database, sql
from tests.writes.world import Rows, titles

NEW = ["new", "a1", "a2"]


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


@every_database
def test_a_savepoint_whose_name_comes_again(alias: str, quick: Cache, rows: Rows) -> None:
    """``clean_savepoints()`` counts from the beginning; the database means the younger one."""
    quick.warm(titles, alias)

    with transaction.atomic(using=alias):
        connections[alias].savepoint()
        rename(alias, rows.pks[0], "new")
        transaction.clean_savepoints(using=alias)
        again = connections[alias].savepoint()
        transaction.savepoint_rollback(str(again), using=alias)

    assert quick.read(titles, alias).value == NEW


@databases("mariadb")
@pytest.mark.parametrize(
    "text",
    [
        "CREATE TEMPORARY TABLE found_t (a int)",
        "DROP TEMPORARY TABLE IF EXISTS found_t",
        "UNLOCK TABLES",
        "CHECKSUM TABLE news_author",
        "EXECUTE IMMEDIATE 'INSERT INTO news_author (name) VALUES (1)'",
    ],
)
def test_a_statement_that_may_commit_or_not(alias: str, quick: Cache, rows: Rows, text: str) -> None:
    """Whoever fills between the statement and the COMMIT fills what was there before, if it committed nothing."""
    quick.warm(titles, alias)

    with transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")
        sql(alias, text)
        elsewhere(lambda: (quick.read(titles, alias), quick.read(titles, alias)))

    assert elsewhere(lambda: quick.read(titles, alias).value) == NEW
    connections[alias].close()


@databases("postgres")
def test_psycopgs_pipeline(alias: str, quick: Cache, rows: Rows) -> None:
    """The driver returns before the server has run anything."""
    quick.warm(titles, alias)
    connections[alias].ensure_connection()
    wrapper: Any = connections[alias]

    with wrapper.connection.pipeline():
        sql(alias, "UPDATE news_article SET title = 'new' WHERE id = %s", [rows.pks[0]])
        elsewhere(lambda: (quick.read(titles, alias), quick.read(titles, alias)))

    assert elsewhere(lambda: quick.read(titles, alias).value) == NEW


@databases("mariadb")
@pytest.mark.parametrize("first", ["UPDATE news_article SET views = views", "DO 1"])
def test_what_follows_the_first_of_several_statements(
    alias: str, quick: Cache, rows: Rows, first: str
) -> None:
    """The driver returns at the first answer, while the server has not run the rest: somebody holds a lock."""
    from pymysql.constants import CLIENT  # noqa: PLC0415 - a driver of one database

    quick.warm(titles, alias)
    wrapper: Any = connections.create_connection(alias)
    wrapper.settings_dict = {**wrapper.settings_dict, "OPTIONS": {"client_flag": CLIENT.MULTI_STATEMENTS}}
    with wrapper.cursor() as cursor, transaction.atomic(using=alias):
        Section.objects.using(alias).select_for_update().get()
        wait = "UPDATE news_section SET name = name"
        cursor.execute(f"{first}; {wait}; UPDATE news_article SET title = 'new' WHERE id = {rows.pks[0]}")
        elsewhere(lambda: (quick.read(titles, alias), quick.read(titles, alias)))
    wrapper.close()

    assert elsewhere(lambda: quick.read(titles, alias).value) == NEW


@pytest.mark.parametrize(
    "text",
    [
        "SELECT max(views)+1.0FROM news_article",
        "SELECT max(views)+1e0FROM news_article",
        "SELECT max(views)+1.FROM news_article",
        "SELECT max(views)+.0FROM news_article",
        "SELECT max(views),%sFROM news_article",
    ],
)
def test_a_number_that_a_word_follows_without_a_space(text: str) -> None:
    """Some databases read it; then nobody may overlook the table."""
    assert [relation.folded for relation in scan(text).reads] == ["news_article"]
