"""The store on one Redis or Valkey server, for synchronous callers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.retry import Retry

from genscache.stores.address import mask_url
from genscache.stores.base import Answer, Capabilities, Fetch, Operation, Store
from genscache.stores.commands import DONE, Command, Commands, Reply, fetched
from genscache.stores.connections import UNLIMITED, CarefulPool
from genscache.stores.express import Pool, answer, packed, question, send
from genscache.stores.faults import translated
from genscache.stores.lane import Lane, Lost, may_keep
from genscache.stores.scripts import Scripts

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.connection import ConnectionPool

    from genscache.stores.gate import Gate
    from genscache.types import Fetched

Result = TypeVar("Result")

TIMEOUT: Final = 1.0
"""Seconds to wait for a connection, and for each answer, where the URL does not say otherwise."""


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
        marks=True,
    )


class Wire(Protocol):
    """The part of a driver's connection that is used here."""

    db: int

    def on_connect(self) -> None:
        """Do the driver's handshake."""

    def send_packed_command(self, command: list[bytes]) -> None:
        """Send it."""

    def read_response(self) -> object:
        """Read one answer; one that is an error is raised."""

    def disconnect(self) -> None:
        """Close it."""


class RedisStore(Store):
    """A store on a standalone Redis (6.2 or later) or Valkey (7.2 or later) server.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, with the options that redis-py's ``from_url`` takes.
        clock_key: Where the bump clock is kept, for instance ``"gc:1:clock"``.
        gate: What each new connection passes before it is used; ``None``: nothing.

    Raises:
        ValueError: The URL or one of its options cannot be understood.
    """

    def __init__(self, url: str, *, clock_key: str, gate: Gate | None = None) -> None:
        """Prepare a pool of connections; none is opened before the first operation."""
        self.capabilities = redis_capabilities(url)
        self._commands = Commands(clock_key, Scripts.load(), gate)
        self._client = _client(url, None if gate is None else Entrance(gate))
        pool = cast("CarefulPool", self._client.connection_pool)
        self._pool = cast("Pool", pool)
        self._lane = Lane(pool) if may_keep(pool) else None
        self._closings = 0

    def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation in one round trip (two where the server does not know a step yet)."""
        if type(operation) is Fetch:
            asked = question(operation)
            if asked is not None:
                return cast("Answer", self._fetch(operation, *asked))
        one = self._commands.single(operation)
        try:
            replies = None if one is None else self._send([one.by_sha()])
            return cast("Answer", None) if replies == DONE else self._talk(operation, replies)
        except Exception:
            with translated(self.capabilities.name):
                raise

    def close(self) -> None:
        """Give back the connections."""
        self._closings += 1
        if self._lane is not None:
            self._lane.close()
        pool: ConnectionPool = self._client.connection_pool
        pool.disconnect()

    def _talk(self, operation: Operation[Answer], replies: list[Reply] | None) -> Answer:
        """Do an operation word by word.

        Args:
            operation: What to do.
            replies: To what it says first, where that was said already.
        """
        dialogue = self._commands.dialogue(operation)
        try:
            batch = next(dialogue)
            while True:
                batch = dialogue.send(self._send(batch) if replies is None else replies)
                replies = None
        except StopIteration as end:
            answer: Answer = end.value
            return answer

    def _fetch(self, operation: Fetch, command: bytes, answers: int) -> Fetched:
        try:
            found = self._turn(lambda lane: lane.fetch(operation, command), command, answers)
            return fetched(operation, found) if isinstance(found, list) else found
        except Exception:
            with translated(self.capabilities.name):
                raise

    def _send(self, batch: list[Command]) -> list[Reply]:
        command, answers = packed(batch), len(batch)
        return self._turn(lambda lane: lane.ask(command, answers), command, answers)

    def _turn(
        self, ask: Callable[[Lane], Result | None], command: bytes, answers: int
    ) -> Result | list[Reply]:
        """Ask on the short way, and where that does not do, on the driver's; a lost connection gets one more try."""
        tries = 2
        if self._lane is not None:
            closings = self._closings
            try:
                found = ask(self._lane)
            except Lost:
                if closings != self._closings:
                    # It was closed to end this very wait, by a process that ends, say.
                    raise
                tries = 1
            else:
                if found is not None:
                    return found
        return send(self._pool, command, answers, tries)


class Entrance:
    """What a new connection does: the driver's handshake, and then the gate.

    Args:
        gate: What to pass.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __call__(self, connection: Wire) -> None:
        """Make ``connection`` fit for use, or leave it closed: the driver closes it after its own errors only."""
        try:
            connection.on_connect()
            dialogue = self._gate.passing(connection.db)
            batch = next(dialogue)
            while True:
                connection.send_packed_command([packed(batch)])
                batch = dialogue.send([answer(connection) for _ in batch])
        except StopIteration:
            return
        except BaseException:
            connection.disconnect()
            raise


def _client(url: str, entrance: Entrance | None) -> Redis:
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
    if entrance is not None:
        pool.connection_kwargs["redis_connect_func"] = entrance
    # Made, not connected: an option that the driver does not know is refused here and not at the first read.
    pool.connection_class(**pool.connection_kwargs)
    client: Redis = Redis.from_pool(pool)
    return client
