"""Joins that a query has, and those that it only remembers."""

from __future__ import annotations

from django.db.models.sql import Query

from genscache.fingerprints import compiled, structure_of
from tests.fingerprints.describing import describe
from tests.site.news.models import Article, Asset


def content(query: Query) -> bytes:
    """Return the content of a query's fingerprint."""
    return structure_of(query, "default", describe).content


def test_an_unused_join_counts_if_a_filter_has_changed_its_type() -> None:
    """Compiling takes it up again for ``select_related``, and would have made an outer join itself."""
    query = Asset.objects.filter(article=5).select_related("article").query
    fresh = query.clone()
    assert query.alias_refcount["news_article"] == 0
    for held in (fresh.alias_map, fresh.alias_refcount, fresh.table_map):
        del held["news_article"]
    assert compiled(query, "default") != compiled(fresh, "default")
    assert content(query) != content(fresh)


def test_aliases_of_an_outer_query_count() -> None:
    query = Article.objects.filter(pk=1).query
    inner = query.clone()
    inner.external_aliases["news_tag"] = True
    assert content(inner) != content(query)


def test_an_outer_join_is_not_an_inner_one() -> None:
    query = Asset.objects.filter(article__title="x").query
    promoted = query.clone()
    promoted.promote_joins({"news_article"})
    assert compiled(promoted, "default") != compiled(query, "default")
    assert content(promoted) != content(query)


def test_a_condition_and_its_opposite_differ() -> None:
    query = Article.objects.filter(pk=1).query
    opposite = query.clone()
    opposite.where.negate()
    assert compiled(opposite, "default") != compiled(query, "default")
    assert content(opposite) != content(query)
