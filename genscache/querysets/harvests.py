"""The rows of a miss: instances that are made as those of a hit are, from the columns that are going to be stored.

Django makes an instance by a call for each attribute, which are read again to be stored. Where that is known to come to
the same, instances are made from what is stored of them, and Django is not asked to. It is known where nobody but
Django has a say in how the classes are made, and after one result was made both ways and compared.

Relied on, each with a test: what ``ModelIterable``, ``Model.from_db`` and ``Model.__init__`` do, ``klass_info`` of a
compiler, ``DeferredAttribute``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from inspect import getattr_static
from typing import Any, Final, NamedTuple, cast

from django.db import models
from django.db.models.base import ModelBase
from django.db.models.query import ModelIterable
from django.db.models.query_utils import DeferredAttribute
from django.db.models.signals import post_init, pre_init
from django.db.models.sql import Query

from genscache.dismantling import dismantle
from genscache.engine import Engine
from genscache.filling import Made
from genscache.harvesting import Layout, harvest
from genscache.parts import Anatomy, State
from genscache.protocol.memory import Recent
from genscache.querysets.prepared import MOST_SHAPES, Pieces, PreparedCompiler, Preparer, lend

_ATTRIBUTES: Final = frozenset({DeferredAttribute, models.ForeignKey.descriptor_class})
"""Descriptors that put a value into the ``__dict__`` of a new instance, as it is."""


WORTH_IT: Final = 4
"""Rows below which Django is as quick."""


class Learned(NamedTuple):
    """What is known of the instances of a query.

    Attributes:
        layout: Where they are in a row; ``None``: Django makes them.
        state: Their state.
        models: Their classes.
        pieces: What the query is made of.
    """

    layout: Layout | None
    state: State = (None, False, None)
    models: tuple[type[models.Model], ...] = ()
    pieces: Pieces | None = None

    def is_fit(self) -> bool:
        """Tell whether nobody wants to hear of new instances."""
        return self.layout is not None and not any(
            signal.has_listeners(model) for model in self.models for signal in (pre_init, post_init)
        )


NOTHING: Final = Learned(None)
"""Django makes them."""


class Asking(NamedTuple):
    """A query that nobody else holds.

    Attributes:
        query: The query.
        rows: Asks it when it is iterated, and makes what Django makes of the rows, without objects from elsewhere.
        database: The alias of the database.
        mode: How missing fields are fetched (Django 6.1).
        shape: Equal for two queries only if they differ in nothing but values.
        question: Equal only if they do not differ at all.
    """

    query: Query
    rows: Iterable[Any]
    database: str
    mode: object
    shape: Hashable
    question: Hashable = None


class Harvester:
    """Asks the database for rows, and remembers how.

    Args:
        engine: Whose results they are.
        least: Rows below which Django makes them.
    """

    def __init__(self, engine: Engine, *, least: int = WORTH_IT) -> None:
        self._codec, self._least = engine.codec, least
        self._preparer = engine.part(Preparer)
        self._known: Recent[Hashable, Learned] = Recent(MOST_SHAPES)

    def rows(self, asking: Asking) -> list[Any] | Made:
        """Return what the database answers, for a result that is going to be stored."""
        compiler = self._preparer.compiler(asking.query, asking.database, asking.shape, asking.question)
        if compiler is None:
            return [*asking.rows]
        anatomy = self._codec.anatomy
        if (
            anatomy is None
            or not isinstance(compiler, PreparedCompiler)
            or type(asking.rows) is not ModelIterable
            or not self._codec.stores_parts
        ):
            lend(compiler)
            return [*asking.rows]
        name = (asking.shape, asking.database, type(asking.mode), asking.query.model)
        known = self._known.get(name)
        if known is not None and known.pieces is not compiler.pieces:
            known = None
        if known is not None and known.is_fit():
            return self._harvested(asking, compiler, known)
        lend(compiler)
        rows = [*asking.rows]
        if known is None and rows:
            peers = getattr(asking.mode, "track_peers", False)
            learned = NOTHING if peers else self._learned(compiler, anatomy, rows)
            self._known.put(name, learned._replace(pieces=compiler.pieces))
        return rows

    def _harvested(self, asking: Asking, compiler: PreparedCompiler, known: Learned) -> list[Any] | Made:
        rows = [*compiler.results_iter(compiler.execute_sql())]
        if len(rows) < self._least:
            lend(compiler)
            return [*asking.rows]
        try:
            content, value = self._codec.dump_parts(harvest(cast("Layout", known.layout), known.state, rows))
        except Exception:  # noqa: BLE001 - what keeps it from being stored is said where Django's are
            lend(compiler)
            return [*asking.rows]
        return Made(value, content)

    def _learned(self, compiler: PreparedCompiler, anatomy: Anatomy, made: list[Any]) -> Learned:
        """Make a result once more, and compare it with what Django has made."""
        if compiler.klass_info is None or compiler.annotation_col_map:
            return NOTHING
        layout = layout_of(compiler.klass_info, compiler.select or [], anatomy)
        if layout is None:
            return NOTHING
        try:
            state, _ = anatomy.look(vars(made[0]))
            rows = [*compiler.results_iter(compiler.execute_sql())]
            mine = self._codec.dump_parts(harvest(layout, state, rows))[1]
            same = dismantle(mine, anatomy) == dismantle(made, anatomy)
        except Exception:  # noqa: BLE001 - Django knows how
            same = False
        return Learned(layout, state, tuple(_models(layout))) if same else NOTHING


def layout_of(info: dict[str, Any], select: list[Any], anatomy: Anatomy) -> Layout | None:
    """Return where in a row instances are; ``None`` where somebody else has a say in how they are made.

    Args:
        info: What Django's compiler says of a class and what is loaded with it.
        select: Its columns.
        anatomy: Knows classes.
    """
    model, places = info["model"], info["select_fields"]
    kind = anatomy.kind(model)
    if kind is None or not is_made_by_django(model):
        return None
    start = places[0]
    names = [select[place][0].target.attname for place in places]
    if places != [*range(start, start + len(places))] or names != [*kind.names]:
        return None
    relations = []
    for each in info.get("related_klass_infos", ()):
        relation = each["field"]
        inner = layout_of(each, select, anatomy)
        if (
            inner is None
            or type(relation) is not models.ForeignKey
            or each["reverse"]
            or each["from_parent"]
            or relation.unique
            or each["local_setter"] != relation.set_cached_value
        ):
            return None
        relations.append((relation.cache_name, inner))
    key = names.index(model._meta.pk_fields[0].attname)
    return Layout(kind, start, start + key, tuple(relations))


def is_made_by_django(model: type[models.Model]) -> bool:
    """Tell whether ``from_db`` comes to no more than an object with a state and attributes."""
    after = model.__mro__[model.__mro__.index(models.Model) + 1 : -1]
    return (
        type(model) is ModelBase
        and getattr_static(model, "from_db") is getattr_static(models.Model, "from_db")
        and getattr_static(model, "__init__") is getattr_static(models.Model, "__init__")
        and not any("__init__" in vars(each) for each in after)
        and getattr_static(model, "__setattr__") is object.__setattr__
        and all(
            type(getattr_static(model, field.attname)) in _ATTRIBUTES for field in model._meta.concrete_fields
        )
    )


def _models(layout: Layout) -> Iterable[type[models.Model]]:
    yield layout.kind.model
    for _, inner in layout.relations:
        yield from _models(inner)
