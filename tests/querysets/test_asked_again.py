"""What was asked before and is invalidated is asked again with the SQL that it had, and nothing is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.sessions.models import Session
from django.db import connections, models
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from genscache import invalidate_model
from genscache.engine import Engine
from genscache.querysets.adoption import current_adoption
from genscache.querysets.counted import Counted
from genscache.querysets.prepared import LONGEST_SQL, MOST_PARAMETERS, is_worth_keeping
from tests.querysets.reading import is_hit, seen
from tests.querysets.test_harvests import contents
from tests.querysets.test_keyed import ALIASES, ROWS, fill
from tests.querysets.test_quick import calls
from tests.site.news.models import Article, Section, Topic

pytestmark = pytest.mark.django_db(transaction=True, databases=[*ALIASES])

COMPILING = ("process_rhs", "get_aggregation", "get_select", "get_order_by")
"""What Django does where SQL is not known."""

LISTS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda rows: rows.filter(views__gt=2).order_by("pk"),
    "related": lambda rows: (
        rows.select_related("author", "section").filter(author__name="A.").order_by("-views")
    ),
    "sliced": lambda rows: rows.exclude(title__contains="3").order_by("pk")[1:7],
    "several": lambda rows: rows.filter(pk__in=[1, 2, 5], views__range=(0, 9)).order_by("pk"),
    "moments": lambda rows: rows.filter(
        published__lte=timezone.now().replace(year=2100, microsecond=0)
    ).order_by("pk"),
}
COUNTS: dict[str, Callable[[Any], Any]] = {
    "all": lambda rows: rows.all(),
    "some": lambda rows: rows.filter(views__gt=2),
    "joined": lambda rows: rows.filter(author__name="A.", section__name="S."),
    "distinct": lambda rows: rows.filter(views__gt=2).distinct(),
    "sliced": lambda rows: rows.order_by("pk")[2:5],
    "grouped": lambda rows: rows.values("author").annotate(n=models.Count("pk")),
    "united": lambda rows: rows.filter(views=1).union(rows.filter(views=2)),
}


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("name", LISTS)
def test_a_list(engine: Engine, alias: str, name: str) -> None:
    fill(alias)
    asked = LISTS[name]

    def ask() -> list[Any]:
        return list(asked(Article.objects.using(alias)).cache())

    for _ in range(4):
        ask()
        invalidate_model(Article)
    for number in range(3):
        Article.objects.using(alias).filter(pk=5).update(body=f"edition {number}")
        with CaptureQueriesContext(connections[alias]) as queries:
            assert [each for each in calls(ask, *COMPILING) if each != "process_rhs"] == []
            plain = list(asked(Article.objects.using(alias)))
        mine, djangos = queries.captured_queries
        assert mine["sql"] == djangos["sql"]
        assert contents(ask()) == contents(plain)
        assert is_hit(ask) or alias != "default"


@pytest.mark.parametrize("name", LISTS)
def test_conditions_of_a_list_are_not_compiled(engine: Engine, name: str) -> None:
    fill("default")
    for _ in range(4):
        list(LISTS[name](Article.objects).cache())
        invalidate_model(Article)
    rows = LISTS[name](Article.objects).cache()
    assert calls(lambda: list(rows), *COMPILING) == []


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("name", COUNTS)
def test_a_count(engine: Engine, alias: str, name: str) -> None:
    fill(alias)

    def ask() -> int:
        found: int = COUNTS[name](Article.objects.using(alias)).cache().count()
        return found

    ask()
    for number in range(3):
        Article.objects.using(alias).filter(pk=5 + number).update(views=-1)
        Topic.objects.using(alias).create(pk=100 + number, name="t")
        with CaptureQueriesContext(connections[alias]) as queries:
            assert calls(ask, "get_aggregation") == []
            plain = COUNTS[name](Article.objects.using(alias)).count()
        mine, djangos = queries.captured_queries
        assert mine["sql"] == djangos["sql"]
        assert ask() == plain


def test_a_count_in_a_coroutine(engine: Engine) -> None:
    fill("default")

    async def ask() -> int:
        found: int = await Article.objects.cache().filter(views__gt=2).acount()
        return found

    before = async_to_sync(ask)()
    Article.objects.filter(pk=ROWS - 1).delete()
    assert async_to_sync(ask)() == before - 1


def test_another_value_is_another_count(engine: Engine) -> None:
    fill("default")
    for _ in range(2):
        for number in range(1, ROWS):
            assert Article.objects.cache().filter(views__gte=number).count() == ROWS - number
        invalidate_model(Article)


def test_what_never_has_rows_is_not_asked(engine: Engine) -> None:
    fill("default")
    for _ in range(3):
        found = seen(lambda: Article.objects.cache().filter(pk__in=[]).count())
        assert (found.result, found.queries) == (0, 0)
        invalidate_model(Article)


class Generous(models.QuerySet[Any]):
    """Counts one more."""

    def count(self) -> int:
        """Count."""
        return super().count() + 1


def test_a_project_that_counts_in_its_own_way(engine: Engine) -> None:
    fill("default")
    kind: Any = current_adoption().queryset_class(Generous)
    for _ in range(3):
        assert kind(Section).cache().count() == 2
        invalidate_model(Section)
    assert len(engine.part(Counted)._asked) == 0


def test_what_others_put_into_the_sql_is_put_there_once(engine: Engine) -> None:
    fill("default")

    def comment(execute: Any, sql: str, *rest: Any) -> Any:
        return execute(f"{sql} /* why */", *rest)

    ran: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        ran.append(sql)
        return execute(sql, *rest)

    with connections["default"].execute_wrapper(comment), connections["default"].execute_wrapper(note):
        for _ in range(3):
            Article.objects.cache().filter(views__gt=1).count()
            invalidate_model(Article)
    assert [sql.count("/* why */") for sql in ran] == [1, 1, 1]


def test_watchers_of_statements_stay_as_they_were(engine: Engine) -> None:
    fill("default")
    before = [*connections["default"].execute_wrappers]
    Article.objects.cache().count()
    assert connections["default"].execute_wrappers == before


def test_what_could_be_changed_or_is_large_is_not_kept() -> None:
    assert is_worth_keeping(("SELECT 1", (1, "a", None, 2.5, timezone.now())))
    assert not is_worth_keeping(("SELECT 1", (1, [2])))
    assert not is_worth_keeping(("SELECT 1", (Session(),)))
    assert is_worth_keeping(("SELECT 1", (1,) * MOST_PARAMETERS))
    assert not is_worth_keeping(("SELECT 1", (1,) * (MOST_PARAMETERS + 1)))
    assert is_worth_keeping(("x" * (LONGEST_SQL - 2), ("a", b"b")))
    assert not is_worth_keeping(("x" * (LONGEST_SQL - 2), ("a", b"bc")))
    assert not is_worth_keeping((b"SELECT 1", ()))  # type: ignore[arg-type]
