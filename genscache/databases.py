"""Which aliases own namespaces, and which share them: replicas, mirrors, and other names of one database."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from django.db import DEFAULT_DB_ALIAS, connections

from genscache.conf import Settings, database_mirrors
from genscache.replication import Replica


class Databases:
    """What the settings say of database aliases."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._mirrors = database_mirrors()
        followed = {alias: replica.primary for alias, replica in settings.replicas.items()}
        self._aliases = _ends({**_twins(), **self._mirrors, **followed})

    def primary(self, alias: str) -> str:
        """Return the alias whose namespaces ``alias`` shares: its primary, or itself."""
        return self._aliases.get(alias, alias)

    def replica(self, alias: str) -> Replica | None:
        """Return what is known of an alias that may lag behind another, ``None`` for all others.

        A test mirror stands in for a replica in tests, and is one elsewhere, whether or not ``REPLICAS`` says so.
        """
        known = self._settings.replicas.get(alias)
        mirrored = self._mirrors.get(alias)
        if mirrored is None or mirrored not in connections.settings:
            return known
        return None if _same(alias, mirrored) else known or Replica(mirrored)

    @cached_property
    def primaries(self) -> tuple[str, ...]:
        """The aliases that own namespaces."""
        return tuple(sorted({self.primary(alias) for alias in connections}))

    def places(self) -> tuple[tuple[str, str, str, str], ...]:
        """Return where each database is: a test's database goes by the same alias as the one it stands in for.

        It is part of entries only. Namespaces are shared, since one database may be reached by several names.
        """
        return tuple(
            [
                (alias, str(settings.get("NAME")), str(settings.get("HOST")), str(settings.get("PORT")))
                for alias, settings in connections.settings.items()
            ]
        )


def _twins() -> dict[str, str]:
    """Return aliases that lead to the same database as another one does: alias -> the first of them."""
    first: dict[tuple[str, ...], str] = {}
    twins: dict[str, str] = {}
    for alias in sorted(connections.settings, key=lambda alias: (alias != DEFAULT_DB_ALIAS, alias)):
        settings = connections.settings[alias]
        name = str(settings.get("NAME") or "")
        if not name or ":memory:" in name:
            continue
        known = first.setdefault(_place(settings), alias)
        if known != alias:
            twins[alias] = known
    return twins


def _place(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return where a database is."""
    return tuple(str(settings.get(key)) for key in ("ENGINE", "NAME", "HOST", "PORT"))


def _same(alias: str, other: str) -> bool:
    """Tell whether two aliases surely lead to one server: one address may lead to several (``OPTIONS``)."""
    first, second = connections.settings[alias], connections.settings[other]
    return bool(first.get("NAME")) and all(
        first.get(key) == second.get(key) for key in ("ENGINE", "NAME", "HOST", "PORT", "OPTIONS")
    )


def _ends(aliases: Mapping[str, str]) -> dict[str, str]:
    """Return where following each alias ends: the primary of a replica may itself be another name of a database."""
    ends: dict[str, str] = {}
    for alias in aliases:
        passed = [alias]
        while (following := aliases.get(passed[-1])) is not None and following not in passed:
            passed.append(following)
        ends[alias] = passed[-1]
    return ends
