"""What one evaluation of a queryset asks, and what its answer needs; owns what is private in Django's querysets.

Relied on, each with a test: ``_clone``, ``_fetch_all``, ``_result_cache``, ``_iterable_class``, ``_fields``,
``_hints``, ``_for_write``, ``_db``, ``_known_related_objects``, ``_prefetch_related_lookups``, ``_prefetch_done``,
``_fetch_mode`` (Django 6.1), ``Query.filter_is_sticky``, ``Query.used_aliases``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

from django.apps import apps
from django.db import models
from django.db.models.query import QuerySet
from django.db.models.sql import Query

from genscache.engine import Engine, current_engine
from genscache.fingerprints import apart
from genscache.policies import Op
from genscache.querysets.answering import FOR_WRITE, ITERATOR, REFRESH, note
from genscache.querysets.counted import Counted, counts_as_django
from genscache.querysets.harvests import Asking, Harvester
from genscache.querysets.options import NEVER, ORIGINAL, Caching, automatic, inherited
from genscache.querysets.pins import pins
from genscache.querysets.relations import Known, attach, introduce
from genscache.querysets.subjects import UNKNOWN, Ask, Asked, Form

M = TypeVar("M", bound=models.Model)
Result = TypeVar("Result")


DJANGOS: Final = frozenset({
    "model", "_db", "_hints", "_query", "_result_cache", "_sticky_filter", "_for_write", "_prefetch_related_lookups",
    "_prefetch_done", "_known_related_objects", "_iterable_class", "_fields", "_defer_next_filter", "_deferred_filter",
    "_fetch_mode", "_cloning_enabled", "_genscache_caching", "_genscache_op",
    "_genscache_owned",
})  # fmt: skip
"""What a queryset keeps in itself that is in its query, or in its key, or decides nothing about its rows."""


NARROWING: Final = (
    "__init__", "__len__", "_chain", "_clone", "_filter_or_exclude", "_filter_or_exclude_inplace", "_fetch_all",
    "_not_support_combined_queries", "filter", "get", "order_by", "query",
)  # fmt: skip
"""What Django's ``get`` calls on the way to its rows."""


@lru_cache(1_000)
def narrows_as_django(kind: type) -> bool:
    """Tell whether a made class leaves all steps of ``get`` to Django, which uses each queryset once there."""
    original = vars(kind).get(ORIGINAL)
    return original is not None and all(
        getattr_static(original, name) is getattr_static(QuerySet, name) for name in NARROWING
    )


class AskingQuerySet(QuerySet[M]):
    """A queryset that can say what it asks."""

    _genscache_caching: Caching | None = None
    _genscache_op: Op = "list"
    _genscache_owned: bool = False
    """Nobody else holds this queryset yet: it may be changed instead of copied."""

    if TYPE_CHECKING:
        # What Django's stubs leave out.
        query: Query
        _db: str | None
        _fields: tuple[str, ...] | None
        _for_write: bool
        _hints: dict[str, object]
        _known_related_objects: Known
        _prefetch_done: bool
        _prefetch_related_lookups: tuple[object, ...]
        _sticky_filter: bool
        _result_cache: list[M] | None

    def _clone(self, *args: Any, **kwargs: Any) -> Self:  # noqa: ANN401 - what a project's own class takes
        clone: Self = super()._clone(*args, **kwargs)  # type: ignore[misc]  # not in the stubs
        if self._genscache_caching is not None:
            clone._genscache_caching = self._genscache_caching
        if self._genscache_op != "list":
            clone._genscache_op = self._genscache_op
        return clone

    def _chain(self) -> Self:
        if not self._genscache_owned:
            copy: Self = super()._chain()  # type: ignore[misc]  # not in the stubs
            return copy
        # What Django does to the query of the copy.
        query = self.query
        if not query.filter_is_sticky:
            query.used_aliases = set()
        query.filter_is_sticky = self._sticky_filter
        self._sticky_filter = False
        return self

    def _genscache_cached_as(self, op: Op) -> Caching | None:
        """Return how ``op`` is cached here, ``None`` where it is not."""
        return self._genscache_cached_by(current_engine(), op)

    def _genscache_cached_by(self, engine: Engine, op: Op) -> Caching | None:
        """Return the same, where the engine is known."""
        caching = self._genscache_told_to(engine)
        return caching if op in caching.ops and self._genscache_is_installed() else None

    def _genscache_told_to(self, engine: Engine) -> Caching:
        """Return what this queryset was told, or the one that makes it, or what the settings tell all of a model."""
        return self._genscache_caching or inherited() or automatic(engine.policy(self.model).ops)

    def _genscache_may_be_cached(self, caching: Caching) -> bool:
        """Tell whether rows are cached here, asked for by ``get`` or otherwise."""
        ops = caching.ops
        return ("get" in ops or "list" in ops) and self._genscache_is_installed()

    def _genscache_is_installed(self) -> bool:
        """Tell whether the model is not one of a migration's, which look as they did at the time."""
        return self.model._meta.apps is apps

    def _genscache_obstacle(self) -> str:
        """Say why this evaluation must not be answered from the store; empty where it may."""
        if self._for_write and not self.query.select_for_update:
            return FOR_WRITE
        own = self._genscache_own_rows()
        if own:
            return own
        if self._genscache_op == "get":
            instance = self._hints.get("instance")
            if isinstance(instance, self.model) and instance.pk is not None:
                # _base_manager with the instance as its own hint: refresh_from_db(), or a deferred field.
                column = self.model._meta.pk.column
                return REFRESH if pins(self.query).get(column or "") == (instance.pk,) else ""
        return ""

    def _genscache_own_rows(self) -> str:
        """Say why rows may depend on more than the query: a project's own class makes them; empty where none does."""
        original = vars(type(self)).get(ORIGINAL)
        if original is not None and original._fetch_all is not QuerySet._fetch_all:
            return f"{original.__qualname__} fetches rows in a way of its own"
        kind = self._iterable_class
        if kind.__module__ == QuerySet.__module__:
            return ""
        more = sorted(self.__dict__.keys() - DJANGOS)
        if more or "<locals>" in kind.__qualname__:
            return f"{kind.__qualname__} makes rows, perhaps from {', '.join(more) or 'what is around it'}"
        return ""

    def _genscache_as_get(self) -> Self:
        """Return a copy on which an evaluation counts as ``get``."""
        if self._genscache_op == "get":
            return self
        found = self._genscache_same()
        found._genscache_op = "get"
        found._genscache_owned = type(self.query) is Query and narrows_as_django(type(self))
        return found

    def _genscache_same(self) -> Self:
        """Return a copy that filters as this queryset would.

        The first filter on a related manager means the join by which the objects are related, and reuses it. An
        ordinary copy forgets that: Django takes it for the step after that filter.
        """
        found = self._clone()
        found.query.filter_is_sticky = self.query.filter_is_sticky
        found.query.used_aliases = set(self.query.used_aliases)
        return found

    def _genscache_asked(self, op: Op) -> Asked:
        query = self.query
        if op in ("get", "list"):
            kind = self._iterable_class
            mode = getattr(self, "_fetch_mode", None)
            form = (f"{kind.__module__}.{kind.__qualname__}", self._fields, mode and type(mode).__qualname__)
            return Asked("get" if op == "get" else "list", self.model, query, self.db, form, query)
        return Asked(op, self.model, query, self.db, (), query)

    def _genscache_asked_aggregate(
        self, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> Asked | None:
        """Return what ``aggregate`` asks, ``None`` where Django will find it wrong."""
        try:
            named = {**kwargs, **{each.default_alias: each for each in args}}  # type: ignore[attr-defined]
            summed = self.query.chain()
            for alias, each in named.items():
                summed.annotations[alias] = each.resolve_expression(  # type: ignore[attr-defined]
                    summed, allow_joins=True, reuse=None, summarize=True
                )
        except Exception:  # noqa: BLE001 - Django raises it again, with its own words
            return None
        # The joins that the aggregates made stay in the query from which the plan is made.
        joined = summed.chain()
        for alias in named:
            own = self.query.annotations.get(alias)
            if own is None:
                del joined.annotations[alias]
            else:
                joined.annotations[alias] = own
        return Asked("aggregate", self.model, joined, self.db, tuple(named), summed)

    def _genscache_plain(self, database: str) -> Self:
        """Return a copy that asks one database and knows no cache."""
        clone = self._clone()
        apart(clone.query)
        clone._db = database
        clone._genscache_caching = NEVER
        return clone

    def _genscache_rows(self, database: str) -> Ask[list[M]]:
        """Return what asks the database for the rows, without the objects that this queryset was made from."""

        def ask(form: Form) -> list[M]:
            clone = self._genscache_plain(database)
            clone._known_related_objects = {}
            return clone._genscache_listed(database, form)

        return ask

    def _genscache_own_answer(self, database: str, form: Form) -> list[M]:
        """Do so without a copy: this queryset was made for it, and from objects that nobody knows."""
        self._db = database
        self._genscache_caching = NEVER
        return self._genscache_listed(database, form)

    def _genscache_listed(self, database: str, form: Form) -> list[M]:
        rows = cast("Iterable[M]", self._iterable_class(self))
        if form is UNKNOWN:
            return [*rows]
        asking = Asking(self.query, rows, database, getattr(self, "_fetch_mode", None), *form)
        # Whoever stores it takes the list from what this may be.
        return cast("list[M]", current_engine().part(Harvester).rows(asking))

    def _genscache_introduced(self, rows: list[M]) -> list[M]:
        """Give rows from the store what only this queryset knows."""
        known = self._known_related_objects
        if known:
            attach(rows, known)
        if getattr(getattr(self, "_fetch_mode", None), "track_peers", False):
            introduce(rows)
        return rows

    def _genscache_counting(self, op: Op, database: str) -> Ask[Result]:
        def ask(form: Form) -> object:
            if op == "count" and form is not UNKNOWN and counts_as_django(self):
                counted = current_engine().part(Counted)
                return counted.count(form[1], database, partial(self._genscache_plain, database))
            plain = self._genscache_plain(database)
            return plain.count() if op == "count" else plain.exists()

        return cast("Ask[Result]", ask)

    def _genscache_note_iterator(self) -> None:
        if self._genscache_cached_as("list") is not None:
            note(current_engine(), lambda: f"{self.model._meta.label}.list", ITERATOR)
