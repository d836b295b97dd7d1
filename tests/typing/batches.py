"""``batch_invalidations`` as a block and as a decorator, and what invalidations take."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, assert_type

from genscache import (
    ainvalidate,
    ainvalidate_all,
    ainvalidate_model,
    ainvalidate_obj,
    batch_invalidations,
    invalidate,
    invalidate_all,
    invalidate_model,
    invalidate_obj,
    invalidate_tables,
    obj,
    stats,
)
from genscache.invalidation import BatchInvalidations
from tests.site.news.models import Article, Section


@batch_invalidations
def bare(limit: int, *, name: str = "") -> str:
    return name * limit


@batch_invalidations()
def called(limit: int) -> str:
    return str(limit)


@batch_invalidations
async def abare(limit: int) -> str:
    return str(limit)


@batch_invalidations()
async def acalled(limit: int) -> str:
    return str(limit)


async def decorated() -> None:
    assert_type(bare(3, name="a"), str)
    assert_type(called(3), str)
    unawaited: Coroutine[Any, Any, str] = abare(3)
    assert_type(await unawaited, str)
    assert_type(await acalled(3), str)
    bare("3")  # type: ignore[arg-type]
    called()  # type: ignore[call-arg]
    await acalled("3")  # type: ignore[arg-type]


def block() -> int:
    with batch_invalidations() as batch:
        assert_type(batch, BatchInvalidations)
        return 1


async def ablock() -> int:
    async with batch_invalidations() as batch:
        assert_type(batch, BatchInvalidations)
        return 1


def a_block_that_swallows_nothing() -> int:
    """A block that could swallow exceptions would make the type checker ask for a return after it."""
    with batch_invalidations():
        return 1


def invalidations(article: Article) -> None:
    invalidate("a", "b")
    invalidate_model(Article, "news.Section")
    invalidate_obj(article, obj(Section, 1), obj("news.Section", 1), obj(article))
    invalidate_tables("news_article")
    invalidate_all()
    assert_type(stats(), dict[str, int])
    invalidate(Article)  # type: ignore[arg-type]
    invalidate_model(article)  # type: ignore[arg-type]
    invalidate_obj(Article)  # type: ignore[arg-type]
    invalidate_tables(Article)  # type: ignore[arg-type]


async def ainvalidations(article: Article) -> None:
    await ainvalidate("a")
    await ainvalidate_model(Article)
    await ainvalidate_obj(article)
    assert_type(await ainvalidate_all(), None)
