"""Whether a result that is read from a replica may be stored (design 3.6).

The generations were read before; the replica must show every commit that they tell of, or old rows would be stored
under a young generation. That is found out *before* the query runs and in statements of their own: inside the query's
own snapshot the answer would be younger than the rows beside it.

Both guards rest on one thing: a generation is never given twice. Where the generation is the one that it was, no
invalidation has come in between, so what was found out about it then is good now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from genscache.engine import Engine
from genscache.keys import Namespace
from genscache.orm import positions
from genscache.orm.positions import Busy, Position
from genscache.protocol.memory import Recent
from genscache.recording import Recording
from genscache.replication import Replica
from genscache.transactions import Transaction, in_transaction
from genscache.types import Generation

REPLICA = "it reads from a replica, which may lag behind the last invalidation"
BEHIND = "the replica has not replayed what came before the last invalidation"
TOO_YOUNG = "what it depends on was invalidated, or first seen here, less than the replica's max_lag ago"
SNAPSHOT = "it reads a snapshot of a replica, which may have begun before the replica was asked"
NO_STANDBY = "the replica is no standby of its primary: promoted, another server, or on another timeline"
NO_POSITION = "the replica's database tells no positions: only PostgreSQL does"
BUSY = "the primary's or the replica's connection is in a transaction in which it cannot be asked for its position"
UNTOLD = "the primary or the replica could not tell its position"

PAUSE = 5.0
"""Seconds for which a primary that did not answer is not asked again: the next one who asks may wait for a timeout."""

STEPS = ((10_000, "10 kB"), (1_000_000, "1 MB"), (100_000_000, "100 MB"))


class Silent(Exception):
    """A primary has not answered a moment ago, and is left alone."""


class Guards:
    """What this process has found out about generations and replicas.

    Args:
        engine: Whose.

    Attributes:
        now: Seconds of a clock that never steps: this process's own, so that nobody else's can be wrong. Time in which
            the machine is suspended need not count: it only makes the guard wait longer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.now: Callable[[], float] = time.monotonic
        self._seen: Recent[Namespace, tuple[Generation, float]] = Recent(20_000)
        self._told: Recent[tuple[str, Namespace], tuple[Generation, Position]] = Recent(20_000)
        self._silent: dict[str, float] = {}

    def old_enough(self, used: Mapping[Namespace, Generation], max_lag: float) -> bool:
        """Tell whether this process has known every one of these generations for ``max_lag`` seconds.

        A generation was given before it was seen. So a counter that is new, or was evicted, is as good as just bumped.
        """
        now = self.now()
        return now - max((self._since(*each, now) for each in used.items()), default=now) >= max_lag

    def _since(self, namespace: Namespace, generation: Generation, now: float) -> float:
        known = self._seen.get(namespace)
        if known is None or known[0] != generation:
            known = (generation, now)
            self._seen.put(namespace, known)
        return known[1]

    def position(self, primary: str, used: Mapping[Namespace, Generation]) -> Position:
        """Return a position behind every commit that these generations tell of.

        The primary is asked once for each generation. So a replica that trails a busy primary by a constant distance
        reaches the position in time, instead of chasing a new one at every read.

        Raises:
            Busy, Silent, django.db.Error: The primary cannot be asked.
        """
        found: list[Position] = []
        missing: list[Namespace] = []
        for namespace, generation in used.items():
            known = self._told.get((primary, namespace))
            if known is None or known[0] != generation:
                missing.append(namespace)
            else:
                found.append(known[1])
        if len({(each.system, each.timeline) for each in found}) > 1:
            # A failover in between: positions on two timelines cannot be compared.
            found, missing = [], list(used)
        if missing or not found:
            told = self._ask(primary)
            for namespace in missing:
                self._told.put((primary, namespace), (used[namespace], told))
            if any((each.system, each.timeline) != (told.system, told.timeline) for each in found):
                return told
            found.append(told)
        return max(found, key=lambda each: each.lsn)

    def forget(self, primary: str, used: Mapping[Namespace, Generation], position: Position) -> None:
        """Ask the primary again next time: it may have changed its timeline since."""
        for namespace in used:
            self._told.put((primary, namespace), (-1, position))

    def _ask(self, primary: str) -> Position:
        if self.now() < self._silent.get(primary, 0.0):
            raise Silent(primary)
        try:
            return positions.of_primary(self._engine, connections[primary])
        except Error:
            self._silent[primary] = self.now() + PAUSE
            raise


def unfit(engine: Engine, connection: BaseDatabaseWrapper, state: Transaction, recording: Recording) -> str:
    """Say why the result of the query that is about to run may not be stored; empty where it may.

    To be called when the generations of all that the query depends on have been read.
    """
    replica = engine.catalog.replica(connection.alias)
    if replica is None:
        return ""
    if replica.guard == "never":
        return REPLICA
    if in_transaction(connection, state) and state.snapshot:
        return SNAPSHOT
    guards = engine.part(Guards)
    # Everything counts, the site and the function too: they were invalidated because of something in the database.
    if replica.guard == "max_lag":
        return "" if guards.old_enough(recording.used, replica.max_lag) else TOO_YOUNG
    return _by_position(engine, connection, guards, replica, recording.used)


def _by_position(
    engine: Engine,
    connection: BaseDatabaseWrapper,
    guards: Guards,
    replica: Replica,
    used: Mapping[Namespace, Generation],
) -> str:
    if connection.vendor != "postgresql" or connections[replica.primary].vendor != "postgresql":
        return NO_POSITION
    try:
        # The primary first: asked in this order, what the replica has replayed is compared with what was there before.
        position = guards.position(replica.primary, used)
        standby = positions.of_standby(engine, connection)
    except Busy:
        return BUSY
    except Silent:
        return UNTOLD
    except Error as error:
        engine.hub.survived(
            "position unknown", f'"{connection.alias}" or its primary "{replica.primary}": {error}'
        )
        return UNTOLD
    if not standby.follows(position):
        guards.forget(replica.primary, used, position)
        return NO_STANDBY
    missing = position.lsn - (standby.lsn or 0)
    return f"{BEHIND} ({_size(missing)})" if missing > 0 else ""


def _size(missing: int) -> str:
    """Return about how many bytes of log are missing: in steps, since reasons are counted one by one."""
    return next((f"less than {words}" for most, words in STEPS if missing < most), f"{STEPS[-1][1]} or more")
