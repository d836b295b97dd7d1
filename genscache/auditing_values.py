"""When two results are the same result: what the auditor compares.

A value is turned into text, the same for equal values in every process, and only digests of it are kept and logged.
Instances of models are compared by their class, their fields, annotations, and the relations that were loaded with
them; dicts and sets without regard to order; a NaN equals a NaN; ``1``, ``True``, ``1.0`` and ``"1"`` all differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from types import BuiltinFunctionType, FunctionType
from typing import Final

from django.db import models
from django.db.models.query import QuerySet

from genscache.exceptions import UncacheableValue
from genscache.scalars import SCALARS

SIGNIFICANT: Final = 9
"""Digits of a float that count in the loose digest: the order in which a database sums may change the others."""

DEEPEST: Final = 200


def digest_of(value: object, *, loose: bool = False) -> str:
    """Return 16 hexadecimal digits that stand for a value.

    Args:
        value: A result.
        loose: Without regard to the order of lists and tuples and to the last digits of floats: what two runs of one
            query may differ in though no row has changed.

    Raises:
        UncacheableValue: It holds something that cannot be compared, or is nested too deeply.
    """
    return hashlib.blake2b(
        _Text(loose=loose).of(value).encode("utf-8", "surrogatepass"), digest_size=8
    ).hexdigest()


class _Text:
    """Turns one value into text."""

    def __init__(self, *, loose: bool) -> None:
        self._loose = loose
        self._path: list[int] = []

    def of(self, value: object) -> str:
        """Return the text of a value."""
        if isinstance(value, float):
            number = format(value, f".{SIGNIFICANT}g") if self._loose else repr(value)
            return f"float:{number}"
        if value is None or type(value) in SCALARS:
            return f"{type(value).__qualname__}:{value!r}"
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            return f"name:{value.__module__}.{value.__qualname__}"
        if id(value) in self._path:
            # A parent that its child leads back to: how far up it is tells it.
            return f"above:{len(self._path) - self._path.index(id(value))}"
        if len(self._path) >= DEEPEST:
            raise UncacheableValue(f"a result is nested more than {DEEPEST} times, so it is not compared.")
        self._path.append(id(value))
        try:
            return f"{type(value).__module__}.{type(value).__qualname__}({self._inside(value)})"
        finally:
            self._path.pop()

    def _inside(self, value: object) -> str:
        match value:
            case models.Model():
                return self._mapping(_instance(value))
            case QuerySet():
                return self._sequence(list(value))
            case Mapping():
                return self._mapping(value)
            case list() | tuple():
                return self._sequence(value)
            case AbstractSet():
                return _joined(sorted(map(self.of, value)))
            case _:
                return self._object(value)

    def _sequence(self, values: Iterable[object]) -> str:
        texts = [self.of(each) for each in values]
        return _joined(sorted(texts) if self._loose else texts)

    def _mapping(self, values: Mapping[object, object]) -> str:
        return _joined(sorted(_joined((self.of(key), self.of(each))) for key, each in values.items()))

    def _object(self, value: object) -> str:
        """Compare what ``pickle`` would keep of it."""
        reduce: Callable[[int], object] = value.__reduce_ex__
        try:
            parts = reduce(2)
        except Exception as error:  # a value's own __reduce__ may raise anything
            raise UncacheableValue(
                f"a result of type {type(value).__qualname__} cannot be compared: {error}"
            ) from error
        if not isinstance(parts, tuple):
            return str(parts)
        items = [list(each) if hasattr(each, "__next__") else each for each in parts]
        return _joined(self.of(each) for each in items)


def _instance(value: models.Model) -> Mapping[object, object]:
    """Return what a row has: its fields as far as they were loaded, annotations, and loaded relations."""
    found: dict[object, object] = {name: each for name, each in value.__dict__.items() if name != "_state"}
    found["<relations>"] = dict(value._state.fields_cache)
    return found


def _joined(texts: Iterable[str]) -> str:
    """Join texts so that no two lists of them read the same."""
    return "".join(f"{len(each)}:{each}" for each in texts)
