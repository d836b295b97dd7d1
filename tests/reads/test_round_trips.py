"""How often the store is asked, counted on the wire in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from genscache import cached, invalidate_model
from genscache.engine import Engine
from tests.reads.conftest import Use
from tests.reads.wire import Wire
from tests.site.news.models import Author, Section

pytestmark = pytest.mark.django_db(transaction=True)


@cached
def discovered(limit: int) -> list[str]:
    names = list(Section.objects.order_by("pk").values_list("name", flat=True)[:limit])
    return [*names, str(Author.objects.count())]


@cached(Section, Author, "prices")
def declared(limit: int) -> list[str]:
    return list(Section.objects.values_list("name", flat=True)[:limit])


@cached
def constant(number: int) -> int:
    return number


@cached
def outer(number: int) -> list[object]:
    return [discovered(number), declared(number)]


EVERY = [discovered, declared, constant, outer]
every = pytest.mark.parametrize("function", EVERY, ids=lambda function: function.__name__)


@pytest.fixture
def on_wire(use: Use, wire: Wire) -> Engine:
    return use(STORE=wire.url)


@every
def test_a_warm_call_is_one_round_trip_and_no_query(
    on_wire: Engine, wire: Wire, function: Callable[[int], object]
) -> None:
    function(3), function(3)

    with wire.counting() as turns, CaptureQueriesContext(connection) as queries:
        function(3)

    assert turns == [1]
    assert len(queries) == 0
    assert wire.sent.count(b"MGET") == 1


@every
def test_a_fresh_process_needs_the_hint_and_the_entry(
    on_wire: Engine, wire: Wire, function: Callable[[int], object]
) -> None:
    """It has never seen a generation, so it cannot know the entry's key; one that discovers asks for the hint first."""
    function(3)
    on_wire.forget()

    with wire.counting() as turns, CaptureQueriesContext(connection) as queries:
        function(3)

    assert len(queries) == 0
    assert turns[0] <= (2 if function is declared else 3)

    with wire.counting() as turns:
        function(3)
    assert turns == [1]


@every
def test_after_somebody_elses_refill_one_more(
    on_wire: Engine, wire: Wire, function: Callable[[int], object]
) -> None:
    """This process expects the entry under the old generations; one more look finds the new one."""
    function(3)
    mine = on_wire.memory
    on_wire.memory = type(mine)()
    invalidate_model(Section)
    function(3)
    on_wire.memory = mine

    with wire.counting() as turns, CaptureQueriesContext(connection) as queries:
        function(3)

    assert len(queries) == 0
    assert turns == [1 if function is constant else 2]


def test_a_miss_is_two_round_trips(on_wire: Engine, wire: Wire) -> None:
    declared(3), discovered(3)
    invalidate_model(Section)

    for function, longest in ((declared, 2), (discovered, 2)):
        with wire.counting() as turns:
            function(3)
        # The generations with the entry that was expected; the fill with its hint and what it supersedes. The entry
        # under the generations found is looked for in between, as another process may have made it.
        assert turns[0] <= longest + 1


def test_an_invalidation_is_one_round_trip_for_any_number_of_entries(on_wire: Engine, wire: Wire) -> None:
    for number in range(200):
        declared(number)
    # The server is shown the script once.
    invalidate_model(Section)

    with wire.counting() as turns:
        invalidate_model(Section, Author)
    assert turns == [1]
    with wire.counting() as turns:
        declared.invalidate_all()
    assert turns == [1]


def test_a_warm_coroutine_is_one_round_trip_too(on_wire: Engine, wire: Wire) -> None:
    runs: list[int] = []

    @cached
    async def names(limit: int) -> list[str]:
        runs.append(limit)
        return [name async for name in Section.objects.values_list("name", flat=True)[:limit]]

    async def main() -> list[int]:
        await names(3)
        await names(3)
        with wire.counting() as turns:
            await names(3)
        await on_wire.async_store.aclose()
        return turns

    assert asyncio.run(main()) == [1]
    assert runs == [3]
