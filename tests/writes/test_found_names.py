"""Rows and databases that go by several names: whichever a reader and a writer use, they mean the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connections, models
from django.test import override_settings

from genscache import invalidate_obj, obj
from genscache.keys import Kind
from genscache.namespaces import table_namespace
from genscache.tables import is_exact
from tests.site.news.models import Article, Country
from tests.writes.actors import Cache, databases, unseen
from tests.writes.spy import SpyStore, bumped
from tests.writes.world import Rows, country, found_titles, title, titles

NEW = ["new", "a1", "a2"]


class Refusing:
    """Lets no model be migrated to any database: its tables are somebody else's."""

    def allow_migrate(self, *_args: object, **_hints: object) -> bool:
        """Refuse."""
        return False


@databases("default", "postgres")
def test_a_database_that_is_not_migrated(
    alias: str, install: Callable[..., Cache], memory: SpyStore, rows: Rows
) -> None:
    """``allow_migrate`` tells who makes the tables, not who reads and writes them."""
    with override_settings(DATABASE_ROUTERS=[Refusing()]):
        cache = install(memory)
        pk = rows.pks[0]
        cache.warm(titles, alias)
        cache.warm(title, alias, pk)
        cache.warm(found_titles, alias)

        Article.objects.using(alias).filter(pk=pk).update(title="new")
        assert cache.warm(titles, alias) == NEW
        assert cache.warm(title, alias, pk) == "new"
        assert cache.warm(found_titles, alias) == NEW

        unseen(alias, f"UPDATE news_article SET title = 'newer' WHERE id = {pk}")
        invalidate_obj(obj(Article, pk))
        assert cache.read(found_titles, alias).value == ["newer", "a1", "a2"]
        assert cache.read(title, alias, pk).value == "newer"


@databases("postgres")
def test_two_aliases_of_one_database(
    alias: str,
    install: Callable[..., Cache],
    memory: SpyStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One with a longer timeout, say: what is written through it is written to the same rows."""
    monkeypatch.setitem(connections.settings, "z_twin", dict(connections.settings[alias]))
    catalog = install(memory).engine.catalog

    assert catalog.primary("z_twin") == catalog.primary(alias) == alias
    assert "z_twin" not in catalog.primaries
    assert catalog.models_of("z_twin", ["news_article"]) == catalog.models_of(alias, ["news_article"])


@databases("mariadb")
def test_a_text_that_equals_another_one(alias: str, quick: Cache, rows: Rows) -> None:
    """The column's collation ignores case, so ``"de"`` finds the row ``"DE"``."""
    Country.objects.using(alias).create(code="DE", name="old")
    quick.warm(country, alias, "de")

    with quick.store.watch() as seen:
        invalidate_obj(Country.objects.using(alias).get(pk="DE"))

    whole = quick.engine.counters([table_namespace(Kind.MODEL, alias, "news_country")])
    assert bumped(seen).issuperset(whole)
    assert quick.read(country, alias, "de").outcome == "miss"


class Veiled(models.BigAutoField):  # type: ignore[type-arg]  # not generic at run time
    """An integer in the database, a text in Python."""


@pytest.mark.parametrize(
    ("field", "exact"),
    [
        (models.BigAutoField(primary_key=True), True),
        (models.UUIDField(primary_key=True), True),
        (Veiled(primary_key=True), False),
        (models.CharField(primary_key=True, max_length=2), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_field_of_somebody_else_may_write_a_key_in_several_ways(
    field: models.Field[object, object], *, exact: bool
) -> None:
    assert is_exact(field) is exact


@databases("default")
def test_a_row_whose_key_is_written_in_several_ways(
    alias: str,
    install: Callable[..., Cache],
    memory: SpyStore,
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In Python the key has another form than in the statement."""
    monkeypatch.setattr(Article._meta.pk, "__class__", Veiled)
    monkeypatch.setattr(Veiled, "to_python", lambda _self, value: f"h{value}".replace("hh", "h"))
    cache = install(memory)
    pk = rows.pks[0]
    cache.warm(title, alias, pk)

    Article.objects.using(alias).filter(pk=pk).update(title="new")

    assert cache.read(title, alias, pk).value == "new"
