"""What ``GENSCACHE["MODELS"][...]["match"]`` makes of the installed models, and what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import cast

from django.apps import apps
from django.db import models

from genscache.conf import Settings
from genscache.matching import MatchField, Matching, match_field
from genscache.tables import fold


def matchings(settings: Settings) -> dict[str, Matching]:
    """Return what each table opts in to, by folded name; what cannot be used is left out, see ``refusals``."""
    found: dict[str, set[tuple[MatchField, ...]]] = {}
    for model in apps.get_models(include_auto_created=True):
        for names in settings.policy(model._meta.label).match:
            fields = _resolved(model, names)
            if not isinstance(fields, str):
                found.setdefault(fold(model._meta.db_table), set()).add(fields)
    return {
        table: Matching(tuple(sorted(fieldsets, key=lambda each: [field.name for field in each])))
        for table, fieldsets in found.items()
    }


def refusals(settings: Settings) -> Iterator[str]:
    """Say of each list that no model can use why not, and how to say it right.

    A pattern with wildcards means the models that have the fields; at least one has to.
    """
    for pattern, policy in settings.models.items():
        fitting = [
            model
            for model in apps.get_models(include_auto_created=True)
            if fnmatchcase(model._meta.label.casefold(), pattern.casefold())
        ]
        for names in cast("Sequence[tuple[str, ...]]", policy.get("match", ())):
            found = [_resolved(model, names) for model in fitting]
            reasons = [each for each in found if isinstance(each, str)]
            if reasons and len(reasons) == len(found):
                # The reason of a model that has the fields says more than that of one that has not.
                reason = min(reasons, key=lambda each: ("is not managed" in each, "has no field" in each))
                yield f'GENSCACHE["MODELS"]["{pattern}"]["match"]: {list(names)!r} cannot be used. {reason}'


def _resolved(model: type[models.Model], names: Sequence[str]) -> tuple[MatchField, ...] | str:
    """Return the fields of these names, or what is wrong with them."""
    label = model._meta.label
    concrete = cast("type[models.Model]", model._meta.concrete_model)
    if not concrete._meta.managed:
        return f"{label} is not managed, so the types of its columns are not known. Leave it out."
    own = {
        name: field for field in concrete._meta.local_concrete_fields for name in (field.name, field.attname)
    }
    found: dict[str, MatchField] = {}
    for name in names:
        if name not in own:
            return _missing(model, name, own)
        field = match_field(own[name])
        if field is None:
            return (
                f'"{name}" of {label} is a {type(own[name]).__name__}, of which one value may be written in several '
                "ways. Use whole numbers, booleans, dates, UUIDs, short texts, and foreign keys to such."
            )
        found[field.name] = field
    return tuple(found[name] for name in sorted(found))


def _missing(model: type[models.Model], name: str, own: dict[str, models.Field[object, object]]) -> str:
    for parent in model._meta.all_parents:
        if any(name in (field.name, field.attname) for field in parent._meta.local_concrete_fields):
            return (
                f'"{name}" of {model._meta.label} is in the table of {parent._meta.label}. '
                f'Say it under "{parent._meta.label}".'
            )
    near = difflib.get_close_matches(name, own, n=1, cutoff=0.5)
    cure = f'Did you mean "{near[0]}"?' if near else f"It has: {', '.join(sorted(own))}."
    return f'{model._meta.label} has no field "{name}". {cure}'
