"""The app: holds the engine, and is the only place that connects anything."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from types import ModuleType

from django.apps import AppConfig, apps
from django.core import checks
from django.core.signals import setting_changed
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import class_prepared

from genscache.checks import check_engine
from genscache.conf import Settings
from genscache.delivery import say_farewell
from genscache.engine import Engine
from genscache.orm.connection import Watch
from genscache.orm.watcher import Watcher
from genscache.querysets.adoption import Adoption

WATCHED_SETTINGS = frozenset({"GENSCACHE", "CACHES", "DATABASES", "SECRET_KEY", "SECRET_KEY_FALLBACKS"})


class Shared:
    """What the configurations of one process have in common."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.making = threading.Lock()
        self.adoption = Adoption()
        self.watched = False


class GenscacheConfig(AppConfig):
    """``INSTALLED_APPS += ["genscache"]``.

    A test that overrides ``INSTALLED_APPS`` makes a second configuration. It is one with the first, which watches the
    connections: what one engine is told, another one with a store in memory would never hear of.
    """

    name = "genscache"
    verbose_name = "genscache"

    shared: Shared

    def __init__(self, app_name: str, app_module: ModuleType) -> None:
        super().__init__(app_name, app_module)
        before = (each.get("genscache") for each in apps.stored_app_configs)
        shared = (each.shared for each in before if isinstance(each, GenscacheConfig))
        # Here and not in ready(): an app that comes before this one may ask for the engine in its own.
        self.shared = next(shared, None) or Shared()

    @property
    def adoption(self) -> Adoption:
        """The classes that managers and querysets were given."""
        return self.shared.adoption

    @property
    def engine(self) -> Engine:
        """The engine, made when the app is ready and again after a test has changed a setting."""
        shared = self.shared
        if shared.engine is None:
            with shared.making:
                if shared.engine is None:
                    shared.engine = _made()
        return shared.engine

    @engine.setter
    def engine(self, engine: Engine) -> None:
        """Use another engine from now on (tests, and stores that count)."""
        self.shared.engine = engine

    def ready(self) -> None:
        """Check the settings and watch every connection, those that exist already included."""
        if self.shared.watched:
            self._apps_changed()
            return
        self.shared.watched = True
        self.shared.engine = self.shared.engine or _made()
        self.adoption.adopt_models()
        self._watch = Watch(lambda: self.engine, Watcher(lambda: self.engine))
        connection_created.connect(self._connected, dispatch_uid="genscache")
        class_prepared.connect(self._model_prepared, dispatch_uid="genscache")
        setting_changed.connect(self._setting_changed, dispatch_uid="genscache")
        for connection in connections.all(initialized_only=True):
            if connection.connection is not None:
                self._watch.adopt(connection)
        checks.register(check_engine, checks.Tags.caches)

    def _model_prepared(self, *, sender: type[models.Model], **_: object) -> None:
        """Adopt the managers of a model that is made when the apps are ready (tests, plugins)."""
        if sender._meta.apps is apps:
            self.adoption.adopt_declared(sender)

    def _connected(self, *, connection: BaseDatabaseWrapper, **_: object) -> None:
        self._watch.adopt(connection)

    def _setting_changed(self, *, setting: str, **_: object) -> None:
        if setting == "INSTALLED_APPS":
            self._apps_changed()
        elif setting in WATCHED_SETTINGS:
            self._renew()

    def _apps_changed(self) -> None:
        """Take over other models, and the managers that Django has worked out anew."""
        self._renew()
        self.adoption.adopt_models()

    def _renew(self) -> None:
        """Let the next use make an engine for the settings and models of that moment."""
        if self.shared.engine is not None:
            self.shared.engine.close()
            self.shared.engine = None


def _made() -> Engine:
    """Make an engine that knows what to do when the process forks or ends."""
    engine = Engine(Settings.load())
    reference = weakref.ref(engine)

    def forget() -> None:
        child = reference()
        if child is not None:
            # The parent's reads under way are not the child's, and nobody here would give back their locks.
            child.forget()

    def farewell() -> None:
        last = reference()
        if last is not None and last.unsettled:
            say_farewell(last)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)
    atexit.register(farewell)
    return engine
