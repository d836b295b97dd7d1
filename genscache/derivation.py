"""What derives from what: views, trigger targets, procedures, many-to-many tables, cascades inside the database."""

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

    def _named(self, name: str) -> tuple[str, ...]:
        """Return the tables that a name in ``DERIVED`` means: a model label's or the table itself."""
        if name.count(".") == 1:
            try:
                return chain(apps.get_model(name))
            except LookupError:
                pass
        return (fold(name.rsplit(".", 1)[-1]),)

    @cached_property
    def procedures(self) -> dict[str, tuple[str, ...]]:
        """The tables that each declared procedure or function writes, by its name in lower case."""
        return {
            name.removesuffix("()").casefold(): tuple(
                table for each in sources for table in self._named(each)
            )
            for name, sources in self._given.items()
            if name.endswith("()")
        }

    @cached_property
    def views(self) -> dict[str, tuple[str, ...]]:
        """The tables from which each declared view or trigger target derives."""
        return {
            self._named(name)[0]: tuple(table for each in sources for table in self._named(each))
            for name, sources in self._given.items()
            if not name.endswith("()")
        }

    @cached_property
    def declared(self) -> set[str]:
        """Every table and view that the setting names."""
        return {name for view, sources in self.views.items() for name in (view, *sources)}

    @cached_property
    def _derived(self) -> dict[str, set[str]]:
        """Source table -> what derives from it: views, and both ends of an automatic many-to-many table."""
        edges: dict[str, set[str]] = {}
        for view, sources in self.views.items():
            for source in sources:
                edges.setdefault(source, set()).add(view)
        for model in apps.get_models(include_auto_created=True):
            if model._meta.auto_created:
                ends = {
                    fold(f.remote_field.model._meta.db_table) for f in model._meta.fields if f.remote_field
                }
                edges.setdefault(fold(model._meta.db_table), set()).update(ends)
        return edges

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
