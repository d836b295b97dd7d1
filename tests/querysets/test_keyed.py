"""A miss of a row by its primary key: asked with SQL that is known but for the key, else by Django, alike."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection, connections, models
from django.db.models.lookups import Exact
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext

from genscache.apps import GenscacheConfig
from genscache.engine import Engine
from genscache.querysets.keyed import UNFIT, Keyed
from tests.querysets.reading import is_hit, seen
from tests.querysets.test_harvests import contents
from tests.querysets.test_quick import calls
from tests.site.news.models import Article, Asset, Author, Column, Country, PopularArticle, Section, Topic

ALIASES = ("default", "postgres", "mariadb")
pytestmark = pytest.mark.django_db(transaction=True, databases=[*ALIASES])

BUILDING = ("build_filter", "get_select", "get_where_clause", "limit_offset_sql")
"""What Django does for a row by its key that need not be done again."""

ROWS = 12


def uid(number: int) -> uuid.UUID:
    """Return a key."""
    return uuid.UUID(int=number)


KINDS: dict[str, tuple[Callable[[str], Any], Callable[[int], object]]] = {
    "numbers": (Article.objects.using, lambda number: number),
    "numbers that may be missing": (Topic.objects.using, lambda number: number),
    "texts": (Country.objects.using, lambda number: f"{number:02}"),
    "numbers as texts": (Article.objects.using, str),
    "uuids": (Asset.objects.using, uid),
    "uuids as texts": (Asset.objects.using, lambda number: str(uid(number))),
}
"""Managers, and keys of their rows."""


def fill(alias: str) -> None:
    """Write some rows of each kind."""
    author = Author.objects.using(alias).create(name="A.")
    section = Section.objects.using(alias).create(name="S.")
    for number in range(1, ROWS):
        article = Article(pk=number, title=f"No. {number}", section=section, author=author, views=number)
        article.save(using=alias, force_insert=True)
        Topic.objects.using(alias).create(
            pk=number, name=f"topic {number}", parent_id=number - 1 if number > 5 else None
        )
        Country.objects.using(alias).create(code=f"{number:02}", name=f"country {number}")
        Asset.objects.using(alias).create(pk=uid(number), path=f"/{number}", article_id=number)


def knows(rows: Callable[[object], object], keys: list[object]) -> None:
    """Ask for rows until it is known how."""
    for key in keys:
        rows(key)


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_asked_for_without_building_or_compiling(engine: Engine, alias: str, kind: str) -> None:
    fill(alias)
    rows, key_of = KINDS[kind]
    for number in range(1, ROWS):
        key = key_of(number)
        plain = rows(alias).get(pk=key)
        with CaptureQueriesContext(connections[alias]) as queries:
            asked = calls(partial(rows(alias).cache().get, pk=key), *BUILDING)
            rows(alias).get(pk=key)
        mine, djangos = queries.captured_queries
        assert mine["sql"] == djangos["sql"]
        # Two whose pieces are compared, and one that shows where the key is.
        assert ("limit_offset_sql" in asked) == (number <= 3)
        # A key of another type than its field's takes a query to be named.
        assert number <= 3 or asked == ["build_filter"] * kind.endswith("as texts")
        hit = rows(alias).cache().get(pk=key)
        assert contents([hit]) == contents([plain])


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_made_of_it_is_what_django_makes(engine: Engine, alias: str, kind: str) -> None:
    fill(alias)
    rows, key_of = KINDS[kind]
    for number in range(1, ROWS):
        made = rows(alias).cache().get(pk=key_of(number))
        assert contents([made]) == contents([rows(alias).get(pk=key_of(number))])


@pytest.mark.parametrize("alias", ALIASES)
def test_a_row_that_is_not_there(engine: Engine, alias: str) -> None:
    fill(alias)
    knows(lambda key: Article.objects.using(alias).cache().get(pk=key), [1, 2, 3, 4])
    for key in (ROWS, -1, 10**30, -(10**30), 0, "7000", str(10**30)):
        with pytest.raises(Article.DoesNotExist):
            Article.objects.using(alias).cache().get(pk=key)


@pytest.mark.parametrize("first", [10**30, "", "no number"])
def test_a_first_key_that_no_row_can_have(engine: Engine, first: object) -> None:
    fill("default")
    for _ in range(4):
        with pytest.raises((ObjectDoesNotExist, ValueError)):
            Article.objects.cache().get(pk=first)
    knows(lambda key: Article.objects.cache().get(pk=key), [1, 2, 3])
    assert calls(lambda: Article.objects.cache().get(pk=4), *BUILDING) == []


@pytest.mark.parametrize(
    ("manager", "keys", "key"),
    [
        # Some databases take an empty text for NULL.
        (Country.objects, ["01", "02", "03", "04"], ""),
        # No row can have it: Django's compiler says so instead of asking.
        (Article.objects, [1, 2, 3, 4], 10**30),
    ],
    ids=["an empty text", "a number out of range"],
)
def test_a_key_of_which_sql_says_something_else_is_left_to_django(
    engine: Engine, manager: Any, keys: list[object], key: object
) -> None:
    fill("default")
    knows(lambda each: manager.cache().get(pk=each), keys)
    keyed, bare = engine.part(Keyed), manager.all()
    name: Any = next(iter(keyed._known._items))
    shape, alias, _, _, lookup = name

    def ask(value: object) -> Any:
        return keyed.rows(bare, lookup, value, alias, shape, lambda: bare.filter(pk=value))

    assert [each.pk for each in ask(keys[0])] == [keys[0]]
    assert ask(key) is None


def test_a_key_that_is_wrong_fails_as_ever(engine: Engine) -> None:
    fill("default")
    knows(lambda key: Article.objects.cache().get(pk=key), ["1", "2", "3", "4"])
    with pytest.raises(ValueError, match="expected a number but got 'five'"):
        Article.objects.cache().get(pk="five")


def test_a_proxy_and_a_child(engine: Engine) -> None:
    fill("default")
    article = Article.objects.get(pk=1)
    for number in range(50, 56):
        Column.objects.create(
            pk=number, title="c", section=article.section, author=article.author, views=10_000
        )
    for number in range(50, 56):
        for model in (Column, PopularArticle, Article):
            made = model._default_manager.all().cache().get(pk=number)
            assert contents([made]) == contents([model._default_manager.get(pk=number)])


class Picky(Exact):
    """A lookup of a project's own, which looks at its value."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Find no row whose key is large."""
        sql, params = super().as_sql(compiler, connection)
        return (sql if self.rhs <= 4 else f"({sql} AND 1 = 0)"), params


def test_a_lookup_of_the_projects_own_is_compiled_each_time(engine: Engine) -> None:
    fill("default")
    key: Any = Article._meta.pk
    key.register_lookup(Picky, "exact")  # on this field alone
    try:
        knows(lambda each: Article.objects.cache().get(pk=each), [1, 2, 3, 4])
        for number in (5, 6):
            with pytest.raises(Article.DoesNotExist):
                Article.objects.cache().get(pk=number)
    finally:
        key._unregister_lookup(Picky, "exact")


def test_who_listens_hears_of_each_instance(engine: Engine) -> None:
    fill("default")
    heard: list[object] = []

    def listen(instance: models.Model, **_: object) -> None:
        heard.append(instance.pk)

    knows(lambda key: Article.objects.cache().get(pk=key), [1, 2, 3, 4])
    post_init.connect(listen, sender=Article)
    try:
        Article.objects.cache().get(pk=5)
    finally:
        post_init.disconnect(listen, sender=Article)
    assert heard == [5]


def test_a_caller_keeps_its_queryset(engine: Engine) -> None:
    fill("default")
    rows = Article.objects.all().cache()
    for number in range(1, ROWS):
        assert rows.get(pk=number).title == f"No. {number}"
    assert rows.query.where.children == []
    assert "get_compiler" not in vars(rows.query)
    assert len(rows) == ROWS - 1


def test_it_is_a_dependency_of_the_function_around_it(engine: Engine) -> None:
    fill("default")
    knows(lambda key: Article.objects.cache().get(pk=key), [1, 2, 3, 4])
    assert Article.objects.cache().get(pk=5).views == 5
    assert is_hit(lambda: Article.objects.cache().get(pk=5))
    Article.objects.filter(pk=5).update(views=500)
    assert seen(lambda: Article.objects.cache().get(pk=5).views).result == 500


def test_a_coroutine_does_the_same(engine: Engine) -> None:
    fill("default")
    knows(lambda key: Article.objects.cache().get(pk=key), [1, 2, 3, 4])

    async def ask() -> Any:
        return await Article.objects.cache().aget(pk=7)

    assert contents([async_to_sync(ask)()]) == contents([Article.objects.get(pk=7)])


def test_threads_share_what_is_known(engine: Engine) -> None:
    fill("default")

    def ask() -> list[str]:
        try:
            return [Article.objects.cache().get(pk=number).title for number in range(1, ROWS)]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        found = [thread.result() for thread in [threads.submit(ask) for _ in range(4)]]
    assert found == [[f"No. {number}" for number in range(1, ROWS)]] * 4


def test_a_model_that_is_given_another_field(engine: Engine) -> None:
    fill("default")
    numbers = iter(range(1, 100))

    def some() -> Any:
        return Country.objects.cache().filter(code__gt="0", name__gt=str(next(numbers)))

    knows(lambda key: Country.objects.cache().get(pk=key), ["01", "02", "03", "04"])
    for _ in range(5):
        assert len(some()) == ROWS - 1
    field: Any = models.CharField(max_length=100, db_column="name")
    Country.add_to_class("other", field)
    try:
        for key in ("05", "06", "07", "08", "09"):
            assert vars(Country.objects.cache().get(pk=key))["other"] == f"country {int(key)}"
            assert [vars(each)["other"] for each in some()] == [each.name for each in some()]
    finally:
        Country._meta.local_fields.remove(field)
        Country._meta._expire_cache()
        del Country.other
        # Django has worked its base manager out anew, which other tests ask for.
        cast("GenscacheConfig", apps.get_app_config("genscache")).adoption.adopt_model(Country)
    assert "other" not in vars(Country.objects.cache().get(pk="10"))


def test_a_shape_without_a_statement_is_left_to_django(engine: Engine) -> None:
    fill("default")
    knows(lambda key: Article.objects.cache().get(pk=key), [1, 2, 3, 4])
    known = engine.part(Keyed)._known
    (name,) = known._items
    known.put(name, UNFIT)
    asked = calls(lambda: Article.objects.cache().get(pk=5), *BUILDING)
    assert "build_filter" in asked


@pytest.mark.parametrize("name", ["FETCH_ONE", "FETCH_PEERS", "FETCH_RAISE"])
def test_fetch_modes(engine: Engine, name: str) -> None:
    mode = getattr(models, name, None)
    if mode is None:
        pytest.skip("fetch modes came with Django 6.1")
    fill("default")
    for number in range(1, ROWS):
        mine = Article.objects.fetch_mode(mode).cache().get(pk=number)
        plain = Article.objects.fetch_mode(mode).get(pk=number)
        assert contents([mine]) == contents([plain])
        assert len(getattr(mine._state, "peers", ())) == len(getattr(plain._state, "peers", ()))
