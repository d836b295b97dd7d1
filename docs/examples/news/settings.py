"""Settings of the news site: SQLite in this folder, and the memory of the process unless a server is named."""

# ruff: noqa: INP001 - a project's folder is no package
from __future__ import annotations

import os
from pathlib import Path

DEBUG = True
SECRET_KEY = "only for trying out"  # noqa: S105 - nothing is secret here
INSTALLED_APPS = ["genscache", "news"]
ROOT_URLCONF = "urls"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(__file__).parent / "news.sqlite3"}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

# All that genscache needs. Leave "STORE" out, and CACHES["default"] is used.
GENSCACHE = {"STORE": os.environ.get("GENSCACHE_STORE", "memory://"), "PREFIX": "news"}
