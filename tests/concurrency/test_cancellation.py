"""Tasks that are cancelled at each of their round trips, before the store is asked and after it has done it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.test import override_settings
from redis import Redis

from genscache import ainvalidate, answers, cached
from genscache.engine import Engine, current_engine
from genscache.stores.aioredis import AsyncRedisStore
from genscache.stores.base import Answer, AsyncStore, Operation
from genscache.unsettled import RETRY_AFTER
from tests.fences import age

LOCKED = 0.3
"""Seconds that a lock lasts in these tests: so long may it outlive a task that was cancelled."""

pytestmark = pytest.mark.timeout(60)


class Halting(AsyncStore):
    """A store in front of another, in which one operation never returns.

    Args:
        store: The other.
        stop: The number of the operation, from 0; ``None``: each returns.
        done: The other store does it, only its answer is lost.
    """

    def __init__(self, store: AsyncStore, stop: int | None, *, done: bool) -> None:
        self.capabilities = store.capabilities
        self._store = store
        self._stop = stop
        self._done = done
        self.count = 0
        self.halted = asyncio.Event()

    async def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation, or wait for ever."""
        number, self.count = self.count, self.count + 1
        if number == self._stop and not self._done:
            self.halted.set()
            await asyncio.Event().wait()
        answer = await self._store.execute(operation)
        if number == self._stop:
            self.halted.set()
            await asyncio.Event().wait()
        return answer

    async def aclose(self) -> None:
        """Close the other."""
        await self._store.aclose()


@pytest.fixture
def engine(valkey_url: str) -> Iterator[Engine]:
    """The engine on Valkey."""
    options = {"STORE": valkey_url, "PREFIX": f"t{secrets.token_hex(6)}"}
    age(valkey_url, options["PREFIX"])
    with override_settings(GENSCACHE=options):
        yield current_engine()
        current_engine().close()


def left_behind(engine: Engine, url: str) -> list[bytes]:
    """Return the leases in the store, and the locks that do not end by themselves in time."""
    with Redis.from_url(url) as raw:
        keys = list(raw.keys(f"{engine.settings.prefix}:*"))
        return [
            key
            for key in keys
            if b"}:l:" in key and not -1 < raw.pttl(key) <= LOCKED * 1000 and raw.exists(key)
        ] + [key for key in keys if b"}:e:" not in key and b"@" in (raw.get(key) or b"")]


@cached("names", lock=True)
async def locked(number: int) -> int:
    """Be filled by one at a time."""
    await asyncio.sleep(0)
    return number


@cached("names")
async def plain(number: int) -> int:
    """Be filled by anybody."""
    await asyncio.sleep(0)
    return number


async def interrupted(store: Halting, action: Callable[[], Awaitable[object]], *, by_timeout: bool) -> bool:
    """Start an action, and cancel it where the store halts; tell whether it came to that."""
    if by_timeout:

        async def give_up() -> None:
            async with asyncio.timeout(None) as limit:
                halted = asyncio.ensure_future(store.halted.wait())

                def expire(ended: asyncio.Future[Any]) -> None:
                    if not ended.cancelled():
                        limit.reschedule(asyncio.get_running_loop().time())

                halted.add_done_callback(expire)
                await action()
            halted.cancel()

        with suppress(TimeoutError):
            await give_up()
        return store.halted.is_set()
    task = asyncio.ensure_future(action())
    halted = asyncio.ensure_future(store.halted.wait())
    await asyncio.wait({task, halted}, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    halted.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return store.halted.is_set()


@pytest.mark.parametrize("by_timeout", [False, True], ids=["cancel", "timeout"])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("function", [plain, locked], ids=["plain", "locked"])
def test_a_read_cancelled_at_each_of_its_round_trips(
    engine: Engine,
    valkey_url: str,
    function: Callable[[int], Awaitable[int]],
    done: bool,  # noqa: FBT001 - a parameter of a test
    by_timeout: bool,  # noqa: FBT001 - the same
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "LOCK_PATIENCE", LOCKED)
    stops = 0

    async def use() -> None:
        nonlocal stops
        url = f"{valkey_url}?socket_timeout=5"
        store = AsyncRedisStore(url, clock_key=engine.keys.clock)
        while True:
            halting = Halting(store, stops, done=done)
            engine_of_this = Engine(engine.settings, store=engine.store, async_store=halting)
            _install(engine_of_this)
            if not await interrupted(halting, partial(function, stops), by_timeout=by_timeout):
                break
            # Nobody waits for a flight that has no leader any more, and nobody is given another's answer.
            free = Halting(store, None, done=False)
            _install(Engine(engine.settings, store=engine.store, async_store=free))
            numbers = [stops, stops + 1000, stops, stops + 2000]
            async with asyncio.timeout(20):
                assert await asyncio.gather(*map(function, numbers)) == numbers
            stops += 1
        await store.aclose()

    asyncio.run(use())
    assert stops >= 2
    assert left_behind(engine, valkey_url) == []


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_an_invalidation_cancelled_in_its_round_trip_is_owed_and_paid(
    engine: Engine,
    done: bool,  # noqa: FBT001 - a parameter of a test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = iter(range(100))

    @cached("names")
    async def count() -> int:
        return next(values)

    async def use() -> None:
        store = engine.async_store
        assert await count() == await count() == 0
        halting = Halting(store, 0, done=done)
        # Without the guard, whose thread would pay at once.
        own = Engine(engine.settings, store=engine.unguarded, async_store=halting)
        _install(own)
        assert await interrupted(halting, lambda: ainvalidate("names"), by_timeout=False)
        assert own.unsettled
        # Until it is paid, this process trusts nothing.
        assert await count() == 1
        now = own.unsettled._next + RETRY_AFTER
        monkeypatch.setattr("genscache.unsettled.time.monotonic", lambda: now)
        assert await count() == await count() == 2
        assert not own.unsettled

    asyncio.run(use())


def _install(engine: Engine) -> None:
    from django.apps import apps  # noqa: PLC0415 - beside its use

    apps.get_app_config("genscache").engine = engine  # type: ignore[attr-defined]
