"""Results in parts: what a list of model instances comes to when names are told once and values column by column.

The instances of a result are numbered from 1 on, group by group; 0 stands for ``None``. A group holds those of one
class that have the same attributes, the same state and the same loaded relations. Where something points to instances
it does so by their numbers: as a start and a step where these are an arithmetic progression, which they are when
``select_related`` has loaded them, else one by one.

    body      (FORMAT, structure, columns, rest)
    structure pickle of (groups, plan): the same for many results of one query, so that it need be read once only
    group     (model, count, names, state, relations, letters)
    model     index into the entry's list of models
    count     of instances
    names     of the attributes in their order; None: the model's own, all of them
    state     (database, adding, fetch mode)
    relations ((name, numbers), ...)
    letters   of its columns, see ``columns``; r: the index in ``rest`` of a column that is pickled
    plan      what to make of instances and values
    columns   of all groups; behind them those of single values
    rest      pickle of the values that can be changed; read again for each new result. None: there are none
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

FORMAT: Final = 1

STATE: Final = "_state"
"""The attribute that holds an instance's state."""

REST: Final = "r"
"""The letter of a column that lies in the rest."""


class What:
    """What a plan makes: its first word."""

    INSTANCES: Final = "i"
    """A list of instances: numbers, count."""

    INSTANCE: Final = "o"
    """One instance: number."""

    VALUE: Final = "x"
    """A value that cannot be changed: place of the column that it is alone in."""

    REST: Final = "r"
    """One of the values of which each result needs its own: index."""

    LIST: Final = "l"
    """A list: plans of its members."""

    TUPLE: Final = "t"
    """A tuple: plans of its members."""

    DICT: Final = "d"
    """A dict: keys, plans of its values."""


Numbers: TypeAlias = "tuple[int, int] | list[int]"
State: TypeAlias = "tuple[str | None, bool, str | None]"
Group: TypeAlias = "tuple[int, int, tuple[str, ...] | None, State, tuple[tuple[str, Numbers], ...], str]"
Plan: TypeAlias = tuple[Any, ...]
Structure: TypeAlias = "tuple[tuple[Group, ...], Plan]"
Body: TypeAlias = "tuple[int, bytes, tuple[object, ...], bytes | None]"


class NotParts(Exception):
    """A value that is not made of instances which could be taken apart: pickle knows what to do with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A model class whose instances can be taken apart.

    Attributes:
        model: The class.
        names: The attributes of a whole instance, in their order.
    """

    model: type
    names: tuple[str, ...]


class Anatomy(Protocol):
    """What knows instances.

    Attributes:
        states: The class of an instance's state.
        modes: Fetch modes by name (Django 6.1).
    """

    @property
    def states(self) -> type:
        """Return the class of an instance's state."""

    @property
    def modes(self) -> Mapping[str, object]:
        """Return fetch modes by name."""

    def kind(self, kind: type) -> Kind | None:
        """Return how instances of a class are made, ``None`` where pickle has to know."""

    def look(self, held: Mapping[str, object]) -> tuple[State, Mapping[str, object]]:
        """Return the state in an instance's ``__dict__``, and what is loaded: an instance or ``None`` by name.

        Raises:
            NotParts: There is more in it than can be told so.
        """
