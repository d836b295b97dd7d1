"""A coroutine that is cancelled while it invalidates: nobody knows whether the store has heard of it."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import pytest
from django.apps import apps

from genscache import ainvalidate, batch_invalidations, cached, invalidate, stats
from genscache.conf import Settings
from genscache.engine import Engine
from genscache.guards import OWED
from genscache.stores.base import AsyncStore, Bump, Operation, Settle
from genscache.stores.memory import AsyncMemoryStore, MemoryStore

Answer = TypeVar("Answer")


class Deaf(AsyncStore):
    """Never answers what bumps."""

    def __init__(self, memory: MemoryStore) -> None:
        self._twin = AsyncMemoryStore(memory)
        self.capabilities = self._twin.capabilities
        self.asked = asyncio.Event()

    async def execute(self, operation: Operation[Answer]) -> Answer:
        if isinstance(operation, Bump | Settle):
            self.asked.set()
            await asyncio.Event().wait()
        return await self._twin.execute(operation)

    async def aclose(self) -> None:
        await self._twin.aclose()


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> Deaf:
    memory = MemoryStore()
    deaf = Deaf(memory)
    engine = Engine(Settings(store="memory://"), store=memory, async_store=deaf)
    monkeypatch.setattr(apps.get_app_config("genscache"), "engine", engine)
    return deaf


async def in_a_batch() -> None:
    async with batch_invalidations():
        await ainvalidate("prices")


@pytest.mark.parametrize("invalidation", [lambda: ainvalidate("prices"), in_a_batch], ids=["alone", "batch"])
def test_a_cancelled_invalidation_is_owed(deaf: Deaf, invalidation: object) -> None:
    values = iter(range(9))

    @cached("prices")
    def prices() -> int:
        return next(values)

    async def give_up() -> None:
        assert callable(invalidation)
        task = asyncio.create_task(invalidation())
        await deaf.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert (prices(), prices()) == (0, 0)
    asyncio.run(give_up())
    assert prices() == 1
    assert stats()[f"bypass: {OWED}"] == 1
    invalidate("prices")
    assert prices() > 1
