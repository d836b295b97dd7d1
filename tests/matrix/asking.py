"""How a shape asks: the same question of the cache, or of the database past it; and what it was answered with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist
from django.db import connections, models

from tests.matrix.forms import form

if TYPE_CHECKING:
    from tests.matrix.libraries import Library

Source = Any  # a model, a manager or a queryset of any
Read = Callable[["Ask"], object]


class Ask:
    """Makes querysets that are cached, or that are not.

    Args:
        library: How the caching library is told.
        cached: Whether the cache may answer.
    """

    def __init__(self, library: Library, *, cached: bool) -> None:
        self._library = library
        self._cached = cached

    def __call__(self, source: Source) -> Any:
        """Return the queryset of a model, a manager or a queryset."""
        manager = source._default_manager if isinstance(source, type) else source
        return self._library.cached(manager.all()) if self._cached else self._library.plain(manager.all())

    def function(self, name: str, *args: object) -> object:
        """Call a cached function, or its body."""
        return self._library.function(name, *args, cached=self._cached)


def saved(model: type[models.Model], pk: object, **values: object) -> Any:
    """Return an instance as it was loaded from the database, without loading it."""
    instance = model(pk=pk, **values)
    instance._state.adding = False
    instance._state.db = "default"
    return instance


@dataclass(frozen=True, slots=True)
class Answer:
    """What a read has returned.

    Attributes:
        form: The result in a form that can be compared, or what was raised.
        sql: The statements that it ran.
    """

    form: object
    sql: tuple[str, ...]

    @property
    def hit(self) -> bool:
        """Tell whether the database was not asked."""
        return not self.sql


class Asker:
    """Asks in one thread."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def cached(self, name: str, read: Callable[[Ask], object]) -> Answer:
        """Ask with the cache; ``name`` is the shape's."""
        with self._library.named(name):
            return self._answer(read, Ask(self._library, cached=True), nullcontext)

    def truth(self, read: Callable[[Ask], object]) -> Answer:
        """Ask the database."""
        return self._answer(read, Ask(self._library, cached=False), self._library.off)

    def _answer(self, read: Callable[[Ask], object], ask: Ask, around: Callable[[], Any]) -> Answer:
        with around(), watching() as sql:
            try:
                found = form(read(ask))
            except (ObjectDoesNotExist, MultipleObjectsReturned) as error:
                found = ("raised", type(error), str(error))
        return Answer(found, tuple(sql))


@contextmanager
def watching() -> Iterator[list[str]]:
    """Gather the SQL of this thread, on both aliases."""
    found: list[str] = []

    def note(execute: Callable[..., object], sql: str, *rest: object) -> object:
        found.append(sql)
        return execute(sql, *rest)

    with ExitStack() as stack:
        for connection in connections.all():
            stack.enter_context(connection.execute_wrapper(note))
        yield found


_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WRITTEN = re.compile(
    r"^\s*(?:/\*.*?\*/\s*)?(?:INSERT(?:\s+OR\s+\w+|\s+IGNORE)?\s+INTO|REPLACE\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?)"
    r"\s+[\"`]?(\w+)",
    re.IGNORECASE,
)


def named(sql: tuple[str, ...], tables: frozenset[str]) -> frozenset[str]:
    """Return which tables statements name anywhere: more than what they read, never less."""
    return frozenset(word for text in sql for word in _WORD.findall(text)) & tables


def written(sql: tuple[str, ...], tables: frozenset[str]) -> frozenset[str]:
    """Return which tables statements write, by their beginnings."""
    found: set[str] = set()
    for text in sql:
        match = _WRITTEN.match(text)
        if match:
            # PostgreSQL flushes many tables in one statement.
            found |= named((text,), tables) if text.lstrip()[:8].upper() == "TRUNCATE" else {match[1]}
    return frozenset(found) & tables
