"""Bodies in parts that somebody else may have written, checked before anything is made of them.

A few bytes could ask for any number of instances: a group may say how many it has, many groups may share one column,
and plans may hold one another. So each thing that will be made has a price, and the sum has a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Any, Final, TypeVar, cast

from genscache.columns import is_constant, length
from genscache.dismantling import DEEPEST
from genscache.opcodes import MOST_MEMORY, TooManyValues
from genscache.parts import REST, STATE, Kind, What

Type = TypeVar("Type")

INSTANCE: Final = 1024
"""Bytes that an instance may take besides its values, generously estimated: itself, its dicts and its state."""

CELL: Final = 128
"""Bytes that a value and its place may take."""

_NUMBER: Final = 32
_GROUP: Final = 4096
# More than it takes in memory: what it costs is time.
_PLAN: Final = 512


def verify(structure: object, columns: object, kinds: Sequence[Kind]) -> int:
    """Check that structure and columns are such as ``dismantle`` finds.

    Args:
        structure: What was read.
        columns: The same.
        kinds: The classes that it may name.

    Returns:
        Bytes that a result will take, about.

    Raises:
        TypeError: Something in it is of another type.
        ValueError: It does not fit together.
        TooManyValues: The result would take more than ``MOST_MEMORY``.
    """
    return _Verification(kinds).whole(structure, columns)


class _Verification:
    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._kinds = kinds
        self._instances = 0
        self._cost = 0

    def whole(self, structure: object, columns: object) -> int:
        groups, plan = _tuple(structure, 2)
        left = list(_tuple(columns))
        self._columns = len(left)
        for group in _tuple(groups):
            self._group(group, left)
        self._single = self._columns - len(left)
        if not all(type(each) is tuple and len(each) == 1 and is_constant(each[0]) for each in left):
            raise TypeError("a single value that is none")
        for _, count, _, _, relations, _ in groups:
            for _, numbers in relations:
                self._numbers(numbers, count)
        self._plan(plan, DEEPEST)
        return self._cost

    def _group(self, group: object, left: list[object]) -> None:
        """Check a group, and take its columns away from those that are left."""
        model, count, names, state, relations, letters = _tuple(group, 6)
        if not 0 <= _typed(model, int) < len(self._kinds) or _typed(count, int) <= 0:
            raise ValueError("a group without instances, or of a class that is not listed")
        columns, left[:] = left[: len(_typed(letters, str))], left[len(letters) :]
        relations = [_tuple(each, 2) for each in _tuple(relations)]
        self._pay(_GROUP + count * (INSTANCE + CELL * (len(columns) + len(relations))))
        self._instances += count
        self._names(self._kinds[model].names if names is None else names, len(columns))
        self._names(tuple(name for name, _ in relations), len(relations))
        database, adding, mode = _tuple(state, 3)
        if type(database) not in (str, NoneType) or type(mode) not in (str, NoneType):
            raise TypeError("a state of another kind")
        _typed(adding, bool)
        for letter, column in zip(letters, columns, strict=True):
            if letter == REST:
                _typed(column, int)
            elif length(letter, column) != count:
                raise ValueError("a column is longer than another, or shorter")
        if not columns:
            raise ValueError("a group without columns")

    def _names(self, names: object, count: int) -> None:
        found = _tuple(names, count)
        if not all(type(name) is str for name in found) or STATE in found or len(set(found)) < count:
            raise ValueError("names that are none")

    def _numbers(self, numbers: object, count: object) -> None:
        """Check numbers of instances; those that are not there are found out when it is built."""
        self._pay(_NUMBER * _typed(count, int))
        if type(numbers) is list:
            if len(numbers) != count or not all(
                type(each) is int and 0 <= each <= self._instances for each in numbers
            ):
                raise ValueError("numbers of instances that are none")
            return
        start, step = _tuple(numbers, 2)
        last = _typed(start, int) + _typed(step, int) * (_typed(count, int) - 1)
        if start < 0 or step < 0 or last > self._instances:
            raise ValueError("more numbers than there are instances")

    def _plan(self, plan: object, depth: int) -> None:
        self._pay(_PLAN)
        what, *parts = _tuple(plan)
        if what == What.INSTANCES:
            numbers, count = _tuple(parts, 2)
            if _typed(count, int) <= 0:
                raise ValueError("a list of no instances")
            self._numbers(numbers, count)
        elif what == What.INSTANCE:
            self._numbers((*_tuple(parts, 1), 0), 1)
        elif what == What.VALUE:
            if not self._single <= _typed(_tuple(parts, 1)[0], int) < self._columns:
                raise ValueError("a single value that is not there")
        elif what == What.REST:
            _typed(_tuple(parts, 1)[0], int)
        else:
            self._container(what, parts, depth)

    def _container(self, what: object, parts: list[object], depth: int) -> None:
        if depth == 0:
            raise ValueError("containers that lie too deep")
        members = _tuple(parts[-1])
        if what == What.DICT:
            keys = _tuple(_tuple(parts, 2)[0], len(members))
            if not all(map(is_constant, keys)):
                raise TypeError("a key that could be changed")
        elif what not in (What.LIST, What.TUPLE) or len(parts) != 1:
            raise ValueError("a plan of another kind")
        for each in members:
            self._plan(each, depth - 1)

    def _pay(self, cost: int) -> None:
        self._cost += cost
        if self._cost > MOST_MEMORY:
            raise TooManyValues(f"its instances would take more than {MOST_MEMORY >> 20} MiB")


def _typed(value: object, kind: type[Type]) -> Type:
    if type(value) is not kind:
        raise TypeError(f"a {kind.__qualname__} is expected, not a {type(value).__qualname__}")
    return value


def _tuple(value: object, count: int | None = None) -> tuple[Any, ...]:
    """Return a tuple, or a list that was one, of so many members."""
    if type(value) not in (tuple, list) or (count is not None and len(cast("tuple[object]", value)) != count):
        raise TypeError(f"a tuple of another length, or a {type(value).__qualname__}")
    return tuple(cast("tuple[object]", value))
