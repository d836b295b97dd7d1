"""What one process of a benchmark is told, as JSON in its environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

CONTESTANTS: Final = ("genscache", "handwritten", "cacheops", "cachalot", "none")
"""``none`` asks the database each time."""

VARIABLE: Final = "GENSCACHE_BENCHMARK"


@dataclass(frozen=True)
class Orders:
    """What to do.

    Attributes:
        contestant: Who caches.
        part: What is measured: a function of ``tests.benchmarks.parts``.
        store: URL of the store.
        database: Port of PostgreSQL.
        rounds: How often each batch is repeated.
        seconds: What a batch takes, about.
        options: What the part wants to know besides.
        settings: More for ``GENSCACHE``.
        servers: Process ids of the servers.
    """

    contestant: str
    part: str
    store: str
    database: int
    rounds: int = 15
    seconds: float = 0.02
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    servers: list[int] = field(default_factory=list)

    @classmethod
    def given(cls) -> Self:
        """Read the orders of this process."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def environment(self) -> dict[str, str]:
        """Return the environment of a process that has these orders."""
        return os.environ | {
            VARIABLE: json.dumps(asdict(self)),
            "DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings",
        }
