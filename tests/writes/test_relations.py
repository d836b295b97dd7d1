"""Writes that reach other tables: cascades, SET NULL, many-to-many in both directions, parents and children."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from genscache import cached
from tests.site.news.models import Article, Asset, Column, Section, SectionSummary, Tag, Topic
from tests.writes.actors import Cache, every_database
from tests.writes.world import Rows, paths, sections, tags_of, title, titles, topics


@every_database
@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
def test_many_to_many(alias: str, quick: Cache, rows: Rows, backwards: bool) -> None:  # noqa: FBT001
    """add, remove, set and clear, from the article's side and from the tag's."""
    article, (one, two) = rows.articles[0], rows.tags

    def now() -> object:
        return quick.warm(tags_of, alias, article.pk)

    assert now() == []
    steps: list[Callable[[], object]]
    if backwards:
        steps = [lambda: one.articles.add(article), lambda: one.articles.remove(article)]
        steps += [lambda: two.articles.set([article]), two.articles.clear]
        steps += [lambda: one.articles.set([article.pk]), lambda: one.articles.set([])]
    else:
        steps = [lambda: article.tags.add(one), lambda: article.tags.remove(one)]
        steps += [lambda: article.tags.set([two]), article.tags.clear]
        steps += [lambda: article.tags.set([one.pk]), lambda: article.tags.set([])]

    seen = []
    for step in steps:
        step()
        seen.append(now())

    assert seen == [["one"], [], ["two"], [], ["one"], []]


@every_database
def test_a_reader_that_declared_only_one_end_of_a_many_to_many(alias: str, quick: Cache, rows: Rows) -> None:
    """Who says that he depends on articles may read them by their tags."""

    @cached(Article, timeout=60)
    def by_tag() -> list[str]:
        return list(Article.objects.using(alias).filter(tags__name="one").values_list("title", flat=True))

    assert quick.warm(by_tag) == []
    rows.tags[0].articles.add(rows.articles[0])
    assert quick.warm(by_tag) == ["a0"]
    rows.articles[0].tags.create(name="three")
    assert quick.read(by_tag).outcome == "miss"


@every_database
def test_set_null(alias: str, quick: Cache, rows: Rows) -> None:
    pk = rows.pks[0]
    Asset.objects.using(alias).create(article=rows.articles[0], path="p")
    assert quick.warm(paths, alias) == [("p", pk)]

    rows.articles[0].delete()

    assert quick.read(paths, alias).value == [("p", None)]


@every_database
def test_a_cascade_over_two_tables(alias: str, quick: Cache, rows: Rows) -> None:
    quick.warm(title, alias, rows.pks[0])
    quick.warm(titles, alias)
    quick.warm(sections, alias)

    Section.objects.using(alias).filter(pk=rows.section.pk).delete()

    assert quick.read(sections, alias).value == []
    assert quick.read(titles, alias).value == []
    assert quick.read(title, alias, rows.pks[0]).value is None


@every_database
def test_a_cascade_within_one_table(alias: str, quick: Cache, rows: Rows) -> None:
    root = Topic.objects.using(alias).create(name="root")
    child = Topic.objects.using(alias).create(name="child", parent=root)
    Topic.objects.using(alias).create(name="grandchild", parent=child)
    assert quick.warm(topics, alias) == ["root", "child", "grandchild"]

    child.delete()
    assert quick.warm(topics, alias) == ["root"]
    Topic.objects.using(alias).all().delete()

    assert quick.read(topics, alias).value == []


@every_database
def test_a_fast_delete(alias: str, quick: Cache, rows: Rows) -> None:
    """No signal is sent and no row is fetched: one DELETE."""
    Asset.objects.using(alias).create(path="p")
    assert quick.warm(paths, alias) == [("p", None)]

    Asset.objects.using(alias).filter(path="p").delete()

    assert quick.read(paths, alias).value == []


@every_database
def test_a_child_is_read_by_its_parent_and_the_other_way_round(alias: str, quick: Cache, rows: Rows) -> None:
    """Multi-table inheritance: one object has rows in two tables."""
    column = Column.objects.using(alias).create(
        title="c", section=rows.section, author=rows.author, series="s"
    )
    pk = column.pk

    @cached(Column, timeout=60)
    def columns() -> list[tuple[str, str]]:
        return list(Column.objects.using(alias).values_list("title", "series"))

    assert quick.warm(columns) == [("c", "s")]
    assert quick.warm(title, alias, pk) == "c"

    Article.objects.using(alias).filter(pk=pk).update(title="by the parent")
    assert quick.warm(columns) == [("by the parent", "s")]
    assert quick.warm(title, alias, pk) == "by the parent"

    column.refresh_from_db()
    column.title, column.series = "by the child", "t"
    column.save()
    assert quick.warm(columns) == [("by the child", "t")]
    assert quick.warm(title, alias, pk) == "by the child"

    Column.objects.using(alias).filter(title="by the child").update(title="by update()", series="u")
    assert quick.warm(columns) == [("by update()", "u")]
    assert quick.warm(titles, alias) == ["a0", "a1", "a2", "by update()"]

    column.delete(keep_parents=True)
    assert quick.warm(columns) == []
    Article.objects.using(alias).filter(pk=pk).delete()
    assert quick.read(title, alias, pk).value is None


@every_database
def test_a_view_that_derives_from_written_tables(
    alias: str, install: object, memory: object, rows: Rows
) -> None:
    """Declared in DERIVED: what the view shows is invalidated with its sources (A32)."""
    assert callable(install)
    quick: Cache = install(memory, DERIVED={"news.SectionSummary": ["news.Section", "news.Article"]})

    @cached(timeout=60)
    def summary() -> list[int]:
        return list(SectionSummary.objects.using(alias).values_list("articles", flat=True))

    assert quick.warm(summary) == [3]
    Article.objects.using(alias).filter(title="a0").delete()

    assert quick.read(summary).value == [2]
    assert Tag.objects.using(alias).count() == 2
