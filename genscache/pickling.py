"""Pickling that notes which models it met, and pickling for those who do not trust the store."""

from __future__ import annotations

import copyreg
import io
import pickle
from collections.abc import Callable
from enum import Enum
from fractions import Fraction
from types import BuiltinFunctionType, FunctionType
from typing import Any, Final, TypeAlias, cast
from zoneinfo import ZoneInfo

from genscache.opcodes import check_opcodes
from genscache.unpickling import (
    MODEL_UNPICKLE,
    PLAIN_TYPES,
    REVIVED_NAMES,
    REVIVED_TYPES,
    class_path,
    find_loaded,
    fits,
    is_allowed,
    revive,
)

Describe: TypeAlias = Callable[[type], str | None]
"""Returns a digest of a model class's definition, ``None`` for every other class."""

PROTOCOL: Final = 5

# What __reduce_ex__ returns has no better type in typeshed, either.
Reduced: TypeAlias = tuple[Any, ...]


class HiddenModel(Exception):
    """A model, or an instance of one, lies where there should be none."""


def no_models(describe: Describe, kind: type) -> None:
    """Describe nothing, and refuse what ``describe`` would describe.

    Raises:
        HiddenModel: It is a model class.
    """
    if describe(kind) is not None:
        raise HiddenModel


class RecordingPickler(pickle.Pickler):
    """Pickle as Python does, and note the definition of every model class on the way, however deep it lies."""

    def __init__(self, describe: Describe) -> None:
        """Pickle to memory; ``describe`` is asked once for each class."""
        self._buffer = io.BytesIO()
        super().__init__(self._buffer, PROTOCOL)
        self._describe = describe
        self._seen: dict[type, str | None] = {}

    def pickled(self, value: object) -> bytes:
        """Return the pickle of ``value``."""
        self.dump(value)
        return self._buffer.getvalue()

    @property
    def models(self) -> dict[type, str]:
        """The model classes met so far, with their definitions."""
        return {kind: definition for kind, definition in self._seen.items() if definition is not None}

    def reducer_override(self, value: object) -> Reduced:
        """Note the class of ``value``, or ``value`` where it is a class itself; then pickle as usual."""
        kind = type(value)
        if kind not in self._seen:
            self._note(kind, value)
        return NotImplemented  # type: ignore[no-any-return]  # the protocol's way to say "as usual"

    def _note(self, kind: type, value: object) -> None:
        if issubclass(kind, type):
            # A queryset, for one, holds its model without holding an instance. The metaclass itself is not noted,
            # so that the next class of its kind is looked at, too.
            found = cast("type", value)
            if found not in self._seen:
                self._seen[found] = self._describe(found)
        else:
            self._seen[kind] = self._describe(kind)


class RestrictedPickler(RecordingPickler):
    """Pickle in the form that ``RestrictedUnpickler`` reads: instances by the name of their class."""

    def __init__(self, describe: Describe, *, allowed: frozenset[str]) -> None:
        """Pickle to memory, with ``allowed`` as in ``RestrictedUnpickler``."""
        super().__init__(describe)
        self._allowed = allowed

    def pickled(self, value: object) -> bytes:
        """Return the pickle of ``value``, checked as a reader will check it."""
        body = super().pickled(value)
        check_opcodes(body)
        return body

    def reducer_override(self, value: object) -> Reduced:
        """Reduce what is on the list.

        Raises:
            pickle.PicklingError: It is not.
        """
        usual = super().reducer_override(value)
        kind = type(value)
        if kind in PLAIN_TYPES:
            return usual
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            name = (value.__module__, value.__qualname__)
            if value is revive or value in PLAIN_TYPES or name == MODEL_UNPICKLE:
                return usual
            raise pickle.PicklingError(
                f"{name[0]}.{name[1]} is a class or a function; unsigned entries hold values"
            )
        return self._revivable(kind, value, usual)

    def _revivable(self, kind: type, value: object, usual: Reduced) -> Reduced:
        path, model = class_path(kind), self._seen.get(kind) is not None
        if not model and kind not in REVIVED_TYPES and path not in REVIVED_NAMES:
            self._refuse_unlisted(kind, path)
        function, args, *rest = _reduce(value)
        if (
            model
            and (getattr(function, "__module__", ""), getattr(function, "__qualname__", "")) == MODEL_UNPICKLE
        ):
            return usual
        if function is copyreg.__newobj__ and args[0] is kind:  # type: ignore[attr-defined]  # not in typeshed
            how, args = "new", args[1:]
        elif function is kind and not model:
            how = "call"
        else:
            raise pickle.PicklingError(
                f"{path} is pickled by {function!r}, which unsigned entries may not call"
            )
        if not fits(path, args):
            kinds = ", ".join(type(arg).__qualname__ for arg in args)
            raise pickle.PicklingError(
                f"{path} with arguments of type {kinds} is more than unsigned entries may hold"
            )
        return (revive, (path, how, *args), *rest)

    def _refuse_unlisted(self, kind: type, path: str) -> None:
        name = path.replace(":", ".")
        if not is_allowed(path, self._allowed):
            raise pickle.PicklingError(
                f'{name} is not on the list; add "{name}" to GENSCACHE["ALLOWED_CLASSES"]'
            )
        if find_loaded(path) is not kind:
            raise pickle.PicklingError(f"{name} cannot be found under that name")


def _reduce(value: object) -> Reduced:
    """Return what pickle would, or the same in plainer words where Python reduces to a call of getattr or a parser."""
    if isinstance(value, Enum):
        return type(value), (value.value,)
    if type(value) is Fraction:
        return Fraction, (value.numerator, value.denominator)
    if type(value) is ZoneInfo and value.key is not None:
        return ZoneInfo, (value.key,)
    reduced = value.__reduce_ex__(PROTOCOL)
    if isinstance(reduced, str):
        raise pickle.PicklingError(f"{type(value).__qualname__} is pickled by the name {reduced!r}")
    return reduced
