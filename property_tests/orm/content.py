"""Answers as what they hold, to compare them; and what a careless caller does to an answer that it was given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import models


def outcome(ask: Callable[[], object], *, ordered: bool) -> tuple[object, object]:
    """Ask; return what the answer holds (or what was raised), and the answer.

    Args:
        ask: Asks.
        ordered: The order of rows means something.
    """
    try:
        answer = ask()
    except Exception as error:  # noqa: BLE001 - Django's refusal of a question is an answer, too
        return (type(error).__name__, str(error)), error
    return content(answer, ordered=ordered), answer


def content(value: object, *, ordered: bool = True, inside: tuple[int, ...] = ()) -> object:
    """Return all that a value holds, types included, in a form that compares and prints."""
    if isinstance(value, models.Model):
        return _row(value, inside)
    if isinstance(value, dict):
        pairs = [(repr(key), content(each, inside=inside)) for key, each in value.items()]
        return "dict", pairs if ordered else sorted(pairs, key=repr)
    if isinstance(value, list | tuple):
        found = [content(each, inside=inside) for each in value]
        names = getattr(value, "_fields", type(value).__name__)
        return names, found if ordered else sorted(found, key=repr)
    return type(value).__name__, repr(value)


def _row(row: models.Model, inside: tuple[int, ...]) -> object:
    if id(row) in inside:
        return "again", inside.index(id(row))
    inside = (*inside, id(row))
    held = {
        name: content(value, inside=inside) for name, value in vars(row).items() if not name.startswith("_")
    }
    related = {name: content(value, inside=inside) for name, value in row._state.fields_cache.items()}
    fetched = {
        name: content(list(value), ordered=False, inside=inside)
        for name, value in getattr(row, "_prefetched_objects_cache", {}).items()
    }
    state = (row._state.db, row._state.adding)
    return type(row).__qualname__, held, state, related, fetched


def parts(value: object, known: set[int]) -> Iterator[Any]:
    """Yield every object in an answer that a caller could change, and the tuples around them."""
    if not isinstance(value, models.Model | dict | list | tuple) or id(value) in known:
        return
    known.add(id(value))
    inner: list[object]
    if isinstance(value, models.Model):
        yield value
        inner = [*vars(value).values(), *value._state.fields_cache.values()]
        fetched = getattr(value, "_prefetched_objects_cache", {}).values()
        inner += [each for queryset in fetched for each in queryset]
    else:
        yield value
        inner = list(value.values()) if isinstance(value, dict) else list(value)
    for each in inner:
        yield from parts(each, known)


def spoil(answer: object) -> None:
    """Change whatever can be changed in an answer: nobody else may notice."""
    for part in list(parts(answer, set())):
        if isinstance(part, models.Model):
            part._state.fields_cache.clear()
            for name in [name for name in vars(part) if name != "_state"]:
                setattr(part, name, "spoilt") if name in _columns(part) else vars(part).pop(name)
        elif isinstance(part, list | dict):
            part.clear()


def shared(one: object, other: object) -> list[object]:
    """Return the objects that two answers have in common."""
    mine = {id(part) for part in parts(one, set()) if not isinstance(part, tuple)}
    return [part for part in parts(other, set()) if id(part) in mine]


def _columns(row: models.Model) -> set[str]:
    return {field.attname for field in row._meta.concrete_fields}
