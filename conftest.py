"""What tests and property tests share; only the root may name plugins."""

from __future__ import annotations

import os

# A run inside a run (a test that starts pytest) has databases of its own, not those of the run around it.
for name in ("DIRECTORY", "POSTGRES_PORT", "POSTGRES_NAME", "MARIADB_PORT", "MARIADB_NAME"):
    os.environ.pop(f"GENSCACHE_TEST_{name}", None)

pytest_plugins = ["tests.fixtures"]
