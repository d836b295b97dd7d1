"""The settings: every key with good values and bad ones, and the store that is used where nothing is said."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings as DjangoSettings

from genscache.conf import LONGEST_TIMEOUT, Settings, seconds, secret_keys
from genscache.engine import Engine, current_engine
from genscache.replication import Replica
from tests.servers import Server


def tenant() -> str:
    """Name nobody in particular."""
    return "somebody"


class Serializer:
    @staticmethod
    def dumps(value: object) -> bytes:
        return repr(value).encode()

    @staticmethod
    def loads(data: bytes) -> object:
        return data


GOOD: list[tuple[str, Any, Any]] = [
    ("STORE", None, None),
    ("STORE", "memory://", "memory://"),
    ("STORE", "redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
    ("TIMEOUT", 60, 60.0),
    ("TIMEOUT", 0, 0.0),
    ("TIMEOUT", None, LONGEST_TIMEOUT),
    ("TIMEOUT", dt.timedelta(minutes=5), 300.0),
    ("PREFIX", "my-site.production_2", "my-site.production_2"),
    ("UNTRACKED", ["sessions.*", "blog.Hit"], ("sessions.*", "blog.Hit")),
    ("UNTRACKED", (), ()),
    ("DERIVED", {"news.SectionSummary": ["news.Section"]}, {"news.SectionSummary": ("news.Section",)}),
    ("DERIVED", {"monthly()": ("news_article",)}, {"monthly()": ("news_article",)}),
    ("LEASE", 3, 3.0),
    ("LEASE", 0, 0.0),
    ("LEASE", dt.timedelta(seconds=7), 7.0),
    ("ON_OUTAGE", "refuse", "refuse"),
    ("ON_OUTAGE", "proceed", "proceed"),
    ("REPLICAS", {"sqlite2": "default"}, {"sqlite2": Replica("default")}),
    ("REPLICAS", {"sqlite2": {"primary": "default"}}, {"sqlite2": Replica("default")}),
    ("REPLICAS", {"sqlite2": {"primary": "default", "guard": "never"}}, {"sqlite2": Replica("default")}),
    (
        "REPLICAS",
        {"postgres": {"primary": "default", "guard": "position"}},
        {"postgres": Replica("default", "position")},
    ),
    (
        "REPLICAS",
        {"sqlite2": {"primary": "default", "max_lag": dt.timedelta(seconds=30)}},
        {"sqlite2": Replica("default", "max_lag", 30.0)},
    ),
    ("REPLICAS", {}, {}),
    ("KEY_CONTEXT", None, None),
    ("KEY_CONTEXT", tenant, tenant),
    ("KEY_CONTEXT", "tests.test_conf.tenant", tenant),
    ("SERIALIZER", "tests.test_conf.Serializer", "tests.test_conf.Serializer"),
    ("SIGN", False, False),
    ("ALLOWED_CLASSES", ["blog.values.Price"], ("blog.values.Price",)),
    ("MAX_ENTRY_BYTES", 10, 10),
    ("LOCAL_BYTES", 0, 0),
    ("LOCAL_BYTES", 10, 10),
    ("ENABLED", False, False),
    ("ENFORCE_LEASES", True, True),
    ("FENCE", False, False),
    ("AUDIT", 1, 1.0),
    ("AUDIT_EXCEPT", ["news.*"], ("news.*",)),
    (
        "MODELS",
        {"news.*": {"cache": "get", "timeout": None}},
        {"news.*": {"ops": frozenset({"get"}), "timeout": LONGEST_TIMEOUT}},
    ),
]

BAD: list[tuple[str, Any, str]] = [
    ("STORE", "", "must be a text, got ''"),
    ("STORE", 7, "must be a text, got 7"),
    ("STORE", "localhost:6379", """must be a URL, got 'localhost:6379'. Use "redis://"""),
    ("TIMEOUT", "5m", "must be a number of seconds or a timedelta, got '5m'. Use 300."),
    ("TIMEOUT", True, "must be a number of seconds or a timedelta, got True"),
    ("TIMEOUT", -1, "must be between 0 and 2592000 seconds, got -1"),
    ("TIMEOUT", LONGEST_TIMEOUT + 1, "must be between 0 and 2592000 seconds"),
    ("TIMEOUT", float("nan"), "must be between 0 and 2592000 seconds, got nan"),
    ("PREFIX", "a b", "the key prefix must be 1 to 32 characters of A-Z a-z 0-9 _ . -, got 'a b'"),
    ("PREFIX", "", "must be a text, got ''"),
    ("PREFIX", "x" * 33, "the key prefix must be 1 to 32 characters"),
    ("UNTRACKED", "sessions.*", "must be a list of texts, got 'sessions.*'. Use ['sessions.*']."),
    ("UNTRACKED", [7], '"][0] must be a text, got 7'),
    ("UNTRACKED", None, "must be a list of texts, got None"),
    ("DERIVED", ["news.Section"], "must be a dict, got ['news.Section']"),
    ("DERIVED", {"view": "news.Section"}, """["view"] must be a list of texts, got 'news.Section'"""),
    ("DERIVED", {7: []}, "a key of GENSCACHE"),
    ("LEASE", "long", "must be a number of seconds or a timedelta, got 'long'"),
    ("LEASE", -1, "must be between 0 and 2592000 seconds, got -1. Use 10, or 0 for no leases."),
    ("LEASE", 0.0001, "must be 0 or at least 0.001 seconds, got 0.0001. Use 10, or 0 for no leases."),
    ("ON_OUTAGE", "ignore", """must be "refuse" or "proceed", got 'ignore'"""),
    (
        "REPLICAS",
        {"sqlite3": "default"},
        "names the database 'sqlite3', which is not in DATABASES: default, ",
    ),
    ("REPLICAS", {"sqlite2": "primary"}, "names the database 'primary', which is not in DATABASES"),
    (
        "REPLICAS",
        {"sqlite2": "default", "postgres": "sqlite2"},
        "'sqlite2', itself a replica. Name the primary.",
    ),
    ("REPLICAS", ["sqlite2"], "must be a dict, got ['sqlite2']"),
    ("REPLICAS", {"sqlite2": 7}, "must be the alias of its primary or a dict, got 7. Use"),
    ("REPLICAS", {"sqlite2": {}}, '["primary"] must be the alias of its primary, got None. Use "default".'),
    ("REPLICAS", {"sqlite2": {"primary": "x"}}, "names the database 'x', which is not in DATABASES"),
    (
        "REPLICAS",
        {"sqlite2": {"primary": "default", "lag": 5}},
        '["lag"] is not known here. Known: primary, ',
    ),
    (
        "REPLICAS",
        {"sqlite2": {"primary": "default", "guard": "lsn"}},
        'must be "position" (PostgreSQL) or "never", got \'lsn\'. Use "max_lag", in seconds, where',
    ),
    (
        "REPLICAS",
        {"sqlite2": {"primary": "default", "guard": "position", "max_lag": 5}},
        'has both "guard" and "max_lag". Keep "guard": it needs no guess.',
    ),
    ("REPLICAS", {"sqlite2": {"primary": "default", "max_lag": 0}}, "above 0 and at most a day, got 0. Use"),
    ("REPLICAS", {"sqlite2": {"primary": "default", "max_lag": True}}, "at most a day, got True. Use"),
    ("REPLICAS", {"sqlite2": {"primary": "default", "max_lag": 1e6}}, "at most a day, got 1000000.0. Use"),
    (
        "KEY_CONTEXT",
        "tests.test_conf.nothing",
        "must be a function or its dotted path, got 'tests.test_conf.nothing'",
    ),
    ("KEY_CONTEXT", 7, "must be a text, got 7"),
    ("SERIALIZER", 7, "must be a text, got 7"),
    ("SIGN", "yes", "must be True or False, got 'yes'"),
    ("ALLOWED_CLASSES", "blog.Price", "must be a list of texts, got 'blog.Price'. Use ['blog.Price']."),
    ("MAX_ENTRY_BYTES", 0, "must be a number of bytes above 0, got 0. Use 1048576."),
    ("MAX_ENTRY_BYTES", 1.5, "must be a number of bytes above 0, got 1.5"),
    ("MAX_ENTRY_BYTES", True, "must be a number of bytes above 0, got True"),
    ("LOCAL_BYTES", -1, "must be a number of bytes, got -1. Use 16777216, or 0 for none."),
    ("LOCAL_BYTES", 1.5, "must be a number of bytes, got 1.5"),
    ("LOCAL_BYTES", True, "must be a number of bytes, got True"),
    ("ENABLED", 0, "must be True or False, got 0"),
    ("ENFORCE_LEASES", 1, "must be True or False, got 1"),
    ("FENCE", 1, "must be True or False, got 1"),
    ("AUDIT", 2, "must be a number from 0 to 1, got 2. Use 0.001."),
    ("AUDIT_EXCEPT", "news.*", "must be a list of texts"),
    ("MODELS", {"news.*": "all"}, "must be a dict, got 'all'"),  # more in tests/querysets/test_policies.py
]


@pytest.mark.parametrize(("key", "value", "found"), GOOD)
def test_good_values(key: str, value: object, found: object) -> None:
    result = getattr(Settings.of({key: value}), key.lower())

    assert result == found
    assert type(result) is type(found)


@pytest.mark.parametrize(("key", "value", "words"), BAD)
def test_bad_values_are_refused_with_the_value_and_the_cure(key: str, value: object, words: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        Settings.of({key: value})

    assert f'GENSCACHE["{key}"]' in str(caught.value)
    assert words in str(caught.value)


def test_every_key_has_a_good_and_a_bad_value_here() -> None:
    known = {name.upper() for name in Settings.__dataclass_fields__}

    assert {key for key, *_ in GOOD} == {key for key, *_ in BAD} == known


def test_the_defaults() -> None:
    assert Settings.of({}) == Settings()
    assert Settings().timeout == 300
    assert Settings().lease == 10
    assert Settings().on_outage == "refuse"
    assert Settings().sign is True
    assert {"sessions.*", "admin.LogEntry"} <= set(Settings().untracked)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("TIMOUT", 'is not a setting of genscache. Did you mean "TIMEOUT"?'),
        ("timeout", 'is not a setting of genscache. Did you mean "TIMEOUT"?'),
        ("ONOUTAGE", 'Did you mean "ON_OUTAGE"?'),
        (
            "XYZZY",
            "Known: ALLOWED_CLASSES, AUDIT, AUDIT_EXCEPT, DERIVED, ENABLED, ENFORCE_LEASES, FENCE, KEY_CONTEXT, ",
        ),
        (7, "is not a setting of genscache."),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_one(key: str, words: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=re.escape(words)):
        Settings.of({key: 1})


@pytest.mark.parametrize("value", [None, [], "redis://localhost", [("TIMEOUT", 5)]])
def test_what_is_no_dict_is_refused(settings: DjangoSettings, value: object) -> None:
    settings.GENSCACHE = value

    with pytest.raises(
        ImproperlyConfigured, match=r"GENSCACHE must be a dict, got .*\. Write GENSCACHE = \{\}"
    ):
        Settings.load()


def test_a_duration() -> None:
    assert seconds("x", None, longest=5) == 5
    assert seconds("x", 5, longest=5) == 5
    with pytest.raises(ValueError, match="x must be between 0 and 5 seconds, got 5"):
        seconds("x", 5.1, longest=5)


def test_keys_that_sign_come_from_the_secret_and_its_predecessors(settings: DjangoSettings) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old"]
    new, old = secret_keys()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "old", []

    assert secret_keys() == (old,)
    assert new != old
    assert len(new) == 32
    assert b"old" not in old


def test_a_changed_setting_makes_a_new_engine(settings: DjangoSettings) -> None:
    settings.GENSCACHE = {"STORE": "memory://", "TIMEOUT": 5}
    first = current_engine()
    settings.GENSCACHE = {"STORE": "memory://", "TIMEOUT": 6}

    assert (first.settings.timeout, current_engine().settings.timeout) == (5, 6)


REDIS = "django.core.cache.backends.redis.RedisCache"


@pytest.mark.parametrize(
    ("cache", "url"),
    [
        ({"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}, "django://default"),
        ({"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "t"}, "django://default"),
        ({"BACKEND": REDIS, "LOCATION": "redis://h:1/2"}, "redis://h:1/2"),
        ({"BACKEND": REDIS, "LOCATION": ["redis://primary:1", "redis://replica:1"]}, "redis://primary:1"),
        ({"BACKEND": REDIS, "LOCATION": "redis://h:1", "OPTIONS": {"db": 3}}, "redis://h:1?db=3"),
    ],
)
def test_with_no_store_it_is_the_default_cache(
    settings: DjangoSettings, cache: dict[str, Any], url: str
) -> None:
    settings.CACHES = {"default": cache}
    settings.GENSCACHE = {}

    assert current_engine().url == url


def test_a_redis_cache_is_used_natively(settings: DjangoSettings, valkey: Server, valkey_url: str) -> None:
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": valkey_url}}
    settings.GENSCACHE = {"PREFIX": "native"}

    capabilities = current_engine().store.capabilities
    assert (capabilities.leases, capabilities.ordered) == (True, True)
    assert str(valkey.port) in capabilities.name
    current_engine().close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"STORE": "mysql://h/1"},
            r"GENSCACHE\[\"STORE\"\]: 'mysql://h/1' is not the URL of a store. Use redis://",
        ),
        ({"STORE": "django://nowhere"}, r"names the cache 'nowhere', which cannot be used"),
        ({"STORE": "redis://u:secret@h/db"}, r"GENSCACHE\[\"STORE\"\]: 'redis://.*' cannot be used"),
    ],
)
def test_a_store_that_cannot_be_is_refused(options: dict[str, str], words: str) -> None:
    engine = Engine(Settings.of(options))

    with pytest.raises(ImproperlyConfigured, match=words) as caught:
        _ = engine.store
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere.Serializer", "cannot be imported"),
        ("tests.test_conf.tenant", r"has no dumps\(\) and loads\(\)"),
    ],
)
def test_a_serializer_that_cannot_be_is_refused(path: str, words: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf'GENSCACHE\["SERIALIZER"\] = .*{words}'):
        Engine(Settings.of({"SERIALIZER": path}))
