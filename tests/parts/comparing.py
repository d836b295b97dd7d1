"""What a result amounts to: its types, values, and what in it is the same object; for results of any two ways."""

from __future__ import annotations

from django.db import models

from genscache.codec import Codec
from genscache.engine import current_engine

KEY = "gc:1:{app.front_page}:e:abc:g=1.2"
OF_PICKLE = frozenset({"_state", "_django_version"})


def codec(*, signed: bool = True) -> Codec:
    """Return a codec like the engine's."""
    found = current_engine().codec
    return Codec(
        signed=signed,
        keys=(b"s" * 32,),
        describe=found.describe,
        resolve=found.resolve,
        anatomy=found.anatomy,
    )


def told(value: object, seen: dict[int, int] | None = None) -> object:
    """Tell all of a value in tuples of texts; an object that is met again is named by its number."""
    seen = {} if seen is None else seen
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if not isinstance(value, list | tuple | dict | set | bytearray | models.Model):
        return (kind, repr(value))
    if not isinstance(value, tuple):
        if id(value) in seen:
            return ("again", seen[id(value)])
        seen[id(value)] = len(seen)
    if isinstance(value, models.Model):
        state = value._state
        held = {name: each for name, each in vars(value).items() if name not in OF_PICKLE}
        return (
            kind,
            (state.db, state.adding, repr(vars(state).get("fetch_mode"))),
            told(tuple(held.items()), seen),
            told(tuple(state.fields_cache.items()), seen),
        )
    if isinstance(value, dict):
        return (kind, tuple((told(name, seen), told(each, seen)) for name, each in value.items()))
    members = sorted(value, key=repr) if isinstance(value, set) else value
    return (kind, tuple(told(each, seen) for each in members))


def mutable(value: object, found: dict[int, object] | None = None) -> dict[int, object]:
    """Return everything in a value that can be changed, by its id."""
    found = {} if found is None else found
    if id(value) in found:
        return found
    if isinstance(value, models.Model):
        found[id(value)] = value
        mutable(value._state, found)
        mutable(vars(value), found)
    elif isinstance(value, models.base.ModelState):
        found[id(value)] = value
        mutable(value.fields_cache, found)
    elif isinstance(value, dict):
        found[id(value)] = value
        for each in value.values():
            mutable(each, found)
    elif isinstance(value, list | tuple | set):
        if not isinstance(value, tuple):
            found[id(value)] = value
        for each in value:
            mutable(each, found)
    return found
