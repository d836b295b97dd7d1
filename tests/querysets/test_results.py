"""What comes from the store is as good as fresh: equal, mutable, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import models
from django.db.models import Count

from genscache.engine import Engine
from genscache.filling import Job
from genscache.querysets.options import Caching
from genscache.querysets.subjects import QuerySubject, job
from tests.querysets.reading import Site, is_hit, seen
from tests.reads.conftest import Use
from tests.site.news.models import Article, Author, Column

pytestmark = pytest.mark.django_db(transaction=True)


def test_no_two_callers_share_an_object(engine: Engine, site: Site) -> None:
    results = [Article.objects.cache().select_related("author").get(pk=1) for _ in range(3)]
    assert len({id(each) for each in results}) == len({id(each.author) for each in results}) == 3
    results[0].title = results[0].author.name = "mine"

    again = Article.objects.cache().select_related("author").get(pk=1)

    assert (again.title, again.author.name) == ("Title 0", "Ada")
    rows = Article.objects.cache().values("title")
    rows[0]["title"] = "mine"
    assert Article.objects.cache().values("title")[0]["title"] == "Title 0"


def test_an_instance_from_the_store_can_be_saved(engine: Engine, site: Site) -> None:
    Article.objects.cache().get(pk=1)
    article = Article.objects.cache().get(pk=1)
    article.title = "saved"

    article.save()
    article.tags.clear()

    assert Article.objects.cache().get(pk=1).title == "saved"
    assert Article.objects.count() == 3


def test_state_deferred_fields_and_annotations(engine: Engine, site: Site) -> None:
    queryset = Article.objects.only("title").annotate(n=Count("tags")).order_by("pk").cache()
    list(queryset)

    article = queryset.all()[0]

    assert is_hit(lambda: list(queryset.all()))
    assert article._state.db == "default"
    assert not article._state.adding
    assert article.get_deferred_fields() == {"body", "section_id", "author_id", "published", "views", "score"}
    assert article.n == 1
    assert article.body == ""


def test_related_objects_that_the_caller_has(engine: Engine, site: Site) -> None:
    site.author.name = "not saved"
    for _ in range(2):
        assert all(each.author is site.author for each in site.author.articles.cache())
    other = Author.objects.get(pk=site.author.pk)
    found = list(other.articles.cache())
    assert all(each.author is other for each in found)
    assert found[0].author.name == "Ada"
    assert all(each.author is not other for each in other.articles.select_related("author").cache())


def test_children_and_what_select_related_reaches(engine: Engine, site: Site) -> None:
    Column.objects.create(title="Column", section=site.sections[0], author=site.author, series="Monday")
    queryset = Column.objects.select_related("section", "author").cache()
    list(queryset)

    found = seen(lambda: [(each.section.name, each.author.name, each.series) for each in queryset.all()])

    assert found.result == [("home", "Ada", "Monday")]
    assert found.queries == 0


def test_a_changed_definition_revives_nothing(
    engine: Engine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release that adds a field asks for other entries, also of plain values."""
    seen_before = {op: fingerprint(engine, op) for op in ("list", "values")}

    monkeypatch.setattr(engine.catalog, "describe", lambda _: "another release")
    assert {op: fingerprint(engine, op) for op in ("list", "values")} != seen_before


def fingerprint(engine: Engine, op: str) -> str:
    queryset: Any = Article.objects.values("title") if op == "values" else Article.objects.all()
    found = job(engine, queryset._genscache_asked("list"), Caching(), lambda _shape: None)
    assert isinstance(found, Job)
    assert isinstance(found.identity, QuerySubject)
    return found.identity.question(engine, found.call, found.call.declared).fingerprint


class WithAuthors(models.query.ModelIterable):  # type: ignore[type-arg]
    """Makes articles with the names of their authors, which it asks for itself."""

    def __iter__(self) -> Any:
        names = dict(Author.objects.values_list("pk", "name"))
        for each in super().__iter__():
            each.byline = names[each.author_id]
            yield each


def test_a_query_that_a_custom_iterable_adds_is_a_dependency(engine: Engine, site: Site) -> None:
    """What a queryset reads besides its own SQL is found when it runs, and belongs to the entry."""

    def bylines() -> list[str]:
        queryset: Any = Article.objects.cache().order_by("pk")
        queryset._iterable_class = WithAuthors
        return [each.byline for each in queryset]

    assert bylines() == ["Ada"] * 3
    assert is_hit(bylines)
    Author.objects.filter(pk=site.author.pk).update(name="Grace")
    assert bylines() == ["Grace"] * 3
    assert is_hit(bylines)


def test_tenants(use: Use, site: Site) -> None:
    tenant = ["a"]
    use(KEY_CONTEXT=lambda: tenant[0])
    list(Article.objects.cache())

    tenant[0] = "b"

    assert not is_hit(lambda: list(Article.objects.cache()))
    tenant[0] = "a"
    assert is_hit(lambda: list(Article.objects.cache()))
