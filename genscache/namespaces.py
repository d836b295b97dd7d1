"""Which namespaces a read depends on, and what a model, an object or a table stands for; read from the models once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from django.apps import apps
from django.db import connections, models

from genscache.conf import Settings
from genscache.exceptions import InvalidNamespace
from genscache.keys import Kind, Namespace, table_owner
from genscache.matching import detail_of
from genscache.reach import Reach, table_namespace
from genscache.tables import chain, definition, fold, pk_text
from genscache.unpickling import find_loaded

__all__ = ["Catalog", "table_namespace"]


class Catalog(Reach):
    """What the installed models and the settings say of tables."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._definitions: dict[type, str | None] = {}

    # -- tables

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The labels of installed models by class name."""
        return {model.__name__: model._meta.label for model in apps.get_models()}

    def check_known(self, table: str) -> None:
        """Refuse the name of a table on which nothing can depend.

        Raises:
            InvalidNamespace: No installed model and no setting knows it.
        """
        name = fold(table)
        if name in self.tables or name in self._derivation.declared or not self.is_tracked(name):
            return
        near = difflib.get_close_matches(name, [*self.tables, *self._derivation.declared], n=1, cutoff=0.5)
        cure = f"Did you mean {near[0]!r}?" if near else 'Declare it in GENSCACHE["DERIVED"].'
        raise InvalidNamespace(f"No installed model has a table {table!r}, so nothing depends on it. {cure}")

    def unknown_reason(self, table: str) -> str:
        """Say why a read of ``table`` cannot be cached; empty where it can."""
        known = self.tables.get(table)
        if not self.is_tracked(table):
            return f'it reads "{table}", which is untracked (GENSCACHE["UNTRACKED"])'
        if table in self._derivation.declared or (known is not None and known.managed):
            return ""
        what = "the table of an unmanaged model" if known else "no table of an installed model"
        return (
            f'it reads "{table}", {what}: if it is a view, say in GENSCACHE["DERIVED"] what it derives from'
        )

    def chain(self, model: type[models.Model]) -> tuple[str, ...]:
        """Return the tables in which one object of ``model`` has its row: its own and its parents'."""
        return chain(model)

    # -- what a read depends on

    def reading_tables(self, database: str, tables: Iterable[str]) -> tuple[Namespace, ...]:
        """Return the namespaces that any read of ``tables`` on one database depends on."""
        alias = self.primary(database)
        return tuple(
            table_namespace(kind, alias, table)
            for table in sorted(tables)
            for kind in (Kind.MODEL, Kind.ROWS)
        )

    def reading_model(self, model: type[models.Model]) -> tuple[Namespace, ...]:
        """Return the namespaces that a read of any rows of ``model`` depends on, wherever it lives.

        The tables between it and the other ends of its many-to-many fields are part of what it stands for.
        """
        return tuple(
            namespace
            for alias in self.primaries
            for namespace in self.reading_tables(alias, self.declared(model))
        )

    def reading_object(self, model: type[models.Model], pk: object) -> tuple[Namespace, ...]:
        """Return the namespaces that a read of one object depends on, what links it to others included."""
        namespaces: list[Namespace] = []
        for alias in self.primaries:
            between = (table for table in self.declared(model) if table not in chain(model))
            namespaces.extend(self.reading_tables(alias, between))
            for table, text in self._rows(model, pk):
                if text is None:
                    namespaces.extend(self.reading_tables(alias, [table]))
                else:
                    namespaces.append(table_namespace(Kind.MODEL, alias, table))
                    namespaces.append(table_namespace(Kind.OBJECT, alias, table, text))
        return tuple(namespaces)

    # -- reads by equality

    def match_fields(self, table: str) -> tuple[tuple[str, ...], ...]:
        """Return the lists of fields, by name and sorted, for which reads of a table may depend on values."""
        matching = self.matching(table)
        return (
            ()
            if matching is None
            else tuple(tuple(field.name for field in fields) for fields in matching.fieldsets)
        )

    def match_namespace(
        self, database: str, table: str, fields: tuple[str, ...], values: Sequence[object]
    ) -> Namespace | None:
        """Return the namespace of the rows of a table in which ``fields`` have ``values``.

        A read that depends on it depends on the table's ``MODEL`` and on ``match_guards``, too, and not on ``ROWS``.

        Args:
            database: The alias.
            table: Folded name.
            fields: One of ``match_fields``.
            values: In the same order, as they are given to the database.

        Returns:
            ``None`` where a value has not one name on this database (a NULL, a text on MySQL): the read depends on
            ``ROWS`` then.
        """
        matching = self.matching(table)
        known = matching and matching.fieldset(fields)
        alias = self.primary(database)
        detail = detail_of(known, connections[alias].vendor, values) if known else None
        return None if detail is None else table_namespace(Kind.MATCH, alias, table, detail)

    def match_guards(self, database: str, table: str) -> tuple[Namespace, ...]:
        """Return what each read that depends on values of a table's rows depends on as well.

        Whoever writes rows without knowing their values, or under other lists of fields, bumps one of these.
        """
        matching = self.matching(table)
        return () if matching is None else matching.guards(table_owner(self.primary(database), table))

    # -- primary keys

    def pk_text(self, model: type[models.Model], value: object) -> str:
        """Return the canonical text of a primary key of ``model``.

        Raises:
            InvalidNamespace: The value cannot be a primary key of the model.
        """
        return pk_text(model, value)

    # -- definitions

    def describe(self, kind: type) -> str | None:
        """Return a digest of a model class's definition, ``None`` for any other class.

        It changes with the class's fields, so that instances stored by another release are not revived.
        """
        if kind not in self._definitions:
            is_model = isinstance(kind, type) and issubclass(kind, models.Model) and kind is not models.Model
            self._definitions[kind] = definition(kind) if is_model else None
        return self._definitions[kind]

    def resolve(self, path: str) -> type | None:
        """Return the class at ``"module:Class"``; an automatic many-to-many model is in no module."""
        return self._classes.get(path) or find_loaded(path)

    @cached_property
    def _classes(self) -> dict[str, type]:
        return {
            f"{model.__module__}:{model.__qualname__}": model
            for model in apps.get_models(include_auto_created=True)
        }
