"""How what is neither an expression nor a value is written: containers, classes, enum members."""

from __future__ import annotations

from enum import Enum
from typing import Any

from django.db import models

from genscache.fingerprints.fields import write_model
from genscache.fingerprints.literals import resolved, written
from genscache.fingerprints.nodes import class_path
from genscache.fingerprints.walk import UncacheableQuery, Walk
from genscache.scalars import NoCanonicalForm, text_block


def sequence(walk: Walk, thing: Any) -> None:
    """Write a list or tuple."""
    walk.out.append(b"[%d:" % len(thing))
    for each in thing:
        walk.visit(each)


def named_tuple(walk: Walk, thing: Any) -> None:
    """Write a named tuple."""
    walk.out.append(class_path(type(thing)))
    sequence(walk, thing)


def mapping(walk: Walk, thing: Any) -> None:
    """Write a dict, in its own order."""
    walk.out.append(b"{%d:" % len(thing))
    for key, value in thing.items():
        walk.visit(key)
        walk.visit(value)


def collection(walk: Walk, thing: Any) -> None:
    """Write a set."""
    parts = sorted(walk.apart(Walk.visit, each) for each in thing)
    walk.out.append(b"<%d:" % len(parts))
    walk.out.extend(structure for structure, _ in parts)
    walk.values.extend(values for _, values in parts)


def class_reference(walk: Walk, thing: type) -> None:
    """Write a class."""
    if issubclass(thing, models.Model):
        write_model(walk, thing)
        return
    if not thing.__module__.startswith("django."):
        walk.opaque = walk.raw = True
    walk.out.append(class_path(thing))


def member(walk: Walk, thing: Enum) -> None:
    """Write a member of an enum, by name and value."""
    walk.out.append(class_path(type(thing)) + text_block(b"e", thing.name))
    walk.visit(thing.value)


def lazy_text(walk: Walk, thing: Any) -> None:
    """Write what a lazy text stands for now."""
    walk.out.append(b"L")
    walk.visit(resolved(thing))


def query_set(walk: Walk, thing: Any) -> None:
    """Write a queryset that Django has not resolved yet."""
    walk.opaque = True
    walk.visit(thing.query)


def anything(walk: Walk, thing: Any) -> None:
    """Write what no visitor is known for, if it has a canonical form."""
    try:
        _, full = written(thing)
    except NoCanonicalForm as error:
        raise UncacheableQuery(
            f"The query has a part{error.path} that {error.reason}, so it cannot be told from others."
        ) from None
    walk.out.append(b"!" + full)
