"""Django settings of the tests: SQLite files as ``default`` and ``sqlite2``, servers as ``postgres`` and ``mariadb``.

Importing this starts nothing. The servers' ports are put in when a test run has started them (``tests/fixtures.py``);
they are also exported to the environment, so that a process that a test starts finds the same databases.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pymysql

# PyMySQL is pure Python and says that it is the mysqlclient that Django asks for.
pymysql.install_as_MySQLdb()

RUN_DIRECTORY = Path(
    os.environ.get("GENSCACHE_TEST_DIRECTORY") or Path(tempfile.gettempdir(), f"genscache-run-{os.getpid()}")
)


def sqlite(name: str) -> dict[str, object]:
    """Return a database in a file (threads and processes share it) that readers can read while somebody writes."""
    path = str(RUN_DIRECTORY / f"{name}.sqlite3")
    # WAL is what gives SQLite snapshots; nothing here has to survive a power cut.
    options = {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF", "timeout": 10}
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "OPTIONS": options, "TEST": {"NAME": path}}


def server(engine: str, name: str, user: str) -> dict[str, object]:
    """Return a database on a server of this run."""
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "NAME": os.environ.get(f"GENSCACHE_TEST_{name.upper()}_NAME", "genscache"),
        "HOST": "127.0.0.1",
        "PORT": int(os.environ.get(f"GENSCACHE_TEST_{name.upper()}_PORT", "0")),
        "USER": user,
        "PASSWORD": "",
        "TEST": {"NAME": "test_genscache"},
    }


DATABASES = {
    "default": sqlite("default"),
    "sqlite2": sqlite("sqlite2"),
    "postgres": server("postgresql", "postgres", "postgres"),
    "mariadb": server("mysql", "mariadb", "root"),
}
# Neither contenttypes nor auth: they would write rows again after every flush, that is after every test.
INSTALLED_APPS = ["django.contrib.sessions", "genscache", "tests.site.news"]
MIGRATION_MODULES = {"sessions": None, "news": None}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
GENSCACHE = {"STORE": "memory://"}
SECRET_KEY = "a key for tests only"
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "tests.site.urls"
