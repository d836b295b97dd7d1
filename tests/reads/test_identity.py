"""Whose entry it is: functions made by one factory, and results that ask the database late."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.db.models import QuerySet

from genscache import cached, invalidate, invalidate_model, invalidate_obj, invalidate_tables, obj, stats
from genscache.engine import Engine
from genscache.exceptions import InvalidNamespace
from tests.site.news.models import Article, Author, Section, Tag

pytestmark = pytest.mark.django_db(transaction=True)


def made(value: object) -> Callable[[], object]:
    @cached(timeout=60)
    def function() -> object:
        return value

    return function


@pytest.mark.parametrize(("one", "other"), [(1, 2), (1, True), ([1], [2]), (int, str), (os, pytest)])
def test_functions_of_one_factory_do_not_share_entries(engine: Engine, one: object, other: object) -> None:
    assert made(repr(one))() == repr(one)
    assert made(repr(other))() == repr(other)
    kept = [made(1), made(True), made(1.0), made("1")]
    assert [type(each()) for each in kept] == [int, bool, float, str]


def test_a_factory_s_function_that_closes_over_a_plain_value_is_the_same_in_another_process(
    engine: Engine,
) -> None:
    assert made(3).key() == made(3).key()  # type: ignore[attr-defined]
    assert made([3]).key() != made([3]).key()  # type: ignore[attr-defined]


def test_key_stands_for_the_arguments_and_for_nothing_else(engine: Engine) -> None:
    def make(model: type) -> Callable[[dict[str, int]], str]:
        @cached(key=lambda request: request["user"])
        def name(request: dict[str, int]) -> str:
            return model.__name__

        return name

    assert make(Author)({"user": 1}) == "Author"
    assert make(Section)({"user": 1}) == "Section"

    functions = []
    for number in range(3):

        @cached(key=lambda request, number: request)  # noqa: ARG005 - called with the call's arguments
        def chosen(request: int, number: int = number) -> int:
            return number

        functions.append(chosen)
    assert [each(1) for each in functions] == [0, 1, 2]


def test_a_queryset_that_is_evaluated_late_counts_among_what_was_read(engine: Engine) -> None:
    runs = []

    @cached
    def context() -> dict[str, QuerySet[Author] | list[QuerySet[Section]]]:
        runs.append(1)
        return {"authors": Author.objects.order_by("pk"), "nested": [Section.objects.order_by("pk")]}

    context()
    Author.objects.create(name="Ada")
    assert [author.name for author in context()["authors"]] == ["Ada"]  # type: ignore[union-attr]
    Section.objects.create(name="News")
    found = context()["nested"][0]
    assert [section.name for section in found] == ["News"]  # type: ignore[union-attr]
    context()
    assert len(runs) == 3


def test_functions_of_one_factory_hit_in_turn(engine: Engine) -> None:
    runs = []

    def make(model: type[Author | Section]) -> Callable[[], int]:
        @cached
        def count() -> int:
            runs.append(model)
            return model._default_manager.count()

        return count

    authors, sections = make(Author), make(Section)
    for _ in range(5):
        assert authors() == sections() == 0
    assert len(runs) == 2


def test_an_instance_is_what_it_has_loaded(engine: Engine) -> None:
    @cached(timeout=60)
    def shout(author: Author) -> str:
        return author.name.upper()

    author = Author.objects.create(name="Ada")
    assert shout(author) == shout(Author.objects.get()) == "ADA"
    assert stats()["hit"] == 1
    author.name = "unsaved"
    assert shout(author) == "UNSAVED"
    assert shout(Author.objects.get()) == "ADA"
    author.save()
    assert shout(Author.objects.get()) == "UNSAVED"


def test_loaded_relations_of_an_instance_count(engine: Engine) -> None:
    @cached(timeout=60)
    def by(article: Article) -> list[str]:
        return [article.author.name, *(tag.name for tag in article.tags.all())]

    author = Author.objects.create(name="Ada")
    article = Article.objects.create(title="t", section=Section.objects.create(name="s"), author=author)
    found = Article.objects.select_related("author").prefetch_related("tags")
    assert by(found.get()) == ["Ada"]
    Author.objects.update(name="Bea")
    article.tags.add(Tag.objects.create(name="blue"))
    assert by(found.get()) == ["Bea", "blue"]


def test_the_same_alias_over_another_database_is_another_entry(engine: Engine) -> None:
    @cached
    def count() -> int:
        return Author.objects.count()

    Author.objects.create(name="Ada")
    assert count() == count() == 1
    key = count.key()
    name = connections.settings["default"]["NAME"]
    connections.settings["default"]["NAME"] = f"{name}.other"
    try:
        assert count.key() != key
    finally:
        connections.settings["default"]["NAME"] = name
    assert count.key() == key


def both(wrap: Callable[..., object], function: Callable[..., object], outside: bool) -> Any:  # noqa: FBT001
    return cached(wrap(function)) if outside else wrap(cached(function))  # type: ignore[call-overload]


class Outside:
    kind = both(classmethod, lambda cls, number=1: (cls.__name__, number), outside=True)
    twice = both(staticmethod, lambda number: number * 2, outside=True)


class Beneath:
    kind = both(classmethod, lambda cls, number=1: (cls.__name__, number), outside=False)
    twice = both(staticmethod, lambda number: number * 2, outside=False)


@pytest.mark.parametrize("shop", [Outside, Beneath])
def test_class_and_static_methods_in_both_orders(engine: Engine, shop: Any) -> None:
    assert shop.kind(2) == shop().kind(2) == (shop.__name__, 2)
    assert shop.twice(3) == shop().twice(3) == 6


def test_a_cached_class_method_offers_what_is_about_its_class(engine: Engine) -> None:
    Outside.kind(2), Outside.kind(3)
    Outside.kind.invalidate(2)
    Outside.kind(2), Outside.kind(3)
    assert stats()["fill"] == 3
    assert Outside.kind.key(2) != Outside.kind.key(3)


def test_a_parameter_may_be_called_self(engine: Engine) -> None:
    @cached
    def name(self: int) -> int:
        return self

    assert name(self=5) == name(5) == 5
    assert copy.deepcopy(name) is name


@cached(timeout=60)
def module_level() -> int:
    return 1


def test_it_is_pickled_by_name(engine: Engine) -> None:
    assert pickle.loads(pickle.dumps(module_level)) is module_level
    assert repr(module_level) == "<CachedFunction tests.reads.test_identity.module_level>"


@pytest.mark.parametrize("named", ["prices", Author, None])
def test_depends_on_may_return_one_dependency(engine: Engine, named: object) -> None:
    runs = []

    @cached(depends_on=lambda: named)  # type: ignore[arg-type, return-value]
    def function() -> int:
        runs.append(1)
        return 1

    function()
    function()
    assert len(runs) == 1
    invalidate("prices")
    invalidate_model(Author)
    function()
    assert len(runs) == (1 if named is None else 2)


@pytest.mark.parametrize("name", ["Author", "tests.site.news.models.Author"])
def test_a_name_that_looks_like_a_model_is_refused(engine: Engine, name: str) -> None:
    @cached(name)
    def function() -> int:
        return 1

    with pytest.raises(InvalidNamespace, match=r"looks like the model 'news\.Author'"):
        function()


@pytest.mark.parametrize(
    "table", ["news_author", "public.news_author", "[news_author]", ' "main"."NEWS_AUTHOR" ', "`news_author`"]
)
def test_tables_are_named_as_in_sql(engine: Engine, table: str) -> None:
    runs = []

    @cached
    def count() -> int:
        runs.append(1)
        return Author.objects.count()

    count()
    invalidate_tables(table)
    count()
    assert len(runs) == 2


@pytest.mark.parametrize("table", ["news_autor", "news.Author"])
def test_a_table_that_nobody_knows_is_refused(engine: Engine, table: str) -> None:
    with pytest.raises(InvalidNamespace, match="nothing depends on it"):
        invalidate_tables(table)


@pytest.mark.parametrize(
    ("options", "words"), [({"key": "pk"}, "key="), ({"depends_on": [1]}, "depends_on=")]
)
def test_hooks_that_are_no_functions_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        cached(**options)


def test_objects_by_keys_that_are_written_differently(engine: Engine) -> None:
    with pytest.raises(InvalidNamespace, match="cannot be a primary key"):
        invalidate_obj(obj(Author, 1.5))
    author = Author.objects.create(name="Ada")
    with pytest.raises(InvalidNamespace, match="names two objects"):
        obj(author, 99)
