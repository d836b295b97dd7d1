"""Model instances as arguments: what an instance is, is what it has loaded.

A function that is given an instance computes from the values that the instance holds, not from the row; so these
values are the key, together with loaded relations. An instance that was loaded again after a write has another key,
and unsaved changes are not served to anybody else.
"""

from __future__ import annotations

from django.db import models
from django.utils.functional import Promise

from genscache.arguments import canonical, encode
from genscache.exceptions import UncacheableArgument
from genscache.scalars import SCALARS, NoCanonicalForm


def encode_instance(value: object) -> bytes | None:
    """Encode a saved model instance by its label, database, primary key and everything that it has loaded.

    Raises:
        UncacheableArgument: It is not saved, or a field's value has no canonical form.
    """
    if not isinstance(value, models.Model):
        return None
    return encode(_loaded(value, set()), extra=ENCODERS)


def encode_lazy(value: object) -> bytes | None:
    """Encode a lazy translation by its text in the active language."""
    return encode(str(value)) if isinstance(value, Promise) else None


def encode_anonymous(value: object) -> bytes | None:
    """Encode Django's anonymous user, all of whom are alike."""
    kind = value.__class__
    if (kind.__module__, kind.__qualname__) == ("django.contrib.auth.models", "AnonymousUser"):
        return b"anonymous user"
    return None


def refuse_queryset(value: object) -> bytes | None:
    """Refuse a queryset: its rows are not known before the database is asked.

    Raises:
        UncacheableArgument: Always, for a queryset.
    """
    if isinstance(value, models.QuerySet):
        raise UncacheableArgument(
            f"A queryset of {value.model._meta.label} cannot be part of a key. Pass what it is made from, such as "
            "primary keys, or give @cached(key=lambda ...)."
        )
    return None


ENCODERS = (encode_instance, encode_lazy, encode_anonymous, refuse_queryset)


def _loaded(instance: models.Model, seen: set[int]) -> tuple[object, ...]:
    """Return an instance as plain values; one that is met again on the way is named by its key only."""
    label, using = instance._meta.label, instance._state.db
    if instance.pk is None or instance._state.adding:
        raise UncacheableArgument(
            f"{instance!r} is not saved, so nothing tells it from another one. Save it first, or pass plain values."
        )
    if id(instance) in seen:
        return (label, using, instance.pk)
    seen.add(id(instance))
    fields = {field.attname: field for field in instance._meta.concrete_fields}
    held = vars(instance)
    values = tuple((name, _value(instance, field)) for name, field in fields.items() if name in held)
    # What annotate() and the user have put there; anything but a plain value cannot be part of a key.
    extra = tuple(
        (name, value)
        for name, value in sorted(held.items())
        if name not in fields and not name.startswith("_") and type(value) in SCALARS
    )
    return (label, using, instance.pk, values, extra, *_relations(instance, seen))


def _value(instance: models.Model, field: models.Field[object, object]) -> object:
    """Return a field's value, as text where it has no canonical form of its own."""
    value = vars(instance)[field.attname]
    try:
        canonical(value, ())
    except NoCanonicalForm:
        return ("text", field.value_to_string(instance))
    return value


def _relations(instance: models.Model, seen: set[int]) -> tuple[object, ...]:
    """Return the loaded relations of an instance: foreign keys and what ``prefetch_related`` has brought."""
    one = tuple(
        (name, None if related is None else _loaded(related, seen))
        for name, related in sorted(instance._state.fields_cache.items())
        if related is None or isinstance(related, models.Model)
    )
    prefetched: dict[str, models.QuerySet[models.Model]] = getattr(instance, "_prefetched_objects_cache", {})
    many = tuple(
        (name, tuple(_loaded(related, seen) for related in found if isinstance(related, models.Model)))
        for name, found in sorted(prefetched.items())
    )
    return one, many
