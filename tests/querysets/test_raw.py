"""``Manager.raw(…).cache()``: as Django answers, from the store, until a table that it reads is written."""

# ruff: noqa: PLW0108 - each read as a user writes it

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection

from genscache import invalidate
from genscache.engine import Engine
from genscache.exceptions import InvalidNamespace
from tests.querysets.reading import Site, is_hit, seen, why
from tests.site.news.models import Article, Author, Section

pytestmark = pytest.mark.django_db(transaction=True)

ALL = "select * from news_article order by id"
JOINED = """
    select a.*, s.name as place from news_article a join news_section s on s.id = a.section_id
    where a.views >= %s order by a.id
"""


def raw(sql: str = ALL, params: Any = (), *, translations: dict[str, str] | None = None) -> Any:
    """Return what a user writes, up to ``.cache()``."""
    return Article.objects.raw(sql, params, translations=translations)


def titles(rows: Any) -> list[str]:
    """Ask."""
    return [each.title for each in rows]


async def aiterated(rows: Any) -> list[Any]:
    """Ask with ``async for``."""
    return [each async for each in rows]


READS: dict[str, Callable[[Any], object]] = {
    "list": list,
    "len": len,
    "bool": bool,
    "item": lambda rows: rows[1],
    "slice": lambda rows: rows[1:],
    "async for": lambda rows: async_to_sync(aiterated)(rows),
    "using": lambda rows: list(rows.using("default")),
    "prefetch": lambda rows: [
        [tag.name for tag in each.tags.all()] for each in rows.prefetch_related("tags")
    ],
    "no parameters": lambda rows: list(rows),
}


@pytest.mark.parametrize("name", READS)
def test_the_second_answer_is_a_hit_and_as_django_gives_it(engine: Engine, site: Site, name: str) -> None:
    expected = READS[name](raw())

    assert READS[name](raw().cache()) == expected
    found = seen(lambda: READS[name](raw().cache()))

    assert (found.result, found.queries) == (expected, 0)


def test_async_for_without_cache_asks_the_database(engine: Engine, site: Site) -> None:
    for _ in range(2):
        found = seen(lambda: async_to_sync(aiterated)(raw().cache().nocache()))
        assert (len(found.result), found.queries) == (3, 1)  # type: ignore[arg-type]  # a list


def test_annotations_deferred_fields_and_the_alias_come_back(engine: Engine, site: Site) -> None:
    sql = "select id, title, views * 2 as double from news_article order by id"

    for _ in range(2):
        found: Any = list(raw(sql).cache())
        assert [each.double for each in found] == [0, 2, 4]
        assert "body" in found[0].get_deferred_fields()
        assert found[0]._state.db == "default"
        assert not found[0]._state.adding
    assert is_hit(lambda: list(raw(sql).cache()))


def test_nobody_shares_an_instance(engine: Engine, site: Site) -> None:
    first, second, third = (list(raw().cache()) for _ in range(3))

    first[0].title = second[0].title = "changed by a caller"

    assert third[0].title == "Title 0"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: raw(JOINED, [0]), lambda: raw(JOINED, [1])),
        (lambda: raw(JOINED, [1]), lambda: raw(JOINED, [True])),
        (lambda: raw(JOINED, ["1"]), lambda: raw(JOINED, [1])),
        (
            lambda: raw("select * from news_article where views >= %(n)s", {"n": 1}),
            lambda: raw("select * from news_article where views >= %(n)s", {"n": 2}),
        ),
        (
            lambda: raw("select id, body as b, title as t from news_article", translations={"b": "body", "t": "title"}),
            lambda: raw("select id, body as b, title as t from news_article", translations={"b": "title", "t": "body"}),
        ),
        (lambda: Article.objects.raw(ALL), lambda: Section.objects.raw(ALL.replace("*", "id, title as name"))),
    ],
)  # fmt: skip
def test_what_differs_is_another_entry(
    engine: Engine, site: Site, one: Callable[[], Any], other: Callable[[], Any]
) -> None:
    list(one().cache())

    assert not is_hit(lambda: list(other().cache()))
    assert is_hit(lambda: list(one().cache()))
    assert [fields(each) for each in other().cache()] == [fields(each) for each in other()]


def fields(instance: object) -> dict[str, object]:
    """Return what a row has filled in; Django marks what was pickled with its version."""
    return {name: value for name, value in vars(instance).items() if not name.startswith("_")}


def test_a_write_to_any_of_its_tables(engine: Engine, site: Site) -> None:
    def read() -> list[tuple[str, str]]:
        return [(each.title, each.place) for each in raw(JOINED, [1]).cache()]

    read()
    Author.objects.update(name="Grace")
    assert is_hit(read)

    Section.objects.filter(pk=site.sections[1].pk).update(name="planet")
    assert ("Title 1", "planet") in read()
    Article.objects.filter(pk=2).update(title="New")
    assert ("New", "planet") in read()
    with connection.cursor() as cursor:
        cursor.execute("delete from news_article_tags")
        cursor.execute("delete from news_article where id = 2")
    assert titles(raw(JOINED, [1]).cache()) == ["Title 2"]


def test_what_it_depends_on_besides(engine: Engine, site: Site) -> None:
    def read() -> list[Any]:
        return list(raw().cache(Author, "menu"))

    read()
    assert is_hit(read)
    site.author.save()
    assert not is_hit(read)
    invalidate("menu")
    assert not is_hit(read)
    assert is_hit(read)


def test_time_is_up(engine: Engine, site: Site) -> None:
    for life in (0, timedelta(0)):
        assert not is_hit(lambda life=life: list(raw().cache(timeout=life)))  # type: ignore[misc]
    assert not is_hit(lambda: list(raw().cache()))


@pytest.mark.parametrize("wrong", [-1, "soon"])
def test_a_wrong_timeout_is_refused_at_once(engine: Engine, wrong: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="timeout"):
        raw().cache(timeout=wrong)


def test_a_wrong_dependency_is_refused_at_once(engine: Engine) -> None:
    with pytest.raises(InvalidNamespace, match="42"):
        raw().cache(42)


def test_it_prints_as_django_s(engine: Engine) -> None:
    assert repr(raw(JOINED, [1]).cache()).startswith("<RawQuerySet: ")


def test_why_it_was_not_cached(engine: Engine, site: Site) -> None:
    assert "parameters" in why(lambda: list(raw(JOINED, [Number()]).cache()))
    assert "random" in why(lambda: list(raw("select *, random() as r from news_article").cache()))


class Number:
    """A parameter that SQLite understands, and nobody else."""

    def __conform__(self, _protocol: object) -> int:
        return 1
