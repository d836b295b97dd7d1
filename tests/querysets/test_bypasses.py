"""Which evaluations go to the database, and the reason that is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now, Random

from genscache import bypass, cached, stats
from genscache.engine import Engine
from tests.querysets.reading import Site, is_hit, seen, why
from tests.reads.conftest import Use
from tests.site.news.models import Article, Author, Section, SectionSummary

pytestmark = pytest.mark.django_db(transaction=True)


class SecondOfNow(models.Func):
    """A function that somebody wrote."""

    function = "strftime"
    template = "%(function)s('%%s', 'now')"
    output_field = models.CharField()
    arity = 0


VOLATILE: dict[str, Callable[[Any], object]] = {
    "order_by(?)": lambda q: list(q.order_by("?")),
    "Now in an annotation": lambda q: list(q.annotate(now=Now())),
    "Now in a filter": lambda q: q.filter(published__lt=Now()).count(),
    "Now in a subquery": lambda q: q.filter(pk__in=Article.objects.filter(published__lt=Now())).exists(),
    "Now in an aggregate": lambda q: q.aggregate(n=models.Count("pk", filter=models.Q(published__lt=Now()))),
    "Random": lambda q: q.annotate(r=Random()).values_list("r", flat=True)[0],
    "a Func of a user": lambda q: list(q.annotate(s=SecondOfNow())),
    "RawSQL": lambda q: list(q.annotate(s=RawSQL("select random()", ()))),
    "RawSQL in an aggregate": lambda q: q.aggregate(n=models.Sum(RawSQL("abs(random() %% 10)", ()))),
    "extra": lambda q: list(q.extra(where=["published < current_timestamp"])),
    "extra in a count": lambda q: q.extra(where=["published < current_timestamp"]).count(),
    "raw": lambda q: list(q.raw("select *, random() as r from news_article")),
}


@pytest.mark.parametrize("name", VOLATILE)
def test_what_depends_on_the_moment(engine: Engine, site: Site, name: str) -> None:
    for _ in range(2):
        found = seen(lambda: VOLATILE[name](Article.objects.cache()))
        assert found.queries == 1
        assert found.counts["bypass"] == 1
        assert "miss" not in found.counts


def test_reasons(engine: Engine, site: Site) -> None:
    articles = Article.objects.cache

    assert "moment" in why(lambda: list(articles().order_by("?")))
    with transaction.atomic():
        assert why(lambda: list(articles().select_for_update())) == "it locks rows (select_for_update)"
    assert why(lambda: list(articles().iterator())) == "iterator() is not cached"
    assert why(lambda: articles().get_or_create(title="Title 1")) == "it reads for a write"
    assert "for_update" in why(lambda: articles().update_or_create(title="Title 1"))
    with bypass():
        assert why(lambda: list(articles())) == "bypass() was asked for"
    assert "unmanaged model" in why(lambda: list(SectionSummary.objects.cache()))


def test_an_empty_question_is_no_bypass(engine: Engine, site: Site) -> None:
    for read in (
        lambda: list(Article.objects.cache().none()),
        lambda: list(Article.objects.cache().filter(pk__in=[])),
        lambda: Article.objects.cache().filter(pk__in=[]).count(),
        lambda: Article.objects.cache().filter(pk__in=[]).exists(),
        lambda: list(Article.objects.cache().filter(pk=10**30)),
    ):
        assert seen(read).counts == {}
    # One question of a shape asked nothing; another one of that shape does.
    assert [each.pk for each in Article.objects.cache().filter(pk=1)] == [1]
    assert is_hit(lambda: list(Article.objects.cache().filter(pk=1)))


def test_derived_and_untracked(use: Use, site: Site) -> None:
    use(DERIVED={"news.SectionSummary": ["news.Section", "news.Article"]}, UNTRACKED=["news.Author"])

    assert len(SectionSummary.objects.cache()) == 2
    assert is_hit(lambda: list(SectionSummary.objects.cache()))
    Article.objects.filter(pk=1).update(views=50)
    assert SectionSummary.objects.cache().get(name="home").views == 52
    assert "untracked" in why(lambda: list(Author.objects.cache()))
    assert "untracked" in why(lambda: list(Article.objects.cache().select_related("author")))
    assert seen(lambda: list(Article.objects.cache())).counts.get("miss") == 1


def test_refresh_from_db_asks_the_database(use: Use, site: Site) -> None:
    use(MODELS={"*": {"cache": "all"}})
    article = Article.objects.get(pk=1)
    Article.objects.get(pk=1)
    # A write that nobody sees.
    driver = connection.connection.cursor()
    driver.execute("update news_article set title = 'unseen' where id = 1")
    driver.close()

    assert Article.objects.get(pk=1).title == "Title 0"
    article.refresh_from_db()
    assert article.title == "unseen"
    assert Article.objects.defer("title").get(pk=1).title == "unseen"
    assert stats()["bypass: refresh_from_db() asks the database"] == 2


def test_a_transaction_sees_its_own_writes_and_fills_nothing(engine: Engine, site: Site) -> None:
    list(Article.objects.cache())
    list(Section.objects.cache())
    with transaction.atomic():
        Article.objects.filter(pk=1).update(title="mine")
        assert Article.objects.cache().get(pk=1).title == "mine"
        assert "written" in why(lambda: list(Article.objects.cache()))
        assert is_hit(lambda: list(Section.objects.cache()))
        assert "nothing is stored" in why(lambda: list(Section.objects.cache().filter(name="x")))
        transaction.set_rollback(True)
    assert is_hit(lambda: list(Article.objects.cache()))
    assert Article.objects.cache().get(pk=1).title == "Title 0"


def test_a_bypass_inside_a_cached_function_is_what_a_plain_query_is(engine: Engine, site: Site) -> None:
    @cached
    def lottery() -> list[int]:
        return [each.pk for each in Article.objects.cache().order_by("?")]

    assert lottery() == lottery()
    Article.objects.filter(pk=3).delete()
    assert sorted(lottery()) == [1, 2]


def test_a_cached_function_depends_on_what_its_querysets_depend_on(engine: Engine, site: Site) -> None:
    runs = []

    @cached
    def title(pk: int) -> str:
        runs.append(pk)
        return str(Article.objects.cache().get(pk=pk).title)

    for _ in range(2):
        assert [title(1), title(2)] == ["Title 0", "Title 1"]
        # Served by an entry of the queryset, the function depends on it just the same.
        title.invalidate(1)
    assert title(1) == "Title 0"
    Article.objects.filter(pk=1).update(title="new")
    assert [title(1), title(2)] == ["new", "Title 1"]
    article = Article.objects.get(pk=2)
    article.title = "newer"
    article.save()
    runs.clear()
    assert [title(1), title(2)] == ["new", "newer"]
    assert runs == [2]


def test_a_store_that_is_down(use: Use, site: Site) -> None:
    use(STORE="redis://127.0.0.1:1/0")

    assert [each.pk for each in Article.objects.cache().order_by("pk")] == [1, 2, 3]
    assert Article.objects.cache().count() == 3
    assert (stats()["bypass: the store failed"], stats()["bypass: the store cannot be reached"]) == (1, 1)


def test_enabled_false(use: Use, site: Site) -> None:
    use(ENABLED=False, MODELS={"*": {"cache": "all"}})

    for _ in range(2):
        assert "switched off" in why(lambda: list(Article.objects.all()))


def test_a_model_that_is_ordered_by_chance(
    engine: Engine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Article._meta, "ordering", ["?"])

    assert "moment" in why(lambda: list(Article.objects.cache()))
