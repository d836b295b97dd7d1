"""Deliberate errors in genscache, each of which a soak must find."""

from __future__ import annotations

from typing import TypeVar

from django.apps import apps

from genscache.conf import Settings
from genscache.engine import Engine
from genscache.stores.base import Operation, Settle, Store
from genscache.stores.opening import open_stores

Answer = TypeVar("Answer")


class LosingStore(Store):
    """A store whose settles end leases and bump nothing."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.capabilities = inner.capabilities

    def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation, without its bump."""
        if isinstance(operation, Settle):
            released = Settle(operation.token, (), operation.bump + operation.release)
            self.inner.execute(released)
            return None  # type: ignore[return-value]  # what a settle answers
        return self.inner.execute(operation)

    def close(self) -> None:
        """Give back connections."""
        self.inner.close()


def lose_bumps() -> None:
    """Put such a store into this process's engine."""
    settings = Settings.load()
    assert settings.store is not None
    pair = open_stores(settings.store, prefix=settings.prefix)
    engine = Engine(settings, store=LosingStore(pair.sync), async_store=pair.asynchronous)
    apps.get_app_config("genscache").engine = engine
