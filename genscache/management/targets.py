"""What the command line names: models, objects, names and tables to invalidate, and reads to explain."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec

from django.core.exceptions import FieldError, ValidationError
from django.core.management import CommandError
from django.db import models
from django.db.models.query import QuerySet

from genscache.decorators import AsyncCachedFunction, CachedFunction
from genscache.dependencies import ObjectRef, named, obj, resolve_model
from genscache.engine import Engine
from genscache.exceptions import InvalidNamespace
from genscache.invalidation import of_models, of_objects, of_tables
from genscache.keys import SITE, Namespace

_MODEL = re.compile(r"\w+\.\w+")
_NAMED_VALUE = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


def namespaces(
    engine: Engine, labels: Sequence[str], names: Sequence[str], tables: Sequence[str], *, everything: bool
) -> set[Namespace]:
    """Return what an invalidation bumps.

    Args:
        engine: The engine.
        labels: ``app.Model``, and ``app.Model:pk`` for one object.
        names: Names that functions were declared to depend on.
        tables: Tables, as in SQL.
        everything: Everything on this site, besides.

    Raises:
        CommandError: Nothing was named, or something that does not exist.
    """
    if not (labels or names or tables or everything):
        raise CommandError(
            "Nothing was named. Name models (blog.Post), objects (blog.Post:5), --name prices, --table blog_post, "
            "or --all."
        )
    found: set[Namespace] = {SITE} if everything else set()
    try:
        for label in labels:
            found |= _of_label(engine, label)
        found |= {named(engine.catalog, name) for name in names}
        if tables:
            found |= of_tables(engine, tuple(tables))
    except InvalidNamespace as error:
        raise CommandError(str(error)) from error
    return found


def _of_label(engine: Engine, label: str) -> set[Namespace]:
    model, colon, pk = label.partition(":")
    if not _MODEL.fullmatch(model):
        raise CommandError(
            f"{label!r} is neither a model (blog.Post) nor an object (blog.Post:5). "
            f"For a name write --name {label}, for a table --table {label}."
        )
    if not colon:
        return of_models(engine, (model,))
    return of_objects(engine, (_object(model, pk),))


def _object(label: str, pk: str) -> ObjectRef:
    if not pk:
        raise CommandError(
            f"{label}: has no primary key after the colon. Write {label}:5, or {label} for all."
        )
    return obj(resolve_model(label), pk)


@dataclass(frozen=True, slots=True)
class Target:
    """A read to explain: what ``explain()`` takes, and how to do it once."""

    what: object
    args: tuple[object, ...] = ()
    kwargs: dict[str, object] = field(default_factory=dict)


def target(engine: Engine, what: str, given: Sequence[str], *, op: str | None, cache: bool) -> Target:
    """Return the read that the command line names.

    Args:
        engine: The engine.
        what: ``app.Model``, ``app.Model:pk``, or the dotted path of a cached function.
        given: ``field=value`` for a model, arguments for a function; values are Python literals, else texts.
        op: What is asked of the queryset; ``None``: ``"get"`` for an object, else its rows.
        cache: The queryset is taken as if ``.cache()`` had been called on it.

    Raises:
        CommandError: There is no such thing, or it takes no such arguments.
    """
    model, colon, pk = what.partition(":")
    if colon or _is_model(model):
        return _queryset(engine, model, pk if colon else None, given, op=op, cache=cache)
    if op is not None or cache:
        raise CommandError(f"--op and --cache are for models, and {what!r} is none.")
    args, kwargs = _arguments(given)
    return Target(_function(what), args, kwargs)


def _queryset(
    engine: Engine, label: str, pk: str | None, given: Sequence[str], *, op: str | None, cache: bool
) -> Target:
    """Return a read of a model, of one object where there is a primary key."""
    try:
        model = resolve_model(label)
        if pk is not None:
            engine.catalog.pk_text(model, _object(label, pk).pk)
    except InvalidNamespace as error:
        raise CommandError(str(error)) from error
    conditions, default = (given, "list") if pk is None else ([*given, f"pk={pk}"], "get")
    queryset = _filtered(model, conditions)
    if cache:
        queryset = queryset.cache()  # type: ignore[attr-defined]  # every manager's querysets have it
    return Target(queryset, (op or default,))


def _filtered(model: type[models.Model], given: Iterable[str]) -> QuerySet[models.Model]:
    args, kwargs = _arguments(given)
    if args:
        raise CommandError(
            f"{args[0]!r} is no condition. Write field=value, such as pk=5 or category__in=[1,2]."
        )
    try:
        return model._default_manager.filter(**kwargs)
    except (FieldError, ValueError, TypeError, ValidationError) as error:
        raise CommandError(f"{model._meta.label} cannot be filtered so: {error}") from error


def _arguments(given: Iterable[str]) -> tuple[tuple[object, ...], dict[str, object]]:
    args: list[object] = []
    kwargs: dict[str, object] = {}
    for each in given:
        found = _NAMED_VALUE.fullmatch(each)
        if found is not None:
            kwargs[found[1]] = _literal(found[2])
        else:
            args.append(_literal(each))
    return tuple(args), kwargs


def _literal(text: str) -> object:
    """Read a Python literal; what is none is a text. Nothing is evaluated."""
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value


def _is_model(label: str) -> bool:
    """Tell whether a path is the label of an installed model, or has its form and leads to no function."""
    if not _MODEL.fullmatch(label):
        return False
    try:
        resolve_model(label)
    except InvalidNamespace:
        module, _, name = label.partition(".")
        return not _exists(module) or not hasattr(import_module(module), name)
    return True


def _exists(module: str) -> bool:
    """Tell whether there is such a module."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def _function(path: str) -> object:
    """Import a cached function by its dotted path; a method's leads over its class."""
    parts = path.split(".")
    found: object = None
    rest: list[str] = []
    for end in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:end])
        if _exists(module):
            found, rest = import_module(module), parts[end:]
            break
    if found is None:
        raise CommandError(
            f"{path!r} is neither a model (blog.Post), an object (blog.Post:5) nor the dotted path of a function "
            "(blog.views.front_page)."
        )
    for name in rest:
        if not hasattr(found, name):
            raise CommandError(f"{path!r}: {getattr(found, '__name__', found)!r} has no {name!r}.")
        found = getattr(found, name)
    if not isinstance(found, CachedFunction | AsyncCachedFunction):
        raise CommandError(f"{path} is no cached function, but {found!r}. Put @cached on it.")
    return found
