"""The store on one Redis or Valkey server, for coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Protocol, cast
from weakref import WeakKeyDictionary

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as DriverConnectionError

from genscache.stores.aioconnections import PatientPool
from genscache.stores.base import Answer, AsyncStore, Fetch, Operation
from genscache.stores.commands import Command, Commands, Reply, fetched
from genscache.stores.connections import UNLIMITED
from genscache.stores.express import Pool, aanswer, asend, packed, question
from genscache.stores.faults import translated
from genscache.stores.redis import TIMEOUT, redis_capabilities
from genscache.stores.scripts import Scripts

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from genscache.stores.gate import Gate
    from genscache.types import Fetched


class AsyncWire(Protocol):
    """The part of a driver's connection that is used here."""

    db: int

    async def on_connect(self) -> None:
        """Do the driver's handshake."""

    async def send_packed_command(self, command: list[bytes]) -> None:
        """Send it."""

    async def read_response(self) -> object:
        """Read one answer; one that is an error is raised."""

    async def disconnect(self, *, nowait: bool) -> None:
        """Close it."""


@dataclass(frozen=True, slots=True)
class _Session:
    """One event loop's client, and the generator that closes it when the loop shuts down."""

    client: Redis
    closing: AsyncGenerator[None, None]


class AsyncRedisStore(AsyncStore):
    """The twin of ``RedisStore`` for coroutines: one client for each running event loop.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, with the options that redis-py's ``from_url`` takes.
        clock_key: Where the bump clock is kept, for instance ``"gc:1:clock"``.
        gate: What each new connection passes before it is used; ``None``: nothing.

    Raises:
        ValueError: The URL or one of its options cannot be understood.
    """

    def __init__(self, url: str, *, clock_key: str, gate: Gate | None = None) -> None:
        """Check the URL; clients are made when a loop first uses the store."""
        self.capabilities = redis_capabilities(url)
        self._url = url
        self._commands = Commands(clock_key, Scripts.load(), gate)
        self._entrance = None if gate is None else AsyncEntrance(gate)
        self._sessions: WeakKeyDictionary[AbstractEventLoop, _Session] = WeakKeyDictionary()
        self._lock = Lock()
        _client(url, self._entrance)  # made, not connected: an option that is not known is refused here

    async def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation in one round trip (two where the server does not know a step yet)."""
        if type(operation) is Fetch:
            asked = question(operation)
            if asked is not None:
                return cast("Answer", await self._fetch(operation, *asked))
        dialogue = self._commands.dialogue(operation)
        with translated(self.capabilities.name):
            try:
                batch = next(dialogue)
                while True:
                    batch = dialogue.send(await self._send(batch))
            except StopIteration as end:
                answer: Answer = end.value
                return answer

    async def aclose(self) -> None:
        """Give back the connections of the running event loop."""
        with self._lock:
            session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.closing.aclose()

    async def _fetch(self, operation: Fetch, command: bytes, answers: int) -> Fetched:
        try:
            return fetched(operation, await asend(await self._pool(), command, answers))
        except Exception:
            with translated(self.capabilities.name):
                raise

    async def _send(self, batch: list[Command]) -> list[Reply]:
        return await asend(await self._pool(), packed(batch), len(batch))

    async def _pool(self) -> Pool:
        return cast("Pool", (await self._session()).client.connection_pool)

    async def _session(self) -> _Session:
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            client = _client(self._url, self._entrance)
            session = _Session(client, self._close_with(loop, client))
            with self._lock:
                # A client's sockets hold their loop, so the weak key alone would keep a closed loop for ever.
                for dead in [known for known in self._sessions if known.is_closed()]:
                    del self._sessions[dead]
                # No await since the look-up: no other task of this loop can have come in between.
                self._sessions[loop] = session
            # Started here, the generator is closed by the loop's own ``shutdown_asyncgens``, so that asyncio.run()
            # and asgiref leave no open socket behind.
            await anext(session.closing)
        return session

    async def _close_with(self, loop: AbstractEventLoop, client: Redis) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with self._lock:
                self._sessions.pop(loop, None)
            await client.aclose()


class AsyncEntrance:
    """What a new connection does: the driver's handshake, and then the gate.

    Args:
        gate: What to pass.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def enter(self, connection: AsyncWire) -> None:
        """Make ``connection`` fit for use, or leave it closed: the driver closes it after its own errors only."""
        try:
            await connection.on_connect()
            dialogue = self._gate.passing(connection.db)
            batch = next(dialogue)
            while True:
                await connection.send_packed_command([packed(batch)])
                batch = dialogue.send([await aanswer(connection) for _ in batch])
        except StopIteration:
            return
        except BaseException:
            await connection.disconnect(nowait=True)
            raise


def _client(url: str, entrance: AsyncEntrance | None) -> Redis:
    options: dict[str, object] = {
        "socket_connect_timeout": TIMEOUT,
        "socket_timeout": TIMEOUT,
        "max_connections": UNLIMITED,
        # As in the synchronous store.
        "retry": Retry(NoBackoff(), 1, supported_errors=(DriverConnectionError,)),
        "retry_on_error": [DriverConnectionError],
    }
    pool = ConnectionPool.from_url(url, **options)
    if pool.max_connections != UNLIMITED:
        pool = PatientPool.from_url(url, **options)
    pool.connection_kwargs["decode_responses"] = False
    if entrance is not None:
        # The method itself: the driver asks whether it is a coroutine function before it waits for it.
        pool.connection_kwargs["redis_connect_func"] = entrance.enter
    # Made, not connected: an option that the driver does not know is refused here and not at the first read.
    pool.connection_class(**pool.connection_kwargs)
    return Redis.from_pool(pool)
