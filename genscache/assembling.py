"""Putting a result together again, any number of times; see ``parts`` for the form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from genscache.building import Make, Makers, Shape
from genscache.columns import PLAIN, unpack
from genscache.parts import FORMAT, REST, Anatomy, Body, Group, Kind, Numbers, Plan, What

Table = list[object]
"""The instances of a result by their number; ``None`` is number 0."""


class ForeignFormat(Exception):
    """A body in a form of another release."""


class Assembly:
    """A result whose scalar values have been read.

    Args:
        body: What ``Dismantled.body`` has made.
        kinds: The classes that its groups name by index.
        anatomy: What knows instances.
        makers: The code to make them.
        load: Reads the pickle of what each result needs its own of.
        trusted: Nobody else can have written the body; one of somebody else's has been verified.

    Raises:
        ForeignFormat: The body is of another release.
    """

    def __init__(
        self,
        body: Body,
        kinds: Sequence[Kind],
        *,
        anatomy: Anatomy,
        makers: Makers,
        load: Callable[[bytes], object],
        trusted: bool,
    ) -> None:
        written, groups, self._plan, self._rest = body
        if written != FORMAT:
            raise ForeignFormat(written)
        self._load = load
        self._groups: list[_Group] = []
        self.cells = 0
        first = 1
        for group in groups:
            self._groups.append(_Group(group, kinds[group[0]], first, anatomy, makers, trusted=trusted))
            first += group[1]
            self.cells += group[1] * (len(group[6]) + 4)

    def build(self) -> object:
        """Return the result.

        Raises:
            Exception: The body was not made by ``Dismantled.body``: whatever that leads to.
        """
        rest = () if self._rest is None else cast("list[object]", self._load(self._rest))
        table: Table = [None]
        late = False
        for group in self._groups:
            table += group.make(table, rest)
            late |= group.late
        if late:
            for group in self._groups:
                group.relate(table)
        return _made(self._plan, table, rest)


class _Group:
    """Instances that are alike, ready to be made."""

    def __init__(
        self, group: Group, kind: Kind, first: int, anatomy: Anatomy, makers: Makers, *, trusted: bool
    ) -> None:
        _, self.count, names, (database, adding, mode), relations, letters, columns = group
        self._first = first
        self._model = kind.model
        self._states = anatomy.states
        self._state: dict[str, object] = {"adding": adding, "db": database}
        if mode is not None:
            self._state["fetch_mode"] = anatomy.modes[mode]
        self._columns = [
            data if letter in _AS_IT_IS else unpack(letter, data)
            for letter, data in zip(letters, columns, strict=True)
        ]
        self._rest = [place for place, letter in enumerate(letters) if letter == REST]
        self._relations = relations
        # What is made later is put in when all is made.
        self._late = [self._reaches(numbers) >= first for _, numbers in relations]
        self.late = True in self._late
        shape = Shape(
            kind.names if names is None else names, tuple([name for name, _ in relations]), tuple(self._state)
        )
        self._make: Make = makers.maker(shape, trusted=trusted)

    def _reaches(self, numbers: Numbers) -> int:
        if type(numbers) is list:
            return max(numbers)
        start, step = numbers
        return start + step * (self.count - 1)

    def make(self, table: Table, rest: Sequence[object]) -> list[object]:
        """Return new instances; those that they are related to are in the table."""
        columns = cast("list[Sequence[object]]", self._columns)
        if self._rest:
            columns = columns.copy()
            for place in self._rest:
                column = rest[cast("int", columns[place])]
                if type(column) is not list:
                    raise TypeError(f"a column is a list, not a {type(column).__qualname__}")
                columns[place] = column
        if self._relations:
            columns = columns + [
                [None] * self.count if late else taken(table, numbers, self.count)
                for (_, numbers), late in zip(self._relations, self._late, strict=True)
            ]
        return self._make(self._model, self._states, self._state, columns)

    def relate(self, table: Table) -> None:
        """Put in the relations to instances that were made after these."""
        instances = table[self._first : self._first + self.count]
        for (name, numbers), late in zip(self._relations, self._late, strict=True):
            if late:
                for instance, related in zip(instances, taken(table, numbers, self.count), strict=True):
                    instance._state.fields_cache[name] = related  # type: ignore[attr-defined]  # an instance's


def taken(table: Table, numbers: Numbers, count: int) -> list[object]:
    """Return the instances that have these numbers, or ``count`` of them from a start."""
    if type(numbers) is list:
        return [table[number] for number in numbers]
    start, step = numbers
    return table[start : start + step * count : step] if step else [table[start]] * count


def _made(plan: Plan, table: Table, rest: Sequence[object]) -> object:
    """Return what a plan says is to be made."""
    what = plan[0]
    if what == What.INSTANCES:
        return taken(table, plan[1], plan[2])
    if what == What.INSTANCE:
        return table[plan[1]]
    if what == What.VALUE:
        return plan[1]
    if what == What.REST:
        return rest[plan[1]]
    if what == What.DICT:
        return dict(zip(plan[1], [_made(each, table, rest) for each in plan[2]], strict=True))
    members = [_made(each, table, rest) for each in plan[1]]
    return tuple(members) if what == What.TUPLE else members


_AS_IT_IS: Final = (PLAIN, REST)
