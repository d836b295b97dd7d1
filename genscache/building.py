"""Making instances from columns as pickle would: a new object, its ``__dict__``, its state, and no call of the class.

The code for a group is written for its names, as ``namedtuple`` and ``dataclass`` write theirs: a dict that is written
out takes half the time of one that is made from names and values. It is written only where the names can be trusted,
and for what is built a second time, since compiling takes as long as making a hundred instances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias, cast

from genscache.parts import STATE

Make: TypeAlias = Callable[[type, type, "Mapping[str, object]", Sequence[Sequence[object]]], list[object]]
"""Makes instances of a class, with a state of a class that has attributes, from a column for each name and relation."""

MOST_SHAPES: Final = 1000
"""Shapes of instances for which code is kept."""


class Shape(NamedTuple):
    """What the code depends on: the names of attributes, of relations, and of what is in the state."""

    names: tuple[str, ...]
    relations: tuple[str, ...]
    state: tuple[str, ...]


class Makers:
    """The code that was written so far."""

    def __init__(self) -> None:
        self._written: dict[Shape, Make] = {}

    def written(self, shape: Shape) -> Make:
        """Return the code for a shape whose names nobody else can have chosen."""
        found = self._written.get(shape)
        if found is None:
            if len(self._written) >= MOST_SHAPES:
                self._written.clear()
            found = self._written[shape] = _written(shape)
        return found


def plain(shape: Shape) -> Make:
    """Return what makes instances of any shape."""
    names, relations = shape.names, shape.relations

    def make(
        model: type, states: type, state: Mapping[str, object], columns: Sequence[Sequence[object]]
    ) -> list[object]:
        made, new = [], object.__new__
        for row in zip(*columns, strict=True):
            values = iter(row)
            inner: object = new(states)
            inner.__dict__.update(state)
            held = dict(zip(names, values, strict=False))
            if relations:
                inner.__dict__["fields_cache"] = dict(zip(relations, values, strict=True))
            instance: object = new(model)
            instance.__dict__ = {STATE: inner, **held}
            made.append(instance)
        return made

    return make


def _written(shape: Shape) -> Make:
    """Return what makes instances of one shape, compiled."""
    places = [f"v{place}" for place in range(len(shape.names) + len(shape.relations))]
    relations = places[len(shape.names) :]
    set_state = [f"inner.{name} = state{place}" for place, name in enumerate(shape.state)]
    if relations:
        set_state.append(f"inner.fields_cache = {_display(zip(shape.relations, relations, strict=True))}")
    held = _display([(STATE, "inner"), *zip(shape.names, places, strict=False)])
    source = [
        "def make(model, states, state, columns):",
        *[f" state{place} = state[{name!r}]" for place, name in enumerate(shape.state)],
        " made, new = [], object.__new__",
        " add = made.append",
        f" for {', '.join(places)}, in zip(*columns, strict=True):",
        "  inner = new(states)",
        *[f"  {line}" for line in set_state],
        "  instance = new(model)",
        f"  instance.__dict__ = {held}",
        "  add(instance)",
        " return made",
    ]
    space: dict[str, object] = {}
    # The names are in it as texts, which repr() quotes; those of the state are this package's own.
    exec(compile("\n".join(source), f"<genscache {STATE}>", "exec"), space)  # noqa: S102
    return cast("Make", space["make"])


def _display(items: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{name!r}: {value}" for name, value in items) + "}"
