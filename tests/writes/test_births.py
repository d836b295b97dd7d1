"""INSERT of a row whose absence was cached: the new key is told, or the whole model goes."""

from __future__ import annotations

import uuid

import pytest
from django.db import transaction

from genscache.stores.base import Settle
from tests.site.news.models import Article, Asset, Country
from tests.writes.actors import Cache, databases, elsewhere, every_database, sql
from tests.writes.world import Rows, country, path, title, titles


@every_database
@pytest.mark.parametrize("atomic", [False, True], ids=["autocommit", "atomic"])
def test_an_automatic_key(alias: str, cache: Cache, rows: Rows, atomic: bool) -> None:  # noqa: FBT001
    first, unborn = rows.pks[0], rows.pks[-1] + 1
    assert cache.warm(title, alias, unborn) is None
    cache.warm(title, alias, first)
    cache.warm(titles, alias)

    if atomic:
        with transaction.atomic(using=alias):
            made = Article.objects.using(alias).create(title="born", section=rows.section, author=rows.author)
    else:
        made = Article.objects.using(alias).create(title="born", section=rows.section, author=rows.author)

    assert made.pk == unborn
    assert cache.read(title, alias, unborn).value == "born"
    assert cache.read(titles, alias).value == ["a0", "a1", "a2", "born"]
    assert cache.read(title, alias, first).outcome == "hit", "the birth of one row is no news for another"


@every_database
def test_an_automatic_key_is_leased_with_the_model(alias: str, cache: Cache, rows: Rows) -> None:
    """Before the INSERT has run nobody knows the key, so no entry of any object is served until it is settled."""
    unborn = rows.pks[-1] + 1
    cache.warm(title, alias, unborn)
    between: list[object] = []
    cache.store.before(
        Settle, lambda: elsewhere(lambda: between.append(cache.read(title, alias, unborn).value))
    )

    Article.objects.using(alias).create(title="born", section=rows.section, author=rows.author)

    assert between == ["born"]
    assert cache.read(title, alias, unborn).value == "born"


@every_database
def test_an_automatic_key_by_raw_sql(alias: str, cache: Cache, rows: Rows) -> None:
    unborn = rows.pks[-1] + 1
    assert cache.warm(title, alias, unborn) is None

    sql(
        alias,
        "INSERT INTO news_article (title, body, section_id, author_id, published, views, score) "
        "VALUES ('born', '', %s, %s, '2026-01-01 00:00:00', 0, 0)",
        [rows.section.pk, rows.author.pk],
    )

    assert cache.read(title, alias, unborn).value == "born"


@every_database
def test_an_explicit_key(alias: str, cache: Cache, rows: Rows) -> None:
    first = rows.pks[0]
    assert cache.warm(title, alias, 4711) is None
    cache.warm(title, alias, first)

    Article.objects.using(alias).create(pk=4711, title="born", section=rows.section, author=rows.author)

    assert cache.read(title, alias, 4711).value == "born"
    assert cache.read(title, alias, first).outcome == "hit"


@every_database
@pytest.mark.parametrize("count", [1, 3])
def test_many_at_once(alias: str, cache: Cache, rows: Rows, count: int) -> None:
    unborn = rows.pks[-1] + count
    assert cache.warm(title, alias, unborn) is None

    Article.objects.using(alias).bulk_create(
        [Article(title=f"born {i}", section=rows.section, author=rows.author) for i in range(count)]
    )

    assert cache.read(title, alias, unborn).value == f"born {count - 1}"


@databases("default", "postgres")
def test_an_insert_that_conflicts_is_not_taken_for_a_birth(alias: str, quick: Cache, rows: Rows) -> None:
    """SQLite still tells the key of the INSERT before; the one that did nothing must not settle for that row."""
    first = rows.pks[0]
    quick.warm(title, alias, first)

    changed = Article(pk=first, title="new", section=rows.section, author=rows.author)
    Article.objects.using(alias).bulk_create([changed], ignore_conflicts=True)
    assert quick.read(title, alias, first).value == "a0"
    Article.objects.using(alias).bulk_create(
        [changed], update_conflicts=True, update_fields=["title"], unique_fields=["id"]
    )

    assert quick.read(title, alias, first).value == "new"


@every_database
def test_a_uuid_key(alias: str, cache: Cache, rows: Rows) -> None:
    born, other = uuid.uuid4(), uuid.uuid4()
    Asset.objects.using(alias).create(pk=other, path="other")
    assert cache.warm(path, alias, born) is None
    assert cache.warm(path, alias, other) == "other"

    asset = Asset.objects.using(alias).create(pk=born, path="p")
    assert cache.read(path, alias, born).value == "p"
    asset.path = "q"
    asset.save()

    assert cache.read(path, alias, born).value == "q"
    assert cache.read(path, alias, str(born).upper()).value == "q"
    assert cache.read(path, alias, other).outcome == "hit"
    Asset.objects.using(alias).filter(pk=born).delete()
    assert cache.read(path, alias, born).value is None


@every_database
def test_a_key_of_text(alias: str, cache: Cache, transactional_db: None) -> None:
    """A text may equal another one under the column's collation, so the model goes: too much, never too little."""
    assert cache.warm(country, alias, "de") is None

    Country.objects.using(alias).create(code="de", name="Germany")
    assert cache.warm(country, alias, "de") == "Germany"
    Country.objects.using(alias).filter(pk="de").update(name="Deutschland")
    assert cache.warm(country, alias, "de") == "Deutschland"
    Country.objects.using(alias).get(pk="de").delete()

    assert cache.read(country, alias, "de").value is None
