"""``snapshot()``: asked once in a block, answered again without the store; the block's own writes are seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.test.client import RequestFactory
from django.urls import path

from genscache import (
    batch_invalidations,
    bypass,
    cached,
    invalidate,
    invalidate_all,
    invalidate_model,
    snapshot,
    stats,
)
from genscache.answers import Reader
from genscache.engine import Engine, current_engine
from genscache.middleware import snapshot_per_request
from genscache.stores.base import Fetch, Operation, Store
from tests.reads.conftest import Use, counted
from tests.reads.elsewhere import elsewhere
from tests.reads.wire import Wire
from tests.site.news.models import Section

NAME = "prices"


def test_a_question_goes_to_the_store_once(use: Use, wire: Wire) -> None:
    use(STORE=wire.url)
    one, two = counted(lambda: [1], NAME), counted(lambda: [2], NAME)
    one()
    with wire.counting() as turns, snapshot():
        found = [one() for _ in range(5)]
    assert found == [[1]] * 5
    assert len({id(each) for each in found}) == 5, "nobody is given what somebody else may change"
    assert turns == [1]
    with wire.counting() as turns, snapshot():
        assert [two(), two(), two()] == [[2]] * 3
    assert (turns, two.count) == ([2], 1), "what was computed in the block is kept, too"
    with wire.counting() as turns:
        one()
        one()
    assert turns == [2], "outside of the block nothing is kept"


def test_so_it_does_from_coroutines(use: Use, wire: Wire) -> None:
    use(STORE=wire.url)

    @cached(NAME)
    async def one() -> list[int]:
        return [1]

    async def asked() -> None:
        await one()
        with wire.counting() as turns:
            async with snapshot():
                assert [await one() for _ in range(3)] == [[1]] * 3
        assert turns == [1]

    asyncio.run(asked())


@pytest.mark.django_db(transaction=True)
def test_querysets(use: Use, wire: Wire) -> None:
    use(STORE=wire.url)
    section = Section.objects.create(name="first")
    rows: Any = Section.objects
    reads: list[Callable[[], Any]] = [
        lambda: rows.cache().get(pk=section.pk).name,
        lambda: [each.name for each in rows.cache().order_by("pk")],
        lambda: rows.cache().count(),
        lambda: rows.cache().filter(name="first").exists(),
    ]
    for read in reads:
        read()
    with wire.counting() as turns, snapshot():
        first = [read() for read in reads]
        assert [read() for read in reads] == first
        asked = async_to_sync(rows.cache().aget)(pk=section.pk)
    assert asked.name == "first"
    assert turns == [4]
    assert stats()["hit"] == 9


@pytest.mark.django_db(transaction=True)
def test_a_write_of_the_block_is_seen_and_one_of_others_at_its_end(every_store: Engine) -> None:
    section = Section.objects.create(name="first")
    rows: Any = Section.objects

    def name() -> str:
        return str(rows.cache().get(pk=section.pk).name)

    def write(text: str) -> None:
        Section.objects.filter(pk=section.pk).update(name=text)

    with snapshot():
        assert [name(), name()] == ["first", "first"]
        write("mine")
        assert [name(), name()] == ["mine", "mine"]
        with transaction.atomic():
            write("in a transaction")
            assert name() == "in a transaction"
        assert [name(), name()] == ["in a transaction"] * 2
        with batch_invalidations():
            write("in a batch")
            assert name() == "in a batch"
        assert name() == "in a batch"
        # As another process would: the database and the store, without this context.
        elsewhere(lambda: invalidate_model(Section))
        assert name() == "in a batch"
    assert name() == "in a batch"


@pytest.mark.parametrize("how", [invalidate_all, lambda: invalidate(NAME)])
def test_others_are_seen_at_the_end_of_the_block_and_by_what_was_not_asked(
    engine: Engine, how: Callable[[], object]
) -> None:
    price = [1]
    one, other = counted(lambda: price[0], NAME), counted(lambda: -price[0], NAME)
    with snapshot():
        assert one() == 1

        def change() -> None:
            price[0] = 2
            how()

        elsewhere(change)
        assert one() == 1, "asked before"
        assert other() == -2, "not asked before"
        how()
        assert one() == 2, "an invalidation of the block's own"
    assert one() == 2


def test_an_answer_is_kept_for_so_long(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("genscache.snapshots.time.monotonic", lambda: now[0])
    price = [1]
    one = counted(lambda: price[0], NAME)
    with snapshot(max_age=5):
        assert one() == 1
        price[0] = 2
        elsewhere(lambda: invalidate(NAME))
        now[0] += 4.9
        assert one() == 1
        now[0] += 0.2
        assert one() == 2
    with pytest.raises(ValueError, match="max_age"):
        snapshot(max_age=-1)


def test_a_block_in_a_block_is_the_same_one(engine: Engine) -> None:
    price = [1]
    one = counted(lambda: price[0], NAME)
    with snapshot():
        assert one() == 1
        price[0] = 2
        elsewhere(lambda: invalidate(NAME))
        with snapshot():
            assert one() == 1
        assert one() == 1
    assert one() == 2


def test_calls_of_a_decorated_function_have_a_block_each(engine: Engine) -> None:
    price = [1]
    one = counted(lambda: price[0], NAME)

    @snapshot(max_age=60)
    def twice() -> list[int]:
        first = one()
        price[0] += 1
        elsewhere(lambda: invalidate(NAME))
        return [first, one()]

    @snapshot()
    async def atwice() -> list[int]:
        first = await sync_to_async(one)()
        price[0] += 1
        elsewhere(lambda: invalidate(NAME))
        return [first, await sync_to_async(one)()]

    assert twice() == [1, 1]
    assert twice() == [2, 2]
    assert asyncio.run(atwice()) == [3, 3]


def test_a_function_that_is_filled_asks_for_itself(engine: Engine) -> None:
    """What it is stored under was read after the kept answer; stored from that, it would be stale for everybody."""
    price = [1]
    inner = counted(lambda: price[0], NAME)
    outer = counted(lambda: inner() * 10, NAME)
    with snapshot():
        assert inner() == 1
        price[0] = 2
        elsewhere(lambda: invalidate(NAME))
        assert inner() == 1
        assert outer() == 20
    assert outer() == 20
    assert outer.count == 1


@pytest.mark.django_db(transaction=True)
def test_a_database_snapshot_keeps_to_itself(engine: Engine) -> None:
    """On SQLite every transaction is one: it shows what it has seen first, and not what the block has."""
    section = Section.objects.create(name="first")
    rows: Any = Section.objects

    def name() -> str:
        return str(rows.cache().get(pk=section.pk).name)

    with snapshot():
        assert name() == "first"
        elsewhere(lambda: rows.filter(pk=section.pk).update(name="second"))
        assert name() == "first"
        with transaction.atomic():
            assert name() == "second"
        with bypass():
            assert name() == "second"
        assert name() == "first"


def test_what_began_before_a_write_of_the_block_is_not_kept(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tasks of one request: one has its answer from the store, then the other writes, then the first keeps it."""
    use()
    price = [1]
    one = counted(lambda: price[0], NAME)
    one()
    seen = Reader.seen

    def late(reader: Reader, fetched: Any) -> object:
        monkeypatch.setattr(Reader, "seen", seen)
        price[0] = 2
        invalidate(NAME)
        return seen(reader, fetched)

    with snapshot():
        monkeypatch.setattr(Reader, "seen", late)
        assert one() == 1, "it began before the write returned"
        assert one() == 2


def test_there_is_no_room(use: Use) -> None:
    use(LOCAL_BYTES=0)
    asked = Asked(current_engine())
    one = counted(lambda: 1, NAME)
    with snapshot():
        assert [one(), one(), one()] == [1, 1, 1]
    assert asked.fetches >= 2


class Asked(Store):
    """Counts the fetches of an engine's store."""

    def __init__(self, engine: Engine) -> None:
        self._inner = engine.store
        self.capabilities = self._inner.capabilities
        self.fetches = 0
        engine._store = self

    def execute(self, operation: Operation[Any]) -> Any:
        self.fetches += isinstance(operation, Fetch)
        return self._inner.execute(operation)

    def close(self) -> None:
        self._inner.close()


def test_an_engine_that_was_replaced_in_the_block(use: Use) -> None:
    price = [1]
    one = counted(lambda: price[0], NAME)
    use()
    with snapshot():
        assert one() == 1
        price[0] = 2
        use(PREFIX="other")
        assert one() == 2


_rises = count(1)


@cached(NAME)
def price() -> int:
    return next(_rises)


def view(_: HttpRequest) -> HttpResponse:
    """Ask twice, with somebody else's write in between."""
    first = price()
    elsewhere(lambda: invalidate(NAME))
    return HttpResponse(f"{price() - first}")


async def aview(request: HttpRequest) -> HttpResponse:
    """Do so in a coroutine."""
    return await sync_to_async(view)(request)


urlpatterns = [path("price/", view), path("aprice/", aview)]


def test_one_request_is_one_block(engine: Engine) -> None:
    request = RequestFactory().get("/")
    assert view(request).content == b"1"
    respond = snapshot_per_request(view)
    assert not iscoroutinefunction(respond)
    assert cast("HttpResponse", respond(request)).content == b"0"
    assert view(request).content == b"1"
    arespond: Any = snapshot_per_request(aview)
    assert iscoroutinefunction(arespond)
    assert async_to_sync(arespond)(request).content == b"0"


@override_settings(
    ROOT_URLCONF="tests.reads.test_snapshots", MIDDLEWARE=["genscache.middleware.snapshot_per_request"]
)
def test_django_loads_the_middleware(engine: Engine, client: Any, async_client: Any) -> None:
    for address in ("/price/", "/aprice/"):
        assert client.get(address).content == b"0"
        assert async_to_sync(async_client.get)(address).content == b"0"
