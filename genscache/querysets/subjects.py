"""A query as the store knows it: its name, its fingerprint, and the job of answering it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final, NamedTuple, TypeAlias, TypeVar, cast

from django.db import models
from django.db.models.sql import Query
from django.utils import timezone

from genscache.arguments import encode, tupled
from genscache.engine import Engine
from genscache.filling import Compute, Job
from genscache.fingerprints import Structure, structure_of
from genscache.functions import Call
from genscache.keys import SITE, Kind, Namespace, digest, fingerprint, table_owner
from genscache.policies import ModelPolicy, Op
from genscache.protocol.read import Question
from genscache.querysets.options import Caching
from genscache.querysets.plans import NOTHING, Plan, Planner
from genscache.tables import fold

Result = TypeVar("Result")

Form: TypeAlias = tuple[Hashable, Hashable]
"""What is equal for two queries only if they differ in nothing but values; and only if they differ in nothing."""

Ask: TypeAlias = Callable[[Form], Result]
"""Asks the database for what a query asks: given the query's form, for a result that is going to be stored."""

UNKNOWN: Final[Form] = (None, None)
"""Instead of a form: the result is the caller's only."""

_QUERY: Final = encode("query")


@dataclass(frozen=True, slots=True)
class QuerySubject:
    """Queries of one model that ask for the same kind of thing.

    Attributes:
        path: What events and messages call it: ``"blog.Post.list"``.
        owner: The owner in whose slot the entries lie.
        lock: One process at a time fills an entry.
        order: What the database may choose: ``"any"`` order of rows, ``"any slice"`` of them; empty: neither.
    """

    path: str
    owner: str
    lock: bool
    order: str = ""
    discover: bool = False
    transparent: bool = True

    def question(self, engine: Engine, call: Call, namespaces: tuple[Namespace, ...]) -> Question:
        """Return what is asked of the store; the names are part of the fingerprint, as for functions."""
        known = engine.questions.get(call.identity)
        if known is not None and known[0] == namespaces:
            return known[1]
        ordered = sorted(set(namespaces))
        names = tupled([_encoded_name(each) for each in ordered])
        counters = tuple(engine.keys.counter(each) for each in ordered)
        question = Question(self.owner, fingerprint(call.identity + names), counters)
        engine.questions.put(call.identity, (namespaces, question))
        return question


@lru_cache(20_000)
def _encoded_name(namespace: Namespace) -> bytes:
    return encode((namespace.kind.value, namespace.owner, namespace.detail))


@lru_cache(2_000)
def _encoded(outside: tuple[object, ...]) -> bytes:
    """Return the canonical bytes of what is made of texts and nothing else, so that equal ones are written alike."""
    return encode(outside)


class Asked(NamedTuple):
    """One evaluation of a queryset.

    Attributes:
        op: What is asked.
        model: The model that is asked.
        query: The query, as it stands.
        database: The alias on which it would run.
        form: What else decides what the answer looks like: the kind of rows, their fields.
        extra: The query with what ``aggregate`` adds; else the same query.
    """

    op: Op
    model: type[models.Model]
    query: Query
    database: str
    form: tuple[object, ...]
    extra: Query


class Named(NamedTuple):
    """What a query is called, and what that was worked out from.

    Attributes:
        subject: The kind of query.
        call: This one.
        structure: Its fingerprint.
        outside: What decides its answer besides.
    """

    subject: QuerySubject
    call: Call
    structure: Structure
    outside: tuple[object, ...]


def job(engine: Engine, asked: Asked, caching: Caching, compute: Ask[object]) -> Job | str:
    """Return the job of answering a queryset, or why it is not cached; empty: it asks nothing of the database.

    Args:
        engine: The engine.
        asked: What is asked.
        caching: How it is cached.
        compute: Asks the database; it is told the form of the query.
    """
    found = named(engine, asked, caching)
    if isinstance(found, str):
        return found
    policy = engine.policy(asked.model)
    # Where nothing is stored, Django answers in its own way: an audit has something to compare with.
    ask = Compute(partial(compute, UNKNOWN), partial(compute, (found.structure.shape, found.call.identity)))
    return Job(engine, found.subject, found.call, ask, life(engine, caching, policy))


def named(engine: Engine, asked: Asked, caching: Caching) -> Named | str:
    """Return what a queryset is called in the store, or why it is not cached, as ``job`` does."""
    structure = structure_of(asked.extra, asked.database, engine.catalog.describe)
    lock = engine.policy(asked.model).lock if caching.lock is None else caching.lock
    zone = timezone.get_current_timezone_name() if structure.zoned else ""
    outside = (asked.op, asked.database, asked.form, zone, engine.context(), engine.catalog.places())
    # One content has one SQL with one set of parameters: what it depends on is the same, and so are all names.
    name = (structure.content, outside, lock)
    known = engine.calls.get(name)
    if known is None:
        plan = engine.part(Planner).plan(asked.query, asked.op, asked.database, structure)
        if plan.forbidden:
            return "" if plan.forbidden == NOTHING else plan.forbidden
        known = _named(engine, asked, structure, plan, outside, lock=lock)
        engine.calls.put(name, known)
    subject, call = cast("tuple[QuerySubject, Call]", known)
    return Named(subject, call, structure, outside)


def life(engine: Engine, caching: Caching, policy: ModelPolicy) -> int:
    """Return how long an entry lives, in milliseconds."""
    timeout = caching.timeout if caching.timeout is not None else policy.timeout
    return round((engine.settings.timeout if timeout is None else timeout) * 1000)


def _named(
    engine: Engine, asked: Asked, structure: Structure, plan: Plan, outside: tuple[object, ...], *, lock: bool
) -> tuple[QuerySubject, Call]:
    """Return what a query is called and what it depends on."""
    model = asked.model
    alias = engine.catalog.primary(asked.database)
    declared = engine.part(Planner).namespaces(plan, asked.query, asked.database)
    whole = {each.owner for each in declared if each.kind is Kind.ROWS}
    call = Call(
        "",
        identity(outside, structure),
        (SITE,),
        declared,
        "",
        frozenset((alias, table) for table in plan.tables),
        frozenset((alias, table) for table in plan.tables if table_owner(alias, table) not in whole),
    )
    owner = table_owner(alias, fold(model._meta.db_table))
    return QuerySubject(f"{model._meta.label}.{asked.op}", owner, lock, _order(asked)), call


def identity(outside: tuple[object, ...], structure: Structure) -> bytes:
    """Return what tells a query from all others."""
    return digest(tupled((_QUERY, _encoded(outside), encode(structure.content)))).encode()


def _order(asked: Asked) -> str:
    """Tell whether the query leaves the order of its rows to the database."""
    query = asked.query
    standard = query.default_ordering and query.get_meta().ordering and not query.group_by
    if asked.op not in ("get", "list") or query.extra_order_by or query.order_by or standard:
        return ""
    # get() takes a few rows, to see whether there is more than one.
    few = asked.op == "get" and query.low_mark == 0 and query.high_mark != 1
    return "any slice" if query.is_sliced and not few else "any"
