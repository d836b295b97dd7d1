"""Every way in which Django writes: after it, no reader is given what was there before."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from django.core import management
from django.db import connections

from genscache.stores.base import Settle
from tests.site.news.models import Article, Column, PopularArticle, Section
from tests.writes.actors import Cache, elsewhere, every_database
from tests.writes.world import Rows, database_titles, found_titles, title, titles

Write = Callable[[str, Rows], object]


def _save(alias: str, rows: Rows) -> None:
    rows.articles[0].title = "new"
    rows.articles[0].save()


def _save_fields(alias: str, rows: Rows) -> None:
    rows.articles[0].title = "new"
    rows.articles[0].save(update_fields=["title"])


def _create(alias: str, rows: Rows) -> None:
    Article.objects.using(alias).create(title="new", section=rows.section, author=rows.author)


def _create_with_key(alias: str, rows: Rows) -> None:
    Article.objects.using(alias).create(pk=5000, title="new", section=rows.section, author=rows.author)


def _create_related(alias: str, rows: Rows) -> None:
    rows.section.articles.create(title="new", author=rows.author)


def _bulk_create(alias: str, rows: Rows) -> None:
    made = [Article(title=f"n{i}", section=rows.section, author=rows.author) for i in range(3)]
    Article.objects.using(alias).bulk_create(made)


def _upsert(alias: str, rows: Rows) -> None:
    changed = Article(pk=rows.pks[0], title="new", section=rows.section, author=rows.author)
    unique = None if alias == "mariadb" else ["id"]
    Article.objects.using(alias).bulk_create(
        [changed], update_conflicts=True, update_fields=["title"], unique_fields=unique
    )


def _bulk_update(alias: str, rows: Rows) -> None:
    for article in rows.articles[:2]:
        article.title += "!"
    Article.objects.using(alias).bulk_update(rows.articles[:2], ["title"])


def _update(alias: str, rows: Rows) -> None:
    Article.objects.using(alias).filter(title="a1").update(title="new")


def _update_by_key(alias: str, rows: Rows) -> None:
    Article.objects.using(alias).filter(pk=rows.pks[0]).update(title="new")


def _update_through_relation(alias: str, rows: Rows) -> None:
    Article.objects.using(alias).filter(section__name="World").update(title="new")


def _delete_instance(alias: str, rows: Rows) -> None:
    rows.articles[0].delete(using=alias)


def _delete_query(alias: str, rows: Rows) -> None:
    Article.objects.using(alias).filter(title="a1").delete()


def _raw_delete(alias: str, rows: Rows) -> None:
    Article.objects.using(alias).filter(title="a1")._raw_delete(alias)


def _cascade(alias: str, rows: Rows) -> None:
    rows.section.delete(using=alias)


def _get_or_create(alias: str, rows: Rows) -> None:
    _, created = Article.objects.using(alias).get_or_create(
        title="new", defaults={"section": rows.section, "author": rows.author}
    )
    assert created


def _update_or_create(alias: str, rows: Rows) -> None:
    _, created = Article.objects.using(alias).update_or_create(title="a0", defaults={"title": "new"})
    assert not created


def _update_or_create_new(alias: str, rows: Rows) -> None:
    Article.objects.using(alias).update_or_create(
        title="other", defaults={"title": "new", "section": rows.section, "author": rows.author}
    )


def _proxy(alias: str, rows: Rows) -> None:
    Article.objects.using(alias).filter(pk=rows.pks[1]).update(views=200)
    popular = PopularArticle.objects.using(alias).get()
    popular.title = "new"
    popular.save()


def _child(alias: str, rows: Rows) -> None:
    Column.objects.using(alias).create(title="new", section=rows.section, author=rows.author, series="s")


def _child_saved(alias: str, rows: Rows) -> None:
    """A child made of an existing parent row; saving it writes both tables."""
    child = Column(article_ptr=rows.articles[0], series="s")
    child.__dict__.update({k: v for k, v in vars(rows.articles[0]).items() if k != "_state"})
    child.title = "new"
    child.save(using=alias)


def _add_related(alias: str, rows: Rows) -> None:
    sport = Section.objects.using(alias).create(name="Sport")
    sport.articles.add(*rows.articles[:1])
    Article.objects.using(alias).filter(section=sport).update(title="new")


def _loaddata(alias: str, rows: Rows, *, folder: str) -> None:
    first = rows.articles[0]
    fields = {"title": "new", "section": first.section_id, "author": first.author_id}
    fixture = [{"model": "news.article", "pk": first.pk, "fields": {**fields, "tags": []}}]
    path = f"{folder}/fixture.json"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(fixture, file)
    management.call_command("loaddata", path, database=alias, verbosity=0, stdout=io.StringIO())


FORMS: list[Write] = [
    _save, _save_fields, _create, _create_with_key, _create_related, _bulk_create, _upsert, _bulk_update, _update,
    _update_by_key, _update_through_relation, _delete_instance, _delete_query, _raw_delete, _cascade, _get_or_create,
    _update_or_create, _update_or_create_new, _proxy, _child, _child_saved, _add_related,
]  # fmt: skip


@every_database
@pytest.mark.parametrize("write", FORMS, ids=lambda write: write.__name__.strip("_"))
def test_a_form_of_writing(alias: str, quick: Cache, rows: Rows, write: Write) -> None:
    first = rows.pks[0]
    quick.warm(titles, alias)
    quick.warm(found_titles, alias)
    old = quick.warm(title, alias, first)

    write(alias, rows)

    now = database_titles(alias)
    assert now != ["a0", "a1", "a2"]
    assert elsewhere(lambda: quick.read(titles, alias).value) == now
    assert elsewhere(lambda: quick.read(found_titles, alias).value) == now
    current = Article.objects.using(alias).filter(pk=first).values_list("title", flat=True).first()
    assert elsewhere(lambda: quick.read(title, alias, first).value) == current
    if write in {_save, _save_fields, _update_by_key, _delete_instance, _child_saved, _upsert}:
        assert current != old


@every_database
def test_loaddata(alias: str, quick: Cache, rows: Rows, tmp_path: object) -> None:
    quick.warm(titles, alias)

    _loaddata(alias, rows, folder=str(tmp_path))

    assert quick.read(titles, alias).value == ["new", "a1", "a2"]


@every_database
def test_each_write_is_leased_before_it_can_be_seen(alias: str, cache: Cache, rows: Rows) -> None:
    """In autocommit, whoever comes between the statement and the settle asks the database and stores nothing."""
    cache.warm(titles, alias)
    between: list[object] = []

    def look() -> None:
        answer = cache.read(titles, alias)
        between.append((answer.value, answer.outcome))

    cache.store.before(Settle, lambda: elsewhere(look))

    Article.objects.using(alias).filter(title="a0").update(title="new")

    assert between == [(["new", "a1", "a2"], "bypass")]
    assert cache.read(titles, alias).value == ["new", "a1", "a2"]
    connections[alias].close()
