"""Declared dependencies: models, labels, objects, instances, names, and what a call's arguments say."""

# ruff: noqa: ARG005 - a stub takes what its callers give
# ruff: noqa: PLW0108 - a lambda has a name of this module's own; the bound method that it calls has not

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import models
from django.db.models.signals import ModelSignal

from genscache import cached, invalidate, invalidate_model, invalidate_obj, obj, stats
from genscache.engine import Engine
from genscache.exceptions import InvalidNamespace
from tests.reads.conftest import Make, counted
from tests.site.news.models import Article, Asset, Author, Column, PopularArticle, Section, Topic

ONE, TWO = uuid.UUID(int=1), uuid.UUID(int=2)


def one() -> int:
    return 1


@pytest.mark.parametrize(
    ("declared", "named"),
    [
        (Section, Section),
        ("news.Section", Section),
        ("news.section", "news.Section"),
        (Column, Article),
        (PopularArticle, Article),
        (Article, PopularArticle),
    ],
    ids=str,
)
def test_a_model_invalidates(every_store: Engine, make: Make, declared: object, named: Any) -> None:
    function = make(one, declared)
    function(), function()

    invalidate_model(named)
    function()
    assert function.count == 2

    invalidate_model(Author)
    function()
    assert function.count == 2


def test_every_one_of_several_counts(every_store: Engine, make: Make) -> None:
    function = make(one, Section, "news.Author", "prices", obj(Topic, 3))
    function()

    actions: list[Callable[[], None]] = [
        lambda: invalidate_model(Section),
        lambda: invalidate_model(Author),
        lambda: invalidate("prices"),
        lambda: invalidate_obj(obj(Topic, 3)),
    ]
    for number, action in enumerate(actions, start=2):
        action()
        function(), function()
        assert function.count == number


def test_an_object_is_not_its_neighbour(every_store: Engine, make: Make) -> None:
    function = make(one, obj("news.Asset", ONE))
    function()

    invalidate_obj(obj(Asset, str(TWO)))
    function()
    assert function.count == 1

    invalidate_obj(obj(Asset, str(ONE)))
    function()
    assert function.count == 2

    invalidate_model(Asset)
    function()
    assert function.count == 3


def test_depends_on_is_asked_with_the_calls_arguments(every_store: Engine, make: Make) -> None:
    function = make(
        lambda pk, *, depth=1: pk, depends_on=lambda pk, *, depth=1: [obj(Topic, pk), f"depth {depth}"]
    )
    function(1), function(2), function(2, depth=9)

    invalidate_obj(obj(Topic, 2))
    function(1), function(2), function(2, depth=9)
    assert function.count == 5

    invalidate("depth 9")
    function(1), function(2), function(2, depth=9)
    assert function.count == 6


def test_depends_on_adds_to_what_is_declared_for_all(engine: Engine, make: Make) -> None:
    def depends(pk: int) -> Iterator[object]:
        yield obj(Topic, pk)

    function = make(lambda pk: pk, Author, depends_on=depends)
    function(1)

    actions: list[Callable[[], None]] = [
        lambda: invalidate_model(Author),
        lambda: invalidate_obj(obj(Topic, 1)),
    ]
    for action in actions:
        count = function.count
        action()
        function(1)
        assert function.count == count + 1


@pytest.mark.django_db(transaction=True)
def test_an_instance_stands_for_its_object(engine: Engine, make: Make) -> None:
    topic, other = (Topic.objects.create(name=name) for name in "ab")
    function = make(one, depends_on=lambda: [topic])
    function()

    other.save()
    function()
    assert function.count == 1

    topic.save()
    function()
    assert function.count == 2


@pytest.mark.django_db(transaction=True)
def test_what_is_declared_replaces_discovery(engine: Engine, make: Make) -> None:
    function = make(lambda: Section.objects.count(), Author)
    assert function() == 0

    Section.objects.create(name="World")
    assert function() == 0

    Author.objects.create(name="Ada")
    assert function() == 1


def test_a_label_may_be_named_before_the_apps_are_there(engine: Engine) -> None:
    """Decorating happens at import time, when no label can be looked up; calling is what refuses a wrong one."""
    function = counted(one, "news.Artikel")

    with pytest.raises(
        InvalidNamespace, match=r"No installed model is called 'news\.Artikel'\. Did you mean 'news\.Article'"
    ):
        function()
    assert function.count == 0


class Abstract(models.Model):
    class Meta:
        abstract = True
        app_label = "news"

    def __str__(self) -> str:
        return "nothing"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (7, "7 is nothing that a function can depend on"),
        (None, "None is nothing that a function can depend on"),
        ("", "'' is nothing that a function can depend on"),
        (int, "is nothing that a function can depend on"),
        ([Section], "is nothing that a function can depend on"),
        (Abstract, "Abstract is abstract and has no table. Name its subclasses."),
        (ModelSignal(), "is nothing that a function can depend on"),
    ],
)
def test_what_nobody_can_depend_on_is_refused_at_once(wrong: Any, words: str) -> None:
    with pytest.raises(InvalidNamespace, match=words):
        cached(Section, wrong)


def test_an_instance_that_is_not_saved_is_refused(engine: Engine) -> None:
    function = counted(one, depends_on=lambda: [Topic(name="new")])

    with pytest.raises(InvalidNamespace, match="is not saved, so it has no primary key to be known by"):
        function()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            lambda: obj(Topic),
            r"obj\(Topic\) lacks the primary key|lacks the primary key. Write obj\(Topic, pk\)",
        ),
        (lambda: obj("news.Topik", 1), "Did you mean 'news.Topic'"),
        (lambda: obj(Topic(name="new")), "is not saved"),
        (lambda: obj(Topic(pk=5)), "is not saved"),
    ],
)
def test_what_is_no_object_is_refused(wrong: Callable[[], object], words: str) -> None:
    with pytest.raises(InvalidNamespace, match=words):
        wrong()


def test_a_key_that_the_model_cannot_have_is_refused(engine: Engine) -> None:
    function = counted(one, obj(Topic, "seven"))

    with pytest.raises(
        InvalidNamespace, match=r"'seven' cannot be a primary key of news\.Topic, a BigAutoField"
    ):
        function()
    assert stats() == {}
