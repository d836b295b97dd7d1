"""Which namespaces a model, an object or a table stands for; read from the installed models once."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.migrations.recorder import MigrationRecorder

from genscache.conf import Settings, cache_tables, database_mirrors
from genscache.derivation import Derivation
from genscache.exceptions import InvalidNamespace
from genscache.keys import Kind, Namespace, table_owner
from genscache.tables import Table, chain, definition, fold, is_exact, is_exact_text, same_pk, target
from genscache.unpickling import find_loaded


def table_namespace(kind: Kind, database: str, table: str, detail: str = "") -> Namespace:
    """Return the namespace of a table (``MODEL``, ``ROWS``) or of one of its rows (``OBJECT``)."""
    return Namespace(kind, table_owner(database, table), detail)


class Catalog:
    """What the installed models and the settings say of tables."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._derivation = Derivation(settings.derived)
        self._aliases = {**_twins(), **database_mirrors(), **settings.replicas}
        self._definitions: dict[type, str | None] = {}

    # -- databases

    def primary(self, alias: str) -> str:
        """Return the alias whose namespaces ``alias`` shares: its primary, or itself."""
        return self._aliases.get(alias, alias)

    def is_replica(self, alias: str) -> bool:
        """Tell whether ``alias`` may lag behind a primary. A test mirror is the same connection: it cannot."""
        return alias in self._settings.replicas

    @cached_property
    def primaries(self) -> tuple[str, ...]:
        """The aliases that own namespaces."""
        return tuple(sorted({self.primary(alias) for alias in connections}))

    # -- tables

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """Every table of an installed model, by its folded name."""
        found: dict[str, Table] = {}
        for model in apps.get_models(include_auto_created=True):
            table = self._table(model)
            known = found.get(table.name)
            # A managed model knows its table better than an unmanaged one over the same table.
            if known is None or (table.managed and not known.managed):
                found[table.name] = table
        return found

    def places(self) -> tuple[tuple[str, str, str, str], ...]:
        """Return where each database is: a test's database goes by the same alias as the one it stands in for.

        It is part of entries only. Namespaces are shared, since one database may be reached by several names.
        """
        return tuple(
            (alias, str(settings.get("NAME")), str(settings.get("HOST")), str(settings.get("PORT")))
            for alias, settings in connections.settings.items()
        )

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

    def is_tracked(self, table: str) -> bool:
        """Tell whether writes to a table invalidate and reads of it may be cached."""
        known = self.tables.get(table)
        if known is not None:
            return known.tracked
        return table not in self._own_tables and not self._untracked(table, table)

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

    # -- what a write reaches

    def reached(self, tables: Iterable[str], *, deleting: bool = True) -> set[str]:
        """Return the tables whose content derives from ``tables``, and those themselves; tracked ones only.

        Args:
            tables: Folded names.
            deleting: Rows may have been deleted, so that cascades inside the database count.
        """
        return {
            table for table in self._derivation.reached(tables, deleting=deleting) if self.is_tracked(table)
        }

    def procedure(self, name: str) -> tuple[str, ...] | None:
        """Return the tables that calling a procedure or function writes, ``None`` where nothing is declared."""
        return self._derivation.procedures.get(name.casefold())

    @property
    def declares_procedures(self) -> bool:
        """Tell whether any procedure or function is declared to write."""
        return bool(self._derivation.procedures)

    def models_of(self, database: str, tables: Iterable[str], *, deleting: bool = True) -> set[Namespace]:
        """Return the ``model`` namespaces that a write of unknown rows of ``tables`` bumps."""
        alias = self.primary(database)
        return {
            table_namespace(Kind.MODEL, alias, table) for table in self.reached(tables, deleting=deleting)
        }

    def everywhere(self, tables: Iterable[str]) -> set[Namespace]:
        """Return ``models_of`` for every primary database."""
        tables = tuple(tables)
        return {namespace for alias in self.primaries for namespace in self.models_of(alias, tables)}

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
        """Return the namespaces that a read of any rows of ``model`` depends on, wherever it lives."""
        return tuple(
            namespace
            for alias in self.primaries
            for namespace in self.reading_tables(alias, self.chain(model))
        )

    def reading_object(self, model: type[models.Model], pk: object) -> tuple[Namespace, ...]:
        """Return the namespaces that a read of one object depends on."""
        namespaces: list[Namespace] = []
        for alias in self.primaries:
            for table, text in self._rows(model, pk):
                if text is None:
                    namespaces.extend(self.reading_tables(alias, [table]))
                else:
                    namespaces.append(table_namespace(Kind.MODEL, alias, table))
                    namespaces.append(table_namespace(Kind.OBJECT, alias, table, text))
        return tuple(namespaces)

    def writing_object(self, model: type[models.Model], pk: object) -> set[Namespace]:
        """Return the namespaces that a write of one object bumps, wherever it lives."""
        namespaces: set[Namespace] = set()
        field = target(model._meta.pk)
        for alias in self.primaries:
            # A text may equal another one under the column's collation: then every row of the model is meant.
            exact = is_exact(field) or is_exact_text(field, connections[alias].vendor)
            for table, text in self._rows(model, pk):
                namespaces |= self.row(alias, table, [text if exact else None])
        return namespaces

    def row(
        self, database: str, table: str, pks: Iterable[str | None], *, deleting: bool = True
    ) -> set[Namespace]:
        """Return what a write of known rows bumps; a ``None`` among ``pks`` means that a row is not known."""
        pks = tuple(pks)
        alias = self.primary(database)
        if None in pks:
            return self.models_of(alias, [table], deleting=deleting)
        others = self.reached([table], deleting=deleting) - {table}
        namespaces = {table_namespace(Kind.MODEL, alias, other) for other in others}
        if self.is_tracked(table):
            namespaces.add(table_namespace(Kind.ROWS, alias, table))
            namespaces |= {
                table_namespace(Kind.OBJECT, alias, table, text) for text in pks if text is not None
            }
        return namespaces

    # -- primary keys

    def pk_text(self, model: type[models.Model], value: object) -> str:
        """Return the canonical text of a primary key of ``model``.

        Raises:
            InvalidNamespace: The value cannot be a primary key of the model.
        """
        field = target(model._meta.pk)
        if isinstance(value, bool | float) and not isinstance(field, models.FloatField | models.BooleanField):
            raise InvalidNamespace(f"{value!r} cannot be a primary key of {model._meta.label}. Pass its pk.")
        try:
            converted = field.to_python(value)
        except (ValidationError, ValueError, TypeError) as error:
            raise InvalidNamespace(
                f"{value!r} cannot be a primary key of {model._meta.label}, a {type(field).__name__}. Pass its pk."
            ) from error
        if converted is None:
            raise InvalidNamespace(
                f"{model._meta.label} has no object with the primary key None. Save it first."
            )
        return str(converted.normalize() if isinstance(converted, Decimal) else converted)

    def exact_pk(self, table: str, value: object) -> str | None:
        """Return the text of a primary key as the database was given it, ``None`` where it may have several forms.

        Only integers and UUIDs have one: a text may equal another under the column's collation.
        """
        known = self.tables.get(table)
        if known is None or known.pk_field is None or not is_exact(known.pk_field):
            return None
        if not isinstance(known.pk_field, models.UUIDField):
            return str(int(value)) if isinstance(value, int) else None
        try:
            return str(value if isinstance(value, uuid.UUID) else uuid.UUID(str(value)))
        except ValueError:
            return None

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

    # -- inside

    @cached_property
    def _own_tables(self) -> frozenset[str]:
        """Tables of Django's own, in which there is no data of a model."""
        return self.caches | {MigrationRecorder.Migration._meta.db_table}

    @cached_property
    def caches(self) -> frozenset[str]:
        """Tables of database caches: what is read there is no more a dependency than what is read from Redis."""
        return frozenset(cache_tables())

    @cached_property
    def _classes(self) -> dict[str, type]:
        return {
            f"{model.__module__}:{model.__qualname__}": model
            for model in apps.get_models(include_auto_created=True)
        }

    def _rows(self, model: type[models.Model], pk: object) -> Iterator[tuple[str, str | None]]:
        """Yield each table that holds a part of the object, with its primary key's text there if it is the same."""
        text = self.pk_text(model, pk)
        shared = {fold(each._meta.db_table) for each in same_pk(model)}
        for table in self.chain(model):
            yield table, text if table in shared else None

    def _table(self, model: type[models.Model]) -> Table:
        meta = model._meta
        name = fold(meta.db_table)
        composite = len(getattr(meta, "pk_fields", [meta.pk])) > 1
        return Table(
            name=name,
            label=meta.label,
            managed=meta.managed,
            tracked=not self._untracked(meta.label, name),
            pk_column=None if composite else meta.pk.column,
            pk_field=None if composite else target(meta.pk),
        )

    def _untracked(self, label: str, table: str) -> bool:
        names = (label.casefold(), table)
        return any(fnmatchcase(name, each.casefold()) for each in self._settings.untracked for name in names)


def _twins() -> dict[str, str]:
    """Return aliases that lead to the same database as another one does: alias -> the first of them."""
    first: dict[tuple[str, ...], str] = {}
    twins: dict[str, str] = {}
    for alias in sorted(connections.settings, key=lambda alias: (alias != DEFAULT_DB_ALIAS, alias)):
        settings = connections.settings[alias]
        name = str(settings.get("NAME") or "")
        if not name or ":memory:" in name:
            continue
        place = (str(settings.get("ENGINE")), name, str(settings.get("HOST")), str(settings.get("PORT")))
        known = first.setdefault(place, alias)
        if known != alias:
            twins[alias] = known
    return twins
