"""Stampedes in one event loop: tasks that ask for one key at the same time share one computation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from genscache import cached, stats
from genscache.engine import Engine
from genscache.flights import AsyncFlights

TASKS = 12


async def until_waiting(engine: Engine, count: int) -> None:
    """Let the others run until ``count`` tasks wait for somebody else's fill."""
    async with asyncio.timeout(30):
        while _waiters(engine.async_flights) < count:  # noqa: ASYNC110 - nothing tells that a task waits
            await asyncio.sleep(0)


def _waiters(flights: AsyncFlights) -> int:
    loop = flights._loops.get(asyncio.get_running_loop(), {})
    # asyncio.shield() hangs one callback for each waiter on the future.
    return sum(len(flight._future._callbacks or ()) for flight in loop.values())


def crowd(function: Callable[[], Awaitable[object]]) -> list[asyncio.Task[object]]:
    async def call() -> object:
        return await function()

    return [asyncio.create_task(call()) for _ in range(TASKS)]


def test_many_tasks_compute_once_and_share_nothing_mutable(every_store: Engine) -> None:
    runs: list[int] = []

    async def main() -> list[object]:
        gate = asyncio.Event()

        @cached
        async def rows() -> list[int]:
            runs.append(1)
            await gate.wait()
            return [1, 2]

        tasks = crowd(rows)
        await until_waiting(every_store, TASKS - 1)
        gate.set()
        found = await asyncio.gather(*tasks)
        await every_store.async_store.aclose()
        return found

    found = asyncio.run(main())

    assert found == [[1, 2]] * TASKS
    assert runs == [1]
    assert len({id(each) for each in found}) == TASKS
    assert (stats()["miss"], stats()["hit"]) == (1, TASKS - 1)


@pytest.mark.parametrize("end", ["raises", "is cancelled"])
def test_where_the_leader_fails_the_others_compute(engine: Engine, end: str) -> None:
    async def main() -> tuple[object, list[object]]:
        gate, first = asyncio.Event(), [1]

        @cached
        async def number() -> int:
            if first:
                first.pop()
                await gate.wait()
                raise LookupError("the leader's")
            return 7

        leader, *others = crowd(number)
        await until_waiting(engine, TASKS - 1)
        if end == "raises":
            gate.set()
        else:
            leader.cancel()
        failed = (await asyncio.gather(leader, return_exceptions=True))[0]
        return failed, await asyncio.gather(*others)

    failed, found = asyncio.run(main())

    assert isinstance(failed, LookupError if end == "raises" else asyncio.CancelledError)
    assert found == [7] * (TASKS - 1)


def test_a_waiter_that_is_cancelled_harms_nobody(engine: Engine) -> None:
    async def main() -> list[object]:
        gate = asyncio.Event()

        @cached
        async def number() -> int:
            await gate.wait()
            return 7

        tasks = crowd(number)
        await until_waiting(engine, TASKS - 1)
        tasks[5].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[5]
        gate.set()
        return await asyncio.gather(*tasks[:5], *tasks[6:])

    assert asyncio.run(main()) == [7] * (TASKS - 1)
    assert stats()["miss"] == 1


def test_a_caller_that_gives_up_leaves_no_flight_behind(engine: Engine) -> None:
    async def main() -> int:
        forever = asyncio.Event()
        patient = [False]

        @cached
        async def number() -> int:
            if not patient[0]:
                await forever.wait()
            return 7

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await number()
        patient[0] = True
        async with asyncio.timeout(30):
            return await number()

    assert asyncio.run(main()) == 7


def test_a_coroutine_that_calls_itself(engine: Engine) -> None:
    left = [1]

    @cached
    async def again() -> int:
        if left:
            left.pop()
            return 1 + await again()
        return 0

    async def main() -> int:
        async with asyncio.timeout(30):
            return await again()

    assert asyncio.run(main()) == 1


def test_two_coroutines_that_call_each_other_crosswise(engine: Engine) -> None:
    async def main() -> list[str]:
        both = asyncio.Barrier(2)
        first = {"f": True, "g": True}

        async def meet(name: str) -> None:
            if first[name]:
                first[name] = False
                await both.wait()

        @cached
        async def f(depth: int) -> str:
            await meet("f")
            return "f" + (await g(depth - 1) if depth else "")

        @cached
        async def g(depth: int) -> str:
            await meet("g")
            return "g" + (await f(depth - 1) if depth else "")

        async with asyncio.timeout(30):
            return list(await asyncio.gather(f(1), g(1), f(1), g(1)))

    assert asyncio.run(main()) == ["fg", "gf", "fg", "gf"]


def test_a_function_may_gather_what_it_needs(engine: Engine) -> None:
    @cached("prices")
    async def part(number: int) -> int:
        await asyncio.sleep(0)
        return number

    @cached
    async def whole() -> int:
        return sum(await asyncio.gather(*(part(number % 3) for number in range(9))))

    assert asyncio.run(_twice(whole)) == [9, 9]


async def _twice(function: Callable[[], Awaitable[int]]) -> list[int]:
    async with asyncio.timeout(30):
        return [await function(), await function()]


def test_each_event_loop_has_flights_of_its_own(engine: Engine) -> None:
    """A future belongs to one loop; a second loop computes for itself."""
    runs: list[int] = []

    @cached(timeout=0.001)
    async def number() -> int:
        runs.append(1)
        await asyncio.sleep(0)
        return 7

    for _ in range(3):
        assert asyncio.run(_twice(number)) == [7, 7]
    assert runs
