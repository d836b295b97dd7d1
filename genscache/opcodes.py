"""The opcodes of an unsigned pickle, checked before it runs."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Final

MOST_TUPLES: Final = 50_000
"""Tuples and frozensets in one unsigned pickle: hashing deeply nested ones overflows the C stack (seen at 10**6)."""

MOST_SHARED: Final = 16
"""References to earlier tuples: each can double the time that hashing the whole takes."""


class ForbiddenOpcode(pickle.UnpicklingError):
    """A pickle that this package's own pickler would not have written."""


class TooManyTuples(pickle.UnpicklingError):
    """A pickle that might exhaust the stack or the processor when a tuple in it is hashed."""


def _sizes() -> tuple[int, ...]:
    """Return what follows each opcode: its whole size, minus the width of its length field, or 0 if forbidden."""
    widths: dict[int, Iterable[bytes]] = {
        1: (
            *(
                pickle.STOP,
                pickle.NONE,
                pickle.NEWTRUE,
                pickle.NEWFALSE,
                pickle.MARK,
                pickle.POP,
                pickle.POP_MARK,
            ),
            *(
                pickle.EMPTY_LIST,
                pickle.APPEND,
                pickle.APPENDS,
                pickle.EMPTY_DICT,
                pickle.SETITEM,
                pickle.SETITEMS,
            ),
            *(pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.EMPTY_TUPLE, pickle.TUPLE),
            *(pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
            *(pickle.MEMOIZE, pickle.STACK_GLOBAL, pickle.REDUCE, pickle.BUILD),
        ),
        2: (pickle.PROTO, pickle.BININT1, pickle.BINGET),
        3: (pickle.BININT2,),
        5: (pickle.BININT, pickle.LONG_BINGET),
        9: (pickle.BINFLOAT, pickle.FRAME),
        -1: (pickle.SHORT_BINUNICODE, pickle.SHORT_BINBYTES, pickle.LONG1),
        -4: (pickle.BINUNICODE, pickle.BINBYTES, pickle.LONG4),
        -8: (pickle.BINUNICODE8, pickle.BINBYTES8, pickle.BYTEARRAY8),
    }
    sizes = [0] * 256
    for width, opcodes in widths.items():
        for opcode in opcodes:
            sizes[opcode[0]] = width
    return tuple(sizes)


_SIZES: Final = _sizes()
_NESTING: Final = frozenset(
    opcode[0] for opcode in (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.FROZENSET)
)
_MEMOIZE: Final = pickle.MEMOIZE[0]
_STOP: Final = pickle.STOP[0]
_GETS: Final = frozenset((pickle.BINGET[0], pickle.LONG_BINGET[0]))


def check_opcodes(body: bytes) -> None:
    """Read through a pickle without running it.

    Raises:
        ForbiddenOpcode: An opcode is not one of those that ``RestrictedPickler`` writes.
        TooManyTuples: It holds more tuples, or references to tuples, than is safe to hash.
        IndexError: It is cut off.
    """
    position = nested = shared = previous = 0
    memo: list[bool] = []
    while previous != _STOP:
        opcode = body[position]
        size = _SIZES[opcode]
        if opcode == _MEMOIZE:
            memo.append(previous in _NESTING)
        elif opcode in _GETS:
            shared += memo[int.from_bytes(body[position + 1 : position + size], "little")]
        elif opcode in _NESTING:
            nested += 1
        if size > 0:
            position += size
        elif size:
            position += 1 - size + int.from_bytes(body[position + 1 : position + 1 - size], "little")
        else:
            raise ForbiddenOpcode(f"opcode {opcode:#04x} at byte {position}")
        previous = opcode
    _check_whole(len(body) - position, nested, shared)


def _check_whole(rest: int, nested: int, shared: int) -> None:
    if rest:
        raise ForbiddenOpcode(f"{rest} bytes after the end")
    if nested > MOST_TUPLES or shared > MOST_SHARED:
        raise TooManyTuples(f"{nested} tuples, {shared} of them shared")
