"""How the expressions are written that have more to them than attributes: columns, values, names, SQL of users."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import expressions

from genscache.fingerprints.fields import write_field
from genscache.fingerprints.nodes import Node
from genscache.fingerprints.walk import Walk

_CONNECTORS: Final = frozenset(
    value for name, value in vars(expressions.Combinable).items() if name.isupper() and isinstance(value, str)
)


class ColVisit(Node):
    """Writes a column of a table."""

    def __init__(self, kind: type) -> None:
        super().__init__(kind, frozenset({"alias", "target"}))

    def __call__(self, walk: Walk, thing: Any) -> None:
        """Write one; its type only if it is not that of the column."""
        held = thing.__dict__
        walk.out.append(self.head)
        walk.visit(held["alias"])
        target = held["target"]
        write_field(walk, target)
        self.attributes.write(walk, held)
        output = held.get("output_field", target)
        if output is not target:
            self.output(walk, output)
        walk.out.append(b")")


class ValueVisit(Node):
    """Writes a value among expressions."""

    def __init__(self, kind: type) -> None:
        super().__init__(kind, frozenset({"value"}))

    def __call__(self, walk: Walk, thing: Any) -> None:
        """Write one."""
        walk.out.append(self.head)
        self.mark(walk, thing.__dict__)
        walk.literal(thing.__dict__["value"])
        self.rest(walk, thing)


class CombinedVisit(Node):
    """Writes two expressions and what is between them."""

    def mark(self, walk: Walk, held: dict[str, Any]) -> None:
        """Note a connector that somebody made up."""
        super().mark(walk, held)
        if held["connector"] not in _CONNECTORS:
            walk.raw = True


class NameVisit(Node):
    """Writes a name that is not resolved yet, with the models that it leads to."""

    def __call__(self, walk: Walk, thing: Any) -> None:
        """Write one."""
        super().__call__(walk, thing)
        name = thing.__dict__["name"]
        if walk.model is not None and type(name) is str:
            walk.out.append(walk.memory.paths.follow(walk.model, name)[0])


class TextVisit(Node):
    """Writes SQL that a user wrote, and its parameters."""

    def __init__(self, kind: type) -> None:
        super().__init__(kind, frozenset({"params"}))

    def __call__(self, walk: Walk, thing: Any) -> None:
        """Write one."""
        walk.raw = True
        walk.out.append(self.head)
        self.mark(walk, thing.__dict__)
        walk.literal(list(thing.__dict__["params"] or ()))
        self.rest(walk, thing)
