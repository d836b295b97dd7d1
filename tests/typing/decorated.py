"""A signature survives ``@cached``: parameters, defaults, result, methods; and wrong calls are errors.

An ``ignore`` that ignores nothing is an error, too (``warn_unused_ignores``), so each marks an error that there is.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, assert_type

from genscache import bypass, cached, obj
from genscache.decorators import AsyncCachedFunction, CachedFunction
from tests.site.news.models import Article, Section


@cached
def bare(limit: int, *, tag: str = "") -> list[str]:
    return [tag] * limit


@cached()
def empty(limit: int) -> list[str]:
    return [""] * limit


@cached(Article, "news.Section", obj(Section, 1), "name", timeout=timedelta(hours=1), lock=True)
def declared(limit: int = 5) -> dict[str, int]:
    return {"": limit}


@cached(timeout=None, depends_on=lambda pk: [obj(Article, pk), "name", Section], key=lambda pk: pk)
def by_key(pk: int) -> Article | None:
    return Article.objects.filter(pk=pk).first()


@cached
async def abare(limit: int) -> list[str]:
    return [""] * limit


@cached(Article, timeout=5)
async def adeclared(limit: int) -> list[str]:
    return [""] * limit


class Shop:
    """A class with cached methods."""

    @cached
    def best(self, limit: int = 5) -> list[str]:
        return [""] * limit

    @cached(timeout=5)
    async def abest(self, limit: int) -> list[str]:
        return [""] * limit

    @staticmethod
    @cached(timeout=5)
    def twice(number: int) -> int:
        return number * 2


def functions() -> None:
    assert_type(bare(3), list[str])
    assert_type(bare(limit=3, tag="a"), list[str])
    assert_type(bare.refresh(3), list[str])
    assert_type(bare.key(3), str)
    assert_type(bare.invalidate(3), None)
    assert_type(bare.invalidate_all(), None)
    assert_type(bare.__wrapped__(3), list[str])
    assert_type(empty(3), list[str])
    assert_type(empty, CachedFunction[[int], list[str]])  # type: ignore[assert-type]  # it knows the name "limit"
    assert_type(declared(), dict[str, int])
    assert_type(by_key(1), Article | None)
    takes_a_function(empty)


def wrong_calls() -> None:
    bare("3")  # type: ignore[arg-type]
    bare()  # type: ignore[call-arg]
    bare(3, "a")  # type: ignore[call-arg]
    bare.refresh("3")  # type: ignore[arg-type]
    bare.invalidate("3")  # type: ignore[arg-type]
    bare.key()  # type: ignore[call-arg]
    declared(limit="5")  # type: ignore[arg-type]


def wrong_options() -> None:
    cached(3)  # type: ignore[call-overload]
    cached(timeout="5m")  # type: ignore[call-overload]
    cached(Article, lock=1)  # type: ignore[call-overload]
    cached(Article, models=[Section])  # type: ignore[call-overload]


async def coroutines() -> None:
    assert_type(await abare(3), list[str])
    unawaited: Coroutine[Any, Any, list[str]] = abare(3)
    assert_type(await unawaited, list[str])
    assert_type(await abare.refresh(3), list[str])
    assert_type(await abare.ainvalidate(3), None)
    assert_type(await abare.ainvalidate_all(), None)
    assert_type(await abare.__wrapped__(3), list[str])
    assert_type(await adeclared(limit=3), list[str])
    await abare("3")  # type: ignore[arg-type]
    await abare.ainvalidate("3")  # type: ignore[arg-type]


def methods(shop: Shop) -> None:
    assert_type(shop.best(), list[str])
    assert_type(shop.best(limit=3), list[str])
    assert_type(Shop.best(shop, 3), list[str])
    assert_type(shop.best.refresh(3), list[str])
    assert_type(shop.best.invalidate(3), None)
    assert_type(Shop.best.invalidate(shop, 3), None)
    assert_type(Shop.twice(2), int)
    shop.best("3")  # type: ignore[arg-type]
    shop.best.invalidate(shop, 3)  # type: ignore[arg-type,call-arg]


async def amethods(shop: Shop) -> None:
    assert_type(await shop.abest(3), list[str])
    assert_type(await shop.abest.refresh(limit=3), list[str])
    assert_type(await shop.abest.ainvalidate(3), None)
    await shop.abest()  # type: ignore[call-arg]


def kinds(made: CachedFunction[[int], str], amade: AsyncCachedFunction[[int], str]) -> None:
    assert_type(made(3), str)
    assert_type(made.__name__, str)
    takes_a_coroutine_function(amade)


def takes_a_coroutine_function(function: Callable[[int], Coroutine[Any, Any, str]]) -> None:
    """Take what is given for a coroutine function of that form."""


def takes_a_function(function: Callable[[int], list[str]]) -> None:
    """Take what is given for a function of that form."""


@bypass()
def past(limit: int) -> str:
    return str(limit)


@bypass()
async def apast(limit: int) -> str:
    return str(limit)


async def bypasses() -> None:
    assert_type(past(3), str)
    assert_type(await apast(3), str)
    with bypass() as block:
        assert_type(block, bypass)
    async with bypass():
        pass
    past("3")  # type: ignore[arg-type]
