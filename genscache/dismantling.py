"""Taking a result apart, into groups of instances and what is to be made of them; see ``parts`` for the form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final, cast

from genscache.columns import is_constant, pack
from genscache.parts import (
    REST,
    STATE,
    Anatomy,
    Group,
    Kind,
    NotParts,
    Numbers,
    Plan,
    State,
    Structure,
    What,
)

DEEPEST: Final = 4
"""How deep containers in containers may hold instances."""

WIDEST: Final = 32
"""Members of a container that are all looked at for instances; where there are more, their types tell."""


@dataclass(slots=True)
class Dismantled:
    """A result in parts.

    Attributes:
        structure: What it is made of, apart from values.
        columns: Values that cannot be changed.
        kinds: The classes of its instances; a group names one by its index.
        rest: Values that can be changed: each new result needs its own.
    """

    structure: Structure
    columns: tuple[object, ...]
    kinds: list[Kind]
    rest: list[object]


def dismantle(value: object, anatomy: Anatomy) -> Dismantled | None:
    """Take a result apart.

    Returns:
        ``None`` where it holds no instances, or something that only pickle knows how to store.
    """
    try:
        return _Dismantling(anatomy).whole(value)
    except NotParts:
        return None


class Writing:
    """Columns, while they are written.

    Attributes:
        columns: Values that cannot be changed.
        rest: Values that can.
    """

    __slots__ = ("columns", "rest")

    def __init__(self) -> None:
        self.columns: list[object] = []
        self.rest: list[object] = []

    def column(self, values: Sequence[object]) -> str:
        """Add a column, and return its letter.

        Raises:
            NotParts: There is a value in it that pickle cannot store.
        """
        packed = pack(values)
        if packed is None:
            if memoryview in map(type, values):
                # What PostgreSQL gives for a BinaryField: pickle cannot, the instance's own __getstate__ can.
                raise NotParts
            self.rest.append([*values])
            packed = REST, len(self.rest) - 1
        letter, data = packed
        self.columns.append(data)
        return letter


def progression(numbers: list[int]) -> Numbers:
    """Return numbers as a start and a step where that says it all."""
    start, size = numbers[0], len(numbers)
    step = numbers[1] - start if size > 1 else 0
    if step == 0 and numbers.count(start) == size:
        return start, 0
    if step > 0 and numbers == list(range(start, start + step * size, step)):
        return start, step
    return numbers


class _Members:
    """Instances that are alike, while they are gathered."""

    __slots__ = ("held", "ids", "kind", "loaded", "state")

    def __init__(self, kind: Kind, state: State) -> None:
        self.kind = kind
        self.state = state
        self.ids: list[int] = []
        self.held: list[Mapping[str, object]] = []
        self.loaded: list[Mapping[str, object]] = []


class _Dismantling:
    def __init__(self, anatomy: Anatomy) -> None:
        self._anatomy = anatomy
        self._waiting: list[object] = []
        self._holders: set[int] = set()
        self._flat: set[int] = set()
        self._numbers: dict[int, int] = {id(None): 0}
        self._groups: dict[object, _Members] = {}
        self._states: dict[State, State] = {}
        self._writing = Writing()

    def whole(self, value: object) -> Dismantled | None:
        if not self._gather(value, DEEPEST):
            return None
        self._meet()
        # What is loaded with others is met after them, and has to be there before them.
        ordered = list(self._groups.values())[::-1]
        first = 1
        for members in ordered:
            self._numbers.update(zip(members.ids, count(first), strict=False))
            first += len(members.ids)
        kinds = list(dict.fromkeys(members.kind for members in ordered))
        groups = tuple([self._group(members, kinds.index(members.kind)) for members in ordered])
        plan = self._plan(value)
        return Dismantled((groups, plan), tuple(self._writing.columns), kinds, self._writing.rest)

    # -- finding instances

    def _gather(self, value: object, depth: int) -> bool:
        """Note the instances in a value; tell whether there are any.

        Raises:
            NotParts: A container that holds some is in two places: it would become two.
        """
        kind = type(value)
        if kind not in _MEMBERS:
            if self._anatomy.kind(kind) is None:
                return False
            self._waiting.append(value)
            return True
        members = _MEMBERS[kind](value)
        found = False
        kinds = set(map(type, members)) if depth else set()
        if kinds and all(map(self._anatomy.kind, kinds)):
            self._waiting.extend(members)
            self._flat.add(id(value))
            found = True
        elif len(members) <= WIDEST or any(map(self._anatomy.kind, kinds)):
            for each in members if depth else ():
                found |= self._gather(each, depth - 1)
        if found:
            if id(value) in self._holders:
                raise NotParts
            self._holders.add(id(value))
        return found

    def _meet(self) -> None:
        """Put the instances that wait into groups, and those that are loaded with them.

        Raises:
            NotParts: One cannot be taken apart.
        """
        seen = {id(None)}
        waiting, groups = self._waiting, self._groups
        look, kind_of = self._anatomy.look, self._anatomy.kind
        # The list grows on the way.
        for instance in waiting:
            number = id(instance)
            if number in seen:
                continue
            seen.add(number)
            model = type(instance)
            kind = kind_of(model)
            if kind is None:
                raise NotParts
            held = instance.__dict__
            state, relations = look(held)
            shape = (model, tuple(held), state, tuple(relations))
            members = groups.get(shape)
            if members is None:
                # One object for equal states, which pickle names again in two bytes.
                members = groups[shape] = _Members(kind, self._states.setdefault(state, state))
            members.ids.append(number)
            members.held.append(held)
            if relations:
                members.loaded.append(relations)
                waiting.extend(relations.values())

    # -- writing them down

    def _group(self, members: _Members, model: int) -> Group:
        names = tuple([name for name in members.held[0] if name != STATE])
        related = tuple(members.loaded[0]) if members.loaded else ()
        if not names or set(map(type, (*names, *related))) != {str}:
            raise NotParts
        column = self._writing.column
        letters = "".join([column(list(map(itemgetter(name), members.held))) for name in names])
        relations = tuple([(name, self._numbered(map(itemgetter(name), members.loaded))) for name in related])
        return (
            model,
            len(members.ids),
            None if names == members.kind.names else names,
            members.state,
            relations,
            letters,
        )

    def _numbered(self, instances: Iterable[object]) -> Numbers:
        """Return the numbers of instances."""
        return progression([self._numbers[number] for number in map(id, instances)])

    def _plan(self, value: object) -> Plan:
        """Return what to make of the parts to get ``value``."""
        kind = type(value)
        if value is not None and id(value) in self._numbers:
            return What.INSTANCE, self._numbers[id(value)]
        if id(value) not in self._holders or kind not in _MEMBERS:
            columns, rest = self._writing.columns, self._writing.rest
            if is_constant(value):
                columns.append((value,))
                return What.VALUE, len(columns) - 1
            rest.append(value)
            return What.REST, len(rest) - 1
        members = _MEMBERS[kind](value)
        if kind is list and id(value) in self._flat:
            return What.INSTANCES, self._numbered(members), len(members)
        plans = tuple(map(self._plan, members))
        if kind is not dict:
            return (What.TUPLE if kind is tuple else What.LIST), plans
        keys = tuple(cast("dict[object, object]", value))
        if not all(map(is_constant, keys)):
            raise NotParts
        return What.DICT, keys, plans


_MEMBERS: Final[Mapping[type, Callable[[Any], list[object]]]] = MappingProxyType(
    {list: list, tuple: list, dict: lambda value: list(value.values())}
)
"""Containers that are looked into, and what is in them."""
