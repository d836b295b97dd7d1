"""Columns: the values that many instances have for one attribute, in a form that is small and quickly read.

A column is stored as a letter and its data. Only values that nobody can change go into one: what is read once may be
given to many. Each letter gives back exactly the types and values that went in.

    p   the values themselves, in a tuple
    t   datetimes without a zone, 10 bytes each
    z   datetimes in UTC, the same
    o   datetimes of one other zone, the same, behind the zone
    d   dates, 4 bytes each
    n   decimals, as text with spaces between
    u   UUIDs, 16 bytes each
    s   many texts, in one text with NULs between
    i   many whole numbers, as an array of the narrowest kind that holds them
    a   many whole numbers that grow by the same step: the first, the step, and how many
    T Z O D N U S I A   the same with gaps: behind a byte for each place, 0 where it is ``None``
"""

from __future__ import annotations

import pickle
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from itertools import repeat
from types import MappingProxyType, NoneType
from typing import Final, TypeAlias, TypeVar, cast
from uuid import UUID, SafeUUID
from zoneinfo import ZoneInfo

Column: TypeAlias = Sequence[object]
Packed: TypeAlias = tuple[str, object]
Kind = TypeVar("Kind")

PLAIN: Final = "p"

_SIMPLE: Final[frozenset[type]] = frozenset({NoneType, bool, int, float, complex, str, bytes})
_ZONED: Final[frozenset[type]] = frozenset({datetime, time})
_ZONES: Final[frozenset[type]] = frozenset({NoneType, timezone, ZoneInfo})
CONSTANT: Final[frozenset[type]] = (
    _SIMPLE
    | _ZONED
    | {date, timedelta, timezone, ZoneInfo, Decimal, UUID, Fraction}
    | {IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network}
)
"""Types whose values cannot be changed, those with a zone if that is of such a type, too."""

_DATETIME_BYTES: Final = 10
_DATE_BYTES: Final = 4
_UUID_BYTES: Final = 16
_MANY: Final = 16
"""Texts or numbers from which on they are put together: pickle takes two to five bytes more for each of them."""

_NUL: Final = "\x00"
_ARRAYS: Final[Mapping[str, tuple[int, int, int]]] = MappingProxyType({
    "B": (1, 0, 2**8), "b": (1, -(2**7), 2**7), "H": (2, 0, 2**16), "h": (2, -(2**15), 2**15),
    "I": (4, 0, 2**32), "i": (4, -(2**31), 2**31), "Q": (8, 0, 2**64), "q": (8, -(2**63), 2**63),
})  # fmt: skip
"""Kinds of arrays, the narrowest first: bytes of a number, the first number that fits, and the first that does not."""

_WIDTHS: Final[Mapping[str, int]] = MappingProxyType(
    {**dict.fromkeys("tzo", _DATETIME_BYTES), "d": _DATE_BYTES, "u": _UUID_BYTES}
)
_PROTOCOL: Final = 5


def is_constant(value: object) -> bool:
    """Tell whether a value can be given to many, since none of them can change it."""
    kind = type(value)
    return kind in CONSTANT and (kind not in _ZONED or type(cast("datetime", value).tzinfo) in _ZONES)


def pack(column: Column) -> Packed | None:
    """Return the letter and the data of a column, ``None`` where a value might be changed by whoever is given it."""
    if len(column) == 1 and type(column[0]) in _SIMPLE:
        return PLAIN, (column[0],)
    kinds = set(map(type, column))
    if kinds <= _SIMPLE:
        plain = PLAIN, tuple(column)
        together = _TOGETHER.get(next(iter(kinds))) if len(kinds) == 1 and len(column) >= _MANY else None
        packed = together and together(column)
        # One large number among small ones, one text over and over: pickle does better.
        return packed if packed and _size(packed) < _size(plain) else plain
    if not kinds <= CONSTANT:
        return None
    gaps = NoneType in kinds
    kinds.discard(NoneType)
    packing = _PACKINGS.get(next(iter(kinds))) if len(kinds) == 1 else None
    packed = packing and packing([each for each in column if each is not None] if gaps else column)
    if packed is None:
        return (PLAIN, tuple(column)) if kinds.isdisjoint(_ZONED) or all(map(is_constant, column)) else None
    letter, data = packed
    return (letter.upper(), (bytes(each is not None for each in column), data)) if gaps else packed


def _size(packed: Packed) -> int:
    return len(pickle.dumps(packed[1], _PROTOCOL))


def unpacking(letter: str) -> Callable[[object], Column]:
    """Return what makes the column of data that were packed under a letter; it may raise anything on others.

    Raises:
        KeyError: There is no such letter.
    """
    unpack = _UNPACKINGS[letter.lower()]
    return unpack if letter.islower() else partial(_fill_gaps, unpack)


def _fill_gaps(unpack: Callable[[object], Column], data: object) -> Column:
    places, packed = cast("tuple[bytes, object]", data)
    values = iter(unpack(packed))
    return [next(values) if each else None for each in places]


def length(letter: str, data: object) -> int:
    """Return how many values a column has, before it is unpacked.

    Raises:
        TypeError: The data are not what ``pack`` makes, or one of the values could be changed.
        KeyError: There is no such letter.
    """
    if letter.isupper():
        places, data = _typed(data, tuple)
        count = len(_typed(places, bytes))
        if count - _typed(places, bytes).count(0) != length(letter.lower(), data):
            raise TypeError("a column has more gaps, or fewer, than it says")
        return count
    if letter == PLAIN:
        if not all(map(is_constant, _typed(data, tuple))):
            raise TypeError("a column holds what can be changed")
        return len(_typed(data, tuple))
    if letter in _SEPARATORS:
        return _typed(data, str).count(_SEPARATORS[letter]) + 1
    if letter in "ia":
        return _numbers_in(letter, _typed(data, tuple))
    if letter == "o":
        zone, data = _typed(data, tuple)
        if type(zone) not in _ZONES:
            raise TypeError(f"{type(zone).__qualname__} is no zone")
    return _counted(data, _WIDTHS[letter])


def _numbers_in(letter: str, data: tuple[object, ...]) -> int:
    if letter == "i":
        kind, packed = data
        return _counted(packed, _ARRAYS[_typed(kind, str)][0])
    start, step, count = data
    _typed(start, int)
    if _typed(step, int) <= 0:
        raise TypeError("a column of steps does not grow")
    return _typed(count, int)


def _counted(data: object, width: int) -> int:
    count, rest = divmod(len(_typed(data, bytes)), width)
    if rest:
        raise TypeError("a column ends within a value")
    return count


def _typed(data: object, kind: type[Kind]) -> Kind:
    if type(data) is not kind:
        raise TypeError(f"a column's data are a {kind.__qualname__}, not a {type(data).__qualname__}")
    return data


def _chunks(data: bytes, width: int) -> list[bytes]:
    return [data[start : start + width] for start in range(0, len(data), width)]


def _pack_datetimes(column: Column) -> Packed | None:
    """Pack datetimes that have one zone, or none."""
    zone: tzinfo | None = cast("datetime", column[0]).tzinfo
    if type(zone) not in _ZONES or any(cast("datetime", each).tzinfo is not zone for each in column):
        return None
    # The form that pickle stores, with the fold in it.
    packed = b"".join([cast("datetime", each).__reduce_ex__(_PROTOCOL)[1][0] for each in column])  # type: ignore[misc]
    return ("t", packed) if zone is None else ("z", packed) if zone is UTC else ("o", (zone, packed))


def _unpack_datetimes(data: object) -> list[object]:
    return list(map(_DATETIME, _chunks(cast("bytes", data), _DATETIME_BYTES)))


def _unpack_zoned(data: object, *, zone: tzinfo = UTC) -> list[object]:
    return list(map(_DATETIME, _chunks(cast("bytes", data), _DATETIME_BYTES), repeat(zone)))


def _unpack_other_zone(data: object) -> list[object]:
    zone, packed = cast("tuple[tzinfo, bytes]", data)
    return _unpack_zoned(packed, zone=zone)


def _pack_dates(column: Column) -> Packed:
    return "d", b"".join([cast("bytes", cast("date", each).__reduce__()[1][0]) for each in column])


def _unpack_dates(data: object) -> list[object]:
    return list(map(cast("Callable[[bytes], object]", date), _chunks(cast("bytes", data), _DATE_BYTES)))


def _pack_decimals(column: Column) -> Packed:
    return "n", " ".join(map(str, column))


def _unpack_decimals(data: object) -> list[object]:
    return list(map(Decimal, cast("str", data).split(" ")))


def _pack_uuids(column: Column) -> Packed | None:
    # A UUID that says whether it was made safely says so in what pickle stores.
    if any(cast("UUID", each).is_safe is not SafeUUID.unknown for each in column):
        return None
    return "u", b"".join([cast("UUID", each).bytes for each in column])


def _unpack_uuids(data: object) -> list[object]:
    return [UUID(bytes=each) for each in _chunks(cast("bytes", data), _UUID_BYTES)]


def _pack_texts(column: Column) -> Packed | None:
    together = _NUL.join(cast("Sequence[str]", column))
    return ("s", together) if together.count(_NUL) == len(column) - 1 else None


def _unpack_texts(data: object) -> list[object]:
    return [*cast("str", data).split(_NUL)]


def _pack_numbers(column: Column) -> Packed | None:
    numbers = cast("Sequence[int]", column)
    start, step = numbers[0], numbers[1] - numbers[0]
    if step > 0 and [*numbers] == [*range(start, start + step * len(numbers), step)]:
        return "a", (start, step, len(numbers))
    least, most = min(numbers), max(numbers)
    for kind, (_, first, end) in _ARRAYS.items():
        if first <= least and most < end:
            return "i", (kind, _little(array(kind, numbers)).tobytes())
    return None


def _unpack_steps(data: object) -> list[object]:
    start, step, count = cast("tuple[int, int, int]", data)
    return [*range(start, start + step * count, step)]


def _unpack_numbers(data: object) -> list[object]:
    kind, packed = cast("tuple[str, bytes]", data)
    return [*_little(array(kind, packed))]


def _little(numbers: array[int]) -> array[int]:
    """Turn the bytes around where this machine has the other order."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


# In a way that only pickle knows, and typeshed does not.
_DATETIME: Final = cast("Callable[..., object]", datetime)
_PACKINGS: Final[Mapping[type, Callable[[Column], Packed | None]]] = MappingProxyType(
    {datetime: _pack_datetimes, date: _pack_dates, Decimal: _pack_decimals, UUID: _pack_uuids}
)
_TOGETHER: Final[Mapping[type, Callable[[Column], Packed | None]]] = MappingProxyType(
    {str: _pack_texts, int: _pack_numbers}
)
_SEPARATORS: Final[Mapping[str, str]] = MappingProxyType({"n": " ", "s": _NUL})
_UNPACKINGS: Final[Mapping[str, Callable[[object], Column]]] = MappingProxyType(
    {
        "t": _unpack_datetimes,
        "z": _unpack_zoned,
        "o": _unpack_other_zone,
        "d": _unpack_dates,
        "n": _unpack_decimals,
        "u": _unpack_uuids,
        "s": _unpack_texts,
        "i": _unpack_numbers,
        "a": _unpack_steps,
    }
)
