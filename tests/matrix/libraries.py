"""How a caching library is told to begin anew, to cache, and to be silent; genscache, and two for comparison."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, cast

from django.apps import apps
from django.conf import settings

from tests.matrix import bodies
from tests.matrix.orders import Orders
from tests.matrix.settings import DERIVED


class Library(ABC):
    """One library in one mode."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.asked = orders.mode == "asked"

    @abstractmethod
    def renew(self, lost: Collection[str]) -> Collection[str] | None:
        """Forget the entries of the shapes in ``lost``, which the last write has changed; or those of all.

        Returns:
            The shapes whose entries are gone; ``None``: all.
        """

    @abstractmethod
    def off(self) -> AbstractContextManager[object]:
        """Leave the cache out in this block."""

    def cached(self, queryset: Any) -> Any:
        """Return the queryset so that the cache may answer."""
        return queryset.cache() if self.asked else queryset

    def plain(self, queryset: Any) -> Any:
        """Return the queryset so that the database answers."""
        return queryset.nocache()

    def function(self, name: str, *args: object, cached: bool) -> object:
        """Call a function of ``bodies``; only genscache caches those."""
        return getattr(bodies, name)(*args)

    @contextmanager
    def named(self, shape: str) -> Iterator[None]:
        """Keep the entries of one shape apart from those of another: what one fills must not hide what another lost."""
        yield


class Genscache(Library):
    """The library under test.

    Each shape is a tenant of its own, and a new one after each write that it did not survive: what is filled then is of
    rows that are put back without a word.
    """

    def __init__(self, orders: Orders) -> None:
        super().__init__(orders)
        from genscache import cached, obj  # noqa: PLC0415 - not installed where another library is looked at
        from tests.site.news.models import Article, Author  # noqa: PLC0415

        self._shape = ""
        self._rounds: Counter[str] = Counter()
        self._functions: dict[str, Callable[..., object]] = {
            "newest": cached(Article, Author)(bodies.newest),
            "titled": cached(depends_on=lambda pk: [obj(Article, pk)])(bodies.titled),
            "sections": cached()(bodies.sections),
        }

        self._install()

    def _install(self) -> None:
        from genscache.conf import Settings  # noqa: PLC0415
        from genscache.engine import Engine  # noqa: PLC0415

        models: dict[str, object] = {} if self.asked else {"*": {"cache": "all"}}
        if self.orders.mode == "matched":
            models["news.Article"] = {"match": [["section"], ["section", "author"]]}
            models["news.Tag"] = {"match": [["name"]]}
        config: Any = apps.get_app_config("genscache")
        config.engine.close()
        config.engine = Engine(
            Settings.of(
                {
                    "STORE": self.orders.store,
                    "PREFIX": f"m{secrets.token_hex(6)}",
                    "DERIVED": DERIVED,
                    "MODELS": models,
                    "KEY_CONTEXT": lambda: f"{self._rounds[self._shape]} {self._shape}",
                    # Longer than a run.
                    "TIMEOUT": 3600,
                }
            )
        )

    def renew(self, lost: Collection[str]) -> Collection[str]:
        self._rounds.update(lost)
        return lost

    def off(self) -> AbstractContextManager[object]:
        from genscache import bypass  # noqa: PLC0415

        return bypass()

    def function(self, name: str, *args: object, cached: bool) -> object:
        return self._functions[name](*args) if cached else super().function(name, *args, cached=False)

    @contextmanager
    def named(self, shape: str) -> Iterator[None]:
        self._shape = shape
        yield
        self._shape = ""


class Cacheops(Library):
    """django-cacheops on Redis."""

    def renew(self, lost: Collection[str]) -> None:
        import_module("cacheops").invalidate_all()

    @contextmanager
    def off(self) -> Iterator[None]:
        settings.CACHEOPS_ENABLED = False
        yield
        settings.CACHEOPS_ENABLED = True


class Cachalot(Library):
    """django-cachalot on Redis: it caches whatever is asked."""

    def renew(self, lost: Collection[str]) -> None:
        import_module("django.core.cache").cache.clear()

    def off(self) -> AbstractContextManager[object]:
        return cast("AbstractContextManager[object]", import_module("cachalot.api").cachalot_disabled())

    def cached(self, queryset: Any) -> Any:
        return queryset

    def plain(self, queryset: Any) -> Any:
        return queryset


def library(orders: Orders) -> Library:
    """Return the library that is ordered."""
    kinds: dict[str, Callable[[Orders], Library]] = {
        "genscache": Genscache,
        "cacheops": Cacheops,
        "cachalot": Cachalot,
    }
    return kinds[orders.library](orders)
