"""What is done with an answer: it is counted, made into a value, kept for the block, or done without."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from genscache import auditing, guards
from genscache.codec import Decoded, Unreadable
from genscache.engine import Engine
from genscache.events import Read
from genscache.filling import Job
from genscache.guards import Decision
from genscache.keys import Namespace
from genscache.protocol.memory import Copy
from genscache.protocol.read import Hit
from genscache.protocol.steps import Steps
from genscache.recording import current_recording
from genscache.snapshots import current_snapshot
from genscache.stores.base import MARK
from genscache.types import Generation


class Serving:
    """Serves the answer to one call.

    Args:
        job: The call, and how to compute it.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._engine = job.engine
        self._decision = guards.USE
        self._snapshot = current_snapshot()
        self._epoch = 0 if self._snapshot is None else self._snapshot.epoch

    def _decode(self, hit: Hit) -> object:
        """Return the value, or ``Unreadable``, which is a miss, and counted."""
        found = self._value(hit)
        if isinstance(found, Unreadable):
            self._engine.hub.survived("unreadable entry", f"{hit.key}: {found.reason}")
        return found

    def _value(self, hit: Hit) -> object:
        """Return the value, or ``Unreadable``; keep a copy of what is asked for again and again."""
        if hit.copy is not None:
            known = cast("Decoded", hit.copy.value)
            self._repeatable(known)
            return known.build()
        engine = self._engine
        parsed = engine.codec.parse(hit.payload, key=hit.key)
        if isinstance(parsed, Unreadable):
            return parsed
        found = parsed.build()
        if not isinstance(found, Unreadable):
            self._repeatable(parsed)
        copies = engine.memory.copies
        if (
            hit.again
            and copies.room
            and engine.store.capabilities.marks
            and not isinstance(found, Unreadable)
        ):
            copies.keep(hit.key, Copy(hit.payload[MARK], parsed, parsed.size))
        return found

    def _served(
        self, found: object, namespaces: tuple[Namespace, ...], vector: tuple[Generation, ...]
    ) -> object:
        """Count a hit and return it; a cached function around this one depends on what it depended on."""
        self._engine.hub.hit(self._job.path)
        outer = current_recording()
        if outer is not None:
            # A vector is in canonical order, in which namespaces need not be.
            outer.absorb(dict(zip(canonical_order(namespaces), vector, strict=True)))
        return found

    def _bypass(self, reason: str) -> Steps[object]:
        """Compute and store nothing, here or in the cached function that called this one."""
        if self._job.identity.transparent:
            self._engine.hub.send(Read(self._job.path, "bypass", reason))
        else:
            note_bypass(self._engine, self._job.path, reason)
        return (yield self._job.compute)

    def _may_repeat(self, decision: Decision) -> bool:
        """Tell whether an answer from earlier in the block will do.

        Not for a transaction with a snapshot of its own. Nor for a function that is being filled: it would be stored
        under generations that are younger than the answer.
        """
        audited = self._engine.settings.audit or auditing.everywhere()
        return decision.not_after is None and not audited and current_recording() is None

    def _repeatable(self, content: Decoded | tuple[str, bytes]) -> None:
        """Keep an answer for the rest of the block, if there is one."""
        snapshot, call = self._snapshot, self._job.call
        if snapshot is not None and self._may_repeat(self._decision):
            found = self._engine.dependencies.get(call.identity)
            namespaces = (*call.known, *found) if found else call.known
            snapshot.keep(call.identity, namespaces, content, epoch=self._epoch)


def canonical_order(namespaces: Iterable[Namespace]) -> tuple[Namespace, ...]:
    """Return namespaces in canonical order, as a vector has their generations."""
    return tuple(sorted(set(namespaces)))


def note_bypass(engine: Engine, path: str, reason: str) -> None:
    """Count a bypass; the cached function around it has read what nobody vouches for, and is not stored either."""
    if reason == guards.SHADOW:
        return
    engine.hub.send(Read(path, "bypass", reason))
    outer = current_recording()
    if outer is not None:
        outer.spoil(reason)
