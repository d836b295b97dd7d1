"""How the instances of one class are written: by all attributes that are not caches.

Django keeps the state of an expression in its ``__dict__``, so nothing is forgotten that a new release adds. What a
``cached_property`` leaves there is derived from the rest, and appears only when a query is compiled.
"""

from __future__ import annotations

from inspect import getattr_static
from typing import Any, Final, TypeAlias

from django.contrib.postgres import functions as postgres_functions
from django.core.exceptions import FieldError
from django.db.models import expressions, functions
from django.db.models.functions.datetime import TimezoneMixin

from genscache.arguments import encode
from genscache.exceptions import UncacheableArgument
from genscache.fingerprints.walk import UncacheableQuery, Visit, Walk
from genscache.scalars import text_block

Plan: TypeAlias = tuple[tuple[str, bytes, object], ...]
"""Names of attributes in the order in which they are written, with the bytes of the name and the class's own value."""

MOST_PLANS: Final = 50
"""Sets of attributes that are remembered for one class."""

_MISSING: Final = object()
_SHARED: Final = frozenset({"_constructor_args", "output_field"})
_TEXTS: Final = ("function", "template", "arg_joiner")
_WITHOUT_TYPE: Final = (expressions.OrderBy, expressions.ExpressionList, expressions.WindowFrame)

VOLATILE: Final = (
    functions.Now,
    functions.Random,
    postgres_functions.RandomUUID,
    postgres_functions.TransactionNow,
    *(kind for name in ("UUID4", "UUID7") if (kind := getattr(functions, name, None)) is not None),
)
"""Functions whose answer depends on when they are called."""

_MOMENTS: Final = frozenset({"now", "today", "tomorrow", "yesterday", "allballs"})


def is_cached(kind: type, name: str) -> bool:
    """Tell whether an attribute is what a ``cached_property`` keeps."""
    # By name, because Django has a class of its own for this.
    return type(getattr_static(kind, name, None)).__name__ == "cached_property"


class Attributes:
    """Which attributes of a class's instances are written.

    Args:
        kind: The class.
        besides: Names that somebody else writes, or that need not be written.
    """

    def __init__(self, kind: type, besides: frozenset[str] = frozenset()) -> None:
        self._kind = kind
        self._besides = besides | _SHARED
        self._plans: dict[tuple[str, ...], Plan] = {}

    def plan(self, held: dict[str, Any]) -> Plan:
        """Return the attributes to write of an instance that has those in ``held``."""
        names = tuple(held)
        plan = self._plans.get(names)
        if plan is None:
            plan = tuple(
                (name, text_block(b"a", name), getattr_static(self._kind, name, _MISSING))
                for name in sorted(names)
                if name not in self._besides and not is_cached(self._kind, name)
            )
            if len(self._plans) < MOST_PLANS:
                self._plans[names] = plan
        return plan

    def write(self, walk: Walk, held: dict[str, Any]) -> None:
        """Write them; one that is as its class has it is not written, whether it was set or not."""
        for name, written, default in self.plan(held):
            value = held[name]
            if value is not default and (type(value) is not str or value != default):
                walk.out.append(written)
                walk.visit(value)


class Node:
    """Writes instances of one class of expressions, lookups, or other parts of a query.

    Args:
        kind: The class.
        besides: Names of attributes that are not written here.
    """

    def __init__(self, kind: type, besides: frozenset[str] = frozenset()) -> None:
        self.known = kind.__module__.startswith("django.")
        self.head = b"(" + class_path(kind)
        self.attributes = Attributes(kind, besides)
        self._infers = is_cached(kind, "output_field") and not issubclass(kind, _WITHOUT_TYPE)
        self._texts = tuple((name, getattr_static(kind, name, None)) for name in _TEXTS)
        self._zoned = issubclass(kind, TimezoneMixin)
        self._casts = issubclass(kind, functions.Cast)
        self._volatile = (
            f"it depends on the moment: {kind.__qualname__}" if issubclass(kind, VOLATILE) else ""
        )

    def __call__(self, walk: Walk, thing: Any) -> None:
        """Write one instance."""
        walk.out.append(self.head)
        self.mark(walk, thing.__dict__)
        self.rest(walk, thing)

    def mark(self, walk: Walk, held: dict[str, Any]) -> None:
        """Note what follows for the whole query."""
        if not self.known:
            walk.opaque = walk.raw = walk.zoned = True
        if self._volatile:
            walk.volatile = walk.volatile or self._volatile
        if self._casts and any(_is_moment(each) for each in held["source_expressions"]):
            walk.volatile = walk.volatile or "it depends on the moment: Cast of a word such as 'now'"
        if self._zoned and held.get("tzinfo") is None:
            walk.zoned = True
        if held.get("extra"):
            walk.raw = True
        for name, default in self._texts:
            if name in held and held[name] != default:
                walk.raw = True

    def rest(self, walk: Walk, thing: Any) -> None:
        """Write the attributes and the end."""
        held = thing.__dict__
        self.attributes.write(walk, held)
        if "output_field" in held:
            self.output(walk, held["output_field"])
        elif self._infers:
            # An executed query has it, so a fresh one gets it, too; compiling would ask for it anyway.
            try:
                found = thing.output_field
            except (FieldError, AttributeError, TypeError, ValueError, NotImplementedError):
                pass
            else:
                self.output(walk, found)
        walk.out.append(b")")

    @staticmethod
    def output(walk: Walk, field: object) -> None:
        """Write the type of the result."""
        walk.out.append(b"=")
        walk.visit(field)


def class_path(kind: type) -> bytes:
    """Return the bytes of a class.

    Raises:
        UncacheableQuery: Other processes cannot find it by its name.
    """
    if kind.__module__.startswith("django."):
        return text_block(b"n", f"{kind.__module__}.{kind.__qualname__}")
    try:
        return encode(kind)
    except UncacheableArgument as error:
        raise UncacheableQuery(f"The query has a part whose {error}") from None


def node(kind: type, besides: frozenset[str] = frozenset()) -> Visit:
    """Return what writes instances of a class."""
    return Node(kind, besides)


def _is_moment(expression: object) -> bool:
    """Tell whether a value is a word that databases take for a time when it is cast to one."""
    value = getattr(expression, "value", None)
    return isinstance(value, str) and value.strip().casefold() in _MOMENTS
