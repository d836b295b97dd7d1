"""What users name: models, labels, objects and names, and the namespaces that these stand for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from django.apps import apps
from django.db import models

from genscache.exceptions import InvalidNamespace
from genscache.keys import Kind, Namespace
from genscache.namespaces import Catalog

_LABEL = re.compile(r"\w+\.\w+")

ModelClass: TypeAlias = type[models.Model]


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One object of a model, by primary key; made by ``obj()``."""

    model: ModelClass
    pk: object


Dependency: TypeAlias = "ModelClass | ObjectRef | models.Model | str"
"""What a cached function may be said to depend on."""


def obj(model: ModelClass | str | models.Model, pk: object = None) -> ObjectRef:
    """Name one object, to depend on it or to invalidate it.

    Args:
        model: A model or its label ``"app.Model"`` together with ``pk``; or a saved instance alone.
        pk: The primary key, in any form that the model's field accepts.

    Raises:
        InvalidNamespace: The instance is unsaved, the label unknown, or the key missing.
    """
    if isinstance(model, models.Model):
        if pk is not None and pk != model.pk:
            raise InvalidNamespace(f"obj({model!r}, {pk!r}) names two objects. Pass the instance alone.")
        if model.pk is None or model._state.adding:
            raise InvalidNamespace(
                f"{model!r} is not saved, so it has no primary key to be known by. Save it first."
            )
        return ObjectRef(type(model), model.pk)
    if pk is None:
        raise InvalidNamespace(f"obj({model!r}) lacks the primary key. Write obj({_name(model)}, pk).")
    return ObjectRef(resolve_model(model), pk)


def resolve_model(model: object) -> ModelClass:
    """Return a model class from itself or from its label.

    Raises:
        InvalidNamespace: It is not an installed model.
    """
    if isinstance(model, type) and issubclass(model, models.Model):
        if model is models.Model or model._meta.abstract:
            raise InvalidNamespace(f"{model.__qualname__} is abstract and has no table. Name its subclasses.")
        return model
    if isinstance(model, str) and _LABEL.fullmatch(model):
        try:
            return apps.get_model(model)
        except LookupError:
            raise InvalidNamespace(_no_model(model)) from None
    if isinstance(model, models.Model):
        raise InvalidNamespace(f"{model!r} is an object, not a model. Use invalidate_obj() or obj().")
    raise InvalidNamespace(f'{model!r} is not a model. Pass a model class or its label, such as "blog.Post".')


def named(catalog: Catalog, name: object) -> Namespace:
    """Return the namespace of a name that the user has made up.

    Raises:
        InvalidNamespace: It is no text, empty, or looks like a model: writes to that would not reach it.
    """
    if not isinstance(name, str) or not name:
        raise InvalidNamespace(f'{name!r} is not a name. Pass a text such as "prices".')
    if _LABEL.fullmatch(name):
        raise InvalidNamespace(
            f"{name!r} has the form of a model's label. Use invalidate_model({name!r}), or a name without a dot."
        )
    label = catalog.labels.get(name.rsplit(".", 1)[-1])
    if label is not None:
        raise InvalidNamespace(
            f"{name!r} looks like the model {label!r}. Write that, or choose another name."
        )
    return Namespace(Kind.NAMED, name)


def listed(found: object) -> tuple[object, ...]:
    """Return what ``depends_on`` has returned as a tuple: one dependency, several, or ``None`` for none.

    Raises:
        InvalidNamespace: It is neither.
    """
    if found is None:
        return ()
    if isinstance(found, str | type | ObjectRef | models.Model):
        return (found,)
    if isinstance(found, Iterable):
        return tuple(found)
    raise InvalidNamespace(
        f"depends_on returned {found!r}. Return a list of models, labels, obj(...) or names."
    )


def reading(catalog: Catalog, dependencies: Iterable[object]) -> tuple[Namespace, ...]:
    """Return the namespaces that a read with these dependencies depends on.

    Raises:
        InvalidNamespace: A dependency is none, or its model is untracked.
    """
    found: dict[Namespace, None] = {}
    for each in dependencies:
        if isinstance(each, models.Model):
            each = obj(each)  # noqa: PLW2901 - an instance means its object
        if isinstance(each, ObjectRef):
            found.update(dict.fromkeys(catalog.reading_object(each.model, each.pk)))
        elif isinstance(each, str) and not _LABEL.fullmatch(each):
            found[named(catalog, each)] = None
        else:
            found.update(dict.fromkeys(catalog.reading_model(resolve_model(each))))
    return tuple(found)


def untracked(catalog: Catalog, dependencies: Iterable[object]) -> str:
    """Say which dependency cannot be cached because nobody tells of its writes; empty where all can."""
    for each in dependencies:
        if isinstance(each, str) and not _LABEL.fullmatch(each):
            continue
        model = (
            each.model
            if isinstance(each, ObjectRef)
            else type(each)
            if isinstance(each, models.Model)
            else each
        )
        for table in catalog.declared(resolve_model(model)):
            if not catalog.is_tracked(table):
                return f'it depends on "{table}", which is untracked (GENSCACHE["UNTRACKED"])'
    return ""


def _no_model(label: str) -> str:
    labels = {model._meta.label_lower: model._meta.label for model in apps.get_models()}
    near = difflib.get_close_matches(label.lower(), labels, n=1, cutoff=0.5)
    cure = f"Did you mean {labels[near[0]]!r}?" if near else "Is its app in INSTALLED_APPS?"
    return f"No installed model is called {label!r}. {cure}"


def _name(model: object) -> str:
    return model.__name__ if isinstance(model, type) else repr(model)
