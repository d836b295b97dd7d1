"""Canonical bytes of the values in a query, each with what of it decides how the query is compiled.

A value is written twice: in full for the content, and as a *sketch* for the shape. Two values have one sketch
only where Django compiles both to SQL over the same tables: a number that no column can hold, an empty list and None
each make Django leave conditions out, whole subqueries with them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from django.utils.functional import Promise

from genscache.arguments import canonical
from genscache.scalars import SCALARS, NoCanonicalForm, block, text_block

Written: TypeAlias = tuple[bytes, bytes]
"""Sketch and full encoding."""

DEEPEST: Final = 40
"""Levels of lists in lists above which a value is refused; one that contains itself always is."""

_WIDTHS: Final = (15, 16, 31, 32, 63, 64)
"""Bits of the integer columns of any database, with and without a sign."""

_WIDTH_OF: Final = tuple(
    next((index for index, width in enumerate(_WIDTHS) if bits <= width), len(_WIDTHS)) for bits in range(66)
)


def written(value: object, depth: int = 0) -> Written:
    """Return a value's sketch and its canonical bytes.

    Raises:
        NoCanonicalForm: It has none.
    """
    kind = type(value)
    scalar = SCALARS.get(kind)
    if scalar is not None:
        return _scalar(kind, value, scalar(value))
    if depth > DEEPEST:
        raise NoCanonicalForm(f"lies deeper than {DEEPEST} levels, or contains itself")
    if kind is list or kind is tuple:
        return _several(b"[" if kind is list else b"(", _each(value, depth + 1))
    if kind is set or kind is frozenset:
        return members(cast("frozenset[object]", value), depth)
    if kind is dict:
        return _dict(value, depth + 1)
    return _other(kind, value, depth + 1)


def members(values: Collection[object], depth: int = 0) -> Written:
    """Write values whose order and repetition do not count: the right hand side of ``IN``."""
    if set(map(type, values)) == {int}:
        numbers = cast("Iterable[int]", values)
        whole = b"".join(sorted({b"i%x;" % number for number in numbers}))
        return _sketch(b"I", {_magnitude(number) for number in numbers}), block(b"I", whole)
    return _several(b"{", sorted(set(_each(values, depth + 1)), key=lambda each: each[1]))


def _scalar(kind: type, value: Any, full: bytes) -> Written:
    if kind is int:
        return b"?i" + _magnitude(value), full
    if value is None or kind is bool:
        return full, full
    # The databases that take an empty text for NULL.
    return b"?%b%d" % (full[:1], kind is str and not value), full


def _magnitude(value: int) -> bytes:
    """Return which integer columns can hold a number, as one byte."""
    bits = (~value if value < 0 else value).bit_length()
    return b"abcdefgABCDEFG"[(width := _WIDTH_OF[min(bits, 65)] + (7 if value < 0 else 0)) : width + 1]


def _each(values: Any, depth: int) -> list[Written]:
    return [written(value, depth) for value in values]


def _sketch(letter: bytes, sketches: Iterable[bytes]) -> bytes:
    return block(b"?" + letter, b"".join(sorted(set(sketches))))


def _several(letter: bytes, items: list[Written]) -> Written:
    """Write a container; how many values it has is no part of its sketch, but whether it has any, and which kinds."""
    return (
        _sketch(letter, (sketch for sketch, _ in items)),
        b"%b%d:%b" % (letter, len(items), b"".join(full for _, full in items)),
    )


def _dict(value: Any, depth: int) -> Written:
    keys, items = _each(value.keys(), depth), _each(value.values(), depth)
    return _several(b"<", [pair for both in zip(keys, items, strict=True) for pair in both])


def _other(kind: type, value: Any, depth: int) -> Written:
    if issubclass(kind, Promise):
        # In the language of this moment, as the query would be compiled.
        sketch, full = written(resolved(value), depth)
        return b"?L" + sketch, b"L" + full
    if issubclass(kind, Enum):
        # By its value, too: another release may give the member another one.
        sketch, full = written(value.value, depth)
        path = text_block(b"E", f"{kind.__module__}.{kind.__qualname__}.{value.name}")
        return b"?E" + path + sketch, path + full
    full = canonical(value, (_of_drivers,))
    if issubclass(kind, int):
        return b"?j" + _magnitude(int.__int__(value)), full
    return b"?%b%d" % (full[:1], issubclass(kind, str) and not str.__len__(value)), full


def resolved(text: Any) -> object:
    """Return what a lazy text stands for in the language of this moment."""
    return text._proxy____cast()  # noqa: SLF001 - as ``Field.get_prep_value`` does


_DRIVERS: Final[Mapping[str, Callable[[Any], tuple[object, ...]]]] = MappingProxyType(
    {
        "Range": attrgetter("_lower", "_upper", "_bounds"),
        "Json": lambda value: (value.obj,),
        "Jsonb": lambda value: (value.obj,),
    }
)
"""Wrappers of the PostgreSQL drivers by the name of a class in their ancestry, and what each of them holds."""


def _of_drivers(value: object) -> bytes | None:
    """Write what PostgreSQL's drivers wrap values in, and memory."""
    kind = type(value)
    if isinstance(value, memoryview):
        return canonical(bytes(value), ())
    for base in kind.__mro__:
        held = _DRIVERS.get(base.__name__)
        if held is not None and base.__module__.partition(".")[0] in {"psycopg", "psycopg2"}:
            try:
                content = held(value)
            except AttributeError:
                return None
            path = text_block(b"K", f"{kind.__module__}.{kind.__qualname__}")
            return path + canonical(content, (_of_drivers,))
    return None
