"""What the words of questions and writes mean: models that ask one database, cached or not."""

from __future__ import annotations

import datetime as dt
import pickle
import uuid
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from types import CodeType
from typing import Any, cast

from asgiref.sync import async_to_sync
from django.db import connections, models
from django.db.models import functions
from django.db.models.query import QuerySet

import genscache
from tests.site.news import models as news

MODELS: dict[str, type[models.Model]] = {
    each.__name__: each
    for each in (
        *(news.Article, news.PopularArticle, news.Column, news.Section, news.Author, news.Tag, news.Asset),
        *(news.Country, news.Topic, news.SectionSummary),
    )
} | {"ArticleTag": cast("type[models.Model]", news.Article.tags.through)}

Told = Callable[[QuerySet[Any]], QuerySet[Any]]
"""Tells a queryset how it is cached."""


class Front:
    """A model as texts see it: its managers and its new instances belong to one database."""

    def __init__(self, model: type[models.Model], alias: str, told: Told) -> None:
        self._model, self._alias, self._told = model, alias, told

    @property
    def objects(self) -> QuerySet[Any]:
        """The default manager's queryset."""
        return self._told(self._model._default_manager.using(self._alias))

    def __call__(self, **fields: object) -> Any:
        """Make an instance that would be saved there."""
        made = self._model(**fields)
        made._state.db = self._alias
        return made

    def related(self, pk: object, name: str, label: str) -> QuerySet[Any]:
        """Return the queryset of a related manager; its instance has a name that only the caller knows."""
        named = {"title": label, "published": _at(0)} if hasattr(self._model, "title") else {"name": label}
        # Not ``using``: a related manager's queryset joins otherwise after a call of any kind in between.
        return self._told(getattr(self(pk=pk, **named), name).all())


def cached(manner: str) -> Told:
    """Let querysets be cached as a question says."""
    if manner == "by policy":
        return lambda queryset: queryset
    arguments: dict[str, Any] = eval(f"dict({manner})")  # noqa: S307 - from ``questions.MANNERS``
    return lambda queryset: cast("Any", queryset).cache(**arguments)


def plain(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """Return Django's own queryset, which has never heard of a cache."""
    found: QuerySet[Any] = QuerySet(queryset.model, query=queryset.query, using=queryset.db)
    found._known_related_objects = cast("Any", queryset)._known_related_objects
    found._hints = cast("Any", queryset)._hints
    return found


def names(alias: str, told: Told, label: str) -> dict[str, object]:
    """Return what every word means.

    Args:
        alias: The database.
        told: How querysets are cached.
        label: What the caller calls the instances whose relations it asks for.
    """
    fronts = {name: Front(model, alias, told) for name, model in MODELS.items()}

    def sql(text: str, *rows: Any) -> None:
        with connections[alias].cursor() as cursor:
            cursor.executemany(text, rows) if len(rows) > 1 else cursor.execute(text, *rows)

    def untold(text: str) -> None:
        connection = connections[alias]
        connection.ensure_connection()
        with connection.wrap_database_errors:
            connection.connection.cursor().execute(text)

    def upsert(*columns: str, by: str) -> dict[str, object]:
        unique = {"unique_fields": [by]} if connections[alias].vendor != "mysql" else {}
        return {"update_conflicts": True, "update_fields": list(columns), **unique}

    return {
        **_LANGUAGE,
        **fronts,
        "upsert": upsert,
        "one": lambda front, pk: front(pk=pk),
        "of": lambda front, pk, name: front.related(pk, name, label),
        "sql": sql,
        "untold": untold,
    }


def compiled(text: str, *, statements: bool = False) -> CodeType:
    """Compile a text, the names in it being those of ``names``."""
    return compile(text, text, "exec" if statements else "eval")


def said(code: CodeType, meaning: Mapping[str, object]) -> Any:
    """Do what a text says."""
    return eval(code, dict(meaning))  # noqa: S307 - texts come from ``vocabulary`` and ``writes``


def _at(number: int) -> dt.datetime:
    return dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC) + dt.timedelta(hours=6 * number)


async def _await(what: Awaitable[object]) -> object:
    return await what


async def _alist(queryset: QuerySet[Any]) -> list[object]:
    return [each async for each in queryset]


def _changed(instance: Any, **fields: object) -> Any:
    for name, value in fields.items():
        setattr(instance, name, value)
    return instance


def _pickled(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """Return a queryset as another process would get it, before it asks anything."""
    found: QuerySet[Any] = queryset.all()
    found.query = pickle.loads(pickle.dumps(queryset.query))
    return found


_LANGUAGE: dict[str, object] = {
    **{
        name: getattr(models, name)
        for name in ("Q", "F", "Count", "Sum", "Max", "Exists", "OuterRef", "Subquery")
    },
    **{
        name: getattr(models, name)
        for name in ("Case", "When", "Value", "Window", "Prefetch", "FilteredRelation")
    },
    **{name: getattr(functions, name) for name in ("TruncDate", "ExtractHour", "Lower", "Coalesce")},
    **{
        name: getattr(genscache, name) for name in ("invalidate_model", "invalidate_obj", "invalidate_tables")
    },
    "invalidate_all": genscache.invalidate_all,
    "obj": genscache.obj,
    "Decimal": Decimal,
    "date": dt.date,
    "at": _at,
    "uuid": lambda number: uuid.UUID(int=number),
    "wait": async_to_sync(_await),
    "alist": _alist,
    "pickled": _pickled,
    "changed": _changed,
}
