"""Which models a name leads to, where Django follows it only while compiling: in an ordering, in ``select_related``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import FieldDoesNotExist
from django.db import models

if TYPE_CHECKING:
    from genscache.fingerprints.memory import Memory
    from genscache.fingerprints.walk import Walk

MOST_NAMES: Final = 5_000
"""Names that are remembered; a site's code has fewer, but users may choose an ordering."""


class Paths:
    """Follows names from model to model and remembers where they led.

    Args:
        memory: Writes models.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.follow: Callable[[type[models.Model], str], tuple[bytes, type[models.Model] | None]] = lru_cache(
            MOST_NAMES
        )(self._follow)
        self.everything: Callable[[type[models.Model], int], bytes] = lru_cache(MOST_NAMES)(self._everything)

    def _follow(self, model: type[models.Model], name: str) -> tuple[bytes, type[models.Model] | None]:
        """Return the models on the way along ``a__b__c``, and the one that it ends at if it ends at a relation."""
        found: list[bytes] = []
        current: type[models.Model] | None = model
        for part in name.split("__"):
            if current is None:
                break
            current = self._step(current, part, found)
        return b"".join(found), current

    def _step(self, model: type[models.Model], part: str, found: list[bytes]) -> type[models.Model] | None:
        try:
            field: Any = model._meta.get_field(part)
        except FieldDoesNotExist:
            return None
        related = field.related_model if field.is_relation else None
        if not isinstance(related, type):
            return None
        found.append(self._memory.model(related))
        through = getattr(getattr(field, "remote_field", None), "through", None) or getattr(
            field, "through", None
        )
        if isinstance(through, type):
            found.append(self._memory.model(through))
        return None if getattr(field, "attname", part) == part != field.name else related

    def _everything(self, model: type[models.Model], depth: int) -> bytes:
        """Return all models that foreign keys lead to, as ``select_related()`` without arguments follows them."""
        found, edge = {model}, [model]
        for _ in range(depth):
            edge = [
                field.related_model
                for each in edge
                for field in each._meta.fields
                if isinstance(field.related_model, type) and field.related_model not in found
            ]
            found.update(edge)
        return b"".join(sorted(self._memory.model(each) for each in found))


def write_select_related(walk: Walk, model: type[models.Model], wanted: bool | Mapping[str, Any]) -> None:  # noqa: FBT001
    """Write what ``select_related`` asks for, with the definitions of the models that it adds."""
    if not isinstance(wanted, dict):
        walk.out.append(b"*" + walk.memory.paths.everything(model, walk.memory.deepest_relation))
        return
    walk.out.append(b"{%d:" % len(wanted))
    for name, inner in wanted.items():
        walk.visit(name)
        found, related = walk.memory.paths.follow(model, name)
        walk.out.append(found)
        write_select_related(walk, related or model, inner)


def write_ordering(
    walk: Walk,
    model: type[models.Model] | None,
    ordering: Any,
    seen: frozenset[type[models.Model]] = frozenset(),
) -> None:
    """Write an ordering; one by a relation goes on with the default ordering of the related model."""
    walk.out.append(b"o%d:" % len(ordering))
    for item in ordering:
        walk.visit(item)
        if not isinstance(item, str):
            continue
        if item == "?":
            walk.volatile = walk.volatile or 'it depends on the moment: order_by("?")'
        if model is None:
            continue
        found, related = walk.memory.paths.follow(model, item.lstrip("+-"))
        walk.out.append(found)
        if related is not None and related._meta.ordering and related not in seen:
            write_ordering(walk, related, related._meta.ordering, seen | {related})
