"""The store on one Redis or Valkey server, for synchronous callers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.exceptions import ResponseError
from redis.retry import Retry

from genscache.stores.address import mask_url
from genscache.stores.base import Answer, Capabilities, Operation, Store
from genscache.stores.commands import Command, Commands, Reply, Word
from genscache.stores.connections import CarefulPool
from genscache.stores.faults import translated
from genscache.stores.scripts import Scripts

if TYPE_CHECKING:
    from redis.connection import ConnectionPool

TIMEOUT: Final = 1.0
"""Seconds to wait for a connection, and for each answer, where the URL does not say otherwise."""

UNLIMITED: Final = 2**31
"""Connections of a pool where the URL does not say otherwise: a thread must not fail because others are busy."""


def redis_capabilities(url: str) -> Capabilities:
    """Return what a standalone server promises, named by its URL without the password."""
    return Capabilities(
        name=mask_url(url),
        shared=True,
        leases=True,
        ordered=True,
        atomic=True,
        locks=True,
        max_key_bytes=8192,
        remote=True,
    )


class Batch(Protocol):
    """The part of a driver's pipeline that is used here."""

    def execute_command(self, *words: Word) -> object:
        """Queue one command."""

    def execute(self, *, raise_on_error: bool) -> list[object]:
        """Send what is queued."""


class Sender(Protocol):
    """The part of the driver's client that is used here."""

    def execute_command(self, *words: Word) -> object:
        """Send one command."""

    def pipeline(self, *, transaction: bool) -> Batch:
        """Return an empty pipeline."""


class RedisStore(Store):
    """A store on a standalone Redis (6.2 or later) or Valkey (7.2 or later) server.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, with the options that redis-py's ``from_url`` takes.
        clock_key: Where the bump clock is kept, for instance ``"gc:1:clock"``.

    Raises:
        ValueError: The URL or one of its options cannot be understood.
    """

    def __init__(self, url: str, *, clock_key: str) -> None:
        """Prepare a pool of connections; none is opened before the first operation."""
        self.capabilities = redis_capabilities(url)
        self._commands = Commands(clock_key, Scripts.load())
        self._client = _client(url)

    def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation in one round trip (two where the server does not know a step yet)."""
        dialogue = self._commands.dialogue(operation)
        with translated(self.capabilities.name):
            try:
                batch = next(dialogue)
                while True:
                    batch = dialogue.send(self._send(batch))
            except StopIteration as end:
                answer: Answer = end.value
                return answer

    def close(self) -> None:
        """Give back the connections."""
        pool: ConnectionPool = self._client.connection_pool
        pool.disconnect()

    def _send(self, batch: list[Command]) -> list[Reply]:
        client: Sender = self._client
        if len(batch) == 1:
            try:
                return [client.execute_command(*batch[0])]
            except ResponseError as error:
                return [error]
        pipeline = client.pipeline(transaction=False)
        for command in batch:
            pipeline.execute_command(*command)
        return pipeline.execute(raise_on_error=False)


def _client(url: str) -> Redis:
    pool = CarefulPool.from_url(
        url,
        socket_connect_timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
        max_connections=UNLIMITED,
        # One more try on a connection that the server had closed meanwhile; every operation may safely be done twice.
        # No second try after a timeout: the caller would wait for twice as long as was promised.
        retry=Retry(NoBackoff(), 1, supported_errors=(DriverConnectionError,)),
        retry_on_error=[DriverConnectionError],
    )
    pool.connection_kwargs["decode_responses"] = False
    # Made, not connected: an option that the driver does not know is refused here and not at the first read.
    pool.connection_class(**pool.connection_kwargs)
    client: Redis = Redis.from_pool(pool)
    return client
