"""How conditions are written: lookups, and the trees that join them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import expressions, lookups
from django.db.models.fields.related_lookups import RelatedIn, RelatedLookupMixin, get_normalized_value

from genscache.fingerprints.nodes import Node
from genscache.fingerprints.walk import Walk, is_node
from genscache.scalars import SCALARS


class LookupVisit(Node):
    """Writes a lookup: what is compared, and with what value or expression."""

    def __init__(self, kind: type) -> None:
        super().__init__(kind, frozenset({"lhs", "rhs", "bilateral_transforms"}))
        self._any_order = issubclass(kind, lookups.In)
        self._related = issubclass(kind, RelatedIn | RelatedLookupMixin)

    def __call__(self, walk: Walk, thing: Any) -> None:
        """Write one."""
        held = thing.__dict__
        walk.out.append(self.head)
        self.mark(walk, held)
        left, right = held["lhs"], held["rhs"]
        walk.operand(left)
        if type(right) in SCALARS:
            walk.literal(right)
        elif self._related and type(left) is expressions.ColPairs and not is_node(type(right)):
            # Django does this while compiling, and keeps the result.
            walk.operand(
                [get_normalized_value(each, left) for each in right]
                if self._any_order
                else get_normalized_value(right, left)
            )
        elif self._any_order and isinstance(right, list | tuple | set | frozenset):
            if any(is_node(type(each)) for each in right):
                walk.operand(list(right))
            else:
                walk.literal(right, unordered=True)
        else:
            walk.operand(right)
        if held.get("bilateral_transforms"):
            walk.visit(held["bilateral_transforms"])
        self.attributes.write(walk, held)
        output = held.get("output_field")
        if output is not None and type(output) is not models.BooleanField:
            self.output(walk, output)
        walk.out.append(b")")


class TreeVisit(Node):
    """Writes a tree of conditions: resolved ones, or names with what they are compared with."""

    def __init__(self, kind: type) -> None:
        super().__init__(kind, frozenset({"children", "connector", "negated"}))

    def __call__(self, walk: Walk, thing: Any) -> None:
        """Write one."""
        held = thing.__dict__
        children = held["children"]
        walk.out.append(
            b"%b%b%d%d:" % (self.head, held["connector"].encode(), held["negated"], len(children))
        )
        if not self.known:
            self.mark(walk, held)
        for child in children:
            if type(child) is tuple:
                name, value = child
                walk.visit(name)
                if walk.model is not None:
                    walk.out.append(walk.memory.paths.follow(walk.model, name)[0])
                walk.operand(value)
            else:
                walk.operand(child)
        self.attributes.write(walk, held)
        walk.out.append(b")")
