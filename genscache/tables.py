"""What is known of one model's table: its name, its primary key, and its definition."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

import django
from django.core.exceptions import ValidationError
from django.db import models

from genscache.exceptions import InvalidNamespace


@dataclass(frozen=True, slots=True)
class Table:
    """A table of an installed model, by its folded name."""

    name: str
    label: str
    managed: bool
    tracked: bool
    pk_column: str | None
    pk_field: models.Field[object, object] | None


def fold(table: str) -> str:
    """Return the name under which a table is known here: its last part, without quotes or case.

    Two tables that differ only in case or schema share namespaces: that invalidates too much, never too little.
    """
    return table.rsplit(".", 1)[-1].strip('"`[] ').casefold()


def chain(model: type[models.Model]) -> tuple[str, ...]:
    """Return the tables in which one object of ``model`` has its row: its own and its parents'."""
    own = [model, *(parent for parent in model._meta.all_parents)]
    return tuple(dict.fromkeys(fold(each._meta.db_table) for each in own if not each._meta.proxy))


def target(field: models.Field[object, object]) -> models.Field[object, object]:
    """Follow a foreign key that is a primary key to the field that holds the value."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return field


def is_exact(field: models.Field[object, object]) -> bool:
    """Tell whether a key's value has one form: Django's own integers and UUIDs, and no subclass that may change it."""
    return type(field) in (
        models.AutoField, models.BigAutoField, models.SmallAutoField, models.IntegerField, models.BigIntegerField,
        models.SmallIntegerField, models.PositiveIntegerField, models.PositiveBigIntegerField,
        models.PositiveSmallIntegerField, models.UUIDField,
    )  # fmt: skip


def is_exact_text(field: models.Field[object, object], vendor: str) -> bool:
    """Tell whether a text key equals only itself: not so on MySQL, and not under a collation of its own."""
    plain = type(field) in (models.CharField, models.SlugField)
    return plain and vendor in ("postgresql", "sqlite") and getattr(field, "db_collation", None) is None


def exact_text(field: models.Field[object, object], value: object) -> str | None:
    """Return the one text of an integer or a UUID as a database is given or returns it; ``None`` for anything else."""
    if not is_exact(field):
        return None
    if not isinstance(field, models.UUIDField):
        return str(int(value)) if isinstance(value, int) else None
    try:
        return str(value if isinstance(value, uuid.UUID) else uuid.UUID(str(value)))
    except ValueError:
        return None


def pk_text(model: type[models.Model], value: object) -> str:
    """Return the canonical text of a primary key of ``model``.

    Raises:
        InvalidNamespace: The value cannot be a primary key of the model.
    """
    field = target(model._meta.pk)
    if isinstance(value, bool | float) and not isinstance(field, models.FloatField | models.BooleanField):
        raise InvalidNamespace(f"{value!r} cannot be a primary key of {model._meta.label}. Pass its pk.")
    try:
        converted = field.to_python(value)
    except (ValidationError, ValueError, TypeError) as error:
        raise InvalidNamespace(
            f"{value!r} cannot be a primary key of {model._meta.label}, a {type(field).__name__}. Pass its pk."
        ) from error
    if converted is None:
        raise InvalidNamespace(f"{model._meta.label} has no object with the primary key None. Save it first.")
    return str(converted.normalize() if isinstance(converted, Decimal) else converted)


def same_pk(model: type[models.Model]) -> Iterator[type[models.Model]]:
    """Yield ``model`` and the parents whose primary key is, through parent links, the same value."""
    while True:
        yield model
        meta = model._meta
        if meta.proxy:
            model = cast("type[models.Model]", meta.concrete_model)
            continue
        linked = [parent for parent, link in meta.parents.items() if link is not None and link is meta.pk]
        if not linked:
            return
        model = linked[0]


def definition(model: type[models.Model]) -> str:
    """Return a digest of a model's fields, and of Django's version, whose pickles another version need not read."""
    text = "\n".join(
        f"{field.attname} {field.column} {field.get_internal_type()} {field.null} {type(field).__qualname__}"
        for field in model._meta.concrete_fields
    )
    return hashlib.blake2b(
        f"{django.__version__}\n{model._meta.label}\n{text}".encode(), digest_size=8
    ).hexdigest()
