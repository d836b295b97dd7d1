"""What each operation of the ORM bumps: the rows that it writes, where its SQL proves which, else the model."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connections, transaction

from genscache.delivery import MANY_ROWS
from tests.site.news.models import Article, Asset, Author, Column, Country, Section, Topic
from tests.writes.actors import Cache, Configure, databases, every_database
from tests.writes.reached import reached, watching
from tests.writes.spy import SpyStore
from tests.writes.world import Rows


def objects(table: str, pks: object) -> set[str]:
    """Name rows of a table."""
    assert isinstance(pks, list | tuple | set)
    return {f"{table}:object={pk}" for pk in pks}


def made(rows: Rows, count: int, **fields: object) -> list[Article]:
    return [Article(title=f"n{i}", section=rows.section, author=rows.author, **fields) for i in range(count)]


@every_database
@pytest.mark.parametrize("atomic", [False, True], ids=["autocommit", "atomic"])
@pytest.mark.parametrize("size", [None, 2], ids=["one statement", "batches"])
def test_bulk_create_with_keys_of_the_databases_making(
    alias: str,
    quick: Cache,
    rows: Rows,
    atomic: bool,  # noqa: FBT001
    size: int | None,
) -> None:
    new = made(rows, 5)

    def write() -> None:
        if atomic:
            with transaction.atomic(using=alias):
                Article.objects.using(alias).bulk_create(new, batch_size=size)
        else:
            Article.objects.using(alias).bulk_create(new, batch_size=size)

    found = reached(quick, write)

    # The caller got every key, and so did we.
    assert all(article.pk for article in new)
    assert set(Article.objects.using(alias).filter(title__startswith="n").values_list("pk", flat=True)) == {
        article.pk for article in new
    }
    assert found == objects("article", [article.pk for article in new])


@every_database
def test_bulk_create_with_keys_of_the_callers_making(alias: str, quick: Cache, rows: Rows) -> None:
    numbered = [Article(pk=7000 + i, title="n", section=rows.section, author=rows.author) for i in range(3)]
    assert reached(quick, lambda: Article.objects.using(alias).bulk_create(numbered)) == objects(
        "article", [7000, 7001, 7002]
    )
    files = [Asset(path=f"{i}", article=rows.articles[0]) for i in range(3)]
    assert reached(quick, lambda: Asset.objects.using(alias).bulk_create(files)) == objects(
        "asset", [each.pk for each in files]
    )
    mixed = [Article(pk=8000, title="n", section=rows.section, author=rows.author), *made(rows, 2)]
    assert reached(quick, lambda: Article.objects.using(alias).bulk_create(mixed)) == objects(
        "article", [each.pk for each in mixed]
    )


@every_database
def test_bulk_create_of_what_cannot_be_told(alias: str, quick: Cache, rows: Rows) -> None:
    articles = Article.objects.using(alias)
    assert reached(quick, lambda: articles.bulk_create(made(rows, 2), ignore_conflicts=True)) == {
        "article:model"
    }
    assert reached(
        quick,
        lambda: Country.objects.using(alias).bulk_create([Country(code=c, name=c) for c in ("aa", "bb")]),
    ) == {"country:model"}
    assert reached(quick, lambda: articles.bulk_create(made(rows, MANY_ROWS + 1), batch_size=1000)) == {
        "article:model"
    }
    assert reached(quick, lambda: articles.bulk_create(made(rows, MANY_ROWS + 1), batch_size=40)) == {
        "article:model"
    }


@every_database
def test_bulk_update(alias: str, quick: Cache, rows: Rows) -> None:
    fields = ["title", "body", "views", "score", "published", "section"]
    articles = Article.objects.using(alias)
    assert reached(quick, lambda: articles.bulk_update(rows.articles, fields)) == objects("article", rows.pks)
    assert reached(quick, lambda: articles.bulk_update(rows.articles, fields, batch_size=2)) == objects(
        "article", rows.pks
    )
    many = articles.bulk_create(made(rows, 100))
    assert reached(quick, lambda: articles.bulk_update(many, fields)) == objects(
        "article", [a.pk for a in many]
    )


def _changes(alias: str, rows: Rows) -> list[tuple[str, Callable[[], object], set[str]]]:
    """What is done to an article's neighbours, and what it bumps."""
    article, other, _ = rows.articles
    one, two = rows.tags
    between = {"article_tags:model"}
    assets = Asset.objects.using(alias)
    return [
        ("add", lambda: article.tags.add(one, two), between),
        ("remove", lambda: article.tags.remove(one), between),
        ("set", lambda: article.tags.set([one]), between),
        ("clear", article.tags.clear, between),
        ("add backwards", lambda: one.articles.add(article, other), between),
        ("set backwards", lambda: one.articles.set([other]), between),
        ("remove backwards", lambda: one.articles.remove(other), between),
        ("clear backwards", one.articles.clear, between),
        ("add by foreign key", lambda: rows.section.articles.add(article, other), objects("article", rows.pks[:2])),
        ("clear by foreign key", article.assets.clear, {"asset:model"}),
        ("unknown rows", lambda: assets.update(article=article), {"asset:model"}),
        ("get_or_create, there", lambda: assets.get_or_create(path="p"), set()),
        ("update_or_create", lambda: assets.update_or_create(path="p", defaults={"article": article}),
         objects("asset", [assets.get(path="p").pk])),
        ("delete", other.delete, {*between, "asset:model", *objects("article", [rows.pks[1]])}),
        ("_raw_delete", lambda: assets.filter(path="p")._raw_delete(alias), {"asset:model"}),
        ("cascade", rows.section.delete,
         {*between, "asset:model", *objects("section", [rows.section.pk]),
          *objects("article", [rows.pks[0], rows.pks[2]])}),
        ("delete nobody", lambda: assets.filter(path="nobody").delete(), {"asset:model"}),
    ]  # fmt: skip


@every_database
def test_relations(alias: str, quick: Cache, rows: Rows) -> None:
    Asset.objects.using(alias).create(path="p")
    for name, change, expected in _changes(alias, rows):
        assert (name, reached(quick, change)) == (name, expected)


@every_database
def test_a_tree(alias: str, quick: Cache, rows: Rows) -> None:
    """MariaDB's foreign keys cannot wait, so Django sets the children's to NULL first, by their keys."""
    root = Topic.objects.using(alias).create(name="root")
    leaf = Topic.objects.using(alias).create(name="leaf", parent=root)
    pks = [root.pk, leaf.pk]

    assert reached(quick, root.delete) == objects("topic", pks)


@every_database
def test_a_child_and_its_parent(alias: str, quick: Cache, rows: Rows) -> None:
    fields = {"section": rows.section, "author": rows.author, "series": "s", "title": "t"}
    columns = Column.objects.using(alias)
    with watching(quick) as found:
        column = columns.create(**fields)
    both = objects("article", [column.pk]) | objects("column", [column.pk])
    assert found >= both
    assert reached(quick, column.save) == both
    assert reached(quick, lambda: columns.filter(pk=column.pk).update(series="t")) == objects(
        "column", [column.pk]
    )
    assert reached(quick, lambda: columns.filter(pk=column.pk).update(title="u")) == objects(
        "article", [column.pk]
    )
    assert reached(quick, column.delete) == {*both, "article_tags:model", "asset:model"}


@every_database
def test_many_statements_in_one_transaction(alias: str, quick: Cache, rows: Rows) -> None:
    def write() -> None:
        with transaction.atomic(using=alias):
            for article in rows.articles * 3:
                article.save(update_fields=["views"])
            with transaction.atomic(using=alias):
                Section.objects.using(alias).filter(pk=rows.section.pk).update(name="S")
            Author.objects.using(alias).filter(pk=rows.author.pk).update(name="A")

    assert reached(quick, write) == {
        *objects("article", rows.pks), *objects("section", [rows.section.pk]), *objects("author", [rows.author.pk])
    }  # fmt: skip


@every_database
def test_the_rows_that_a_statement_returns_are_still_the_callers(
    alias: str, quick: Cache, rows: Rows
) -> None:
    """Whoever fetches one row of several gets the first one, and then the others."""
    with connections[alias].cursor() as cursor:
        quoted = connections[alias].ops.quote_name
        table, name, pk = quoted("news_author"), quoted("name"), quoted("id")
        sql = f"INSERT INTO {table} ({name}) VALUES (%s), (%s), (%s) RETURNING {table}.{pk}, {table}.{name}"
        found = reached(quick, lambda: cursor.execute(sql, ["a", "b", "c"]))
        first = cursor.fetchone()
        rest = cursor.fetchall()

    assert [row[1] for row in (first, *rest)] == ["a", "b", "c"]
    assert found == objects("author", [row[0] for row in (first, *rest)])


@every_database
def test_a_table_that_derives_from_itself(
    alias: str, install: Configure, memory: SpyStore, rows: Rows
) -> None:
    """A trigger that writes other rows of its own table, directly or by way of another one."""
    quick = install(memory, DERIVED={"news.Section": ["news.Section"]})
    assert reached(quick, rows.section.save) == {"section:model"}
    quick = install(memory, DERIVED={"news.Section": ["news.Author"], "news.Author": ["news.Section"]})
    assert reached(quick, rows.section.save) == {"section:model", "author:model"}


@databases("mariadb")
def test_a_zero_may_be_the_next_key_on_mysql(alias: str, quick: Cache, rows: Rows) -> None:
    with connections[alias].cursor() as cursor:
        sql = "INSERT INTO `news_author` (`id`, `name`) VALUES (%s, %s)"
        assert reached(quick, lambda: cursor.execute(sql, [0, "a"])) == {"author:model"}


@databases("default", "mariadb")
def test_the_last_key_is_not_that_of_several_rows(alias: str, quick: Cache, rows: Rows) -> None:
    """What SQLite and MySQL tell without RETURNING is the key of one row."""
    name, table = map(connections[alias].ops.quote_name, ("name", "news_author"))
    with connections[alias].cursor() as cursor:
        sql = f"INSERT INTO {table} ({name}) VALUES (%s), (%s)"
        assert reached(quick, lambda: cursor.execute(sql, ["a", "b"])) == {"author:model"}
