"""Which visitor writes instances of a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import FunctionType, MappingProxyType
from typing import Any, Final

from django.db import models
from django.db.models import expressions, lookups
from django.db.models.fields.reverse_related import ForeignObjectRel
from django.db.models.sql import Query
from django.db.models.sql.where import ExtraWhere
from django.utils.functional import Promise
from django.utils.tree import Node as Tree

from genscache.fingerprints.conditions import LookupVisit, TreeVisit
from genscache.fingerprints.containers import (
    anything,
    class_reference,
    collection,
    lazy_text,
    mapping,
    member,
    named_tuple,
    query_set,
    sequence,
)
from genscache.fingerprints.expressions import ColVisit, CombinedVisit, NameVisit, TextVisit, ValueVisit
from genscache.fingerprints.fields import write_field, write_relation
from genscache.fingerprints.nodes import node
from genscache.fingerprints.queries import QueryVisit
from genscache.fingerprints.walk import Visit, is_node
from genscache.scalars import SCALARS


def _scalar(encoder: Callable[[Any], bytes]) -> Visit:
    return lambda walk, thing: walk.out.append(encoder(thing))


FIRST: Final[Mapping[type, Visit]] = MappingProxyType(
    {
        **{kind: _scalar(encoder) for kind, encoder in SCALARS.items()},
        list: sequence,
        tuple: sequence,
        dict: mapping,
        set: collection,
        frozenset: collection,
    }
)
"""Visitors by exact type; the others are made as they are needed."""

_FAMILIES: Final[tuple[tuple[type | tuple[type, ...], Callable[[type], Visit]], ...]] = (
    (type, lambda _: class_reference),
    (models.Model, lambda _: anything),
    (models.Field, lambda _: write_field),
    (ForeignObjectRel, lambda _: write_relation),
    (Query, QueryVisit),
    (models.QuerySet, lambda _: query_set),
    (Enum, lambda _: member),
    (Promise, lambda _: lazy_text),
    (tuple, lambda _: named_tuple),
    (lookups.Lookup, LookupVisit),
    (Tree, TreeVisit),
    ((expressions.RawSQL, ExtraWhere), TextVisit),
    (expressions.Value, ValueVisit),
    (expressions.CombinedExpression, CombinedVisit),
    (expressions.F, NameVisit),
    (FunctionType, lambda _: anything),
)


def visitor_of(kind: type) -> Visit:
    """Return what writes instances of a class."""
    if kind is expressions.Col:
        return ColVisit(kind)
    for family, make in _FAMILIES:
        if issubclass(kind, family):
            return make(kind)
    has_state = getattr(kind, "__dictoffset__", 0) != 0
    if has_state and (kind.__module__.startswith("django.") or is_node(kind)):
        return node(kind)
    return anything
