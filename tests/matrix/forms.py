"""Results in a form that is equal only where content, types, order, database and what is loaded are."""

from __future__ import annotations

from django.core.exceptions import FieldDoesNotExist
from django.db import models


def form(result: object, inside: tuple[int, ...] = ()) -> object:
    """Return a result's form.

    Args:
        result: What a shape has returned.
        inside: The ids of the instances around it, since relations lead back.
    """
    if isinstance(result, models.Model):
        return _instance(result, inside)
    if isinstance(result, dict):
        return "dict", [(form(key, inside), form(value, inside)) for key, value in result.items()]
    if isinstance(result, list | tuple):
        fields = getattr(result, "_fields", None)
        return type(result).__name__, fields, [form(each, inside) for each in result]
    return type(result), result


def _instance(instance: models.Model, inside: tuple[int, ...]) -> object:
    name = (type(instance), instance._state.db, instance._state.adding)
    if id(instance) in inside:
        return (*name, "again", instance.pk)
    deeper = (*inside, id(instance))
    own = {key: value for key, value in vars(instance).items() if not key.startswith("_")}
    related = {key: form(value, deeper) for key, value in _loaded(instance).items()}
    prefetched = {
        # Without an ordering, the database gives rows in any order, another one each time.
        key: [form(each, deeper) for each in (queryset if queryset.ordered else sorted(queryset, key=_key))]
        for key, queryset in getattr(instance, "_prefetched_objects_cache", {}).items()
    }
    deferred = sorted(instance.get_deferred_fields())
    values = [(key, form(value, deeper)) for key, value in sorted(own.items())]
    return (*name, deferred, values, sorted(related.items()), sorted(prefetched.items()))


def _key(instance: models.Model) -> str:
    return repr(instance.pk)


def _loaded(instance: models.Model) -> dict[str, object]:
    """Return the related objects that are loaded; a parent's link from its child is loaded on the way."""
    found = dict(instance._state.fields_cache)
    for name in list(found):
        try:
            instance._meta.get_field(name)
        except FieldDoesNotExist:
            found[f"{name} (hidden)"] = found.pop(name)
    return found
