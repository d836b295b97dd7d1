"""What is remembered between walks: how to write each class, the installed models, and their fields."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from django.db import models
from django.db.models.sql import Query

from genscache.fingerprints.fields import AnyField, model_bytes
from genscache.fingerprints.paths import Paths
from genscache.fingerprints.visitors import FIRST, visitor_of
from genscache.scalars import text_block
from genscache.tables import fold

if TYPE_CHECKING:
    from genscache.fingerprints.walk import Visit

MOST_CLASSES: Final = 5_000
"""More classes than this are not remembered: somebody makes them as they go."""


class Memory:
    """What walks have in common.

    Args:
        describe: Returns a digest of a model's definition.

    Attributes:
        fields: Fields of models by their id, with what is written for them.
        paths: Which models names lead to.
    """

    deepest_relation: Final = Query.max_depth

    def __init__(self, describe: Callable[[type], str | None]) -> None:
        self.describe = describe
        self.fields: dict[int, tuple[AnyField, bytes]] = {}
        self.paths = Paths(self)
        self.model: Callable[[type[models.Model]], bytes] = lru_cache(MOST_CLASSES)(self._model)
        self.folded: Callable[[str], str] = lru_cache(MOST_CLASSES)(fold)
        self.field_class: Callable[[type], tuple[bytes, dict[str, Any] | None]] = lru_cache(1_000)(
            _field_class
        )
        self.adds_nothing: Callable[[type], bool] = lru_cache(1_000)(_adds_nothing)
        self._visitors: dict[type, Visit] = dict(FIRST)

    def visitor(self, kind: type) -> Visit:
        """Return what writes instances of a class."""
        known = self._visitors.get(kind)
        if known is None:
            known = visitor_of(kind)
            if len(self._visitors) < MOST_CLASSES:
                self._visitors[kind] = known
        return known

    def _model(self, model: type[models.Model]) -> bytes:
        return model_bytes(self, model)


def _adds_nothing(kind: type) -> bool:
    """Tell whether what a relation's class adds to the ON clause is written by Django."""
    for name in ("get_extra_restriction", "get_joining_fields"):
        function = getattr(kind, name, None)
        if function is not None and not str(function.__module__).startswith("django."):
            return False
    return True


def _field_class(kind: type) -> tuple[bytes, dict[str, Any] | None]:
    """Return the path of a field's class, and the attributes of one that is made without arguments."""
    path = text_block(b"k", f"{kind.__module__}.{kind.__qualname__}")
    try:
        return path, dict(kind().__dict__)
    except TypeError:
        return path, None
