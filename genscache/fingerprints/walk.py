"""What is gathered on a walk through a query: its structure, its values, its tables, and what keeps it from a cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from django.db import models
from django.db.models.sql import Query

from genscache.exceptions import UncacheableArgument
from genscache.fingerprints.literals import members, written
from genscache.scalars import SCALARS, NoCanonicalForm, text_block

if TYPE_CHECKING:
    from genscache.fingerprints.memory import Memory

Visit: TypeAlias = Callable[["Walk", Any], None]
"""Writes one object of the type that it was made for."""


class UncacheableQuery(UncacheableArgument):
    """A query that cannot be told from others, neither by its structure nor by its SQL."""


class Walk:
    """One walk.

    Attributes:
        memory: How to write objects, by type, and what is remembered of models and fields.
        out: The structure, in which a sketch stands for each value.
        values: The values, in the order of their sketches.
        queries: Every query that was met.
        tables: Folded names of their tables.
        model: Where names in unresolved expressions start.
        volatile: Why the result must not be kept, or empty.
        zoned: The result depends on the current time zone.
        raw: Parts of the SQL were written by users.
        opaque: The structure does not say all; the SQL must.
    """

    __slots__ = (
        "memory",
        "model",
        "opaque",
        "out",
        "queries",
        "raw",
        "tables",
        "values",
        "volatile",
        "zoned",
    )

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.out: list[bytes] = []
        self.values: list[bytes] = []
        self.queries: list[Query] = []
        self.tables: set[str] = set()
        self.model: type[models.Model] | None = None
        self.volatile = ""
        self.zoned = False
        self.raw = False
        self.opaque = False

    def visit(self, thing: object) -> None:
        """Write a part of the structure.

        Raises:
            UncacheableQuery: It has no canonical form.
        """
        self.memory.visitor(type(thing))(self, thing)

    def operand(self, value: object) -> None:
        """Write what stands where a value or an expression may stand."""
        kind = type(value)
        if kind in SCALARS:
            self.literal(value)
        elif is_node(kind):
            self.visit(value)
        elif isinstance(value, list | tuple) and any(is_node(type(each)) for each in value):
            self.out.append(b"?m%d:" % len(value))
            for each in value:
                self.operand(each)
        else:
            self.literal(value)

    def literal(self, value: object, *, unordered: bool = False) -> None:
        """Write a value; one without canonical form is left to the parameters that Django makes of it."""
        try:
            sketch, full = members(value) if unordered else written(value)  # type: ignore[arg-type]
        except NoCanonicalForm:
            self.opaque = True
            sketch = full = text_block(b"?!", type(value).__qualname__)
        self.out.append(sketch)
        self.values.append(full)

    def apart(self, visit: Visit, thing: object) -> tuple[bytes, bytes]:
        """Visit ``thing`` and return structure and values that it added instead of adding them."""
        out, values = self.out, self.values
        self.out, self.values = [], []
        try:
            visit(self, thing)
            return b"".join(self.out), b"".join(self.values)
        finally:
            self.out, self.values = out, values


def is_node(kind: type) -> bool:
    """Tell whether Django compiles instances of a class instead of sending them as values."""
    return hasattr(kind, "resolve_expression") or hasattr(kind, "as_sql")
