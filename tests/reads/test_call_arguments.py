"""How arguments become keys, and what is refused instead of being mistaken."""

# ruff: noqa: ARG005 - a stub takes what its callers give
# ruff: noqa: PLW0108 - a lambda has a name of this module's own; the bound method that it calls has not

from __future__ import annotations

import decimal
import functools
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils.translation import gettext_lazy, override

from genscache import cached, stats
from genscache.engine import Engine
from genscache.exceptions import UncacheableArgument
from tests.reads.conftest import Make, counted
from tests.site.news.models import Article, Author, Section


def listing(limit: int, *tags: str, order: str = "date", **more: object) -> list[object]:
    return [limit, tags, order, sorted(more)]


@pytest.mark.parametrize(
    "again",
    [
        lambda f: f(5, order="date", b=1, a=2),
        lambda f: f(limit=5, a=2, b=1),
        lambda f: f(a=2, limit=5, b=1, order="date"),
    ],
)
def test_one_call_in_several_spellings_is_one_entry(
    engine: Engine, make: Make, again: Callable[..., object]
) -> None:
    function = make(listing)
    function(5, a=2, b=1)

    again(function)

    assert function.count == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((5,), (6,)),
        ((5,), ("5",)),
        ((1,), (True,)),
        ((1,), (1.0,)),
        ((1,), (decimal.Decimal(1),)),
        ((5, "a", "b"), (5, "ab")),
        ((5, "a, b"), (5, "a", "b")),
        (([1, 2],), ((1, 2),)),
        (({"a": 1, "b": None},), ({"a": 1},)),
        (({1, 2},), ({1, 3},)),
        ((b"a",), ("a",)),
        ((None,), ("None",)),
    ],
    ids=str,
)
def test_different_arguments_are_different_entries(
    engine: Engine, make: Make, one: tuple[Any, ...], other: tuple[Any, ...]
) -> None:
    function = make(listing)
    function(*one), function(*other)

    assert function.count == 2


def test_wrong_arguments_raise_what_the_function_raises(engine: Engine, make: Make) -> None:
    function = make(lambda limit: limit)

    wrong: list[tuple[tuple[int, ...], dict[str, int]]] = [((), {}), ((1, 2), {}), ((1,), {"other": 2})]
    for args, kwargs in wrong:
        with pytest.raises(TypeError, match="argument"):
            function(*args, **kwargs)
    assert stats() == {}


@pytest.mark.django_db(transaction=True, databases=["default", "sqlite2"])
def test_an_instance_stands_for_its_row(engine: Engine, make: Make) -> None:
    one, two = (Section.objects.create(name=name) for name in "ab")
    author = Author.objects.create(pk=one.pk, name="a")
    elsewhere = Section.objects.using("sqlite2").create(pk=one.pk, name="a")
    name = make(lambda instance: instance.name, "names")

    assert [name(each) for each in (one, two, author, elsewhere)] == ["a", "b", "a", "a"]
    assert name.count == 4
    assert name(Section.objects.get(pk=one.pk)) == "a"
    assert name.count == 4


@pytest.mark.parametrize("instance", [Section(name="new"), Section(pk=5, name="new"), Article()], ids=str)
def test_an_unsaved_instance_is_refused(engine: Engine, make: Make, instance: object) -> None:
    function = make(lambda found: 1)

    with pytest.raises(
        UncacheableArgument, match=r"is not saved, so nothing tells it from another one\. Save it"
    ):
        function(instance)
    assert function.count == 0


def test_a_queryset_is_refused_without_being_evaluated(engine: Engine, make: Make) -> None:
    """No database is allowed in this test, so evaluating it would fail."""
    function = make(lambda found: 1)

    for argument in (Section.objects.all(), [Section.objects.filter(pk=1)], {"rows": Section.objects.none()}):
        with pytest.raises(
            UncacheableArgument, match=r"A queryset of news\.Section cannot be part of a key\. Pass"
        ):
            function(argument)
    assert function.count == 0


def test_a_request_is_refused_and_the_cure_named(engine: Engine, make: Make) -> None:
    def page(request: HttpRequest, number: int) -> int:
        return number

    with pytest.raises(UncacheableArgument) as caught:
        make(page)(RequestFactory().get("/"), 1)

    message = str(caught.value)
    assert 'page(): argument "request" is a WSGIRequest, which has no canonical form.' in message
    assert "Pass a plain value such as request.user.pk, or give @cached(key=lambda ...)." in message


def test_key_says_what_counts(engine: Engine, make: Make) -> None:
    def page(request: HttpRequest, number: int = 1) -> str:
        return f"{request.path} {number}"

    function = make(page, key=lambda request, number=1: (request.path, number))
    get = RequestFactory().get

    assert function(get("/a?x=1")) == function(get("/a?x=2"), 1) == "/a 1"
    assert function(get("/b")) == "/b 1"
    assert function.count == 2
    function.invalidate(get("/a?x=3"))
    function(get("/a")), function(get("/b"))
    assert function.count == 3


def test_a_key_that_is_none_is_refused_too(engine: Engine) -> None:
    function = counted(lambda request: 1, key=lambda request: request)

    with pytest.raises(UncacheableArgument, match="WSGIRequest"):
        function(RequestFactory().get("/"))


def test_a_lazy_text_counts_in_the_active_language(engine: Engine) -> None:
    function = counted(lambda text: str(text))
    month = gettext_lazy("May")

    with override("en"):
        english = function(month)
    with override("de"):
        german = function(month)

    assert (english, german, function.count) == ("May", "Mai", 2)


def make_counter(step: int) -> Any:
    """Make functions that differ in nothing but what they close over."""

    @cached("steps")
    def count(start: int) -> int:
        return start + step

    return count


def test_functions_that_close_over_different_values_share_nothing(engine: Engine) -> None:
    one, two = make_counter(1), make_counter(2)

    assert (one(1), two(1), one(1), two(1)) == (2, 3, 2, 3)
    assert stats()["hit"] == 2


def test_invalidate_does_not_ask_what_the_call_depends_on(engine: Engine) -> None:
    """``depends_on`` may run queries; the object may be gone, which is just why somebody invalidates."""

    def depends(pk: int) -> list[object]:
        if gone:
            raise Article.DoesNotExist
        return ["names"]

    gone: list[int] = []
    function = counted(lambda pk: pk, depends_on=depends)
    function(1)
    gone.append(1)

    function.invalidate(1)

    gone.clear()
    function(1)
    assert function.count == 2


def test_a_decorator_beneath_keeps_the_signature(engine: Engine) -> None:
    def logged(function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def run(*args: object, **kwargs: object) -> object:
            return function(*args, **kwargs)

        return run

    function = counted(logged(lambda limit=5: limit))

    assert function() == function(5) == function(limit=5) == 5
    assert function.count == 1


@cached("shown")
def shown(value: object, other: object = None) -> str:
    """Close over nothing: names of such calls are remembered by their arguments."""
    return f"{value!r} {other!r}"


def test_equal_arguments_of_other_types_are_others(engine: Engine) -> None:
    """1 == True == 1.0: names that are remembered by arguments must not mix them up, whoever comes first."""
    values = (1, True, 1.0, "1", b"1", 0, False, "", b"", None)
    for _ in range(3):
        for value in values:
            assert shown(value) == f"{value!r} None"
            assert shown(other=value, value=1) == f"1 {value!r}"
            assert shown(1, value) == f"1 {value!r}"
    # shown(1, value) and its keywords are one call; None is what is left out.
    assert stats()["miss"] == 2 * len(values) - 1
