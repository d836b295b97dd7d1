"""Questions that need no query: a row by its primary key, or a count of all rows, of a manager as it stands.

For such a question what is asked follows from the model, the operation and one plain value, so that neither a query is
built nor its structure is walked once the names of its answer are known. Everything else goes the general way, and so
does the first question of each kind, by which the names are learned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from django.db import models
from django.db.models.query import MAX_GET_RESULTS, ModelIterable
from django.db.models.sql import Query
from django.db.models.sql.where import AND, WhereNode
from django.utils import timezone

from genscache.engine import Engine
from genscache.filling import Compute, Job
from genscache.fingerprints import written
from genscache.keys import Kind
from genscache.policies import Op
from genscache.querysets.asking import AskingQuerySet, narrows_as_django
from genscache.querysets.keyed import Comparison, Keyed
from genscache.querysets.options import Caching
from genscache.querysets.subjects import UNKNOWN, Form, identity, life, named

if TYPE_CHECKING:
    from genscache.functions import Call
    from genscache.querysets.subjects import Named, QuerySubject

PLAIN: Final = frozenset({int, str, UUID})
"""Types of values that mean the same wherever they come from."""

FIELDS: Final = frozenset({
    models.AutoField, models.BigAutoField, models.SmallAutoField, models.IntegerField, models.BigIntegerField,
    models.SmallIntegerField, models.PositiveIntegerField, models.PositiveBigIntegerField, models.CharField,
    models.SlugField, models.UUIDField,
})  # fmt: skip
"""Types of primary keys that treat a value in the same way at any time."""

_FRESH: Final = {name: value for name, value in vars(Query(None)).items() if name not in ("model", "where")}
_COPIED: Final = frozenset({"filter_is_sticky", "_annotation_select_cache"})
"""What a query that is a copy has besides, of no meaning where it is false."""
_values_of: Final = itemgetter(*_FRESH)
_FRESH_VALUES: Final = tuple(_FRESH.values())

AnyQuerySet = AskingQuerySet[Any]  # of whatever model


def quick_job(
    engine: Engine,
    rows: AnyQuerySet,
    op: Op,
    lookups: Mapping[str, object],
    caching: Caching,
    kind: Callable[[Callable[[], object]], Callable[[], object]] = lambda ask: ask,
) -> Job | None:
    """Return the job of answering a question that needs no query; ``None``: it goes the general way.

    Args:
        engine: The engine.
        rows: The queryset.
        op: ``"get"`` or ``"count"``.
        lookups: What ``get`` was given.
        caching: How it is cached.
        kind: Turns what asks the database into what the caller can do.
    """
    if not _is_bare(rows):
        return None
    asked = _value(rows.model, lookups) if op == "get" else None
    if asked is None and op == "get":
        return None
    policy = engine.policy(rows.model)
    lock = policy.lock if caching.lock is None else caching.lock
    database = rows.db
    others = (
        rows.model, type(rows), op, database, type(getattr(rows, "_fetch_mode", None)), lock,
        timezone.get_current_timezone_name(), engine.context(), engine.catalog.places(),
    )  # fmt: skip
    name = (asked, others)

    def ask(form: Form) -> object:
        if asked is None:
            return rows._genscache_counting(op, database)(form)
        narrowed = partial(_narrowed, rows, lookups)
        if form is not UNKNOWN:
            _, value, lookup = asked
            found = engine.part(Keyed).rows(rows, lookup, value, database, form[0], narrowed)
            if found is not None:
                return found
        return narrowed()._genscache_own_answer(database, form)

    known = engine.calls.get(name)
    if known is None:
        known = _learned(engine, rows, op, lookups, caching, others)
        if known is None:
            return None
        engine.calls.put(name, known)
    if not known:
        return None
    subject, call = cast("tuple[QuerySubject, Call]", known)
    # The value may be anything of which the SQL differs in a parameter only.
    form = (others[:2], call.identity)
    compute = Compute(kind(partial(ask, UNKNOWN)), kind(partial(ask, form)))
    return Job(engine, subject, call, compute, life(engine, caching, policy))


@dataclass(frozen=True, slots=True)
class Template:
    """The look-up of one row by its primary key, from which those of other rows of the model are named.

    Attributes:
        found: Its names.
        full: The key's canonical bytes.
        text: How namespaces spell the key.
    """

    found: Named
    full: bytes
    text: str

    def of(
        self, engine: Engine, model: type[models.Model], value: object, full: bytes
    ) -> tuple[QuerySubject, Call] | None:
        """Return the names of the look-up of another row; ``None`` where they have to be worked out.

        Args:
            engine: The engine.
            model: The model.
            value: Its key, of the same type and the same sketch: the SQL is the same, up to the value.
            full: Its canonical bytes.
        """
        call = self.found.call
        structure = self.found.structure.with_value(self.full, full)
        if any(each.kind is Kind.OBJECT and each.detail != self.text for each in call.declared):
            return None
        text = engine.catalog.pk_text(model, value)
        declared = tuple(
            each._replace(detail=text) if each.kind is Kind.OBJECT else each for each in call.declared
        )
        return self.found.subject, replace(
            call, identity=identity(self.found.outside, structure), declared=declared
        )


def _learned(
    engine: Engine,
    rows: AnyQuerySet,
    op: Op,
    lookups: Mapping[str, object],
    caching: Caching,
    others: tuple[object, ...],
) -> tuple[object, ...] | None:
    """Find out what the question is called: from the same question about another row, else the general way.

    Returns:
        Its names; empty: it is not cached, ``None``: nobody knows yet.
    """
    value = next(iter(lookups.values()), None)
    sketch, full = written(value)
    name = ("template", type(value), rows.model._meta.pk.get_lookup("exact"), sketch, others)
    template = cast("Template | None", engine.calls.get(name)) if op == "get" else None
    if template is not None:
        names = template.of(engine, rows.model, value, full)
        if names is not None:
            return names
    try:
        narrowed = rows if op == "count" else _narrowed(rows, lookups)
        found = named(engine, narrowed._genscache_asked(op), caching)
        if isinstance(found, str):
            return ()
        # A key that is equal to a limit, say, cannot be told from it.
        if op == "get" and template is None and found.structure.values.count(full) == 1:
            engine.calls.put(name, Template(found, full, engine.catalog.pk_text(rows.model, value)))
    except Exception:  # noqa: BLE001 - on the general way it is raised again, with its own words
        return None
    return found.subject, found.call


def _narrowed(rows: AnyQuerySet, lookups: Mapping[str, object]) -> AnyQuerySet:
    """Return the queryset that Django's ``get`` would evaluate."""
    found = rows.filter(**lookups)
    # Nobody else holds it.
    found._genscache_owned = True
    found = found.order_by()
    found._genscache_owned = False
    found.query.set_limits(high=MAX_GET_RESULTS)
    found._genscache_op = "get"
    return found


def _is_bare(rows: AnyQuerySet) -> bool:
    """Tell whether a queryset is as a manager makes it, and has nothing that only it knows."""
    if (
        rows._for_write
        or rows._hints
        or rows._fields is not None
        or rows._known_related_objects
        or rows._prefetch_related_lookups
        or rows._sticky_filter
        or rows._iterable_class is not ModelIterable
        or not narrows_as_django(type(rows))
    ):
        return False
    query = rows.query
    held = query.__dict__
    where = query.where
    if (
        type(query) is not Query
        or type(where) is not WhereNode
        or where.children
        or where.negated
        or where.connector != AND
    ):
        return False
    extra = len(held) - len(_FRESH) - 2
    if extra and (extra != len(_COPIED & held.keys()) or any(map(held.get, _COPIED))):
        return False
    return query.model is rows.model and _FRESH.keys() <= held.keys() and _values_of(held) == _FRESH_VALUES


def _value(
    model: type[models.Model], lookups: Mapping[str, object]
) -> tuple[type, object, Comparison] | None:
    """Return what tells a look-up of one row by its primary key from others; ``None``: it is something else."""
    if len(lookups) != 1:
        return None
    ((name, value),) = lookups.items()
    kind = type(value)
    if kind not in PLAIN or name not in _key_names(model):
        return None
    return kind, value, cast("Comparison", model._meta.pk.get_lookup("exact"))


@lru_cache(5_000)
def _key_names(model: Any) -> frozenset[str]:  # noqa: ANN401 - a model class, as a key
    """Return the names of a primary key that treats values plainly."""
    key = model._meta.pk
    return frozenset({"pk", key.name, key.attname}) if type(key) in FIELDS else frozenset()
