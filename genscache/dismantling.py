"""Taking a result apart, into groups of instances and what is to be made of them; see ``parts`` for the form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


class Dismantled:
    """A result in parts.

    Attributes:
        structure: What it is made of, apart from values.
        columns: Values that cannot be changed.
        kinds: The classes of its instances; a group names one by its index.
        rest: Values that can be changed: each new result needs its own.
    """

    def __init__(
        self, structure: Structure, columns: tuple[object, ...], kinds: list[Kind], rest: list[object]
    ) -> None:
        self.structure = structure
        self.columns = columns
        self.kinds = kinds
        self.rest = rest


def dismantle(value: object, anatomy: Anatomy) -> Dismantled | None:
    """Take a result apart.

    Returns:
        ``None`` where it holds no instances, or something that only pickle knows how to store.
    """
    try:
        return _Dismantling(anatomy).whole(value)
    except NotParts:
        return None


class _Members:
    """Instances that are alike, while they are gathered."""

    __slots__ = ("first", "held", "kind", "loaded", "state")

    def __init__(self, kind: Kind, state: State) -> None:
        self.kind = kind
        self.state = state
        self.held: list[Mapping[str, object]] = []
        self.loaded: list[Mapping[str, object]] = []
        self.first = 0


class _Dismantling:
    def __init__(self, anatomy: Anatomy) -> None:
        self._anatomy = anatomy
        self._waiting: list[object] = []
        self._holders: set[int] = set()
        self._met: dict[int, tuple[_Members, int]] = {}
        self._groups: dict[object, _Members] = {}
        self._states: dict[State, State] = {}
        self._columns: list[object] = []
        self._rest: list[object] = []

    def whole(self, value: object) -> Dismantled | None:
        if not self._gather(value, DEEPEST):
            return None
        for each in self._waiting:
            self._meet(each)
        # What is loaded with others is met after them, and has to be there before them.
        ordered = list(self._groups.values())[::-1]
        first = 1
        for members in ordered:
            members.first = first
            first += len(members.held)
        kinds = list(dict.fromkeys(members.kind for members in ordered))
        groups = tuple(self._group(members, kinds.index(members.kind)) for members in ordered)
        plan = self._plan(value)
        return Dismantled((groups, plan), tuple(self._columns), kinds, self._rest)

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
            found = True
        elif len(members) <= WIDEST or any(map(self._anatomy.kind, kinds)):
            for each in members if depth else ():
                found |= self._gather(each, depth - 1)
        if found:
            if id(value) in self._holders:
                raise NotParts
            self._holders.add(id(value))
        return found

    def _meet(self, instance: object) -> None:
        """Put an instance into its group, and have those loaded with it met."""
        if id(instance) in self._met:
            return
        kind = self._anatomy.kind(type(instance))
        if kind is None:
            raise NotParts
        held = instance.__dict__
        state, relations = self._anatomy.look(held)
        # One object, which pickle names again in two bytes.
        state = self._states.setdefault(state, state)
        shape = (kind.model, tuple(held), state, tuple(relations))
        members = self._groups.get(shape)
        if members is None:
            members = self._groups[shape] = _Members(kind, state)
        self._met[id(instance)] = members, len(members.held)
        members.held.append(held)
        members.loaded.append(relations)
        self._waiting.extend([each for each in relations.values() if each is not None])

    # -- writing them down

    def _group(self, members: _Members, model: int) -> Group:
        names = tuple(name for name in members.held[0] if name != STATE)
        if not names or not all(type(name) is str for name in (*names, *members.loaded[0])):
            raise NotParts
        letters = "".join([self._column([held[name] for held in members.held]) for name in names])
        relations = tuple(
            (name, self._numbers([loaded[name] for loaded in members.loaded])) for name in members.loaded[0]
        )
        return (
            model,
            len(members.held),
            None if names == members.kind.names else names,
            members.state,
            relations,
            letters,
        )

    def _column(self, values: list[object]) -> str:
        """Add a column, and return its letter."""
        packed = pack(values)
        if packed is None:
            self._rest.append(values)
            packed = REST, len(self._rest) - 1
        letter, data = packed
        self._columns.append(data)
        return letter

    def _number(self, instance: object) -> int:
        if instance is None:
            return 0
        members, place = self._met[id(instance)]
        return members.first + place

    def _numbers(self, instances: Sequence[object]) -> Numbers:
        """Return the numbers of instances, as a start and a step where that says it all."""
        numbers = list(map(self._number, instances))
        start, count = numbers[0], len(numbers)
        step = numbers[1] - start if count > 1 else 0
        if step == 0 and numbers.count(start) == count:
            return start, 0
        if step > 0 and numbers == list(range(start, start + step * count, step)):
            return start, step
        return numbers

    def _plan(self, value: object) -> Plan:
        """Return what to make of the parts to get ``value``."""
        kind = type(value)
        if id(value) in self._met:
            return What.INSTANCE, self._number(value)
        if id(value) not in self._holders or kind not in _MEMBERS:
            if is_constant(value):
                self._columns.append((value,))
                return What.VALUE, len(self._columns) - 1
            self._rest.append(value)
            return What.REST, len(self._rest) - 1
        members = _MEMBERS[kind](value)
        if kind is list and all(id(each) in self._met for each in members):
            return What.INSTANCES, self._numbers(members), len(members)
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
