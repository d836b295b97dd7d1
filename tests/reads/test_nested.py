"""Cached functions that call cached functions: the outer one depends on all that the inner one depends on."""

# ruff: noqa: PLW0108 - a lambda has a name of this module's own; the bound method that it calls has not
# ruff: noqa: FBT001 - booleans are parametrized

from __future__ import annotations

from collections.abc import Callable

import pytest
from asgiref.sync import async_to_sync
from django.contrib.sessions.models import Session

from genscache import bypass, cached, invalidate, invalidate_model, stats
from genscache.engine import Engine, current_engine
from tests.reads.conftest import Use, counted
from tests.site.news.models import Author, Section

pytestmark = pytest.mark.django_db(transaction=True)


def sections() -> int:
    return Section.objects.count()


@pytest.mark.parametrize("inner_declares", [True, False], ids=["inner declared", "inner discovered"])
@pytest.mark.parametrize("outer_declares", [True, False], ids=["outer declared", "outer discovered"])
@pytest.mark.parametrize("warm", [True, False], ids=["inner a hit", "inner a miss"])
def test_the_outer_depends_on_what_the_inner_depends_on(
    every_store: Engine,
    inner_declares: bool,
    outer_declares: bool,
    warm: bool,
) -> None:
    inner = counted(sections, *([Section] if inner_declares else []))
    outer = counted(lambda: [inner(), Author.objects.count()], *([Author] if outer_declares else []))
    if warm:
        inner()

    assert outer() == outer() == [0, 0]
    assert (inner.count, outer.count) == (1, 1)

    Section.objects.create(name="a")
    assert outer() == outer() == [1, 0]
    assert (inner.count, outer.count) == (2, 2)

    Author.objects.create(name="Ada")
    assert outer() == outer() == [1, 1]
    assert (inner.count, outer.count) == (2, 3)


@pytest.mark.parametrize("outer_declares", [True, False])
def test_so_does_another_process_that_finds_the_inners_entry(on_valkey: Engine, outer_declares: bool) -> None:
    inner = counted(sections)
    outer = counted(lambda: inner(), *([Author] if outer_declares else []))
    inner(), outer()
    current_engine().forget()

    assert outer() == 0
    Section.objects.create(name="a")
    assert outer() == 1


def test_invalidating_the_inner_function_reaches_the_outer(every_store: Engine) -> None:
    inner = counted(lambda n: n, "prices")
    outer = counted(lambda: inner(1) + inner(2))
    outer()

    actions: list[Callable[[], None]] = [
        lambda: inner.invalidate(2),
        inner.invalidate_all,
        lambda: invalidate("prices"),
    ]
    for action in actions:
        count = outer.count
        action()
        outer(), outer()
        assert outer.count == count + 1


def test_three_levels(engine: Engine) -> None:
    low = counted(sections)
    middle = counted(lambda: low(), "middle")
    high = counted(lambda: middle(), "high")
    assert high() == high() == 0

    Section.objects.create(name="a")

    assert high() == high() == 1
    assert high.count == 2


def test_coroutines_nest_too(engine: Engine) -> None:
    runs: list[str] = []

    @cached
    async def inner() -> int:
        runs.append("inner")
        return await Section.objects.acount()

    @cached("prices")
    async def outer() -> int:
        runs.append("outer")
        return await inner()

    call = async_to_sync(outer)
    assert call() == call() == 0
    Section.objects.create(name="a")
    assert call() == call() == 1
    assert runs == ["outer", "inner"] * 2


@pytest.mark.parametrize("discovered", [True, False], ids=["discovered", "declared"])
def test_an_inner_exception_that_the_outer_catches_is_an_answer_too(engine: Engine, discovered: bool) -> None:
    """The outer's value rests on the rows that made the inner one fail."""

    def first() -> str:
        return Section.objects.get().name

    inner = counted(first, *([] if discovered else [Section]))

    def body() -> str:
        try:
            return str(inner())
        except Section.DoesNotExist:
            return "nothing"

    outer = counted(body)
    assert outer() == outer() == "nothing"
    assert outer.count == 1

    Section.objects.create(name="a")
    assert outer() == outer() == "a"


def test_an_inner_bypass_spoils_the_outer(engine: Engine) -> None:
    inner = counted(lambda: 1, Session)
    outer = counted(lambda: inner())

    outer(), outer()

    assert (inner.count, outer.count) == (2, 2)
    reason = 'it depends on "django_session", which is untracked (GENSCACHE["UNTRACKED"])'
    assert (stats()[f"bypass: {reason}"], stats()[f"miss: {reason}"]) == (2, 2)


def test_so_does_an_inner_result_that_is_not_stored(engine: Engine) -> None:
    inner = counted(lambda: Session.objects.count())
    outer = counted(lambda: inner(), Section)

    outer(), outer()

    assert (inner.count, outer.count) == (2, 2)


def test_so_does_a_block_that_bypasses(engine: Engine) -> None:
    """What the block did may rest on anything: the store did not say of what."""

    def body() -> int:
        with bypass():
            return int(inner())

    inner, outer = counted(sections), counted(body, Author)
    outer(), outer()

    assert (inner.count, outer.count) == (2, 2)


def test_an_inner_that_lives_shorter_still_counts(use: Use) -> None:
    use()
    inner = counted(sections, timeout=0)
    outer = counted(lambda: inner())

    assert outer() == 0
    Section.objects.create(name="a")
    assert outer() == 1


def test_invalidating_an_inner_model_reaches_an_outer_of_other_arguments(engine: Engine) -> None:
    inner = counted(lambda n: Section.objects.count() + n)
    outer = counted(lambda n: inner(n) * 2)
    assert (outer(1), outer(2)) == (2, 4)

    invalidate_model(Section)
    outer(1), outer(2)

    assert (inner.count, outer.count) == (4, 4)
