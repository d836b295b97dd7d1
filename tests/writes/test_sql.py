"""Raw SQL through a Django cursor, in all its spellings: what it names is invalidated."""

from __future__ import annotations

import pytest
from django.db import connections

from tests.site.news.models import Article
from tests.writes.actors import Cache, databases, elsewhere, every_database, sql
from tests.writes.world import Rows, database_titles, found_titles, sections, titles

INSERT = (
    "INTO news_article (id, title, body, section_id, author_id, published, views, score) "
    "SELECT 77, 'new', '', section_id, author_id, published, 0, 0 FROM news_article WHERE title = 'a0'"
)
COLUMNS = "id, title, body, section_id, author_id, published, views, score"

EVERYWHERE = [
    "UPDATE news_article SET title = 'new'",
    "-- first\nUPDATE news_article SET title = 'new' /* last */",
    "/* SELECT 1; */ UPDATE /* news_section */ news_article SET title = 'new'",
    "  \n\tuPdAtE NEWS_ARTICLE set title = 'new'",
    "DELETE FROM news_article_tags",
    f"INSERT {INSERT}",
    "DELETE FROM news_article WHERE title = 'a0'",
]
SQLITE = [
    'UPDATE "news_article" SET "title" = \'new\'',
    "UPDATE main.news_article SET title = 'new'",
    'UPDATE "main"."news_article" SET title = \'new\'',
    "UPDATE [news_article] SET title = 'new'",
    (
        "WITH picked AS (SELECT id FROM news_section) UPDATE news_article SET title = 'new' "
        "WHERE section_id IN (SELECT id FROM picked)"
    ),
    (
        f"REPLACE INTO news_article ({COLUMNS}) SELECT id, 'new', body, section_id, author_id, published, views, score "
        "FROM news_article"
    ),
    (
        f"INSERT OR REPLACE INTO news_article ({COLUMNS}) SELECT id, 'new', body, section_id, author_id, published, "
        "views, score FROM news_article WHERE title = 'a0'"
    ),
]
POSTGRES = [
    'UPDATE "public"."news_article" SET "title" = \'new\'',
    "UPDATE public.news_article SET title = 'new'",
    "UPDATE ONLY news_article SET title = 'new'",
    "/* a /* nested */ comment */ UPDATE news_article SET title = 'new'",
    "WITH changed AS (UPDATE news_article SET title = 'new' RETURNING id) SELECT count(*) FROM changed",
    "WITH gone AS (DELETE FROM news_article_tags) UPDATE news_article SET title = $$new$$",
    "MERGE INTO news_article a USING news_section s ON a.section_id = s.id WHEN MATCHED THEN UPDATE SET title = 'new'",
    "TRUNCATE news_article CASCADE",
    "TRUNCATE TABLE ONLY public.news_article, news_article_tags, news_column, news_asset",
    "EXPLAIN ANALYZE UPDATE news_article SET title = 'new'",
    "DO $$ BEGIN UPDATE news_article SET title = 'new'; END $$",
    "UPDATE news_section SET name = name; UPDATE news_article SET title = 'new'",
    "SELECT 1; DELETE FROM news_article WHERE title = 'a0'",
]
MARIADB = [
    "UPDATE `news_article` SET `title` = 'new'",
    "UPDATE test_genscache.news_article SET title = 'new'",
    "UPDATE `test_genscache`.`news_article` SET title = 'new'",
    "# a comment\nUPDATE news_article SET title = 'new'",
    "/*!50000 UPDATE news_article SET title = 'new' */",
    "/*M! UPDATE news_article SET title = 'new' */",
    "UPDATE news_section s JOIN news_article a ON a.section_id = s.id SET a.title = 'new'",
    (
        f"REPLACE INTO news_article ({COLUMNS}) SELECT id, 'new', body, section_id, author_id, published, views, score "
        "FROM news_article"
    ),
    f"INSERT IGNORE {INSERT}",
    "TRUNCATE TABLE news_asset",
    "DELETE a FROM news_article a JOIN news_section s ON a.section_id = s.id WHERE a.title = 'a0'",
]
CASES = [
    *((alias, text) for alias in ("default", "postgres", "mariadb") for text in EVERYWHERE),
    *(("default", text) for text in SQLITE),
    *(("postgres", text) for text in POSTGRES),
    *(("mariadb", text) for text in MARIADB),
]


@pytest.mark.parametrize(
    ("alias", "text"),
    [
        pytest.param(
            alias,
            text,
            marks=pytest.mark.django_db(transaction=True, databases=[alias]),
            id=f"{alias}-{index}",
        )
        for index, (alias, text) in enumerate(CASES)
    ],
)
def test_raw_sql(alias: str, quick: Cache, rows: Rows, text: str) -> None:
    quick.warm(titles, alias)
    quick.warm(found_titles, alias)
    if "NEWS_ARTICLE" in text and alias == "mariadb":
        # Names of tables keep their case there.
        text = text.replace("NEWS_ARTICLE", "news_article")

    sql(alias, text)

    now = database_titles(alias)
    if "_tags" not in text and "asset" not in text:
        assert now != ["a0", "a1", "a2"]
    assert elsewhere(lambda: quick.read(titles, alias).value) == now
    assert elsewhere(lambda: quick.read(found_titles, alias).value) == now


@every_database
def test_what_writes_nothing_invalidates_nothing(alias: str, quick: Cache, rows: Rows) -> None:
    quick.warm(titles, alias)
    quick.warm(sections, alias)
    texts = ["SELECT 'UPDATE news_article SET title = 1'", "/* DELETE FROM news_article */ SELECT 1"]
    texts += {
        "default": ["PRAGMA table_info(news_article)", "EXPLAIN UPDATE news_article SET title = 'x'"],
        "postgres": ["SHOW server_version", "SET LOCAL work_mem = '4MB'", "EXPLAIN DELETE FROM news_article"],
        "mariadb": [
            "SHOW TABLES",
            "SET SESSION sort_buffer_size = 262144",
            "EXPLAIN DELETE FROM news_article",
        ],
    }[alias]

    with quick.store.watch() as seen:
        for text in texts:
            with connections[alias].cursor() as cursor:
                cursor.execute(text)
                if cursor.description:
                    cursor.fetchall()

    assert seen == []
    assert quick.read(titles, alias).outcome == "hit"
    assert quick.read(sections, alias).outcome == "hit"


@every_database
def test_many_parameter_lists(alias: str, quick: Cache, rows: Rows) -> None:
    quick.warm(titles, alias)

    with connections[alias].cursor() as cursor:
        cursor.executemany(
            "UPDATE news_article SET title = %s WHERE id = %s", [("x", rows.pks[0]), ("y", rows.pks[1])]
        )

    assert quick.read(titles, alias).value == ["x", "y", "a2"]


@databases("default")
def test_a_raw_queryset_that_writes(alias: str, quick: Cache, rows: Rows) -> None:
    """``raw()`` runs whatever it is given, when it is read."""
    quick.warm(titles, alias)

    found = Article.objects.raw("UPDATE news_article SET title = 'new' WHERE title = 'a0' RETURNING *")
    assert [article.title for article in found] == ["new"]

    assert quick.read(titles, alias).value == ["new", "a1", "a2"]


@databases("postgres")
def test_sql_that_is_no_text(alias: str, quick: Cache, rows: Rows) -> None:
    """Psycopg takes composed SQL and bytes, too."""
    from psycopg import sql as composed  # noqa: PLC0415 - a driver of one database

    quick.warm(titles, alias)
    with connections[alias].cursor() as cursor:
        cursor.execute(
            composed.SQL("UPDATE {} SET title = 'new'").format(composed.Identifier("news_article"))
        )
    assert quick.read(titles, alias).value == ["new"] * 3

    with connections[alias].cursor() as cursor:
        cursor.execute(b"UPDATE news_article SET title = 'newer'")  # type: ignore[arg-type]  # psycopg takes it
    assert quick.read(titles, alias).value == ["newer"] * 3


@databases("postgres")
def test_a_query_that_calls_a_function_that_is_declared_to_write(
    alias: str, install: object, memory: object, rows: Rows
) -> None:
    """In autocommit, where nobody records what is read: a SELECT like any other, but for what is declared."""
    assert callable(install)
    quick: Cache = install(memory, DERIVED={"whisper()": ["news.Article"]})
    sql(
        alias,
        "CREATE OR REPLACE FUNCTION whisper() RETURNS int LANGUAGE sql AS "
        "$$ UPDATE news_article SET title = lower(title) || '!'; SELECT 1 $$",
    )
    quick.warm(titles, alias)

    sql(alias, "SELECT whisper()")

    assert quick.read(titles, alias).value == ["a0!", "a1!", "a2!"]


@databases("postgres")
def test_what_a_procedure_writes_is_not_known_unless_it_is_declared(
    alias: str, quick: Cache, rows: Rows
) -> None:
    sql(
        alias,
        "CREATE OR REPLACE PROCEDURE shout() LANGUAGE sql AS $$ UPDATE news_article SET title = upper(title) $$",
    )
    quick.warm(titles, alias)
    quick.warm(sections, alias)

    sql(alias, "CALL shout()")

    assert quick.read(titles, alias).value == ["A0", "A1", "A2"]
    assert quick.read(sections, alias).outcome == "miss", "nobody has said what it writes: everything goes"
    assert quick.engine.hub.counts()["survived: unknown statement"] >= 1
