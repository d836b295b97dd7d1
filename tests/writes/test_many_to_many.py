"""A write to a table between two models bumps that table alone; whoever named an end hears of it all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from genscache import cached, invalidate_model, invalidate_obj, invalidate_tables, obj
from tests.site.news.models import Article, Club, Column, Membership, PopularArticle, Reader, Section, Tag
from tests.writes.actors import Cache, Configure, every_database
from tests.writes.spy import SpyStore
from tests.writes.world import Rows, sections, tags_of, title


def _declared(model: Any, call: Callable[[], object]) -> Callable[[], object]:
    @cached(model, timeout=60)
    def reader() -> object:
        return call()

    return reader


@every_database
@pytest.mark.parametrize("end", [Article, PopularArticle, Column, Tag, "news.Article_tags"], ids=str)
@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
def test_a_declared_end_hears_of_links(
    alias: str,
    quick: Cache,
    rows: Rows,
    end: Any,
    backwards: bool,  # noqa: FBT001
) -> None:
    """Also by the name of a proxy, and of a child that inherits the field."""
    article, tag = rows.articles[0], rows.tags[0]
    reader = _declared(end, lambda: Article.tags.through.objects.using(alias).count())
    change = tag.articles if backwards else article.tags
    given: Any = article if backwards else tag

    assert quick.warm(reader) == 0
    change.add(given)
    assert quick.warm(reader) == 1
    change.remove(given)
    assert quick.warm(reader) == 0
    change.set([given])
    assert quick.warm(reader) == 1
    change.clear()
    assert quick.warm(reader) == 0


@every_database
def test_an_object_hears_of_its_links(alias: str, quick: Cache, rows: Rows) -> None:
    article, tag = rows.articles[0], rows.tags[0]

    @cached(timeout=60, depends_on=lambda: [obj(Article, article.pk)])
    def its_tags() -> list[str]:
        return list(article.tags.values_list("name", flat=True))

    @cached(timeout=60, depends_on=lambda: [obj(tag)])
    def its_articles() -> list[str]:
        return list(tag.articles.values_list("title", flat=True))

    assert quick.warm(its_tags) == quick.warm(its_articles) == []
    tag.articles.add(article)
    assert quick.warm(its_tags) == ["one"]
    assert quick.warm(its_articles) == ["a0"]
    article.tags.clear()
    assert quick.warm(its_tags) == quick.warm(its_articles) == []


@every_database
def test_links_leave_alone_who_reads_the_ends_only(alias: str, quick: Cache, rows: Rows) -> None:
    @cached(timeout=60)
    def all_titles() -> list[str]:
        return list(Article.objects.using(alias).values_list("title", flat=True))

    @cached(timeout=60)
    def linked() -> list[str]:
        return list(Article.objects.using(alias).filter(tags__name="one").values_list("title", flat=True))

    @cached(timeout=60)
    def unlinked() -> list[str]:
        unlinked_ones = Article.objects.using(alias).exclude(tags__name="one")
        return list(unlinked_ones.order_by("pk").values_list("title", flat=True))

    for reader in (all_titles, linked, unlinked):
        quick.warm(reader)
    quick.warm(sections, alias)

    rows.tags[0].articles.add(rows.articles[0])

    assert quick.read(all_titles).outcome == "hit"
    assert quick.read(sections, alias).outcome == "hit"
    assert quick.read(linked).value == ["a0"]
    assert quick.read(unlinked).value == ["a1", "a2"]


@every_database
def test_a_field_to_itself(alias: str, quick: Cache, rows: Rows) -> None:
    ann, ben = (Reader.objects.using(alias).create(name=name) for name in ("Ann", "Ben"))

    def friends() -> list[str]:
        return list(ben.friends.values_list("name", flat=True))

    found = cached(timeout=60)(friends)
    declared = _declared(Reader, friends)
    assert quick.warm(found) == quick.warm(declared) == []
    ann.friends.add(ben)
    assert quick.warm(found) == quick.warm(declared) == ["Ann"]
    ann.friends.clear()
    assert quick.warm(found) == quick.warm(declared) == []


@every_database
def test_a_model_of_its_own_between(alias: str, quick: Cache, rows: Rows) -> None:
    """It is named by itself, as ever: who declares an end does not hear of it."""
    club = Club.objects.using(alias).create(name="Owls")
    ann = Reader.objects.using(alias).create(name="Ann")
    count = Membership.objects.using(alias).count
    between, end, other = (_declared(model, count) for model in (Membership, Club, Reader))
    found = cached(timeout=60)(lambda: list(club.members.values_list("name", flat=True)))
    for reader in (between, end, other, found):
        quick.warm(reader)

    club.members.add(ann)

    assert quick.read(between).value == 1
    assert quick.read(found).value == ["Ann"]
    assert quick.read(end).outcome == quick.read(other).outcome == "hit"


@every_database
def test_to_invalidate_an_end_is_to_invalidate_its_links(alias: str, quick: Cache, rows: Rows) -> None:
    """Somebody has changed articles behind our back; that may have been their tags."""
    pk = rows.pks[0]
    for model in (Article, Column, Tag):
        quick.warm(tags_of, alias, pk)
        invalidate_model(model)
        assert quick.read(tags_of, alias, pk).outcome == "miss"
    quick.warm(tags_of, alias, pk)
    quick.warm(title, alias, pk)
    invalidate_model(Section)
    assert quick.read(tags_of, alias, pk).outcome == "hit"
    invalidate_tables("news_article_tags")
    assert quick.read(tags_of, alias, pk).outcome == "miss"
    assert quick.read(title, alias, pk).outcome == "miss"
    quick.warm(title, alias, pk)
    invalidate_obj(rows.articles[0])
    assert quick.read(title, alias, pk).outcome == "miss"


@every_database
def test_what_derives_from_an_end_derives_from_its_links(
    alias: str, install: Configure, memory: SpyStore, rows: Rows
) -> None:
    """A view over articles and their tags is declared by its models."""
    quick = install(memory, DERIVED={"news_section": ["news.Article"], "count_tags()": ["news.Tag"]})
    quick.warm(sections, alias)
    rows.tags[0].articles.add(rows.articles[0])
    assert quick.read(sections, alias).outcome == "miss"

    tables = quick.engine.catalog.procedure("count_tags")
    assert tables is not None
    assert set(tables) == {"news_tag", "news_article_tags"}


@every_database
def test_links_that_are_untracked(alias: str, install: Configure, memory: SpyStore, rows: Rows) -> None:
    """Nobody would tell of them, so what stands for them is not cached, and says why."""
    quick = install(memory, UNTRACKED=["news.Article_tags"])
    reader = _declared(Tag, lambda: 1)
    quick.read(reader)
    answer = quick.read(reader)
    assert answer.outcome == "bypass"
    assert "news_article_tags" in answer.reason
