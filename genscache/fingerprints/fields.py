"""Models, fields and relations as parts of a structure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models.fields.reverse_related import ForeignObjectRel

from genscache.fingerprints.walk import UncacheableQuery, Walk
from genscache.scalars import text_block

if TYPE_CHECKING:
    from genscache.fingerprints.memory import Memory

AnyField: TypeAlias = "models.Field[object, object]"

_NOT_IN_SQL: Final = frozenset({
    "blank", "choices", "db_comment", "db_index", "default", "editable", "error_messages", "help_text",
    "limit_choices_to", "related_name", "related_query_name", "serialize", "unique", "unique_for_date",
    "unique_for_month", "unique_for_year", "validators", "verbose_name",
})  # fmt: skip
"""Options of a field that neither SQL nor the conversion of rows depends on."""


def write_model(walk: Walk, model: type[models.Model]) -> None:
    """Write a model class: its label and its definition."""
    walk.out.append(walk.memory.model(model))


def model_bytes(memory: Memory, model: type[models.Model]) -> bytes:
    """Return the bytes of a model class.

    Raises:
        UncacheableQuery: Nobody else can find the model by its label.
    """
    meta = model._meta
    if meta.apps is not apps or apps.all_models[meta.app_label].get(meta.model_name or "") is not model:
        raise UncacheableQuery(
            f"The query is about {meta.label}, which is not the installed model of that name (a migration's state?)."
        )
    return text_block(b"M", meta.label_lower) + text_block(b"D", f"{meta.db_table}/{memory.describe(model)}")


def write_field(walk: Walk, field: AnyField) -> None:
    """Write a field: a model's by its name, any other by what it is made of."""
    walk.out.append(field_bytes(walk, field))


def field_bytes(walk: Walk, field: AnyField) -> bytes:
    """Return what ``write_field`` writes."""
    known = walk.memory.fields.get(id(field))
    if known is not None and known[0] is field:
        return known[1]
    model, name = getattr(field, "model", None), getattr(field, "name", None)
    if model is not None and name is not None and _is_the_models_own(field, model, name):
        written = walk.memory.model(model) + text_block(b"f", name)
        # The model lives as long as the process, so its id is not given to another field.
        walk.memory.fields[id(field)] = (field, written)
        return written
    written = _standalone(walk, field)
    if model is not None and name is not None:
        # A copy of a model's field, or a part of it, as an array's elements are.
        written += walk.memory.model(model) + text_block(b"f", name)
    return written


def write_relation(walk: Walk, relation: ForeignObjectRel) -> None:
    """Write the far side of a relation."""
    walk.out.append(b"r")
    write_field(walk, relation.field)
    walk.out.append(walk.memory.model(relation.model))


def _is_the_models_own(field: AnyField, model: type[models.Model], name: str) -> bool:
    try:
        return model._meta.get_field(name) is field
    except FieldDoesNotExist:
        return False


def _standalone(walk: Walk, field: AnyField) -> bytes:
    """Write a field that belongs to no model: ``output_field=...``."""
    kind = type(field)
    path, plain = walk.memory.field_class(kind)
    ours = kind.__module__.startswith("django.")
    if (
        ours
        and plain is not None
        and {**field.__dict__, "creation_counter": plain["creation_counter"]} == plain
    ):
        return path
    if not ours:
        # Its class decides on casts, and a release may change it.
        walk.opaque = walk.raw = True
    _, _, args, kwargs = field.deconstruct()
    needed = {name: value for name, value in kwargs.items() if name not in _NOT_IN_SQL}
    if not type(field).__module__.startswith("django.") and kwargs.get("choices"):
        # A field of a project's own may convert by them.
        needed["choices"] = [(value, str(label)) for value, label in field.flatchoices]
    structure, values = walk.apart(Walk.visit, (list(args), sorted(needed.items())))
    return path + structure + b"/" + values
