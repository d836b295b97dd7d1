"""Giving every manager of an installed model ``.cache()``: each manager gets a subclass of its own class.

Nothing of Django is patched and no model is changed: the manager *objects* change their class, so default, custom,
base and related managers (whose classes Django derives from the default manager's) all make querysets that know the
cache. A made class has the name and the module of the class it was made from, so migrations and ``repr`` show that.
"""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Iterator
from functools import lru_cache
from typing import Any, Final, Literal, Self, SupportsIndex, cast

from django.apps import apps
from django.db import models
from django.db.models.query import QuerySet

from genscache.engine import current_config
from genscache.querysets.options import ORIGINAL
from genscache.querysets.queryset import CachedQuerySet

OFFERED = ("cache", "nocache")
"""What managers and querysets offer; where a class has such an attribute of its own, that stays."""

QUERYSET: Final = "_queryset_class"
"""What Django's managers make querysets of."""

# A project's own way to do one of these is not left to the method in front of it.
_TWINS = ("__aiter__", "aget", "afirst", "alast", "aearliest", "alatest", "ain_bulk", "acontains", "acount", "aexists",
          "aaggregate")  # fmt: skip

AnyManager = models.Manager[Any]  # a manager of whatever model


class _AdoptedManager:
    """Put in front of a manager's own class; no manager itself, which would come before what that class inherits."""

    def __init_subclass__(cls) -> None:
        """Let Django make querysets that know the cache; also for a class that a project derives from a made one."""
        kind = vars(cls).get(QUERYSET)
        if isinstance(kind, type) and issubclass(kind, QuerySet) and not issubclass(kind, CachedQuerySet):
            setattr(cls, QUERYSET, current_adoption().queryset_class(kind))

    def __copy__(self) -> Self:
        """Copy as an object of this very class, which may be one that Django has derived (related managers)."""
        copied: Self = object.__new__(type(self))
        state = object.__getstate__(self)
        held, slots = state if isinstance(state, tuple) else (state, None)
        copied.__dict__.update(held or {})
        for name, value in (slots or {}).items():
            setattr(copied, name, value)
        return copied

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """Pickle as the class that it was made from; the reader adopts it anew."""
        original = vars(type(self)).get(ORIGINAL)
        if original is None:
            return super().__reduce_ex__(protocol)
        return _revived_manager, (original,), self.__getstate__()


class _AdoptingManager(_AdoptedManager):
    """The same, for a manager that gets its querysets in a way of its own."""

    def get_queryset(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - what the manager's own takes and gives
        """Return the manager's own queryset, which knows the cache."""
        return adopt_queryset(super().get_queryset(*args, **kwargs))  # type: ignore[misc]  # the manager's


def _equal(self: AnyManager, other: object) -> bool:
    """Compare as Django does, by class and arguments, with the class that it was made from.

    Python asks the subclass first, and makemigrations compares managers that were adopted with those that were not.
    """
    return isinstance(other, getattr(type(self), ORIGINAL)) and (
        self._constructor_args == other._constructor_args  # type: ignore[attr-defined]
    )


class Adoption:
    """The classes that were made, each once."""

    def __init__(self) -> None:
        self._managers: dict[type, type] = {}
        self._querysets: dict[type, type] = {}

    def adopt_models(self) -> None:
        """Adopt the managers of every installed model."""
        for model in apps.get_models(include_auto_created=True):
            self.adopt_model(model)

    def adopt_model(self, model: type[models.Model]) -> None:
        """Adopt the managers of one model, and let related managers be derived from them."""
        for manager in _managers(model):
            self.adopt(manager)
        for attribute in vars(model).values():
            # A class that was derived before the adoption would stay without .cache().
            if "related_manager_cls" in getattr(attribute, "__dict__", {}):
                del attribute.__dict__["related_manager_cls"]

    def adopt_declared(self, model: type[models.Model]) -> None:
        """Adopt the managers that a model itself declares, from which Django copies those in use."""
        for manager in model._meta.local_managers:
            self.adopt(cast("AnyManager", manager))

    def adopt(self, manager: AnyManager) -> None:
        """Give a manager its subclass, unless it has it."""
        kind = type(manager)
        if not issubclass(kind, _AdoptedManager):
            manager.__class__ = self.manager_class(kind)

    def manager_class(self, kind: type) -> type:
        """Return the subclass of a manager class."""
        if kind not in self._managers:
            members = {name: _forward(name) for name in OFFERED if not hasattr(kind, name)}
            if kind is models.Manager:
                members |= {"count": _over_links("count"), "exists": _over_links("exists")}
            if inspect.getattr_static(kind, "__eq__") is inspect.getattr_static(models.Manager, "__eq__"):
                members |= {"__eq__": _equal, "__hash__": kind.__hash__}
            if hasattr(kind, "__copy__"):
                members["__copy__"] = inspect.getattr_static(kind, "__copy__")
            front: type = _AdoptingManager
            if _gets_as_django(kind):
                # Asked for with each queryset: one call of Django's, and none of ours.
                front, members[QUERYSET] = _AdoptedManager, inspect.getattr_static(kind, QUERYSET)
            self._managers[kind] = _made(kind, front, members)
        return self._managers[kind]

    def queryset_class(self, kind: type) -> type:
        """Return the subclass of a queryset class."""
        if kind not in self._querysets:
            kept = {name: inspect.getattr_static(kind, name) for name in OFFERED if hasattr(kind, name)}
            for name in _TWINS:
                if getattr(kind, name) is not getattr(QuerySet, name):
                    kept[name] = inspect.getattr_static(kind, name)
            reduce = {"__reduce_ex__": _reduce_queryset}
            self._querysets[kind] = _made(kind, CachedQuerySet, {**kept, **reduce})
        return self._querysets[kind]


def is_offered(manager: AnyManager, name: str) -> bool:
    """Tell whether a manager's method of that name is the one of this package."""
    method = inspect.getattr_static(type(manager), name, None)
    return method is None or getattr(method, "__module__", "").startswith("genscache.")


def current_adoption() -> Adoption:
    """Return the running project's adoption."""
    # As in ``current_engine``: each queryset asks.
    config = apps.app_configs.get("genscache") if apps.apps_ready else None
    adoption: Adoption = (config or current_config()).adoption  # type: ignore[attr-defined]
    return adoption


def adopt_queryset(queryset: Any) -> Any:  # noqa: ANN401 - a manager may give what it likes
    """Give a queryset its subclass, unless it knows the cache already or is none."""
    if isinstance(queryset, QuerySet) and not isinstance(queryset, CachedQuerySet):
        queryset.__class__ = current_adoption().queryset_class(type(queryset))
    return queryset


def _managers(model: type[models.Model]) -> Iterator[AnyManager]:
    """Yield the managers of a model: those in use, and those that Django copies when it works them out anew."""
    meta = model._meta
    yield from cast("list[AnyManager]", meta.local_managers)
    yield from cast("tuple[AnyManager, ...]", meta.managers)
    for manager in (meta.default_manager, meta.base_manager):
        if manager is not None:
            yield cast("AnyManager", manager)


def _forward(name: str) -> object:
    """Return a manager's method that calls the queryset's."""

    def method(self: AnyManager, *args: object, **kwargs: object) -> object:
        rows: Any = self.get_queryset()
        if _is_fresh(cast("Hashable", type(self))) and getattr(type(rows), name) is getattr(
            CachedQuerySet, name
        ):
            rows._genscache_owned = True
        return getattr(rows, name)(*args, **kwargs)

    method.__name__ = name
    method.__qualname__ = f"CachedManager.{name}"
    method.__doc__ = getattr(CachedQuerySet, name).__doc__
    return method


@lru_cache(1_000)
def _is_fresh(kind: Hashable) -> bool:
    """Tell whether each queryset of a manager is a new one; that of a related manager may have been prefetched."""
    original = vars(kind).get(ORIGINAL)
    return original is not None and _gets_as_django(original)


def _gets_as_django(kind: type) -> bool:
    """Tell whether a manager's class leaves it to Django to make a queryset."""
    return all(
        inspect.getattr_static(kind, name) is inspect.getattr_static(models.Manager, name)
        for name in ("get_queryset", "__getattribute__")
    )


def _over_links(op: Literal["count", "exists"]) -> object:
    """Return a manager's method that asks the links of a many-to-many relation alone, where Django would.

    Django does so where a model's manager is ``Manager`` itself, which none is any more.
    """

    def method(self: Any) -> object:  # noqa: ANN401 - perhaps a related manager, whose class Django makes
        rows = self.get_queryset()
        prefetched = getattr(self, "get_prefetch_cache", None)
        if prefetched is not None and prefetched() is None and rows._genscache_cached_as(op) is None:
            links = getattr(self, "constrained_target", None)
            rows = rows if links is None else links
        return getattr(rows, op)()

    method.__name__ = op
    method.__qualname__ = f"Manager.{op}"
    method.__doc__ = getattr(models.QuerySet, op).__doc__
    return method


def _made(kind: type, front: type, members: dict[str, object]) -> type:
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (front, kind), {**members, **names, ORIGINAL: kind})


def _reduce_queryset(self: QuerySet[Any], protocol: SupportsIndex) -> str | tuple[Any, ...]:
    """Pickle as the class that it was made from; the reader adopts it anew."""
    original = vars(type(self)).get(ORIGINAL)
    if original is None:
        return object.__reduce_ex__(self, protocol)
    return _revived_queryset, (original,), self.__getstate__()


def _revived_queryset(kind: type) -> object:
    return object.__new__(current_adoption().queryset_class(kind))


def _revived_manager(kind: type) -> object:
    return object.__new__(current_adoption().manager_class(kind))
