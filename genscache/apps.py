"""The app: holds the engine, and is the only place that connects anything."""

from __future__ import annotations

import os
import weakref
from functools import cached_property

from django.apps import AppConfig
from django.core import checks
from django.core.signals import setting_changed
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from genscache.checks import check_engine
from genscache.conf import Settings
from genscache.engine import Engine
from genscache.orm.connection import Watch
from genscache.orm.watcher import Watcher

WATCHED_SETTINGS = frozenset({"GENSCACHE", "CACHES", "DATABASES", "SECRET_KEY", "SECRET_KEY_FALLBACKS"})


class GenscacheConfig(AppConfig):
    """``INSTALLED_APPS += ["genscache"]``."""

    name = "genscache"
    verbose_name = "genscache"

    @cached_property
    def engine(self) -> Engine:
        """The engine, made when it is first asked for and again after a setting was changed by a test."""
        engine = Engine(Settings.load())
        _forget_after_fork(engine)
        return engine

    def ready(self) -> None:
        """Check the settings and watch every connection, those that exist already included."""
        Settings.load()
        self._watch = Watch(lambda: self.engine, Watcher(lambda: self.engine))
        connection_created.connect(self._connected, dispatch_uid="genscache")
        setting_changed.connect(self._setting_changed, dispatch_uid="genscache")
        for connection in connections.all(initialized_only=True):
            if connection.connection is not None:
                self._watch.adopt(connection)
        checks.register(check_engine, checks.Tags.caches)

    def _connected(self, *, connection: BaseDatabaseWrapper, **_: object) -> None:
        self._watch.adopt(connection)

    def _setting_changed(self, *, setting: str, **_: object) -> None:
        if setting in WATCHED_SETTINGS and "engine" in self.__dict__:
            self.engine.close()
            del self.engine


def _forget_after_fork(engine: Engine) -> None:
    """Let a forked child begin without the parent's reads under way, whose locks nobody there would give back."""
    reference = weakref.ref(engine)

    def forget() -> None:
        child = reference()
        if child is not None:
            child.forget()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)
