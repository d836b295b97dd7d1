"""``match``: a write bumps the values that its rows had and have, whatever makes them; in doubt, all values."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction
from django.db.models import F
from django.db.models.functions import Upper
from django.test.utils import CaptureQueriesContext

from genscache import batch_invalidations, invalidate_obj
from genscache.delivery import MANY_ROWS
from tests.site.news.models import Article, Asset, Club, Country, Section
from tests.writes.actors import Cache, Configure, databases, every_database, sql, undone, unseen
from tests.writes.reached import watching
from tests.writes.spy import SpyStore, written
from tests.writes.world import Rows

MODELS = {
    "news.Article": {"match": [["section"], ["views", "section_id"], ["title"]]},
    "news.Asset": {"match": [["article"]]},
    "news.Club": {"match": [["founded"], ["open"]]},
    "news.Country": {"match": [["name"]]},
}


@pytest.fixture
def cache(install: Configure, memory: SpyStore) -> Cache:
    return install(memory, MODELS=MODELS)


def values(cache: Cache, write: Callable[[], object], table: str = "article") -> set[str] | str:
    """Return the values of ``section``, or other single fields, that a write bumps; ``"all"`` if it is all of them."""
    with watching(cache) as found:
        write()
    mine = {name.removeprefix(f"{table}:") for name in found if name.startswith(f"{table}:")}
    if "model" in mine or "match" in mine:
        assert "slots" not in mine
        return "all"
    assert {"rows", "slots"} <= mine or not mine
    return {name.removeprefix("match=") for name in mine if name.startswith("match=")}


def article(rows: Rows, *, section: int, views: int, title: str, alias: str) -> set[str]:
    """Name the values of an article; a text has none on MariaDB, where it may equal another."""
    found = {f"section={section}", f"section={section},views={views}"}
    return found if alias == "mariadb" else {*found, f"title={title}"}


@pytest.fixture
def sport(alias: str, rows: Rows) -> Section:
    return Section.objects.using(alias).create(name="Sport")


@every_database
@pytest.mark.parametrize("atomic", [False, True], ids=["autocommit", "atomic"])
@pytest.mark.parametrize("form", ["save", "update", "F", "bulk_update", "pk in", "raw"])
def test_an_update_bumps_what_was_and_what_is(  # noqa: C901 - a line a form
    alias: str,
    cache: Cache,
    rows: Rows,
    sport: Section,
    form: str,
    atomic: bool,  # noqa: FBT001
) -> None:
    articles, first = Article.objects.using(alias), rows.articles[0]
    world = rows.section.pk
    expected = article(rows, section=world, views=0, title="a0", alias=alias)
    quote = connections[alias].ops.quote_name

    def write() -> None:
        match form:
            case "save":
                first.section = sport
                first.save()
            case "update":
                articles.filter(pk=first.pk).update(section=sport)
            case "F":
                articles.filter(pk=first.pk).update(views=F("views") + 7, title=Upper("title"))
            case "bulk_update":
                first.section = sport
                articles.bulk_update([first], ["section"])
            case "pk in":
                articles.filter(pk__in=rows.pks[:1]).update(section=sport)
            case _:
                table, views, pk = quote("news_article"), quote("views"), quote("id")
                sql(alias, f"UPDATE {table} SET {views} = (3 + 4) WHERE {table}.{pk} = %s", [first.pk])

    def run() -> None:
        if atomic:
            with transaction.atomic(using=alias):
                write()
        else:
            write()

    found = values(cache, run)

    match form:
        case "F":
            expected |= article(rows, section=world, views=7, title="A0", alias=alias)
        case "raw":
            expected |= article(rows, section=world, views=7, title="a0", alias=alias)
        case _:
            expected |= article(rows, section=sport.pk, views=0, title="a0", alias=alias)
    assert found == expected


@every_database
@pytest.mark.parametrize("atomic", [False, True], ids=["autocommit", "atomic"])
def test_inserts_and_deletions(alias: str, cache: Cache, rows: Rows, sport: Section, atomic: bool) -> None:  # noqa: FBT001
    def run(write: Callable[[], object]) -> set[str] | str:
        def inside() -> None:
            with transaction.atomic(using=alias):
                write()

        return values(cache, inside if atomic else write)

    def new(title: str, **fields: Any) -> Article:
        return Article(title=title, section=sport, author=rows.author, **fields)

    sport_pk = sport.pk

    def named(title: str, views: int = 0) -> set[str]:
        return article(rows, section=sport_pk, views=views, title=title, alias=alias)

    assert run(lambda: new("n", views=3).save(using=alias)) == named("n", 3)
    assert run(lambda: new("p", pk=9000).save(force_insert=True, using=alias)) == named("p")
    articles = Article.objects.using(alias)
    assert run(lambda: articles.bulk_create([new("x"), new("y", views=1)])) == named("x") | named("y", 1)
    assert run(lambda: articles.bulk_create([new("v", pk=9900), new("w", pk=9901)])) == named("v") | named(
        "w"
    )
    assert run(lambda: articles.filter(title="n").delete()) == named("n", 3)
    assert run(sport.delete) == named("p") | named("x") | named("y", 1) | named("v") | named("w")
    assert articles.count() == 3


@every_database
def test_rows_that_are_not_known_bump_all_values(alias: str, cache: Cache, rows: Rows) -> None:
    articles = Article.objects.using(alias)
    forms: list[Callable[[], object]] = [
        lambda: articles.filter(title="a0").update(views=3),
        lambda: sql(alias, "UPDATE news_article SET views = 4 WHERE id = %s", [rows.pks[0]]),
        lambda: articles.filter(pk=rows.pks[0]).update(id=5000),
        lambda: articles.filter(title="a1")._raw_delete(alias),
        lambda: invalidate_obj(rows.articles[2]),
        lambda: articles.bulk_create(
            [Article(title="n", section=rows.section, author=rows.author)], ignore_conflicts=True
        ),
    ]
    for form in forms:
        assert values(cache, form) == "all"


@every_database
def test_a_row_that_is_not_there(alias: str, cache: Cache, rows: Rows) -> None:
    """Somebody may make it between our look and the statement: its values would not be known."""
    articles = Article.objects.using(alias)
    assert values(cache, lambda: articles.filter(pk__in=[rows.pks[0], 12345]).update(views=1)) == "all"
    assert values(cache, lambda: articles.filter(pk=12345).update(views=1)) == "all"


@every_database
def test_null_and_uuid(alias: str, cache: Cache, rows: Rows) -> None:
    """No read depends on the name of NULL; the row's other values count."""
    first, second, _ = rows.pks
    asset = Asset(path="p", pk=uuid.UUID(int=7))
    assert values(cache, lambda: asset.save(using=alias, force_insert=True), "asset") == set()
    asset.article_id = first
    assert values(cache, lambda: asset.save(using=alias), "asset") == {f"article={first}"}
    asset.article_id = second
    assert values(cache, lambda: asset.save(using=alias), "asset") == {
        f"article={first}",
        f"article={second}",
    }
    assert values(cache, lambda: asset.delete(using=alias), "asset") == {f"article={second}"}


@every_database
def test_dates_and_booleans(alias: str, cache: Cache, rows: Rows) -> None:
    club = Club(name="c", founded=dt.date(2024, 2, 29), open=True)
    old = {"founded=2024-02-29", "open=1"}
    assert values(cache, lambda: club.save(using=alias), "club") == old
    club.founded, club.open = dt.date(1001, 1, 1), False
    assert values(cache, lambda: club.save(using=alias), "club") == {*old, "founded=1001-01-01", "open=0"}
    name = cache.engine.catalog.match_namespace(alias, "news_club", ("founded",), [dt.date(1001, 1, 1)])
    assert name is not None
    assert name.detail == "founded=1001-01-01"


@every_database
def test_what_somebody_else_has_written(alias: str, cache: Cache, rows: Rows) -> None:
    """A value that is no value of the field's type may be equal to one of them in the eyes of the database."""
    club = Club.objects.using(alias).create(name="c", founded=dt.date(2024, 1, 1))
    odd = {
        "default": ["UPDATE news_club SET open = 2", "UPDATE news_club SET founded = '2024-01-01 00:00'"],
        "postgres": ["UPDATE news_club SET founded = 'infinity'"],
        "mariadb": ["UPDATE news_club SET open = 2"],
    }
    if alias == "default":
        unseen(alias, "PRAGMA ignore_check_constraints = ON")
    for text in odd[alias]:
        unseen(alias, text)
        assert (
            values(cache, lambda: Club.objects.using(alias).filter(pk=club.pk).update(name="d"), "club")
            == "all"
        )
    assert Club.objects.using(alias).filter(name="d").count() == 1


@every_database
def test_a_trigger_has_its_say(alias: str, cache: Cache, rows: Rows, sport: Section) -> None:
    """BEFORE UPDATE and BEFORE INSERT: what is stored is not what the statement said."""
    pk = sport.pk
    body = f"BEGIN NEW.section_id = {pk}; RETURN NEW; END"
    inner = f"UPDATE news_article SET section_id = {pk} WHERE id = NEW.id"
    make = {
        "default": [f"CREATE TRIGGER moved AFTER UPDATE OF title ON news_article BEGIN {inner}; END"],
        "postgres": [
            f"CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
            "CREATE TRIGGER moved BEFORE UPDATE OR INSERT ON news_article FOR EACH ROW EXECUTE FUNCTION moved()",
        ],
        "mariadb": [
            f"CREATE TRIGGER moved BEFORE UPDATE ON news_article FOR EACH ROW SET NEW.section_id = {pk}"
        ],
    }
    for text in make[alias]:
        unseen(alias, text)
    try:
        found = values(cache, lambda: Article.objects.using(alias).filter(pk=rows.pks[0]).update(title="t"))
        inserted = values(
            cache,
            lambda: Article.objects.using(alias).create(title="i", section=rows.section, author=rows.author),
        )
    finally:
        unseen(alias, "DROP TRIGGER moved ON news_article" if alias == "postgres" else "DROP TRIGGER moved")
        if alias == "postgres":
            unseen(alias, "DROP FUNCTION moved()")
    was = article(rows, section=rows.section.pk, views=0, title="a0", alias=alias)
    assert found == was | article(rows, section=pk, views=0, title="t", alias=alias)
    there = pk if alias == "postgres" else rows.section.pk
    assert inserted == article(rows, section=there, views=0, title="i", alias=alias)


@every_database
def test_what_is_rolled_back_bumps_nothing(alias: str, cache: Cache, rows: Rows, sport: Section) -> None:
    articles = Article.objects.using(alias).filter(pk=rows.pks[0])

    def whole() -> None:
        with undone(alias):
            articles.update(section=sport)

    def part() -> None:
        with transaction.atomic(using=alias):
            with undone(alias):
                articles.update(section=sport)
            articles.update(views=5)

    assert values(cache, whole) == set()
    was = article(rows, section=rows.section.pk, views=0, title="a0", alias=alias)
    assert values(cache, part) == was | article(
        rows, section=rows.section.pk, views=5, title="a0", alias=alias
    )


@every_database
def test_a_statement_that_fails_in_autocommit_changes_nothing(alias: str, cache: Cache, rows: Rows) -> None:
    first = Article.objects.using(alias).filter(pk=rows.pks[0])
    with pytest.raises(IntegrityError):
        first.update(views=None)

    assert not connections[alias].in_atomic_block
    assert values(cache, lambda: first.update(views=1)) == article(
        rows, section=rows.section.pk, views=0, title="a0", alias=alias
    ) | article(rows, section=rows.section.pk, views=1, title="a0", alias=alias)


@every_database
def test_rows_that_a_statement_has_written_before(
    alias: str, cache: Cache, rows: Rows, sport: Section
) -> None:
    """Through several values in one transaction: each of them counts, and the model once it is known to be bumped."""
    first = Article.objects.using(alias).filter(pk=rows.pks[0])

    def through() -> None:
        with transaction.atomic(using=alias):
            first.update(views=1)
            first.update(views=2)

    found = values(cache, through)
    assert {f"section={rows.section.pk},views={views}" for views in (0, 1, 2)} <= set(found)

    def after_the_model() -> None:
        with transaction.atomic(using=alias):
            Article.objects.using(alias).update(views=3)
            first.update(views=4)

    assert values(cache, after_the_model) == "all"


@every_database
def test_very_many_values_are_the_model(alias: str, cache: Cache, rows: Rows) -> None:
    made = Article.objects.using(alias).bulk_create(
        [Article(title=f"n{i}", section=rows.section, author=rows.author, views=i) for i in range(MANY_ROWS)]
    )

    def each() -> None:
        with transaction.atomic(using=alias):
            for start in range(0, MANY_ROWS, 100):
                Article.objects.using(alias).filter(pk__in=[a.pk for a in made[start : start + 100]]).update(
                    views=F("views") + 1000
                )

    with watching(cache) as found:
        each()
    assert found == {"article:model"}


@every_database
def test_a_key_that_is_a_text_is_never_known(alias: str, cache: Cache, rows: Rows) -> None:
    country = Country(code="aa", name="A")
    assert values(cache, lambda: country.save(using=alias, force_insert=True), "country") == "all"
    country.name = "B"
    assert values(cache, lambda: country.save(using=alias), "country") == "all"


@every_database
def test_in_a_batch(alias: str, cache: Cache, rows: Rows) -> None:
    def batch() -> None:
        with batch_invalidations():
            Article.objects.using(alias).filter(pk=rows.pks[0]).update(views=1)

    assert values(cache, batch) == article(
        rows, section=rows.section.pk, views=0, title="a0", alias=alias
    ) | article(rows, section=rows.section.pk, views=1, title="a0", alias=alias)


@databases("default", "postgres")
def test_a_transaction_that_sql_text_has_begun(alias: str, cache: Cache, rows: Rows) -> None:
    """It may have ended behind our back, so nothing is read in the belief that rows stay locked."""

    def raw() -> None:
        sql(alias, "BEGIN")
        Article.objects.using(alias).filter(pk=rows.pks[0]).update(views=1)
        sql(alias, "COMMIT")

    assert values(cache, raw) == "all"


@databases("default", "postgres")
def test_a_transaction_that_was_begun_in_the_driver(alias: str, cache: Cache, rows: Rows) -> None:
    """Nobody has seen it, and another one cannot be begun in it."""
    unseen(alias, "BEGIN")
    found = values(cache, lambda: Article.objects.using(alias).filter(pk=rows.pks[0]).update(views=1))
    unseen(alias, "COMMIT")
    assert found == "all"
    assert Article.objects.using(alias).get(pk=rows.pks[0]).views == 1


@databases("postgres")
def test_a_transaction_that_has_failed_says_so_as_ever(alias: str, cache: Cache, rows: Rows) -> None:
    with undone(alias):
        transaction.set_rollback(True, using=alias)
        with pytest.raises(transaction.TransactionManagementError):
            Article.objects.using(alias).filter(pk=rows.pks[0]).update(views=1)


@databases("default", "postgres")
def test_another_connection_of_the_same_alias(alias: str, cache: Cache, rows: Rows) -> None:
    """``atomic`` would begin its transaction on the connection that Django knows by that name."""
    other = connections[alias].copy()
    try:

        def write() -> None:
            with other.cursor() as cursor:
                text = 'UPDATE "news_article" SET "views" = %s WHERE "news_article"."id" = %s'
                cursor.execute(text, [1, rows.pks[0]])

        assert values(cache, write) == "all"
    finally:
        other.close()
    assert Article.objects.using(alias).get(pk=rows.pks[0]).views == 1


@databases("default")
def test_what_it_costs(alias: str, cache: Cache, rows: Rows, sport: Section) -> None:
    """Two queries and, in autocommit, a transaction; nothing more from the store. Nobody sees the queries."""
    connection = connections[alias]
    seen: list[str] = []
    connection.connection.set_trace_callback(seen.append)
    try:
        with CaptureQueriesContext(connection) as queries, cache.store.watch() as operations:
            Article.objects.using(alias).filter(pk=rows.pks[0]).update(section=sport)
    finally:
        connection.connection.set_trace_callback(None)

    # SQLite's own: it becomes the writer before it reads, as BEGIN IMMEDIATE would make it.
    ran = [text.split()[0] for text in seen if "QUOTE(" not in text]  # which Django asks for its log
    assert ran == ["BEGIN", "UPDATE", "SELECT", "UPDATE", "SELECT", "COMMIT"]
    assert not any("SELECT" in each["sql"] for each in queries.captured_queries)
    assert written(operations) == ["Lease", "Settle"]


@databases("mariadb")
@pytest.mark.parametrize(("form", "queries"), [("update", 2), ("delete", 1), ("insert", 1), ("known", 0)])
def test_what_it_costs_the_server(alias: str, cache: Cache, rows: Rows, form: str, queries: int) -> None:
    new = Article(title="n", section=rows.section, author=rows.author)
    forms: dict[str, Callable[[], object]] = {
        "update": lambda: Article.objects.using(alias).filter(pk=rows.pks[0]).update(views=1),
        "delete": lambda: sql(
            alias, "DELETE FROM `news_article` WHERE `news_article`.`id` = %s", [rows.pks[0]]
        ),
        "insert": lambda: new.save(using=alias),
    }

    def selects() -> int:
        with connections[alias].connection.cursor() as cursor:
            cursor.execute("SHOW SESSION STATUS LIKE 'Com_select'")
            return int(cursor.fetchone()[1])

    before = selects()
    with CaptureQueriesContext(connections[alias]) as seen, transaction.atomic(using=alias):
        if form == "known":
            # Once the whole model is to be bumped, there is nothing to gain.
            Article.objects.using(alias).update(views=1)
        forms["update" if form == "known" else form]()
    assert selects() - before == queries
    assert not any("SELECT" in each["sql"] for each in seen.captured_queries)


@every_database
def test_without_match_nothing_is_asked(alias: str, quick: Cache, rows: Rows) -> None:
    """A project that does not use it pays for one more name in its bumps."""
    with quick.store.watch() as operations, watching(quick) as found:
        Article.objects.using(alias).filter(pk=rows.pks[0]).update(views=1)

    assert found == {"article:rows", f"article:object={rows.pks[0]}", "article:match"}
    assert written(operations) == ["Lease", "Settle"]
