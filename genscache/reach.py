"""What a write reaches: the namespaces that a write of known or unknown rows of a table bumps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property

from django.apps import apps
from django.db import connections, models
from django.db.migrations.recorder import MigrationRecorder

from genscache.conf import Settings, cache_tables
from genscache.databases import Databases
from genscache.derivation import Derivation
from genscache.keys import Kind, Namespace, table_owner
from genscache.match_settings import matchings
from genscache.matching import Matching, plain
from genscache.tables import Table, chain, exact_text, fold, is_exact, is_exact_text, pk_text, same_pk, target


def table_namespace(kind: Kind, database: str, table: str, detail: str = "") -> Namespace:
    """Return the namespace of a table (``MODEL``, ``ROWS``) or of one of its rows (``OBJECT``)."""
    return Namespace(kind, table_owner(database, table), detail)


class Reach(Databases):
    """The tables of the installed models, and what a write to one of them bumps."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._derivation = Derivation(settings.derived)
        self._any_row: dict[tuple[str, str, bool], tuple[str, frozenset[Namespace]]] = {}

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

    @cached_property
    def caches(self) -> frozenset[str]:
        """Tables of database caches: what is read there is no more a dependency than what is read from Redis."""
        return frozenset(cache_tables())

    def is_tracked(self, table: str) -> bool:
        """Tell whether writes to a table invalidate and reads of it may be cached."""
        known = self.tables.get(table)
        if known is not None:
            return known.tracked
        return table not in self._own_tables and not self._untracked(table, table)

    def declared(self, model: type[models.Model]) -> tuple[str, ...]:
        """Return the tables that ``model`` stands for where somebody names it as a dependency or invalidates it.

        They are those of its rows, and those between it and the other ends of its automatic many-to-many fields, in
        both directions: who reads articles by their tags may say that he reads articles.
        """
        own = chain(model)
        return tuple(
            dict.fromkeys((*own, *(each for table in own for each in self._derivation.between(table))))
        )

    # -- unknown rows

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

    # -- known rows

    def row(
        self, database: str, table: str, pks: Iterable[str | None], *, deleting: bool = True
    ) -> set[Namespace]:
        """Return what a write of known rows bumps; a ``None`` among ``pks`` means that a row is not known."""
        alias = self.primary(database)
        known = self._any_row.get((alias, table, deleting))
        if known is None:
            known = self._any_row.setdefault(
                (alias, table, deleting), self._of_any_row(alias, table, deleting)
            )
        owner, found = known
        namespaces = set(found)
        for text in pks:
            if text is None:
                return self.models_of(alias, [table], deleting=deleting)
            if owner:
                namespaces.add(Namespace(Kind.OBJECT, owner, text))
        return namespaces

    def _of_any_row(
        self,
        alias: str,
        table: str,
        deleting: bool,  # noqa: FBT001 - as it is remembered
    ) -> tuple[str, frozenset[Namespace]]:
        """Return the owner of a table's rows, empty where they are untracked, and what the write of any row bumps."""
        others = self._derivation.beyond(table, deleting=deleting)
        # The table itself may be one of them: a trigger that writes other rows of it, a cascade in the database.
        namespaces = {table_namespace(Kind.MODEL, alias, other) for other in others if self.is_tracked(other)}
        owner = table_owner(alias, table) if self.is_tracked(table) else ""
        return owner, frozenset(namespaces | self.rows(alias, table))

    def rows(self, database: str, table: str) -> set[Namespace]:
        """Return what the write of any row bumps: the lists, and the reads that depend on values, which ones or not."""
        if not self.is_tracked(table):
            return set()
        owner = table_owner(self.primary(database), table)
        return {Namespace(Kind.ROWS, owner), plain(owner)}

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

    def exact_pk(self, table: str, value: object) -> str | None:
        """Return the text of a primary key as the database was given it, ``None`` where it may have several forms.

        Only integers and UUIDs have one: a text may equal another under the column's collation.
        """
        known = self.tables.get(table)
        return None if known is None or known.pk_field is None else exact_text(known.pk_field, value)

    # -- rows with known values

    def matching(self, table: str) -> Matching | None:
        """Return what a table's models have opted in to, ``None`` for nothing."""
        return self._matchings.get(table) if self.is_tracked(table) else None

    def matched(
        self, database: str, table: str, namespaces: Iterable[Namespace], rows: Iterable[Sequence[object]]
    ) -> set[Namespace]:
        """Return what a write of known rows bumps, now that their values are known, too.

        Args:
            database: The alias.
            table: Folded name.
            namespaces: What ``row`` says.
            rows: Values of the columns of ``matching``, before the write and after it.
        """
        found, matching = set(namespaces), self.matching(table)
        owner = table_owner(self.primary(database), table)
        written = matching and matching.written(owner, connections[database].vendor, rows)
        return found if not written else found - {plain(owner)} | written

    # -- inside

    @cached_property
    def _matchings(self) -> Mapping[str, Matching]:
        return matchings(self._settings)

    @cached_property
    def _own_tables(self) -> frozenset[str]:
        """Tables of Django's own, in which there is no data of a model."""
        return self.caches | {MigrationRecorder.Migration._meta.db_table}

    def _rows(self, model: type[models.Model], pk: object) -> Iterator[tuple[str, str | None]]:
        """Yield each table that holds a part of the object, with its primary key's text there if it is the same."""
        text = pk_text(model, pk)
        shared = {fold(each._meta.db_table) for each in same_pk(model)}
        for table in chain(model):
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
