"""What calling a cached function does: hit, miss, invalidate, refresh; in every store, in both kinds."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext

from genscache import cached, stats
from genscache.engine import Engine
from tests.reads.conftest import Make, counted
from tests.site.news.models import Section


def test_the_second_call_is_served(every_store: Engine, make: Make) -> None:
    double = make(lambda n: {"n": n * 2})

    assert double(4) == {"n": 8}
    assert double(4) == {"n": 8}
    assert double(5) == {"n": 10}

    assert double.count == 2
    assert (stats()["hit"], stats()["miss"], stats()["fill"]) == (1, 2, 2)


def test_each_caller_gets_a_copy_of_its_own(every_store: Engine, make: Make) -> None:
    names = make(lambda: ["a"])

    names().append("spoilt")
    names().append("spoilt again")

    assert names() == ["a"]


@pytest.mark.parametrize("value", [None, False, 0, "", (), float("inf")])
def test_an_empty_value_is_a_value(every_store: Engine, make: Make, value: object) -> None:
    nothing = make(lambda: value)

    assert nothing() == value
    assert nothing() == value
    assert nothing.count == 1


def test_invalidate_reaches_one_call(every_store: Engine, make: Make) -> None:
    double = make(lambda n: n * 2)
    double(1), double(2)

    double.invalidate(1)

    double(1), double(2)
    assert double.runs == [(1,), (2,), (1,)]


def test_invalidate_names_the_call_in_any_spelling(engine: Engine, make: Make) -> None:
    double = make(lambda n, by=2: n * by)
    double(1)

    double.invalidate(by=2, n=1)

    double(1)
    assert double.count == 2


def test_invalidate_all_reaches_every_call_of_this_function(every_store: Engine, make: Make) -> None:
    def twice(n: int) -> int:
        return n * 2

    def thrice(n: int) -> int:
        return n * 3

    double, triple = make(twice), make(thrice)
    double(1), double(2), triple(1)

    double.invalidate_all()

    double(1), double(2), triple(1)
    assert (double.count, triple.count) == (4, 1)


def test_refresh_computes_and_replaces_the_entry(every_store: Engine, make: Make) -> None:
    answers = iter("abc")
    letter = make(lambda: next(answers))

    assert letter() == "a"
    assert letter.refresh() == "b"
    assert letter() == "b"


def test_refresh_of_what_is_not_there_fills(engine: Engine, make: Make) -> None:
    double = make(lambda n: n * 2)

    assert double.refresh(3) == 6
    assert double(3) == 6
    assert double.count == 1


def test_what_is_wrapped_is_the_function_itself(engine: Engine) -> None:
    def total(prices: list[int], *, tax: float = 0.2) -> float:
        """Add up."""
        return sum(prices) * (1 + tax)

    made = cached(timeout=5)(total)

    assert made.__wrapped__ is total
    assert (made.__name__, made.__doc__) == ("total", "Add up.")
    assert inspect.signature(made) == inspect.signature(total)
    assert made.__wrapped__([1], tax=0) == 1
    assert stats() == {}


@pytest.mark.parametrize(
    "error",
    [LookupError("no"), StopIteration(7), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_goes_to_the_caller_and_is_not_stored(engine: Engine, error: BaseException) -> None:
    raising: list[BaseException] = [error, error]

    def body() -> str:
        if raising:
            raise raising.pop()
        return "recovered"

    fails = counted(body)
    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            fails()
        assert caught.value is error

    assert fails() == fails() == "recovered"
    assert fails.count == 3
    assert stats()["fill"] == 1


@pytest.mark.parametrize("error", [LookupError("no"), SystemExit(3), asyncio.CancelledError()], ids=repr)
def test_a_coroutines_exception_is_not_stored(engine: Engine, error: BaseException) -> None:
    raising = [error]

    @cached
    async def fails() -> str:
        if raising:
            raise raising.pop()
        return "recovered"

    async def main() -> str:
        with pytest.raises(type(error)) as caught:
            await fails()
        assert caught.value is error
        return await fails()

    assert asyncio.run(main()) == "recovered"
    assert stats()["fill"] == 1


class Shop:
    """A class whose methods are cached; what it is made of tells one instance from another."""

    def __init__(self, name: str) -> None:
        self.name = name

    @cached(key=lambda self, limit=5: (self.name, limit))
    def best(self, limit: int = 5) -> list[str]:
        return [self.name] * limit

    @classmethod
    @cached
    def kind(cls) -> str:
        return cls.__name__

    @staticmethod
    @cached
    def twice(number: int) -> int:
        return number * 2

    @cached(key=lambda self: self.name)
    async def later(self) -> str:
        return self.name


def test_methods_are_bound(engine: Engine) -> None:
    one, two = Shop("one"), Shop("two")

    assert one.best(2) == one.best(limit=2) == ["one", "one"]
    assert two.best(1) == Shop.best(two, 1) == ["two"]
    # mypy does not bind what is beneath @classmethod and @staticmethod.
    shop: Any = Shop
    assert shop.kind() == shop("three").kind() == "Shop"
    assert shop.twice(2) == shop("three").twice(2) == 4
    assert async_to_sync(one.later)() == async_to_sync(one.later)() == "one"
    assert (stats()["hit"], stats()["fill"]) == (5, 5)


def test_what_a_bound_method_offers_is_about_its_instance(engine: Engine) -> None:
    """Without that, ``one.best.invalidate(2)`` would silently name the instance 2."""
    one, two = Shop("one"), Shop("two")
    one.best(2), two.best(2)
    assert one.best.key(2) == Shop.best.key(one, 2) != two.best.key(2)

    one.best.invalidate(2)
    one.best(2), two.best(2)
    assert stats()["fill"] == 3

    one.best.refresh(2)
    assert stats()["fill"] == 4
    async_to_sync(two.best.ainvalidate)(2)
    two.best(2)
    assert stats()["fill"] == 5
    assert one.best.__wrapped__(1) == ["one"]
    assert list(inspect.signature(one.best).parameters) == ["limit"]


@pytest.mark.parametrize("decorate", [cached, cached(), cached(timeout=60)])
@pytest.mark.django_db(transaction=True)
def test_parentheses_are_optional(engine: Engine, decorate: Callable[..., Any]) -> None:
    @decorate
    def sections() -> int:
        return Section.objects.count()

    assert sections() == 0
    with CaptureQueriesContext(connection) as queries:
        assert sections() == 0
    assert len(queries) == 0
    Section.objects.create(name="World")
    assert sections() == 1


def test_a_coroutine_function_stays_one(engine: Engine) -> None:
    from asgiref.sync import iscoroutinefunction  # noqa: PLC0415 - what Django itself asks

    @cached
    async def later() -> int:
        return 1

    @cached
    def now() -> int:
        return 1

    assert iscoroutinefunction(later)
    assert not iscoroutinefunction(now)
