"""What a process of actors takes for its store and for its flights: both hand control back."""

from __future__ import annotations

import threading

from genscache.flights import Flight, Flights, Shared
from genscache.stores.base import Answer, AsyncStore, Operation, Store
from property_tests.actors import Actor, Ground, stop


class SteppedStore(Store):
    """What a process of actors takes for its store.

    Args:
        ground: The store behind it.
    """

    def __init__(self, ground: Ground) -> None:
        self.capabilities = ground.store.capabilities
        self._ground = ground

    def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation in the actor's way."""
        actor = threading.current_thread()
        if isinstance(actor, Actor):
            return actor.operate(operation, self._ground)
        return self._ground.send(operation)

    def close(self) -> None:
        """Do nothing: the ground belongs to the test."""


class GroundedStore(AsyncStore):
    """The same for coroutines, which never hand control back: the thread that runs them is no actor's.

    Args:
        ground: The store behind it.
    """

    def __init__(self, ground: Ground) -> None:
        self.capabilities = ground.store.capabilities
        self._ground = ground

    async def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation."""
        return self._ground.send(operation)

    async def aclose(self) -> None:
        """Do nothing: the ground belongs to the test."""


class SteppedFlights(Flights):
    """Flights whose waiters hand control back instead of sleeping."""

    def join(self, key: str, asked: int) -> tuple[Flight | None, bool]:
        """Join or lead."""
        flight, leads = super().join(key, asked)
        return (flight if leads or flight is None else _Waiting(flight)), leads


class _Waiting(Flight):
    """Waits one turn; a leader that has not landed by then has taken too long."""

    __slots__ = ("_joined",)

    def __init__(self, joined: Flight) -> None:
        super().__init__(lambda _: None)
        self._joined = joined

    def wait(self) -> Shared:
        """Return what the leader shared, if it has landed."""
        stop("a flight")
        return self._joined._shared
