"""What one run of the matrix is told to do: a process, a database, a way of caching."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from typing import Final, Self

VARIABLE: Final = "GENSCACHE_MATRIX"

MODES: Final = ("asked", "automatic", "matched")
"""With ``.cache()``; with ``MODELS = {"*": {"cache": "all"}}``; the same with ``match``."""

ENGINES: Final = {"sqlite": "sqlite3", "postgres": "postgresql", "mariadb": "mysql"}
DATABASES: Final = tuple(ENGINES)


@dataclass(frozen=True, slots=True)
class Orders:
    """One run.

    Attributes:
        database: "sqlite", "postgres" or "mariadb".
        mode: One of ``MODES``.
        name: The database's name, new for this run; on SQLite the path of its file.
        port: The database server's port on the loopback.
        store: The URL of the store.
        library: "genscache", or another one that is looked at for comparison.
        shapes: Words of names of shapes; empty: all.
        writes: Words of names of writes; empty: all.
        part: Which part of the writes, from 0.
        parts: Into how many the writes are divided.
        second_reader: Turn round which thread is the first to read after a write.
    """

    database: str
    mode: str = "asked"
    name: str = ""
    port: int = 0
    store: str = "memory://"
    library: str = "genscache"
    shapes: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    part: int = 0
    parts: int = 1
    second_reader: bool = False

    @classmethod
    def given(cls) -> Self:
        """Read the orders from the environment; without any (type checkers), those of a run on SQLite."""
        text = os.environ.get(VARIABLE)
        if text is None:
            return cls("sqlite", name=":memory:")
        found = cls(**json.loads(text))
        return replace(found, shapes=tuple(found.shapes), writes=tuple(found.writes))

    def environment(self) -> dict[str, str]:
        """Return what to add to a process's environment."""
        return {VARIABLE: json.dumps(asdict(self)), "DJANGO_SETTINGS_MODULE": "tests.matrix.settings"}

    def database_settings(self) -> dict[str, object]:
        """Return what goes into Django's DATABASES."""
        found: dict[str, object] = {
            "ENGINE": f"django.db.backends.{ENGINES[self.database]}",
            "NAME": self.name,
        }
        if self.database == "sqlite":
            pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF"
            return {**found, "OPTIONS": {"init_command": pragmas, "timeout": 10}}
        user = {"postgres": "postgres", "mariadb": "root"}[self.database]
        return {**found, "HOST": "127.0.0.1", "PORT": self.port, "USER": user, "PASSWORD": ""}
