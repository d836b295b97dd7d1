"""The way through the fence: who connects to a server that is not the one that it was bumps the site before all reads.

What is said and in which order is here, as dialogues (see ``commands``); a connection only sends it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal

from genscache.stores.commands import Call, run_calls, unexpected
from genscache.stores.fence import REASONS
from genscache.stores.limits import COUNTER_TTL
from genscache.stores.scripts import Script, digest

if TYPE_CHECKING:
    from genscache.stores.commands import Command, Dialogue
    from genscache.stores.fence import Fence

REFRESH: Final = 1.0
"""Seconds after which a fill reads the fence, so that ``allkeys-lru`` evicts it last: its clock ticks in seconds."""


class Gate:
    """One store's way through its fence; its two twins share it. Safe to use from several threads and loops.

    Args:
        fence: What to pass.
        clock_key: Where the bump clock is kept.
    """

    def __init__(self, fence: Fence, clock_key: str) -> None:
        self._fence = fence
        self._keys = (clock_key, fence.key, fence.site)
        self._script = Script.load("fence")
        self._passed = False
        self._refreshed = 0.0

    @property
    def lease(self) -> int:
        """Length of a write lease in milliseconds."""
        return self._fence.lease

    @property
    def keys(self) -> tuple[str, str]:
        """The keys of the fence and of the site."""
        return self._fence.key, self._fence.site

    def passing(self, database: int) -> Dialogue[None]:
        """Return what a new connection to a database of the server says before it is used.

        One round trip; three where the server is not the one that it was.
        """
        reason, length = yield from self._step("look")
        if reason == "look":
            # A server remembers a script until it restarts, and a flush leaves it alone. So whoever finds this one
            # knows that the project has been here, and that a fence which is not there was lost. It is loaded and not
            # just run, as what EVAL leaves behind is forgotten when there is much of it; before the fence is made, so
            # that there is none without it; and one for each database, as each can be flushed by itself.
            mark = f"return {self._fence.key!r} -- in database {database}"
            existing, loaded = yield [("SCRIPT", "EXISTS", digest(mark)), ("SCRIPT", "LOAD", mark)]
            for reply in (existing, loaded):
                if isinstance(reply, Exception):
                    raise reply
            known = self._passed or existing == [1]
            reason, length = yield from self._step("known" if known else "new")
        self._passed = True
        if reason:
            self._fence.begun(REASONS.get(reason, reason), length)

    def flushed(self, length: int) -> None:
        """Tell of a quarantine of ``length`` milliseconds that a reader has begun who found no fence."""
        self._fence.begun(REASONS["flushed"], length)

    def refresh(self) -> list[Command]:
        """Return what a fill says besides: once a second, it uses the fence.

        Fills are what makes a server evict, and reads ask for all but the fence.
        """
        now = time.monotonic()
        if now - self._refreshed < REFRESH:
            return []
        self._refreshed = now
        return [("MGET", self._fence.key)]

    def _step(self, mode: Literal["look", "known", "new"]) -> Dialogue[tuple[str, int]]:
        (reply,) = yield from run_calls(
            [Call(self._script, self._keys, (self._fence.lease, COUNTER_TTL, mode))]
        )
        match reply:
            case [bytes() as reason, int() as length]:
                return reason.decode(), length
        raise unexpected(reply)
