"""Django settings of a benchmark's process; its orders say who caches."""

from __future__ import annotations

from tests.benchmarks.orders import Orders

ORDERS = Orders.given()
APPS = {"genscache": ["genscache"], "cacheops": ["cacheops"], "cachalot": ["cachalot"]}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "HOST": "127.0.0.1",
        "PORT": ORDERS.database,
        "USER": "postgres",
        "PASSWORD": "",
    }
}
INSTALLED_APPS = ["django.contrib.contenttypes", *APPS.get(ORDERS.contestant, []), "tests.benchmarks.journal"]
MIGRATION_MODULES = {"contenttypes": None, "journal": None}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = "a key for benchmarks only"
USE_TZ = True
TIME_ZONE = "UTC"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": ORDERS.store}}
# As others do, what is asked of these models is cached without a call.
GENSCACHE = {
    "STORE": ORDERS.store,
    "TIMEOUT": 3600,
    "MODELS": {"journal.*": {"cache": ["get", "list", "count"]}},
    **ORDERS.settings,
}
CACHEOPS_REDIS = ORDERS.store
CACHEOPS = {"journal.*": {"ops": "all", "timeout": 3600}}
CACHALOT_TIMEOUT = 3600
LOGGING = {"version": 1, "disable_existing_loggers": True, "root": {"handlers": [], "level": "CRITICAL"}}
