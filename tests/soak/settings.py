"""Django settings of the processes of a soak; ``tests.soak.orders`` says which library caches."""

from __future__ import annotations

from tests import settings as base
from tests.soak.orders import Orders

ORDERS = Orders.given()
# A statement that outlives its client's lease is not covered by level 2: the database ends it before.
LIMIT = int((ORDERS.lease or 1) * 600)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "HOST": "127.0.0.1",
        "PORT": ORDERS.database,
        "USER": "postgres",
        "PASSWORD": "",
        "OPTIONS": {"options": f"-c statement_timeout={LIMIT}", "connect_timeout": 5},
    }
}
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    *([ORDERS.library] if ORDERS.library != "naive" else []),
    "tests.site.news",
]
MIGRATION_MODULES = {"contenttypes": None, "news": None}
DEFAULT_AUTO_FIELD = base.DEFAULT_AUTO_FIELD
SECRET_KEY = base.SECRET_KEY
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = base.ROOT_URLCONF
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": ORDERS.url}}
GENSCACHE = {
    "STORE": ORDERS.url,
    "LEASE": ORDERS.lease,
    "ON_OUTAGE": ORDERS.on_outage,
    "FENCE": ORDERS.bug != "no-fence",
    "TIMEOUT": 600,
    "MODELS": {"news.Article": {"match": [["section"]]}},
    "DERIVED": {"news.SectionSummary": ["news.Section", "news.Article"]},
}
CACHEOPS_REDIS = ORDERS.url
CACHEOPS = {"news.*": {"ops": "all", "timeout": 600}}
LOGGING = {"version": 1, "disable_existing_loggers": True, "root": {"handlers": [], "level": "CRITICAL"}}
