"""What a model instance is made of: which classes are no more than attributes and a state, and what is in that state.

Such an instance can be taken apart into values and put together again as pickle would do it, without a call of any
code of the class: a new object, its ``__dict__``, and in that a ``ModelState``. An instance of a class that has a say
in how it is pickled or made is left to pickle.
"""

from __future__ import annotations

import copyreg
from collections.abc import Mapping
from types import GetSetDescriptorType, MappingProxyType
from typing import Final

from django.db import models
from django.db.models.base import ModelState

from genscache.parts import STATE, Kind, NotParts, State

try:
    from django.db.models import fetch_modes
except ImportError:  # before Django 6.1
    fetch_modes = None  # type: ignore[assignment]

MODES: Final[Mapping[str, object]] = MappingProxyType(
    {
        name: vars(fetch_modes)[name]
        for name in ("FETCH_ONE", "FETCH_PEERS", "FETCH_RAISE")
        if fetch_modes is not None
    }
)
"""How a missing field is fetched, by name."""

HOOKS: Final = (
    *("__new__", "__getnewargs__", "__getnewargs_ex__", "__reduce__", "__reduce_ex__"),
    *("__getstate__", "__setstate__", "__getattribute__"),
)
"""What a class can have to be pickled or made in a way of its own."""

_IN_STATE: Final = frozenset({"db", "adding", "fields_cache", "fetch_mode", "peers"})


class DjangoAnatomy:
    """Knows Django's model instances; see ``parts.Anatomy``."""

    states: type = ModelState
    modes: Mapping[str, object] = MODES

    def __init__(self) -> None:
        self._kinds: dict[type, Kind | None] = {}
        self._names = {id(mode): name for name, mode in MODES.items()}

    def kind(self, kind: type) -> Kind | None:
        """Return how instances of a class are made, ``None`` where pickle has to know, or it is no model."""
        try:
            return self._kinds[kind]
        except KeyError:
            return self._kinds.setdefault(kind, _kind(kind))

    def look(self, held: Mapping[str, object]) -> tuple[State, Mapping[str, object]]:
        """Return the state in an instance's ``__dict__``, and the relations that are loaded.

        Raises:
            NotParts: There is more in it than Django puts there.
        """
        state = held.get(STATE)
        if type(state) is not ModelState:
            raise NotParts
        inner = state.__dict__
        if not inner.keys() <= _IN_STATE:
            raise NotParts
        database, adding = inner.get("db"), inner.get("adding", True)
        mode = inner.get("fetch_mode")
        relations = inner.get("fields_cache", {})
        if (database is not None and type(database) is not str) or type(adding) is not bool:
            raise NotParts
        if type(relations) is not dict or (mode is not None and id(mode) not in self._names):
            raise NotParts
        # Peers are weak references, which pickle leaves out, too.
        return (database, adding, None if mode is None else self._names[id(mode)]), relations


def _kind(kind: type) -> Kind | None:
    if not issubclass(kind, models.Model) or kind in copyreg.dispatch_table or kind._meta.abstract:
        return None
    if any(_found(kind, hook) is not _found(models.Model, hook) for hook in HOOKS):
        return None
    if any(vars(each).get("__slots__") for each in kind.__mro__):
        return None
    if type(_found(kind, "__dict__")) is not GetSetDescriptorType:
        return None
    return Kind(kind, tuple(field.attname for field in kind._meta.concrete_fields))


def _found(kind: type, name: str) -> object:
    """Return what a class or the first of its bases has under a name, as it is there."""
    return next((vars(each)[name] for each in kind.__mro__ if name in vars(each)), None)
