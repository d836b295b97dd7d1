"""Canonical bytes of values that hold no others: a letter for the type and a body that says where it ends."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import MappingProxyType, NoneType
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo


class NoCanonicalForm(Exception):
    """A value, or a part of it, that cannot be written canonically.

    Attributes:
        reason: What is wrong with it: ``"is a generator, which has no canonical form"``.
        path: Where it is, as it would be written after the name of the whole: ``"[3].when"``.
    """

    def __init__(self, reason: str) -> None:
        """Start at the value itself; those who contain it put their part in front."""
        super().__init__(reason)
        self.reason = reason
        self.path = ""

    def within(self, part: str) -> NoCanonicalForm:
        """Put the place in a container in front of the path."""
        self.path = part + self.path
        return self


def block(letter: bytes, body: bytes) -> bytes:
    """Return ``body`` with its type and length in front."""
    return b"%b%d:%b" % (letter, len(body), body)


def text_block(letter: bytes, text: str) -> bytes:
    """Return text, lone surrogates included, with its type and length in front."""
    return block(letter, text.encode("utf-8", "surrogatepass"))


def plain_str(value: str) -> bytes:
    """Return what ``SCALARS[str]`` does."""
    body = value.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(body), body)


def _decimal(value: Decimal) -> bytes:
    # str() follows the context of the thread (capitals=0 writes an "e"), the tuple does not.
    sign, digits, exponent = value.as_tuple()
    return text_block(b"m", f"{sign},{''.join(map(str, digits))},{exponent}")


def _zone(value: datetime | time) -> str:
    """Return what tells two zones apart that have the same offset now, so that arithmetic on them differs."""
    zone = value.tzinfo
    if zone is None:
        return ""
    kind = type(zone)
    name = getattr(zone, "key", None) or zone.tzname(value if isinstance(value, datetime) else None)
    return f"{kind.__module__}.{kind.__qualname__}/{name}"


def _moment(letter: bytes) -> Callable[[datetime | time], bytes]:
    def encode_moment(value: datetime | time) -> bytes:
        return text_block(letter, f"{value.isoformat()}/{value.fold}/{_zone(value)}")

    return encode_moment


def _zoneinfo(value: ZoneInfo) -> bytes:
    if value.key is None:
        raise NoCanonicalForm("is a ZoneInfo without a key, which has no canonical form")
    return text_block(b"Z", value.key)


def _astext_block(letter: bytes, kind: type) -> Callable[[object], bytes]:
    """Make the encoder of a type whose ``str`` says all."""
    return lambda value: text_block(letter, f"{kind.__name__}/{value}")


# The tables are keyed by exact type, so each function gets what it is written for; no type can say so.
SCALARS: Final[Mapping[type, Callable[[Any], bytes]]] = MappingProxyType(
    {
        NoneType: lambda _: b"N",
        bool: lambda value: b"T" if value else b"F",
        # Hexadecimal, because the decimal form of a large int is quadratic and, above 4300 digits, refused.
        int: lambda value: b"i%x;" % value,
        float: lambda value: b"f" + struct.pack(">d", value),
        complex: lambda value: b"c" + struct.pack(">dd", value.real, value.imag),
        str: plain_str,
        bytes: lambda value: block(b"b", value),
        bytearray: lambda value: block(b"a", bytes(value)),
        Decimal: _decimal,
        Fraction: lambda value: b"q%x/%x;" % (value.numerator, value.denominator),
        date: lambda value: text_block(b"d", value.isoformat()),
        datetime: _moment(b"D"),
        time: _moment(b"h"),
        timedelta: lambda value: b"p%d,%d,%d;" % (value.days, value.seconds, value.microseconds),
        timezone: lambda value: text_block(b"z", f"{value.utcoffset(None)}/{value.tzname(None)}"),
        ZoneInfo: _zoneinfo,
        UUID: lambda value: b"u" + value.bytes,
        **{
            kind: _astext_block(b"n", kind)
            for kind in (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network)
        },
        **{
            kind: _astext_block(b"/", kind)
            for kind in (PurePosixPath, PureWindowsPath, PosixPath, WindowsPath)
        },
    }
)
