"""What an answer from the store lacks and the caller's queryset knows: related objects, and peers to fetch with."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TypeAlias

from django.db import models

Known: TypeAlias = Mapping["models.ForeignKey[object, object]", Mapping[object, models.Model]]
"""Django's ``_known_related_objects``: for a foreign key, the objects it may lead to, by key."""


_DEEPEST = 8
"""Relations that lead on from one another and back again end here."""


def attach(rows: Sequence[object], known: Known) -> None:
    """Give instances the related objects that the queryset was made from: ``author.posts.all()`` knows ``author``.

    They are the caller's own objects, so they are never part of an entry. An object that ``select_related`` has
    loaded stays.
    """
    for field, objects in known.items():
        names = [
            field.attname if name == "self" else field.model._meta.get_field(name).attname  # type: ignore[union-attr]
            for name in field.from_fields
        ]
        key = attrgetter(*names)
        for row in rows:
            if not isinstance(row, models.Model) or field.is_cached(row):
                continue
            if any(name not in row.__dict__ for name in names):
                continue
            related = objects.get(key(row))
            if related is not None:
                setattr(row, field.name, related)


def introduce(rows: Sequence[object]) -> None:
    """Tell instances of one another, where their fetch mode loads a missing field for all of them (Django 6.1)."""
    groups: dict[tuple[str, ...], dict[int, models.Model]] = {}
    for row in rows:
        if isinstance(row, models.Model):
            _gather(row, (), groups)
    for group in groups.values():
        peers = [weakref.ref(each) for each in group.values()]
        for each in group.values():
            each._state.peers = peers


def _gather(
    instance: models.Model, path: tuple[str, ...], groups: dict[tuple[str, ...], dict[int, models.Model]]
) -> None:
    """Put an instance, and what ``select_related`` has loaded with it, among those that came by the same path."""
    if not getattr(getattr(instance._state, "fetch_mode", None), "track_peers", False):
        return
    group = groups.setdefault(path, {})
    if id(instance) in group or len(path) > _DEEPEST:
        return
    group[id(instance)] = instance
    for name, related in instance._state.fields_cache.items():
        if isinstance(related, models.Model):
            _gather(related, (*path, name), groups)
