"""What derives from what: views, trigger targets, procedures, cascades inside the database; and what is between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from django.apps import apps
from django.db import models

from genscache.tables import chain, fold


class Derivation:
    """What ``GENSCACHE["DERIVED"]`` and the installed models say of it.

    Args:
        given: The setting: a view, trigger target or ``procedure()``, and the tables that it stands for.
    """

    def __init__(self, given: Mapping[str, tuple[str, ...]]) -> None:
        self._given = given

    def reached(self, tables: Iterable[str], *, deleting: bool) -> set[str]:
        """Return ``tables`` and whatever derives from them.

        Args:
            tables: Folded names.
            deleting: Rows may have been deleted, so that cascades inside the database count.
        """
        reached: set[str] = set()
        waiting = list(tables)
        while waiting:
            table = waiting.pop()
            if table in reached:
                continue
            reached.add(table)
            waiting.extend(self._derived.get(table, ()))
            if deleting:
                waiting.extend(self._cascades.get(table, ()))
        return reached

    def beyond(self, table: str, *, deleting: bool) -> set[str]:
        """Return what derives from ``table``; the table itself is among it only if it derives from its own rows."""
        derived = set(self._derived.get(table, ()))
        return self.reached(
            derived | (self._cascades.get(table, set()) if deleting else set()), deleting=deleting
        )

    def between(self, table: str) -> Iterable[str]:
        """Return the automatic many-to-many tables of which ``table`` is an end, sorted."""
        return sorted(self._between.get(table, ()))

    def _named(self, name: str) -> tuple[str, ...]:
        """Return the tables that a name in ``DERIVED`` means: a model label's or the table itself."""
        if name.count(".") == 1:
            try:
                return chain(apps.get_model(name))
            except LookupError:
                pass
        return (fold(name.rsplit(".", 1)[-1]),)

    def _sources(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the tables that names on the right side mean: with those between them and other models."""
        tables = [table for each in names for table in self._named(each)]
        return tuple(dict.fromkeys((*tables, *(each for table in tables for each in self.between(table)))))

    @cached_property
    def procedures(self) -> dict[str, tuple[str, ...]]:
        """The tables that each declared procedure or function writes, by its name in lower case."""
        return {
            name.removesuffix("()").casefold(): self._sources(sources)
            for name, sources in self._given.items()
            if name.endswith("()")
        }

    @cached_property
    def views(self) -> dict[str, tuple[str, ...]]:
        """The tables from which each declared view or trigger target derives."""
        return {
            self._named(name)[0]: self._sources(sources)
            for name, sources in self._given.items()
            if not name.endswith("()")
        }

    @cached_property
    def declared(self) -> set[str]:
        """Every table and view that the setting names."""
        return {name for view, sources in self.views.items() for name in (view, *sources)}

    @cached_property
    def _derived(self) -> dict[str, set[str]]:
        """Source table -> the views and trigger targets that derive from it."""
        edges: dict[str, set[str]] = {}
        for view, sources in self.views.items():
            for source in sources:
                edges.setdefault(source, set()).add(view)
        return edges

    @cached_property
    def _between(self) -> dict[str, set[str]]:
        """Table -> the automatic many-to-many tables that lead to it."""
        found: dict[str, set[str]] = {}
        for model in apps.get_models(include_auto_created=True):
            if model._meta.auto_created:
                for field in model._meta.fields:
                    if field.remote_field:
                        end = fold(field.remote_field.model._meta.db_table)
                        found.setdefault(end, set()).add(fold(model._meta.db_table))
        return found

    @cached_property
    def _cascades(self) -> dict[str, set[str]]:
        """Parent table -> tables that the database itself changes when a parent row goes (Django 6.1's ``DB_*``)."""
        kind: type | None = getattr(models.deletion, "DatabaseOnDelete", None)
        edges: dict[str, set[str]] = {}
        if kind is None:
            return edges
        for model in apps.get_models(include_auto_created=True):
            for field in model._meta.local_fields:
                if field.remote_field and isinstance(getattr(field.remote_field, "on_delete", None), kind):
                    parent = fold(field.remote_field.model._meta.db_table)
                    edges.setdefault(parent, set()).add(fold(model._meta.db_table))
        return edges
