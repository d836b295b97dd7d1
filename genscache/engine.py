"""The engine: one object that holds everything a process needs, made from the settings and held by the app."""

from __future__ import annotations

import os
import secrets
import threading
import weakref
from collections.abc import Callable, Iterable
from itertools import count
from typing import TypeVar, cast

from django.apps import AppConfig, apps
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.utils.module_loading import import_string

from genscache import conf
from genscache.anatomy import DjangoAnatomy
from genscache.breaker import Breaker, NotAsked
from genscache.codec import Codec
from genscache.codec import Serializer as PayloadSerializer
from genscache.conf import Settings
from genscache.events import Hub, Quarantined, Survived, Trouble
from genscache.exceptions import StoreError, StoreUnavailable
from genscache.flights import AsyncFlights, Flights
from genscache.keys import SITE, KeySpace, Namespace
from genscache.namespaces import Catalog
from genscache.policies import ModelPolicy
from genscache.protocol.memory import Memory, Recent
from genscache.protocol.read import Question
from genscache.protocol.steps import Steps, arun, run
from genscache.recovery import GuardedAsyncStore, GuardedStore, recover
from genscache.stores.base import AsyncStore, Store
from genscache.stores.fence import Fence
from genscache.stores.opening import default_url, open_stores
from genscache.unsettled import Unsettled

Result = TypeVar("Result")


class Engine:
    """Settings, catalog, stores, codec and what this process remembers.

    Args:
        settings: The checked settings.
        store: Used instead of the one that the settings name (tests).
        async_store: Its asynchronous twin.
    """

    def __init__(
        self, settings: Settings, *, store: Store | None = None, async_store: AsyncStore | None = None
    ) -> None:
        self.settings = settings
        self.catalog = Catalog(settings)
        self.keys = KeySpace(settings.prefix)
        self.hub = Hub()
        self.codec = _codec(settings, self.catalog)
        self._store = store
        self._async_store = async_store
        self._raw = store
        self.breaker = Breaker(self.hub, _recovery(weakref.ref(self)))
        self._policies: dict[type[models.Model], ModelPolicy] = {}
        self.forget()

    def forget(self) -> None:
        """Drop what this process remembers of reads under way: after a fork they are the parent's.

        An outage goes on in the child, which probes for itself.
        """
        self._opening = threading.Lock()
        self._parts: dict[Callable[[Engine], object], object] = {}
        self.hub.forked()
        self.breaker.forked()
        self.memory = Memory(room=self.settings.local_bytes)
        self.dependencies: Recent[bytes, tuple[Namespace, ...]] = Recent(20_000)
        self.questions: Recent[bytes, tuple[tuple[Namespace, ...], Question]] = Recent(20_000)
        self.calls: Recent[object, object] = Recent(10_000)
        self.flights = Flights()
        self.async_flights = AsyncFlights()
        self.unsettled = Unsettled()
        self._tokens, self._numbers = secrets.token_hex(8), count()

    def policy(self, model: type[models.Model]) -> ModelPolicy:
        """Return how querysets of a model are cached without being asked to."""
        policy = self._policies.get(model)
        if policy is None:
            policy = self._policies.setdefault(model, self.settings.policy(model._meta.label))
        return policy

    def part(self, make: Callable[[Engine], Result]) -> Result:
        """Return what ``make`` has made of this engine: something that upper layers keep until it forgets."""
        if make not in self._parts:
            self._parts.setdefault(make, make(self))
        return cast("Result", self._parts[make])

    # -- the stores

    @property
    def store(self) -> Store:
        """The store for synchronous callers; opened, but not connected, when it is first asked for.

        One on a server is guarded by ``breaker``.
        """
        store = self._store
        return self._open()[0] if store is None else store

    @property
    def async_store(self) -> AsyncStore:
        """The store for coroutines."""
        store = self._async_store
        return self._open()[1] if store is None else store

    @property
    def unguarded(self) -> Store:
        """The store itself, which is asked also while the breaker is open."""
        if self._raw is None:
            self._open()
        return cast("Store", self._raw)

    @property
    def url(self) -> str:
        """The URL of the store, from the settings or from ``CACHES["default"]``; it may hold a password."""
        return self.settings.store or default_url(conf.caches())

    def run(self, steps: Steps[Result]) -> Result:
        """Run protocol steps against the store."""
        return run(steps, self.store)

    async def arun(self, steps: Steps[Result]) -> Result:
        """Run protocol steps against the asynchronous store."""
        return await arun(steps, self.async_store)

    def close(self) -> None:
        """Give back the store's connections, and end the thread that probes it, if there is one."""
        if self._store is not None:
            self._store.close()

    # -- names

    def counters(self, namespaces: Iterable[Namespace]) -> tuple[str, ...]:
        """Return the keys of namespaces, in canonical order and without duplicates."""
        return tuple(self.keys.counter(namespace) for namespace in sorted(set(namespaces)))

    def token(self) -> str:
        """Return a token for a lease or a lock, unique also after a fork."""
        return f"{self._tokens}-{os.getpid():x}-{next(self._numbers):x}"

    def context(self) -> str:
        """Return the tenant's text that separates entries."""
        return "" if self.settings.key_context is None else str(self.settings.key_context())

    # -- what goes wrong

    def trouble(self, error: StoreError, doing: str) -> None:
        """Log and count an error of the store that was lived with; an outage that goes on was logged when it began."""
        kind: Trouble = "store unavailable" if isinstance(error, StoreUnavailable) else "store error"
        if isinstance(error, NotAsked):
            self.hub.send(Survived(kind, f"{doing}: {error}"))
        else:
            self.hub.survived(kind, f"{doing}: {error}")

    def owe(self, bump: Iterable[str]) -> None:
        """Keep bumps that failed: nothing is trusted until they are delivered, by a thread where the store has one."""
        self.unsettled.owe(bump)
        if isinstance(self._store, GuardedStore):
            self.breaker.summon()

    def _fence(self) -> Fence | None:
        if not self.settings.fence:
            return None
        hub = self.hub  # and not the engine, which nobody would close

        def begun(detail: str, milliseconds: int) -> None:
            hub.send(Quarantined(detail, milliseconds / 1000))

        lease = round(self.settings.lease * 1000)
        return Fence(self.keys.fence, self.keys.counter(SITE), lease, begun)

    def _open(self) -> tuple[Store, AsyncStore]:
        # Two threads with a memory store each would not hear of one another's writes.
        with self._opening:
            if self._store is not None and self._async_store is not None:
                return self._store, self._async_store
            try:
                pair = open_stores(self.url, prefix=self.settings.prefix, fence=self._fence())
            except ValueError as error:
                raise ImproperlyConfigured(f'GENSCACHE["STORE"]: {error}') from error
            sync, asynchronous = pair.sync, pair.asynchronous
            if self._store is None:
                self._raw = sync
            if sync.capabilities.remote:
                sync, asynchronous = (
                    GuardedStore(sync, self.breaker),
                    GuardedAsyncStore(asynchronous, self.breaker),
                )
            self._async_store = self._async_store or asynchronous
            self._store = self._store or sync
            return self._store, self._async_store


def current_config() -> AppConfig:
    """Return the app's configuration, also while a test has set it aside.

    ``available_apps`` and ``modify_settings`` hide it for a while; managers and connections know this package all the
    same, and what they write must be heard of.

    Raises:
        ImproperlyConfigured: ``"genscache"`` is not in ``INSTALLED_APPS``.
        AppRegistryNotReady: Django is not set up yet.
    """
    apps.check_apps_ready()
    found: AppConfig | None = apps.app_configs.get("genscache")
    if found is not None:
        return found
    for configs in reversed(apps.stored_app_configs):
        config: AppConfig | None = configs.get("genscache")
        if config is not None:
            return config
    raise ImproperlyConfigured('genscache is used, but "genscache" is not in INSTALLED_APPS. Add it there.')


def current_engine() -> Engine:
    """Return the engine of the running project.

    Raises:
        ImproperlyConfigured: ``"genscache"`` is not in ``INSTALLED_APPS``.
        AppRegistryNotReady: Django is not set up yet.
    """
    # What ``current_config`` does, as far as it most often goes: it is asked for several times in each read.
    config = apps.app_configs.get("genscache") if apps.apps_ready else None
    engine: Engine = (config or current_config()).engine  # type: ignore[attr-defined]  # GenscacheConfig imports us
    return engine


def _recovery(reference: weakref.ref[Engine]) -> Callable[[], bool]:
    """Return the probe of an engine's breaker; its thread keeps no engine alive that nobody closed."""
    token = secrets.token_hex(8)

    def probe() -> bool:
        engine = reference()
        if engine is None:
            return True
        # A key of the site's, as every user's rights allow; the token tells processes apart, forks excepted, whose
        # probes may meet: the same token is granted again.
        key = f"{engine.keys.counter(SITE)}:probe={token}"
        return recover(engine.unguarded, engine.unsettled, engine.hub, key=key, token=token)

    return probe


def _codec(settings: Settings, catalog: Catalog) -> Codec:
    serializer = None if settings.serializer == "pickle" else _serializer(settings.serializer)
    return Codec(
        serializer=serializer,
        keys=conf.secret_keys(),
        signed=settings.sign,
        allowed=frozenset(settings.allowed_classes),
        describe=catalog.describe,
        resolve=catalog.resolve,
        anatomy=DjangoAnatomy(),
    )


def _serializer(path: str) -> PayloadSerializer:
    try:
        found = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(
            f'GENSCACHE["SERIALIZER"] = {path!r} cannot be imported: {error}'
        ) from error
    if not callable(getattr(found, "dumps", None)) or not callable(getattr(found, "loads", None)):
        raise ImproperlyConfigured(f'GENSCACHE["SERIALIZER"] = {path!r} has no dumps() and loads().')
    return cast("PayloadSerializer", found)
