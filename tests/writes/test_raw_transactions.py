"""BEGIN, COMMIT and ROLLBACK as SQL text: Django believes in autocommit, we must not (A15)."""

from __future__ import annotations

import pytest
from django.db import connections, transaction

from tests.site.news.models import Article
from tests.writes.actors import Cache, databases, elsewhere, every_database, sql, undone
from tests.writes.world import Rows, title, titles

OLD = ["a0", "a1", "a2"]
NEW = ["new", "a1", "a2"]


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


def others_titles(cache: Cache, alias: str) -> tuple[object, str]:
    """Let somebody else read, and store what it found."""
    answer = elsewhere(lambda: cache.read(titles, alias))
    return answer.value, answer.outcome


@every_database
@pytest.mark.parametrize(
    ("begin", "end"),
    [("BEGIN", "COMMIT"), ("begin /* mine */", "commit work"), ("START TRANSACTION", "COMMIT -- done")],
)
def test_begin_and_commit(alias: str, quick: Cache, rows: Rows, begin: str, end: str) -> None:
    if alias == "default":
        begin = begin.replace("START", "BEGIN").replace("BEGIN TRANSACTION", "BEGIN IMMEDIATE TRANSACTION")
        end = end.replace(" work", " transaction")
    quick.warm(titles, alias)

    sql(alias, begin)
    rename(alias, rows.pks[0], "new")
    assert quick.read(titles, alias).outcome == "bypass", "own writes are not committed"
    assert others_titles(quick, alias) == (OLD, "hit")
    sql(alias, end)

    assert quick.read(titles, alias).value == NEW
    assert quick.read(titles, alias).outcome == "hit"
    assert others_titles(quick, alias)[0] == NEW


@every_database
def test_begin_and_rollback(alias: str, quick: Cache, rows: Rows) -> None:
    quick.warm(titles, alias)

    sql(alias, "BEGIN")
    rename(alias, rows.pks[0], "undone")
    assert quick.read(titles, alias).value == ["undone", "a1", "a2"]
    sql(alias, "ROLLBACK")

    answer = quick.read(titles, alias)
    assert (answer.value, answer.outcome) == (OLD, "hit")
    rename(alias, rows.pks[0], "new")
    assert others_titles(quick, alias)[0] == NEW, "autocommit again: settled at once"


@databases("postgres", "mariadb")
@pytest.mark.parametrize("end", ["COMMIT AND CHAIN", "ROLLBACK AND CHAIN"])
def test_an_end_that_begins_again(alias: str, quick: Cache, rows: Rows, end: str) -> None:
    """AND CHAIN opens the next transaction at once: what it writes is seen only at its own COMMIT."""
    quick.warm(titles, alias)

    sql(alias, "BEGIN")
    rename(alias, rows.pks[0], "new")
    sql(alias, end)
    rename(alias, rows.pks[1], "newer")
    others_titles(quick, alias)
    sql(alias, "COMMIT")

    expected = [*(NEW if "COMMIT" in end else OLD)[:1], "newer", "a2"]
    assert others_titles(quick, alias)[0] == expected
    assert quick.read(titles, alias).value == expected


@databases("mariadb")
def test_a_second_begin_commits_the_first(alias: str, quick: Cache, rows: Rows) -> None:
    quick.warm(titles, alias)

    sql(alias, "BEGIN")
    rename(alias, rows.pks[0], "new")
    sql(alias, "BEGIN")
    assert others_titles(quick, alias)[0] == NEW
    rename(alias, rows.pks[1], "newer")
    assert others_titles(quick, alias)[0] == NEW
    sql(alias, "COMMIT")

    assert others_titles(quick, alias)[0] == ["new", "newer", "a2"]


@databases("mariadb")
def test_autocommit_switched_off_by_text(alias: str, quick: Cache, rows: Rows) -> None:
    """Every COMMIT is followed by the next transaction, until autocommit is switched on again, which commits."""
    quick.warm(titles, alias)

    try:
        sql(alias, "SET autocommit = 0")
        rename(alias, rows.pks[0], "new")
        assert others_titles(quick, alias)[0] == OLD
        sql(alias, "COMMIT")
        assert others_titles(quick, alias)[0] == NEW
        rename(alias, rows.pks[1], "newer")
        assert others_titles(quick, alias)[0] == NEW
        sql(alias, "COMMIT")
        assert others_titles(quick, alias)[0] == ["new", "newer", "a2"]
        rename(alias, rows.pks[2], "newest")
        assert others_titles(quick, alias)[0] == ["new", "newer", "a2"]
        sql(alias, "SET autocommit = 1")
        assert others_titles(quick, alias)[0] == ["new", "newer", "newest"]
    finally:
        connections[alias].close()


@databases("mariadb")
@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE IF NOT EXISTS news_scratch (id int)",
        "ALTER TABLE news_tag COMMENT = 'x'",
        "TRUNCATE TABLE news_asset",
        "DROP TABLE IF EXISTS news_scratch",
        "ANALYZE TABLE news_tag",
        "LOCK TABLES news_article WRITE, news_section WRITE",
        "FLUSH TABLES",
    ],
)
@pytest.mark.parametrize("raw", [False, True], ids=["atomic", "begin"])
def test_a_statement_that_commits_without_being_asked(
    alias: str,
    quick: Cache,
    rows: Rows,
    text: str,
    raw: bool,  # noqa: FBT001
) -> None:
    """MariaDB commits before it: what was pending is settled there, not at the COMMIT that Django sends later."""
    quick.warm(titles, alias)

    def write() -> None:
        rename(alias, rows.pks[0], "new")
        sql(alias, text)
        if text.startswith("LOCK"):
            sql(alias, "UNLOCK TABLES")
        assert others_titles(quick, alias)[0] == NEW, "the row is committed, and whoever looks must see it"
        rename(alias, rows.pks[1], "newer")

    if raw:
        sql(alias, "BEGIN")
        write()
        sql(alias, "COMMIT")
    else:
        with transaction.atomic(using=alias):
            write()

    assert others_titles(quick, alias)[0] == ["new", "newer", "a2"]
    sql(alias, "DROP TABLE IF EXISTS news_scratch")


@databases("postgres", "default")
def test_definitions_are_part_of_the_transaction(alias: str, quick: Cache, rows: Rows) -> None:
    quick.warm(titles, alias)

    with undone(alias):
        rename(alias, rows.pks[0], "undone")
        sql(alias, "CREATE TABLE news_scratch (id int)")

    assert quick.read(titles, alias).outcome == "hit"


@every_database
def test_a_commit_by_text_inside_an_atomic_block(alias: str, quick: Cache, rows: Rows) -> None:
    """Whoever does this has ended Django's transaction; what follows may be committed statement by statement."""
    quick.warm(titles, alias)

    with transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")
        sql(alias, "COMMIT")
        assert others_titles(quick, alias)[0] == NEW
        rename(alias, rows.pks[1], "newer")
        others_titles(quick, alias)

    assert others_titles(quick, alias)[0] == ["new", "newer", "a2"]


@databases("postgres")
def test_a_begin_and_a_write_in_one_text(alias: str, quick: Cache, rows: Rows) -> None:
    """Transaction control amid other statements may do anything: everything is invalidated, then and at COMMIT."""
    quick.warm(titles, alias)

    sql(alias, f"BEGIN; UPDATE news_article SET title = 'new' WHERE id = {rows.pks[0]}")
    others_titles(quick, alias)
    assert quick.read(titles, alias).value == NEW
    sql(alias, "COMMIT")

    assert others_titles(quick, alias)[0] == NEW
    assert quick.read(titles, alias).outcome == "hit"


@every_database
def test_a_begin_that_fails_opens_nothing(alias: str, quick: Cache, rows: Rows) -> None:
    with pytest.raises(Exception, match=r"."), connections[alias].cursor() as cursor:
        cursor.execute("BEGIN NONSENSE NONSENSE")

    quick.warm(title, alias, rows.pks[0])
    rename(alias, rows.pks[0], "new")
    assert elsewhere(lambda: quick.read(title, alias, rows.pks[0])).value == "new"
