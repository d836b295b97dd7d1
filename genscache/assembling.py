"""Putting a result together again, any number of times; see ``parts`` for the form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, cast

from genscache.building import Makers, Shape, plain
from genscache.columns import PLAIN, Column, unpacking
from genscache.parts import REST, Anatomy, Group, Kind, Numbers, Plan, Structure, What

Table: TypeAlias = list[object]
"""The instances of a result by their number; ``None`` is number 0."""


class Blueprint:
    """What results of one structure are put together by.

    Args:
        structure: What ``dismantle`` found; one that somebody else has written has been verified.
        kinds: The classes that its groups name by index.
        anatomy: What knows instances.
        makers: Writes code to make them; ``None``: somebody else may have chosen the names.

    Attributes:
        cells: Values and places in a result, about.
    """

    def __init__(
        self, structure: Structure, kinds: Sequence[Kind], *, anatomy: Anatomy, makers: Makers | None
    ) -> None:
        groups, self._plan = structure
        self._groups: list[_Members] = []
        self._packed: list[tuple[int, Callable[[object], Column]]] = []
        self._late: list[_Members] = []
        self.cells = 0
        first, place = 1, 0
        for group in groups:
            members = _Members(group, kinds[group[0]], first, place, anatomy, makers)
            self._groups.append(members)
            if members.late:
                self._late.append(members)
            for letter in group[5]:
                if letter not in _AS_IT_IS:
                    self._packed.append((place, unpacking(letter)))
                place += 1
            first += group[1]
            self.cells += group[1] * (len(group[5]) + 4)

    def unpacked(self, columns: Sequence[object]) -> Sequence[object]:
        """Return columns as they are needed to build results.

        Raises:
            Exception: They are not of this structure: whatever that leads to.
        """
        found = list(columns)
        for place, unpack in self._packed:
            found[place] = unpack(found[place])
        return found

    def build(self, columns: Sequence[object], rest: Sequence[object]) -> object:
        """Return a result.

        Raises:
            Exception: Columns or rest are not of this structure: whatever that leads to.
        """
        table: Table = [None]
        for members in self._groups:
            table += members.make(table, columns, rest)
        for members in self._late:
            members.relate(table)
        return _made(self._plan, table, columns, rest)


class _Members:
    """How instances that are alike are made."""

    def __init__(
        self, group: Group, kind: Kind, first: int, place: int, anatomy: Anatomy, makers: Makers | None
    ) -> None:
        _, self._count, names, (database, adding, mode), self._relations, letters = group
        self._first = first
        self._columns = slice(place, place + len(letters))
        self._model = kind.model
        self._states = anatomy.states
        self._state: dict[str, object] = {"adding": adding, "db": database}
        if mode is not None:
            self._state["fetch_mode"] = anatomy.modes[mode]
        self._rest = [place for place, letter in enumerate(letters) if letter == REST]
        # What is made later is put in when all is made.
        self._is_late = [self._reaches(numbers) >= first for _, numbers in self._relations]
        self.late = True in self._is_late
        self._shape = Shape(
            kind.names if names is None else names,
            tuple([name for name, _ in self._relations]),
            tuple(self._state),
        )
        self._make = plain(self._shape)
        self._makers = makers
        self._used = False

    def _reaches(self, numbers: Numbers) -> int:
        if type(numbers) is list:
            return max(numbers)
        start, step = numbers
        return start + step * (self._count - 1)

    def make(self, table: Table, columns: Sequence[object], rest: Sequence[object]) -> list[object]:
        """Return new instances; those that they are related to are in the table."""
        own = cast("list[Column]", columns[self._columns])
        for place in self._rest:
            column = rest[cast("int", own[place])]
            if type(column) is not list:
                raise TypeError(f"a column is a list, not a {type(column).__qualname__}")
            own[place] = column
        for (_, numbers), late in zip(self._relations, self._is_late, strict=True):
            own.append([None] * self._count if late else taken(table, numbers, self._count))
        if self._makers is not None:
            if self._used:
                self._make, self._makers = self._makers.written(self._shape), None
            self._used = True
        return self._make(self._model, self._states, self._state, own)

    def relate(self, table: Table) -> None:
        """Put in the relations to instances that were made after these."""
        instances = table[self._first : self._first + self._count]
        for (name, numbers), late in zip(self._relations, self._is_late, strict=True):
            if late:
                for instance, related in zip(instances, taken(table, numbers, self._count), strict=True):
                    instance._state.fields_cache[name] = related  # type: ignore[attr-defined]  # an instance's


def taken(table: Table, numbers: Numbers, count: int) -> list[object]:
    """Return the instances that have these numbers, or ``count`` of them from a start."""
    if type(numbers) is list:
        return [table[number] for number in numbers]
    start, step = numbers
    return table[start : start + step * count : step] if step else [table[start]] * count


def _made(plan: Plan, table: Table, columns: Sequence[object], rest: Sequence[object]) -> object:
    """Return what a plan says is to be made."""
    what = plan[0]
    if what == What.INSTANCES:
        return taken(table, plan[1], plan[2])
    if what == What.INSTANCE:
        return table[plan[1]]
    if what == What.VALUE:
        return cast("Column", columns[plan[1]])[0]
    if what == What.REST:
        return rest[plan[1]]
    members = [_made(each, table, columns, rest) for each in plan[-1]]
    if what == What.DICT:
        return dict(zip(plan[1], members, strict=True))
    return tuple(members) if what == What.TUPLE else members


_AS_IT_IS: Final = (PLAIN, REST)
