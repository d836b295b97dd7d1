"""The Django store on every cache of Django's: the contract, and what a backend may do to it."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from django.core.cache import caches
from django.core.cache.backends import locmem
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command
from django.db import OperationalError, transaction

from genscache.exceptions import StoreError, StoreUnavailable
from genscache.stores import django as stores_django
from genscache.stores.base import Acquire, Bump, Ensure, Fetch, Operation, Put, Settle, Store
from genscache.stores.django import AsyncDjangoStore, DjangoStore, unique_generation
from genscache.testing import BlockingStore, StoreContract
from genscache.types import NO_GENERATION, CounterState

if TYPE_CHECKING:
    from pytest_django import Settings

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"


def use(settings: Settings, backend: str, **options: object) -> DjangoStore:
    """Make ``CACHES["tested"]`` and a store on it."""
    settings.CACHES = {"default": {"BACKEND": LOCMEM}, "tested": {"BACKEND": backend, **options}}
    return DjangoStore("tested")


class TestLocMem(StoreContract):
    """The contract on the local memory cache, whose clock the tests move."""

    life = hold = 1000

    @pytest.fixture
    def store(self, settings: Settings) -> DjangoStore:
        return use(
            settings,
            LOCMEM,
            LOCATION=secrets.token_hex(4),
            KEY_PREFIX="site",
            OPTIONS={"MAX_ENTRIES": 10_000},
        )

    @pytest.fixture(autouse=True)
    def _hold_monkeypatch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def let_pass(self, store: Store, milliseconds: int) -> None:
        later = time.time() + milliseconds / 1000
        self.monkeypatch.setattr(f"{locmem.__name__}.time.time", lambda: later)


class TestAsyncLocMem(TestLocMem):
    """The twin, called directly."""

    threads = False

    @pytest.fixture
    def store(self, settings: Settings) -> Iterator[BlockingStore]:
        store = use(settings, LOCMEM, LOCATION=secrets.token_hex(4), OPTIONS={"MAX_ENTRIES": 10_000})
        blocking = BlockingStore(AsyncDjangoStore(store))
        yield blocking
        blocking.end()


class TestFileCache(StoreContract):
    """The contract on files."""

    passes_time = False

    @pytest.fixture
    def store(self, settings: Settings, tmp_path: Path) -> DjangoStore:
        backend = "django.core.cache.backends.filebased.FileBasedCache"
        return use(settings, backend, LOCATION=str(tmp_path), OPTIONS={"MAX_ENTRIES": 10_000})


class TestAsyncFileCache(TestFileCache):
    """The twin, in a thread."""

    threads = False

    @pytest.fixture
    def store(self, settings: Settings, tmp_path: Path) -> Iterator[BlockingStore]:
        backend = "django.core.cache.backends.filebased.FileBasedCache"
        store = use(settings, backend, LOCATION=str(tmp_path), OPTIONS={"MAX_ENTRIES": 10_000})
        blocking = BlockingStore(AsyncDjangoStore(store))
        yield blocking
        blocking.close()
        blocking.end()


class TestRedisCache(StoreContract):
    """The contract on Django's own Redis cache."""

    passes_time = False

    @pytest.fixture
    def store(self, settings: Settings, server_url: str) -> Iterator[DjangoStore]:
        backend = "django.core.cache.backends.redis.RedisCache"
        yield use(settings, backend, LOCATION=server_url)
        for pool in cast("Any", caches["tested"])._cache._pools.values():
            pool.disconnect()


@pytest.fixture
def database_store(settings: Settings, transactional_db: None) -> DjangoStore:
    """A store in a table of the default database."""
    backend = "django.core.cache.backends.db.DatabaseCache"
    store = use(settings, backend, LOCATION="cache_of_tests", OPTIONS={"MAX_ENTRIES": 10_000})
    call_command("createcachetable", "cache_of_tests", verbosity=0)
    return store


class TestDatabaseCache(StoreContract):
    """The contract on a database table."""

    passes_time = False
    threads = False

    @pytest.fixture
    def store(self, database_store: DjangoStore) -> DjangoStore:
        return database_store


def test_a_database_cache_is_not_used_inside_a_transaction(database_store: DjangoStore) -> None:
    database_store.execute(Ensure(("counter",)))
    operations: tuple[Operation[Any], ...] = (
        Fetch(("counter",)),
        Ensure(("counter",)),
        Bump(("counter",)),
        Put((("e", b"x"),), 1000),
    )
    for operation in operations:
        with (
            transaction.atomic(),
            pytest.raises(StoreError, match=r'"default", which is inside a transaction'),
        ):
            database_store.execute(operation)
    transaction.set_autocommit(False)
    try:
        with pytest.raises(StoreError, match="database alias of its own"):
            database_store.execute(Bump(("counter",)))
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert database_store.execute(Fetch(("counter",))).states[0] is not None


def test_a_database_cache_is_not_read_from_a_replica(database_store: DjangoStore, settings: Settings) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.ReplicaRouter"]
    with pytest.raises(StoreError, match='Let the router return "default" for both'):
        database_store.execute(Fetch(("counter",)))


class ReplicaRouter:
    """Reads from elsewhere."""

    def db_for_read(self, model: object, **hints: object) -> str:
        return "replica"


class Backend(LocMemCache):
    """A cache in which a test breaks something."""

    broken: str = ""

    def set_many(self, data: dict[str, object], *args: Any, **kwargs: Any) -> list[str]:
        return list(data) if self.broken == "set" else super().set_many(data, *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        if self.broken not in {"set", "swallow"}:
            super().set(*args, **kwargs)

    def get_many(self, *args: Any, **kwargs: Any) -> dict[str, object]:
        if self.broken == "raise":
            raise ConnectionRefusedError(111, "refused")
        return {} if self.broken == "swallow" else super().get_many(*args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> object:
        return None if self.broken == "swallow" else super().get(*args, **kwargs)


@pytest.fixture
def breakable(settings: Settings) -> DjangoStore:
    return use(settings, f"{__name__}.Backend", LOCATION=secrets.token_hex(4))


def test_a_bump_that_was_not_stored_is_an_error(breakable: DjangoStore) -> None:
    breakable.execute(Ensure(("counter",)))
    setattr(caches["tested"], "broken", "set")  # noqa: B010 - the test backend\'s own
    operations: tuple[Operation[Any], ...] = (Bump(("counter",)), Settle("w1", bump=("counter",)))
    for operation in operations:
        with pytest.raises(StoreUnavailable, match="did not store a new generation for 'counter'"):
            breakable.execute(operation)


def test_an_outage_that_the_cache_swallows_does_not_pass_for_an_absent_counter(
    breakable: DjangoStore,
) -> None:
    breakable.execute(Ensure(("counter",)))
    setattr(caches["tested"], "broken", "swallow")  # noqa: B010 - the test backend\'s own
    with pytest.raises(StoreUnavailable, match="options that swallow errors"):
        breakable.execute(Bump(("counter",)))


def test_what_a_backend_raises_becomes_ours(breakable: DjangoStore) -> None:
    setattr(caches["tested"], "broken", "raise")  # noqa: B010 - the test backend\'s own
    with pytest.raises(StoreUnavailable, match="The cache 'tested' failed: ConnectionRefusedError") as caught:
        breakable.execute(Fetch(("counter",)))
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


class ForeignConnectionError(Exception):
    """As a driver would name it."""


ForeignConnectionError.__name__ = "ConnectionError"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OperationalError("locked"), StoreUnavailable),
        (TimeoutError("late"), StoreUnavailable),
        (ForeignConnectionError("gone"), StoreUnavailable),
        (ValueError("a bad pickle"), StoreError),
        (RuntimeError("anything"), StoreError),
    ],
)
def test_outages_are_told_from_other_errors(
    breakable: DjangoStore, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[StoreError]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Backend, "get_many", fail)
    with pytest.raises(StoreError) as caught:
        breakable.execute(Fetch(("counter",)))
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("garbage", ["abc", b"12", 0, -1, 1.5, True, None, [1]])
def test_garbage_counts_as_absent(breakable: DjangoStore, garbage: object) -> None:
    caches["tested"].set("counter", garbage)
    assert breakable.execute(Fetch(("counter",))).states == (None,)
    assert breakable.execute(Bump(("counter",))) == (NO_GENERATION,)
    (made,) = breakable.execute(Ensure(("counter",)))
    assert breakable.execute(Fetch(("counter",))).states == (made,)


def test_an_entry_that_is_no_bytes_is_none(breakable: DjangoStore) -> None:
    caches["tested"].set("entry", "text")
    assert breakable.execute(Fetch((), "entry")).entry is None


class FileLike(Backend):
    """A cache whose ``add`` is a look and then a ``set``, with a step between them that a test fills."""

    between: list[str] = []  # noqa: RUF012  a test replaces it on the instance

    def add(self, key: str, value: object, *args: Any, **kwargs: Any) -> bool:
        if self.has_key(key):
            return False
        for _ in self.between:
            BaseCache.set_many(self, {key: unique_generation()})
        self.set(key, value, *args, **kwargs)
        return True


def test_ensure_returns_what_it_reads_back_and_not_what_it_meant_to_write(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = use(settings, f"{__name__}.FileLike", LOCATION=secrets.token_hex(4))
    monkeypatch.setattr(FileLike, "between", ["a bump"])
    (made,) = store.execute(Ensure(("counter",)))
    assert store.execute(Fetch(("counter",))).states == (made,)
    add = LocMemCache.add

    def overtaken(self: LocMemCache, key: str, value: object, timeout: float) -> bool:
        added = add(self, key, value, timeout)
        self.set(key, 77, timeout)
        return added

    monkeypatch.setattr(FileLike, "add", overtaken)
    assert store.execute(Ensure(("other",))) == (CounterState(77, leased=False),)


def test_what_each_backend_declares(settings: Settings, tmp_path: Path) -> None:
    declared = {}
    for name in ("locmem.LocMemCache", "dummy.DummyCache", "db.DatabaseCache", "filebased.FileBasedCache"):
        store = use(settings, f"django.core.cache.backends.{name}", LOCATION=str(tmp_path))
        promises = store.capabilities
        assert promises == AsyncDjangoStore(store).capabilities
        assert (promises.leases, promises.ordered, promises.atomic) == (False, False, False)
        assert promises.name == "django://tested"
        declared[name] = (promises.shared, promises.locks)
    assert declared == {
        "locmem.LocMemCache": (False, True),
        "dummy.DummyCache": (False, False),
        "db.DatabaseCache": (True, True),
        "filebased.FileBasedCache": (True, False),
    }


def test_keys_leave_room_for_the_prefix_of_the_cache(settings: Settings) -> None:
    assert use(settings, LOCMEM).capabilities.max_key_bytes == 200
    prefix = "p" * 90
    assert use(settings, LOCMEM, KEY_PREFIX=prefix).capabilities.max_key_bytes == 250 - len(f"{prefix}:1:")


def test_prefix_and_version_of_the_cache_apply(settings: Settings) -> None:
    place = secrets.token_hex(4)
    (made,) = use(settings, LOCMEM, LOCATION=place, KEY_PREFIX="p", VERSION=7).execute(Ensure(("counter",)))
    use(settings, LOCMEM, LOCATION=place)
    assert cast("Any", caches["tested"])._cache.keys() == {"p:7:counter"}
    assert caches["tested"].get("counter") is None
    assert made.generation > NO_GENERATION


def test_a_dummy_cache_keeps_nothing_and_fails_at_nothing(settings: Settings) -> None:
    store = use(settings, "django.core.cache.backends.dummy.DummyCache")
    first, second = (store.execute(Ensure(("counter",)))[0].generation for _ in range(2))
    assert first != second
    assert store.execute(Bump(("counter",))) == (NO_GENERATION,)
    store.execute(Put((("e", b"x"),), 1000))
    assert store.execute(Fetch(("counter",), "e")).entry is None
    assert store.execute(Acquire("lock", "t", 1000)) is True


def test_a_generation_is_unique_also_at_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{stores_django.__name__}.time.time_ns", lambda: 1_700_000_000_000_000_000)
    seen = {unique_generation() for _ in range(1_000)}
    assert len(seen) == 1_000
    assert {generation >> 32 for generation in seen} == {1_700_000_000_000_000}


def test_local_memory_is_called_in_the_loop_and_files_in_a_thread(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    execute = DjangoStore.execute

    def seen(self: DjangoStore, operation: Fetch) -> object:
        threads.append(threading.get_ident())
        return execute(self, operation)

    monkeypatch.setattr(DjangoStore, "execute", seen)

    async def fetch(store: DjangoStore) -> None:
        await AsyncDjangoStore(store).execute(Fetch(("counter",)))

    asyncio.run(fetch(use(settings, LOCMEM)))
    file = use(settings, "django.core.cache.backends.filebased.FileBasedCache", LOCATION=str(tmp_path))
    asyncio.run(fetch(file))
    assert threads[0] == threading.get_ident()
    assert threads[1] != threading.get_ident()
