"""A cache of a test's own: with other settings, and, in a transaction that is never committed, as if it were."""

from __future__ import annotations

from typing import TypeAlias

from django.db.backends.base.base import BaseDatabaseWrapper
from django.test.utils import TestContextDecorator, override_settings

from genscache import conf
from genscache.engine import Engine, current_config, current_engine
from genscache.keys import SITE
from genscache.testing.probes import CacheProbe
from genscache.transactions import ATTRIBUTE, Transaction, in_transaction, open_transactions, state_of

Held: TypeAlias = tuple[BaseDatabaseWrapper, Transaction, Transaction]
"""A connection, its state, and the one that it has meanwhile."""


class override_genscache(TestContextDecorator):  # noqa: N801 - used as a function, and named as Django's
    """Give a test an empty cache in memory, and other settings; what was there before is back afterwards.

    A block, or a decorator of a function, a coroutine function or a ``unittest`` class (around each of its tests).

    Args:
        settings: Keys of ``GENSCACHE``, over those of the project. Not given, ``STORE`` is ``"memory://"`` and
            ``ENABLED`` is true.

    Raises:
        ImproperlyConfigured: When it begins: a key is unknown or a value is wrong.
    """

    _live = False

    def __init__(self, **settings: object) -> None:
        super().__init__()
        self._settings = settings
        self._began: list[tuple[Engine, override_settings, CacheProbe, list[Held]]] = []

    def enable(self) -> CacheProbe:
        """Begin; return what hears of every read."""
        engine = current_engine()
        changed = {**conf.given(), "STORE": "memory://", "ENABLED": True, **self._settings}
        overriding = override_settings(GENSCACHE=changed)
        overriding.enable()
        try:
            probe = CacheProbe()
        except BaseException:
            self._restore(engine, overriding)
            raise
        held = [self._held(*each) for each in open_transactions() if in_transaction(*each)]
        self._began.append((engine, overriding, probe, held))
        return probe

    def __enter__(self) -> CacheProbe:  # type: ignore[override]  # the stubs know of what Django's own ones return
        """Begin; return what hears of every read."""
        return self.enable()

    def disable(self) -> None:
        """End: the cache that was there before is in use again, with what it had stored."""
        engine, overriding, probe, held = self._began.pop()
        for connection, before, meanwhile in held:
            if in_transaction(connection, before):
                before.outlived(meanwhile, SITE)
            else:
                before.reset()
            if state_of(connection) is meanwhile:
                setattr(connection, ATTRIBUTE, before)
        probe.stop()
        self._restore(engine, overriding)

    def _held(self, connection: BaseDatabaseWrapper, state: Transaction) -> Held:
        """Give a connection another state for the time being: the clock in its own is of another store."""
        meanwhile = state.elsewhere(live=self._live)
        setattr(connection, ATTRIBUTE, meanwhile)
        return connection, state, meanwhile

    @staticmethod
    def _restore(engine: Engine, overriding: override_settings) -> None:
        overriding.disable()
        current_config().engine = engine  # type: ignore[attr-defined]  # GenscacheConfig's


class live_cache(override_genscache):  # noqa: N801 - used as a function
    """Let the cache live inside a ``TestCase`` as it would in production, where its transactions were committed.

    The same as ``override_genscache``; and the transactions that are open when it begins count as none. So what is
    written at that level invalidates at once and may be stored again; an ``atomic()`` inside is a transaction, which
    invalidates when it ends and leaves nothing where it is rolled back.

    It holds for the connections of this thread. Another connection does not see the test's rows, so no other may
    read through the cache while it lives: tests with threads of their own need a ``TransactionTestCase``.
    """

    _live = True
