"""``explain()``: what a read would find, and why; nothing is created, stored, counted or run."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import cast

from django.db import models
from django.db.models.query import QuerySet, RawQuerySet

from genscache import guards
from genscache.answers import NO_STORE, NO_TIME
from genscache.codec import Unreadable
from genscache.decorators import AsyncCachedFunction, CachedFunction, job_of
from genscache.describing import described
from genscache.engine import Engine, current_engine
from genscache.events import Outcome
from genscache.exceptions import StoreError
from genscache.explanations import DependencyState, Explanation, moment_of
from genscache.filling import Job, read_hint
from genscache.keys import Namespace
from genscache.protocol.read import NEWER, why_leased
from genscache.protocol.steps import Steps
from genscache.querysets.explaining import asking
from genscache.stores.base import Fetch, TimeLeft
from genscache.types import CounterState, Mode

FOUND = "its entry is there, under the generations of now"
UNKNOWN_TABLES = "what it depends on is not known before it has run: nobody has, or that was too long ago"
NO_COUNTER = "a counter that it depends on is not there: nobody has read it yet, or the store has lost it"
INVALIDATED = "invalidated since this process last met it"
NEVER_MET = (
    "nothing is stored under these generations: not asked for yet, invalidated since, expired or evicted"
)
GONE = "its entry has expired, was evicted or was never stored, since this process met it under these generations"

LEASED_NOTE = (
    'a lease ends with its write, or by itself after GENSCACHE["LEASE"] seconds; the next read finds out'
)
EVALUATED = "this queryset object has its rows already: it asks nobody again; .all() makes one that does"


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is explained: its name, why it is out of the question, what would be asked, and what else is to be said."""

    what: str
    reason: str
    job: Job | None
    notes: tuple[str, ...] = ()


def explain(what: object, /, *args: object, **kwargs: object) -> Explanation:
    """Explain what a read would find in the store now: hit, miss or bypass, why, and what it depends on.

    Nothing is run, created, stored or counted; only ``depends_on`` and ``key`` of a cached function are called.

    Args:
        what: A cached function; or a queryset, a raw one or a manager.
        args: The function's arguments. For a queryset the name of what is asked of it, ``"list"`` if nothing is given,
            and the arguments of that: ``"get"``, ``"count"``, ``"exists"``, ``"aggregate"``, ``"first"``, ...
        kwargs: The function's keyword arguments, or those of what is asked of the queryset.

    Returns:
        An ``Explanation``: print it, or take its attributes.

    Raises:
        TypeError: It is neither, or the function cannot be called so.
        ValueError: A queryset has no such operation.
        UncacheableArgument: An argument has no canonical form.
    """
    engine = current_engine()
    return engine.run(_explained(engine, _subject(engine, what, args, kwargs)))


async def aexplain(what: object, /, *args: object, **kwargs: object) -> Explanation:
    """Explain from a coroutine; see ``explain``."""
    engine = current_engine()
    return await engine.arun(_explained(engine, _subject(engine, what, args, kwargs)))


def _subject(engine: Engine, what: object, args: tuple[object, ...], kwargs: dict[str, object]) -> _Subject:
    if isinstance(what, CachedFunction | AsyncCachedFunction):
        job = job_of(what, engine, args, kwargs)
        return _Subject(job.path, "", job)
    if isinstance(what, models.Manager):
        what = what.all()
    if isinstance(what, QuerySet | RawQuerySet):
        op, rest = (cast("str", args[0]), args[1:]) if args else (None, ())
        found = asking(engine, what, op, rest, kwargs)
        return _Subject(found.what, found.reason, found.job, (EVALUATED,) if found.evaluated else ())
    raise TypeError(
        f"explain() takes a cached function and its arguments, or a queryset, got {what!r:.200}. Pass the function "
        "itself (f, not f()), or the queryset before .count() or .get() is called on it."
    )


def _explained(engine: Engine, subject: _Subject) -> Steps[Explanation]:
    last = engine.hub.last_refused(subject.what)
    if subject.job is None:
        found = Explanation(subject.what, "bypass", subject.reason)
    else:
        found = yield from _Look(subject.job).explained()
        if subject.reason:
            found = replace(found, outcome="bypass", reason=subject.reason)
    refused = "" if last is None else last.reason
    return replace(found, notes=(*found.notes, *subject.notes), last_refused=refused)


class _Look:
    """One look at what a job would find."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._engine = job.engine
        self._notes: list[str] = []
        arguments = job.call.digest or None
        self._found = Explanation(job.path, "miss", NEVER_MET, arguments=arguments, timeout=job.ttl / 1000)

    def explained(self) -> Steps[Explanation]:
        """Explain, also where the store cannot be asked."""
        outage = self._engine.breaker.outage
        if outage is not None and guards.switched_off(self._engine) == guards.UNREACHABLE:
            self._notes.append(f"{time.monotonic() - outage.since:.1f} s ago: {outage.error}")
            return self._unknown(guards.UNREACHABLE)
        namespaces = self._known()
        try:
            if namespaces is None:
                namespaces = yield from self._hinted()
            return (yield from self._against(namespaces))
        except StoreError as error:
            return self._unknown(f"{NO_STORE}: {error}")

    def _known(self) -> tuple[Namespace, ...] | None:
        """Return what the call depends on; ``None`` where the store may know more."""
        job = self._job
        found = self._engine.dependencies.get(job.call.identity)
        if found is None and job.identity.discover:
            return None
        return (*job.call.base, *job.call.declared, *(found or ()))

    def _hinted(self) -> Steps[tuple[Namespace, ...]]:
        job = self._job
        data = (yield from Fetch((), job.hint)).entry
        if data is None:
            self._notes.append(UNKNOWN_TABLES)
        return (*job.call.base, *job.call.declared, *read_hint(job, data))

    def _against(self, namespaces: tuple[Namespace, ...]) -> Steps[Explanation]:
        """Compare what is thought with what the store has."""
        engine, job = self._engine, self._job
        decision = guards.decide(engine, namespaces, looking=True)
        question = job.identity.question(engine, job.call, namespaces)
        ordered = sorted(set(namespaces))
        states = (yield from Fetch(question.counters)).states
        dependencies = tuple(map(self._state, ordered, states))
        vector = tuple(each.generation for each in dependencies if each.generation is not None)
        complete = len(vector) == len(dependencies)
        name = engine.keys.entry(question.owner, question.fingerprint, ())
        key = engine.keys.beginning(question.owner, question.fingerprint)
        if complete:
            key = engine.keys.entry(question.owner, question.fingerprint, vector)
        payload, ttl = None, None
        if complete:
            payload = (yield from Fetch((), key)).entry
            ttl = None if payload is None else (yield from TimeLeft(key))
        self._found = replace(
            self._found,
            key=key,
            fingerprint=question.fingerprint,
            dependencies=dependencies,
            size=None if payload is None else len(payload),
            ttl=None if ttl is None else ttl / 1000,
        )
        refused = guards.switched_off(engine) or job.call.forbidden or (NO_TIME if job.ttl <= 0 else "")
        if refused or decision.mode is Mode.BYPASS:
            return self._made("bypass", refused or decision.reason)
        if any(each.leased for each in dependencies):
            self._notes.append(LEASED_NOTE)
            return self._made("bypass", why_leased(state for state in states if state is not None))
        limit = decision.not_after
        if limit is not None and (not complete or any(each > limit for each in vector)):
            return self._made("bypass", NEWER)
        missed = self._missed(key, payload, name, vector, dependencies) if complete else NO_COUNTER
        if missed and decision.mode is Mode.READ_ONLY:
            return self._made("bypass", decision.reason)
        return self._made("miss", missed) if missed else self._made("hit", FOUND)

    def _missed(
        self,
        key: str,
        payload: bytes | None,
        name: str,
        vector: tuple[int, ...],
        dependencies: tuple[DependencyState, ...],
    ) -> str:
        """Say why there is nothing to serve; empty where there is."""
        if payload is not None:
            decoded = self._engine.codec.decode(payload, key=key)
            return f"its entry cannot be read: {decoded.reason}" if isinstance(decoded, Unreadable) else ""
        met = self._engine.memory.vector_of(name)
        if met is None or len(met) != len(vector):
            return NEVER_MET
        changed = [each.what for each, old in zip(dependencies, met, strict=True) if each.generation != old]
        return f"{INVALIDATED}: {', '.join(changed)}" if changed else GONE

    def _state(self, namespace: Namespace, state: CounterState | None) -> DependencyState:
        generation = None if state is None or not state.generation else state.generation
        return DependencyState(
            described(self._engine.catalog, namespace),
            namespace.kind.value,
            self._engine.keys.counter(namespace),
            generation,
            None if generation is None else moment_of(generation),
            state is not None and state.leased,
            state is not None and state.quarantined,
        )

    def _unknown(self, reason: str) -> Explanation:
        """Tell of a bypass where the store tells nothing."""
        base = (*self._job.call.base, *self._job.call.declared)
        states = tuple(self._state(each, None) for each in sorted(set(base)))
        return self._made("bypass", reason, dependencies=states)

    def _made(
        self, outcome: Outcome, reason: str, *, dependencies: tuple[DependencyState, ...] | None = None
    ) -> Explanation:
        found = replace(self._found, outcome=outcome, reason=reason, notes=tuple(self._notes))
        return found if dependencies is None else replace(found, dependencies=dependencies)
