"""The opcodes of an unsigned pickle, checked before it runs."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Final

MOST_TUPLES: Final = 50_000
"""Tuples and frozensets in one unsigned pickle: hashing deeply nested ones overflows the C stack (seen at 10**6)."""

MOST_SHARED: Final = 16
"""References to earlier tuples: each can double the time that hashing the whole takes."""


MOST_MEMORY: Final = 2**28
"""Bytes that the values of one unsigned pickle may take, by a generous estimate, besides the texts and bytes in it.

A set takes 216 bytes and one byte of a pickle, so a few compressed kilobytes could ask for all the memory there is.
"""


class ForbiddenOpcode(pickle.UnpicklingError):
    """A pickle that this package's own pickler would not have written."""


class TooManyTuples(pickle.UnpicklingError):
    """A pickle that might exhaust the stack or the processor when a tuple in it is hashed."""


class TooManyValues(pickle.UnpicklingError):
    """A pickle whose values would take far more memory than it does."""


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
_COSTS: Final = tuple(
    {pickle.EMPTY_SET[0]: 384, pickle.FROZENSET[0]: 384, pickle.EMPTY_DICT[0]: 192}.get(opcode)
    or {pickle.REDUCE[0]: 1024, pickle.BUILD[0]: 512, pickle.MEMOIZE[0]: 64}.get(opcode, 128)
    for opcode in range(256)
)
"""What each opcode may take in bytes: the value that it makes, and the place of that in whatever holds it."""

_NESTING: Final = frozenset(
    opcode[0] for opcode in (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.FROZENSET)
)
# What the pickler puts into the memo besides those. After any other opcode a tuple that was made earlier may be on top.
_FLAT: Final = frozenset(
    opcode[0]
    for opcode in (
        *(pickle.EMPTY_LIST, pickle.EMPTY_DICT, pickle.EMPTY_SET, pickle.BYTEARRAY8),
        *(pickle.SHORT_BINUNICODE, pickle.BINUNICODE, pickle.BINUNICODE8),
        *(pickle.SHORT_BINBYTES, pickle.BINBYTES, pickle.BINBYTES8),
        *(pickle.STACK_GLOBAL, pickle.REDUCE),
    )
)
_FRAME: Final = pickle.FRAME[0]
_PROTO: Final = pickle.PROTO[0]
_MEMOIZE: Final = pickle.MEMOIZE[0]
_STOP: Final = pickle.STOP[0]
_GETS: Final = frozenset((pickle.BINGET[0], pickle.LONG_BINGET[0]))


def check_opcodes(body: bytes) -> None:  # noqa: C901  one loop over what may be a million opcodes
    """Read through a pickle without running it.

    Raises:
        ForbiddenOpcode: An opcode is not one of those that ``RestrictedPickler`` writes.
        TooManyTuples: It holds more tuples, or references to tuples, than is safe to hash.
        TooManyValues: It makes more values than fit into ``MOST_MEMORY``.
        IndexError: It is cut off.
    """
    position = nested = shared = previous = cost = frame_end = 0
    memo: list[bool] = []
    while previous != _STOP:
        opcode, start = body[position], position
        size = _SIZES[opcode]
        cost += _COSTS[opcode]
        if opcode == _MEMOIZE:
            memo.append(previous not in _FLAT)
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
        if start < frame_end and (position > frame_end or opcode == _FRAME):
            # Python forgets what is left of a frame that ends within an opcode, and goes on with other opcodes than
            # those that are read here.
            raise ForbiddenOpcode(f"a frame ends within the opcode at byte {start}")
        if opcode == _FRAME:
            frame_end = position + int.from_bytes(body[start + 1 : position], "little")
        elif opcode != _PROTO:
            # A frame may begin between a value and its place in the memo.
            previous = opcode
        if cost > MOST_MEMORY:
            raise TooManyValues(f"its values would take more than {MOST_MEMORY >> 20} MiB")
    _check_whole(len(body) - position, nested, shared)


def _check_whole(rest: int, nested: int, shared: int) -> None:
    if rest:
        raise ForbiddenOpcode(f"{rest} bytes after the end")
    if nested > MOST_TUPLES or shared > MOST_SHARED:
        raise TooManyTuples(f"{nested} tuples, {shared} of them shared")
