"""What separates entries or keeps from them: tenants, ``ENABLED``, ``bypass()``."""

# ruff: noqa: PLW0108 - a lambda has a name of this module's own; the bound method that it calls has not

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from functools import partial

import pytest

from genscache import bypass, cached, invalidate, stats
from genscache.engine import Engine
from tests.reads.conftest import Make, Use, counted
from tests.reads.elsewhere import Gate, Started
from tests.site.news.models import Section

ASKED = "bypass: bypass() was asked for"
tenant: ContextVar[str] = ContextVar("tenant", default="a")


def test_tenants_have_entries_of_their_own(use: Use, make: Make) -> None:
    use(KEY_CONTEXT=tenant.get)
    name = make(lambda: tenant.get(), "names")

    found = []
    for each in ("a", "b", "a", "b"):
        token = tenant.set(each)
        found.append(name())
        tenant.reset(token)

    assert found == ["a", "b", "a", "b"]
    assert name.count == 2
    invalidate("names")
    name()
    assert name.count == 3


@pytest.mark.django_db(transaction=True)
def test_tenants_discover_for_one_another(use: Use) -> None:
    use(KEY_CONTEXT=tenant.get)
    count = counted(lambda: (tenant.get(), Section.objects.count()))
    assert count() == ("a", 0)

    token = tenant.set("b")
    assert count() == ("b", 0)
    Section.objects.create(name="new")
    assert count() == ("b", 1)
    tenant.reset(token)
    assert count() == ("a", 1)


def test_switched_off_everything_is_computed_and_nothing_asked(use: Use, make: Make) -> None:
    """Port 1 answers nobody: had the store been asked, that would be counted."""
    use(ENABLED=False, STORE="redis://127.0.0.1:1/0")
    one = make(lambda: 1, "names")

    assert one() == one() == one.refresh() == 1

    assert one.count == 3
    assert stats() == {"bypass": 3, 'bypass: the cache is switched off (GENSCACHE["ENABLED"])': 3}


def test_switched_off_writes_still_invalidate(use: Use, valkey_url: str) -> None:
    """A process that does not read the cache must not leave stale entries to those that do."""
    use(STORE=valkey_url)
    one = counted(lambda: 1, "names")
    one()
    use(STORE=valkey_url, ENABLED=False)
    invalidate("names")
    use(STORE=valkey_url)

    one()

    assert one.count == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("declared", [(), ("names",)], ids=["discovered", "declared"])
def test_a_block_neither_asks_nor_stores(engine: Engine, make: Make, declared: tuple[str, ...]) -> None:
    one = make(lambda: Section.objects.count(), *declared)

    with bypass():
        one(), one()
    assert (one.count, stats()[ASKED]) == (2, 2)

    one(), one()
    with bypass():
        one()
        with bypass():
            one()
        one()
    one()
    assert one.count == 6
    assert stats()["fill"] == 1


def test_a_block_ends_when_it_raises(engine: Engine) -> None:
    one = counted(lambda: 1)
    with pytest.raises(KeyError), bypass():
        raise KeyError

    one(), one()
    assert one.count == 1


def test_a_block_in_a_coroutine(engine: Engine) -> None:
    one = counted(lambda: 1, sync=False)

    async def main() -> None:
        async with bypass():
            await one.function()
            await one.function()
        await one.function()
        await one.function()

    asyncio.run(main())
    assert (one.count, stats()[ASKED]) == (3, 2)


def test_a_decorated_function(engine: Engine) -> None:
    one = counted(lambda: 1)

    @bypass()
    def past(times: int) -> str:
        """Call it."""
        for _ in range(times):
            one()
        return "done"

    assert past(2) == past(times=1) == "done"
    assert (past.__name__, past.__doc__) == ("past", "Call it.")
    assert one.count == 3
    one(), one()
    assert one.count == 4


def test_a_decorated_coroutine_function(engine: Engine) -> None:
    """The block must last until the coroutine ends, not until it is made."""
    one = counted(lambda: 1, sync=False)

    @bypass()
    async def past() -> None:
        await asyncio.sleep(0)
        await one.function()

    async def main() -> None:
        await asyncio.gather(past(), past())
        await one.function()
        await one.function()

    asyncio.run(main())
    assert (one.count, stats()[ASKED]) == (3, 2)


def test_a_decorated_function_in_two_threads_at_the_same_time(engine: Engine) -> None:
    """Each call has a block of its own: they may end in any order."""
    gates = [Gate(), Gate()]
    one = counted(lambda: 1)

    @bypass()
    def past(number: int) -> None:
        gates[number].stop()
        one()

    threads = []
    for number, gate in enumerate(gates):
        threads.append(Started(partial(past, number)))
        gate.reached()
    for gate, thread in zip(gates, threads, strict=True):
        gate.open()
        thread.result()

    assert (one.count, stats()[ASKED]) == (2, 2)


def test_other_threads_are_not_in_the_block(engine: Engine) -> None:
    one = counted(lambda: 1)
    one()

    with bypass():
        Started(one).result()

    assert one.count == 1


def test_a_refresh_in_a_block_stores_nothing(engine: Engine) -> None:
    one = counted(lambda: 1)

    with bypass():
        one.refresh()

    one()
    assert one.count == 2


def test_what_a_coroutine_of_the_block_starts_bypasses_too(engine: Engine) -> None:
    @cached
    async def one() -> int:
        return 1

    async def main() -> None:
        await one()
        with bypass():
            await asyncio.create_task(one())

    asyncio.run(main())
    assert stats()[ASKED] == 1
