"""What a soak is told to do; processes get it through the environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Final

VARIABLE: Final = "GENSCACHE_SOAK"
LIBRARIES: Final = ("genscache", "naive", "cacheops", "cachalot")


@dataclass(frozen=True, slots=True)
class Orders:
    """One soak.

    Attributes:
        library: What caches: one of ``LIBRARIES``.
        database: Port of PostgreSQL.
        store: Port of Valkey.
        directory: Where board and diaries are.
        writers: How many processes write.
        readers: How many processes read.
        seed: What chance begins with.
        lease: ``GENSCACHE["LEASE"]`` in seconds.
        on_outage: ``GENSCACHE["ON_OUTAGE"]``.
        bug: A deliberate error in genscache: "", "lost-bumps", "no-fence".
    """

    library: str = "genscache"
    database: int = 0
    store: int = 0
    directory: str = ""
    writers: int = 2
    readers: int = 3
    seed: int = 0
    lease: float = 1.0
    on_outage: str = "refuse"
    bug: str = ""

    @property
    def actors(self) -> int:
        """Return how many processes there are at a time; writers come first."""
        return self.writers + self.readers

    @property
    def url(self) -> str:
        """Return the store's URL."""
        return f"redis://127.0.0.1:{self.store}/0"

    def environment(self) -> dict[str, str]:
        """Return what tells a process of its orders."""
        return {VARIABLE: json.dumps(asdict(self)), "DJANGO_SETTINGS_MODULE": "tests.soak.settings"}

    @classmethod
    def given(cls) -> Orders:
        """Return what the environment says."""
        return cls(**json.loads(os.environ.get(VARIABLE, "{}")))
