"""What a write leaves alone: entries of other rows and other tables live on, lists die."""

from __future__ import annotations

import pytest
from django.db import transaction

from tests.site.news.models import Article, Section
from tests.writes.actors import Cache, every_database
from tests.writes.world import Rows, found_titles, sections, title, titles


def survivors(cache: Cache, alias: str, rows: Rows) -> list[int]:
    """Return the indexes of the articles whose own entries are still served."""
    return [index for index, pk in enumerate(rows.pks) if cache.read(title, alias, pk).outcome == "hit"]


def warm_all(cache: Cache, alias: str, rows: Rows) -> None:
    for pk in rows.pks:
        cache.warm(title, alias, pk)
    for reader in (titles, found_titles, sections):
        cache.warm(reader, alias)


@every_database
@pytest.mark.parametrize("form", ["save", "update", "delete", "bulk_update", "pk in"])
@pytest.mark.parametrize("atomic", [False, True], ids=["autocommit", "atomic"])
def test_a_write_of_known_rows(alias: str, quick: Cache, rows: Rows, form: str, atomic: bool) -> None:  # noqa: FBT001
    articles = Article.objects.using(alias)
    warm_all(quick, alias, rows)

    def write() -> None:
        match form:
            case "save":
                rows.articles[1].save()
            case "update":
                articles.filter(pk=rows.pks[1]).update(title="new")
            case "delete":
                rows.articles[1].delete(using=alias)
            case "bulk_update":
                articles.bulk_update(rows.articles[1:2], ["title"])
            case _:
                articles.filter(pk__in=[rows.pks[1]]).update(views=5)

    if atomic:
        with transaction.atomic(using=alias):
            write()
    else:
        write()

    assert quick.read(titles, alias).outcome == "miss"
    assert quick.read(found_titles, alias).outcome == "miss"
    assert quick.read(sections, alias).outcome == "hit"
    expected = [0, 2]
    if form == "delete":
        # Its links to tags go first, rows that are not known; who says obj(Article, pk) means an article's links, too.
        expected = []
    assert survivors(quick, alias, rows) == expected


@every_database
def test_a_write_of_unknown_rows_reaches_every_object(alias: str, quick: Cache, rows: Rows) -> None:
    warm_all(quick, alias, rows)

    Article.objects.using(alias).filter(title="a1").update(title="new")

    assert survivors(quick, alias, rows) == []
    assert quick.read(sections, alias).outcome == "hit"


@every_database
def test_a_write_of_another_table(alias: str, quick: Cache, rows: Rows) -> None:
    warm_all(quick, alias, rows)

    Section.objects.using(alias).update(name="Sport")

    assert survivors(quick, alias, rows) == [0, 1, 2]
    assert quick.read(titles, alias).outcome == "hit"
    assert quick.read(sections, alias).value == ["Sport"]


@every_database
def test_a_key_that_is_changed_reaches_both_rows(alias: str, quick: Cache, rows: Rows) -> None:
    """UPDATE of the key itself is no write of a known row."""
    warm_all(quick, alias, rows)
    assert quick.warm(title, alias, 900) is None

    Article.objects.using(alias).filter(pk=rows.pks[0]).update(id=900)

    assert quick.read(title, alias, rows.pks[0]).value is None
    assert quick.read(title, alias, 900).value == "a0"


@every_database
def test_more_rows_than_are_worth_naming(alias: str, quick: Cache, rows: Rows) -> None:
    """A transaction that touches very many rows names the model instead: one counter, and every object of it."""
    Article.objects.using(alias).bulk_create(
        [Article(title=f"b{i}", section=rows.section, author=rows.author) for i in range(300)]
    )
    warm_all(quick, alias, rows)
    pks = list(Article.objects.using(alias).order_by("pk").values_list("pk", flat=True))[2:]

    with quick.store.watch() as seen, transaction.atomic(using=alias):
        Article.objects.using(alias).filter(pk__in=pks).update(views=1)

    assert max(len(each.counters) for each in seen if hasattr(each, "counters")) < 5
    assert survivors(quick, alias, rows) == []
