"""The auditor: a sample of hits is also computed from the database, between two looks at the generations.

Generations of the hit, the database, generations again. Where the values differ while the generations are what they
were and nothing is leased, an entry has been served under generations that stand for other rows: a proven violation of
the promise. Where they have moved, or a lease is held, nothing is proven either way.

The shadow read is a fill that is not stored: what forbids a fill (a lagging replica, READ UNCOMMITTED, a session that
sees otherwise) makes the audit inconclusive. It runs in the caller's thread or task, outside of transactions, and
whatever goes wrong in it is logged, counted, and never reaches the caller.
"""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from django.core.exceptions import ObjectDoesNotExist
from django.db import Error

from genscache import guards
from genscache.auditing_values import digest_of
from genscache.batches import open_batch
from genscache.codec import Unreadable
from genscache.events import Audited, Verdict
from genscache.exceptions import StoreError, UncacheableValue
from genscache.filling import Job, Raised
from genscache.keys import Namespace
from genscache.protocol.read import Hit
from genscache.protocol.steps import Steps
from genscache.recording import Recording, apart
from genscache.stores.base import Fetch
from genscache.transactions import open_transactions

logger = logging.getLogger("genscache")

MOVED = "what it depends on was written while it was audited"
NO_LEASES = "they differ, and without leases a write may have been between its COMMIT and its bump"
ORDER = (
    "they differ only in the order of rows, or in the last digits of floats, which the query may leave open"
)
SLICED = "they differ, and a slice without ORDER BY may give any rows"
UNSTEADY = (
    "two reads of the database differ, under generations that did not move: it gives another result each time"
)
DATABASE = "the database failed"
FAILED = "the function failed"

_always: ContextVar[bool] = ContextVar("genscache_audit_always", default=False)


@dataclass(frozen=True, slots=True)
class Served:
    """A hit that was decoded and not handed out yet.

    Attributes:
        value: What the caller is going to be given.
        namespaces: What the entry depends on.
        hit: The entry, and its generations in the same order.
    """

    value: object
    namespaces: tuple[Namespace, ...]
    hit: Hit


@contextmanager
def every_hit() -> Iterator[None]:
    """Audit every hit in the block, whatever ``GENSCACHE["AUDIT"]`` says."""
    token = _always.set(True)
    try:
        yield
    finally:
        _always.reset(token)


def everywhere() -> bool:
    """Tell whether every hit here is audited."""
    return _always.get()


def chosen(job: Job) -> bool:
    """Tell whether a hit is to be audited: by chance, and where an audit can prove something."""
    settings = job.engine.settings
    if not _always.get():
        if not settings.audit or random.random() >= settings.audit:  # noqa: S311 - a sample, no secret
            return False
        if any(fnmatchcase(job.path, pattern) for pattern in settings.audit_except):
            return False
    # A transaction may see what others do not, or must not see yet.
    return open_batch() is None and not any(True for _ in open_transactions())


def audit(job: Job, served: Served) -> Steps[None]:
    """Compute a hit's value from the database as well, and tell the hub how they compare."""
    try:
        outcome, reason = yield from _audited(job, served)
    except Exception as error:
        logger.exception("The audit of %s failed; its caller was given the hit.", job.path)
        job.engine.hub.survived("audit failed", f"{job.path}: {type(error).__name__}")
        return
    job.engine.hub.send(Audited(job.path, outcome, reason))


def _audited(job: Job, served: Served) -> Steps[tuple[Verdict, str]]:
    # Before the database is asked: the function may change what it was given.
    hit = digest_of(served.value), digest_of(served.value, loose=True)
    first, reason = yield from _shadow(job, served)
    if reason:
        return "inconclusive", reason
    verdict, reason = _compared(job, hit, first)
    if verdict != "violation":
        return verdict, reason
    # Once more: what gives something else each time is no violation.
    second, reason = yield from _shadow(job, served)
    if reason or second != first:
        return "inconclusive", reason or UNSTEADY
    _accuse(job, served, hit[0], first[0])
    return "violation", ""


def _compared(job: Job, hit: tuple[str, str], database: tuple[str, str]) -> tuple[Verdict, str]:
    """Compare digests, strict and loose, of the hit and of what the database gives under the same generations."""
    order = getattr(job.identity, "order", "")
    if database[0] == hit[0] or (database[1] == hit[1] and order == "any"):
        return "right", ""
    if database[1] == hit[1]:
        return "inconclusive", ORDER
    if order == "any slice":
        return "inconclusive", SLICED
    leases = job.engine.settings.lease > 0 and job.engine.store.capabilities.leases
    return ("violation", "") if leases else ("inconclusive", NO_LEASES)


def _shadow(job: Job, served: Served) -> Steps[tuple[tuple[str, str], str]]:
    """Ask the database, then the generations; return the digests of the result, and why they prove nothing."""
    none = ("", "")
    engine = job.engine
    recording = Recording(dict(zip(served.namespaces, served.hit.vector, strict=True)), discover=False)
    recording.use(served.namespaces)
    with apart(recording), guards.shadowing():
        result = yield job.compute
        digests, reason = none, _failure(result)
        if not reason:
            digests = _digests(job, served, result)
    reason = reason or recording.flaw
    if reason:
        return none, reason
    try:
        fetched = yield from Fetch(engine.counters(served.namespaces))
    except StoreError as error:
        engine.trouble(error, f"the audit of {job.path} proves nothing")
        return none, "the store failed"
    states = fetched.states
    now = tuple(0 if state is None or state.leased else state.generation for state in states)
    if now != served.hit.vector or engine.unsettled:
        return none, MOVED
    return digests, ""


def _failure(result: object) -> str:
    """Say why an exception proves nothing; that a row is not there is a result.

    Raises:
        BaseException: What must not be held up, such as a cancellation.
    """
    if not isinstance(result, Raised):
        return ""
    if not isinstance(result.error, Exception):
        raise result.error
    if isinstance(result.error, ObjectDoesNotExist):
        return ""
    return DATABASE if isinstance(result.error, Error) else FAILED


def _digests(job: Job, served: Served, result: object) -> tuple[str, str]:
    """Return the digests of what the result would be if it were a hit: the way through the codec changes types."""
    if isinstance(result, Raised):
        name = f"raised {type(result.error).__qualname__}"
        return name, name
    codec, key = job.engine.codec, served.hit.key
    value = codec.decode(codec.encode(result, key=key), key=key)
    if isinstance(value, Unreadable):
        raise UncacheableValue(f"what the database gave cannot be read back: {value.reason}")
    return digest_of(value), digest_of(value, loose=True)


def _accuse(job: Job, served: Served, hit: str, database: str) -> None:
    """Log a proven violation, with all that is needed to explain it and none of the values."""
    counters = job.engine.counters(served.namespaces)
    depends = "; ".join(
        f"{counter} = {generation} (bumped {_moment(generation)})"
        for counter, generation in zip(counters, served.hit.vector, strict=True)
    )
    logger.error(
        "PROVEN VIOLATION: %s was served a value that the database does not give, under generations that did not "
        "move and with nothing leased. Somebody has written and told nobody, or genscache is wrong. Entry %s (%d "
        "bytes), digest of the hit %s, of the database %s (twice). It depends on: %s",
        job.path,
        served.hit.key,
        len(served.hit.payload),
        hit,
        database,
        depends,
    )


def _moment(generation: int) -> str:
    return (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=generation)).isoformat()


def nines(counts: Mapping[str, int]) -> str:
    """Say in one line how many audited hits were right, from the counts of ``stats()``."""
    right, wrong = counts.get("audit: right", 0), counts.get("audit: violation", 0)
    proven, open_ = right + wrong, counts.get("audit: inconclusive", 0)
    if not proven:
        return f"no audited hit has proven anything ({open_:,} inconclusive)".replace(",", " ")
    share = f"{int(right * 10_000_000 / proven) / 100_000:.5f}".rstrip("0").rstrip(".")
    text = f"{share} % of {proven:,} audited hits were right ({wrong:,} proven violations, {open_:,} inconclusive)"
    return re.sub(r"(?<=[0-9]),(?=[0-9])", " ", text)
