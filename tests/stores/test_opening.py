"""From URLs and from Django's ``CACHES`` to stores."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from django.core.cache.backends.redis import RedisCache

from genscache.stores.aioredis import AsyncRedisStore
from genscache.stores.base import Ensure, Fetch, ReadClock
from genscache.stores.django import AsyncDjangoStore, DjangoStore
from genscache.stores.memory import AsyncMemoryStore, MemoryStore
from genscache.stores.opening import default_url, open_stores
from genscache.stores.redis import RedisStore

if TYPE_CHECKING:
    from pytest_django import Settings

DJANGO_REDIS = "django.core.cache.backends.redis.RedisCache"
THIRD_PARTY = "django_redis.cache.RedisCache"


@pytest.mark.parametrize(
    ("url", "sync", "asynchronous", "masked"),
    [
        ("memory://", MemoryStore, AsyncMemoryStore, "memory://"),
        ("memory://?max_bytes=1000", MemoryStore, AsyncMemoryStore, "memory://"),
        ("redis://host", RedisStore, AsyncRedisStore, "redis://host"),
        ("redis://me:secret@host:1/2", RedisStore, AsyncRedisStore, "redis://me:***@host:1/2"),
        ("redis://:secret@host", RedisStore, AsyncRedisStore, "redis://:***@host"),
        ("redis://host?password=secret&db=3", RedisStore, AsyncRedisStore, "redis://host?password=***&db=3"),
        (
            "rediss://host/1?ssl_cert_reqs=none",
            RedisStore,
            AsyncRedisStore,
            "rediss://host/1?ssl_cert_reqs=none",
        ),
        ("unix:///run/redis.sock?db=2", RedisStore, AsyncRedisStore, "unix:///run/redis.sock?db=2"),
        ("unix://me:secret@/run/redis.sock", RedisStore, AsyncRedisStore, "unix://me:***@/run/redis.sock"),
        ("django://default", DjangoStore, AsyncDjangoStore, "django://default"),
    ],
)
def test_each_kind_of_url_opens_its_store_and_shows_no_password(
    url: str, sync: type, asynchronous: type, masked: str
) -> None:
    pair = open_stores(url, prefix="gc")
    assert type(pair.sync) is sync
    assert type(pair.asynchronous) is asynchronous
    assert pair.url_masked == masked
    assert pair.sync.capabilities == pair.asynchronous.capabilities
    assert "secret" not in repr(pair.sync.capabilities)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "'' is not the URL of a store. Use redis://"),
        ("redis", "'redis' is not the URL of a store"),
        ("redis:host", "is not the URL of a store"),
        ("mysql://me:secret@host", r"'mysql://me:\*\*\*@host' is not the URL of a store"),
        ("redis://", "There is no host"),
        ("redis:///1", "There is no host"),
        ("redis://me:secret@host/one", "'one' is not the number of a database"),
        ("redis://me:secret@host:99999", "Port out of range"),
        ("redis://host:0", "Port 0"),
        ("redis://me:secret@host?bogus=1", "unexpected keyword argument 'bogus'"),
        ("redis://host?socket_timeout=soon", "socket_timeout"),
        ("redis://me:secret@[host", r"'redis://\*\*\*' cannot be used"),
        ("unix://", "There is no path to a socket"),
        ("memory://host", "says more than a memory store can use"),
        ("memory://?size=5", "says more than a memory store can use"),
        ("memory://?max_bytes=many", "max_bytes must be a positive number of bytes, got 'many'"),
        ("memory://?max_bytes=0", "max_bytes must be a positive number of bytes, got '0'"),
        ("django://elsewhere", "names the cache 'elsewhere', which cannot be used: .* Add it to CACHES"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_value_and_cure(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        open_stores(url, prefix="gc")
    assert "secret" not in str(caught.value)


def test_the_options_of_the_url_win_over_our_timeouts() -> None:
    for url, connect, answer in (
        ("redis://host", 1.0, 1.0),
        ("redis://host?socket_timeout=0.2&socket_connect_timeout=5", 5.0, 0.2),
    ):
        pair = open_stores(url, prefix="gc")
        assert isinstance(pair.sync, RedisStore)
        options = pair.sync._client.connection_pool.connection_kwargs
        assert (options["socket_connect_timeout"], options["socket_timeout"]) == (connect, answer)


def test_each_prefix_has_a_clock_of_its_own_that_both_twins_use(server_url: str) -> None:
    prefix = f"gc-{secrets.token_hex(8)}"
    pair = open_stores(server_url, prefix=prefix)
    assert pair.sync.execute(ReadClock()) == 0
    generation = pair.sync.execute(Ensure((f"{prefix}:1:{{a}}:model",)))[0].generation

    async def reading() -> int:
        return await pair.asynchronous.execute(ReadClock())

    assert asyncio.run(reading()) == generation
    assert open_stores(server_url, prefix=prefix + "2").sync.execute(ReadClock()) == 0
    pair.sync.close()


def test_opening_connects_to_nothing() -> None:
    # Port 1 answers nobody.
    pair = open_stores("redis://127.0.0.1:1", prefix="gc")
    pair.sync.close()


def test_the_memory_store_needs_neither_django_nor_the_driver() -> None:
    code = (
        "import sys; from genscache.stores.memory import MemoryStore; from genscache.testing import StoreContract;"
        "assert 'redis' not in sys.modules and 'pytest' not in sys.modules;"
        "from genscache.stores.opening import open_stores; open_stores('memory://', prefix='gc')"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


class Subclass(RedisCache):
    """Somebody's own."""


@pytest.mark.parametrize(
    ("cache", "url"),
    [
        ({"BACKEND": DJANGO_REDIS, "LOCATION": "redis://host:1/2"}, "redis://host:1/2"),
        ({"BACKEND": THIRD_PARTY, "LOCATION": "redis://host:1/2"}, "redis://host:1/2"),
        ({"BACKEND": f"{__name__}.Subclass", "LOCATION": "redis://host"}, "redis://host"),
        ({"BACKEND": DJANGO_REDIS, "LOCATION": ["rediss://one", "rediss://two"]}, "rediss://one"),
        ({"BACKEND": DJANGO_REDIS, "LOCATION": "redis://one, redis://two"}, "redis://one"),
        ({"BACKEND": DJANGO_REDIS, "LOCATION": "redis://h", "KEY_PREFIX": "p", "VERSION": 3}, "redis://h"),
        (
            {
                "BACKEND": DJANGO_REDIS,
                "LOCATION": "redis://h",
                "OPTIONS": {"username": "me", "password": "p@/:"},
            },
            "redis://me:p%40%2F%3A@h",
        ),
        ({"BACKEND": THIRD_PARTY, "LOCATION": "redis://h", "OPTIONS": {"PASSWORD": "p"}}, "redis://:p@h"),
        (
            {"BACKEND": DJANGO_REDIS, "LOCATION": "redis://u:q@h", "OPTIONS": {"password": "p"}},
            "redis://u:q@h",
        ),
        ({"BACKEND": DJANGO_REDIS, "LOCATION": "redis://h", "OPTIONS": {"db": 5}}, "redis://h?db=5"),
        ({"BACKEND": DJANGO_REDIS, "LOCATION": "redis://h/1", "OPTIONS": {"db": 5}}, "redis://h/1"),
        (
            {
                "BACKEND": DJANGO_REDIS,
                "LOCATION": "unix:///run/r.sock",
                "OPTIONS": {"db": "5", "password": "p"},
            },
            "unix://:p@/run/r.sock?db=5",
        ),
        (
            {
                "BACKEND": THIRD_PARTY,
                "LOCATION": "redis://h",
                "OPTIONS": {"SOCKET_TIMEOUT": 0.5, "SERIALIZER": "x"},
            },
            "redis://h?socket_timeout=0.5",
        ),
        (
            {
                "BACKEND": THIRD_PARTY,
                "LOCATION": "redis://h",
                "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient", "IGNORE_EXCEPTIONS": True},
            },
            "redis://h",
        ),
        (
            {
                "BACKEND": THIRD_PARTY,
                "LOCATION": "redis://h",
                "OPTIONS": {"CLIENT_CLASS": "x.SentinelClient"},
            },
            "django://default",
        ),
        (
            {"BACKEND": DJANGO_REDIS, "LOCATION": "redis://h", "OPTIONS": {"ssl_cert_reqs": None}},
            "django://default",
        ),
        ({"BACKEND": DJANGO_REDIS, "LOCATION": "redis://h", "OPTIONS": "odd"}, "django://default"),
        ({"BACKEND": DJANGO_REDIS, "LOCATION": "host:6379"}, "django://default"),
        ({"BACKEND": DJANGO_REDIS, "LOCATION": []}, "django://default"),
        ({"BACKEND": DJANGO_REDIS, "LOCATION": None}, "django://default"),
        ({"BACKEND": "no.such.Cache", "LOCATION": "redis://h"}, "django://default"),
        ({"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}, "django://default"),
        (
            {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": "h:1"},
            "django://default",
        ),
        ({"LOCATION": "redis://h"}, "django://default"),
    ],
)
def test_the_default_cache_is_used_natively_where_a_url_says_all_of_it(
    cache: dict[str, object], url: str
) -> None:
    assert (
        default_url({"default": cache, "other": {"BACKEND": DJANGO_REDIS, "LOCATION": "redis://other"}})
        == url
    )


def test_without_caches_the_default_alias_is_named() -> None:
    assert default_url({}) == "django://default"


def test_a_derived_url_reaches_the_server_that_django_uses(server_url: str, settings: Settings) -> None:
    caches = {"default": {"BACKEND": DJANGO_REDIS, "LOCATION": [server_url], "OPTIONS": {"db": 1}}}
    settings.CACHES = caches
    pair = open_stores(default_url(caches), prefix="gc")
    assert pair.sync.execute(Fetch(("absent",))).states == (None,)
    pair.sync.close()
