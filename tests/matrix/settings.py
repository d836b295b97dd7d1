"""Django settings of one run of the matrix: one database (``default``, and ``mirror`` for the same) and what to cache.

The environment says which: ``GENSCACHE_MATRIX`` is a JSON object that ``tests.matrix.orders`` makes.
"""

from __future__ import annotations

from tests import settings as base
from tests.matrix.orders import Orders

ORDERS = Orders.given()
DATABASES = {"default": ORDERS.database_settings(), "mirror": ORDERS.database_settings()}
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    *(["genscache"] if ORDERS.library == "genscache" else []),
    *(["cacheops"] if ORDERS.library == "cacheops" else []),
    *(["cachalot"] if ORDERS.library == "cachalot" else []),
    "tests.site.news",
    "tests.matrix.extras",
]
MIGRATION_MODULES = {"contenttypes": None, "news": None, "extras": None}
DEFAULT_AUTO_FIELD = base.DEFAULT_AUTO_FIELD
SECRET_KEY = base.SECRET_KEY
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = base.ROOT_URLCONF
DERIVED = {
    "news.SectionSummary": ["news.Section", "news.Article"],
    "extras.Tally": ["news.Article"],
}
GENSCACHE = {"STORE": "memory://"}
"""The engine is made anew for each write, see ``tests.matrix.libraries``."""
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": ORDERS.store}
    if ORDERS.library == "cachalot"
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
CACHEOPS_REDIS = ORDERS.store
CACHEOPS = {"*.*": {"ops": "all" if ORDERS.mode != "asked" else (), "timeout": 3600}}
