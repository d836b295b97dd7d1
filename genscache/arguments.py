"""Canonical bytes of a value: equal in every process and under every hash seed, different for different values.

Each value is written as a letter for its type and a body that says where it ends, so that no two values run into one
another: ``("ab", "c")`` and ``("a", "bc")`` differ, and so do ``1``, ``True``, ``1.0``, ``"1"`` and ``Decimal(1)``.
What has no such form is refused by name; a ``repr`` would let two values share a key.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum, Flag
from inspect import getattr_static
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from genscache.exceptions import UncacheableArgument
from genscache.scalars import SCALARS, NoCanonicalForm, block, plain_str, text_block

Encoders: TypeAlias = Sequence[Callable[[object], bytes | None]]
"""Hooks for types that this module does not know, tried in order; ``None`` means "not mine either"."""

DEEPEST: Final = 64
"""Levels of nesting above which a value is refused; one that contains itself always is."""


def encode(value: object, *, extra: Encoders = ()) -> bytes:
    """Return the canonical bytes of ``value``.

    Args:
        value: None, a number, text, bytes, date, time, UUID, address, path, enum member, class, or a tuple, list, dict,
            set, range, slice, named tuple or dataclass instance of such. A dict counts in its own order.
        extra: Hooks for further types.

    Raises:
        UncacheableArgument: It has no canonical form; the message names the part that has none.
    """
    try:
        return canonical(value, extra)
    except NoCanonicalForm as error:
        raise UncacheableArgument(f"value{error.path} {error.reason}. Pass a plain value instead.") from None


def tupled(members: Collection[bytes]) -> bytes:
    """Return what ``encode`` makes of a tuple, from what it makes of the members."""
    return b"(%d:%b" % (len(members), b"".join(members))


def canonical(value: object, extra: Encoders, depth: int = 0) -> bytes:
    """Do what ``encode`` does, for callers that know a better name than "value" for messages.

    Raises:
        NoCanonicalForm: It has none.
    """
    scalar = SCALARS.get(type(value))
    if scalar is not None:
        return scalar(value)
    if depth > DEEPEST:
        raise NoCanonicalForm(f"lies deeper than {DEEPEST} levels, or contains itself")
    container = _CONTAINERS.get(type(value))
    if container is not None:
        return container(value, extra, depth + 1)
    return _other(value, extra, depth + 1)


def _items(letter: bytes, value: Sequence[object], extra: Encoders, depth: int) -> bytes:
    parts = []
    for index, item in enumerate(value):
        try:
            parts.append(canonical(item, extra, depth))
        except NoCanonicalForm as error:
            raise error.within(f"[{index}]") from None
    return b"%b%d:%b" % (letter, len(parts), b"".join(parts))


def _dict(value: Mapping[object, object], extra: Encoders, depth: int) -> bytes:
    parts = []
    for key, item in value.items():
        try:
            parts.append(canonical(key, extra, depth))
        except NoCanonicalForm as error:
            raise error.within(f".keys()[{len(parts) // 2}]") from None
        try:
            parts.append(canonical(item, extra, depth))
        except NoCanonicalForm as error:
            raise error.within(f"[{key!r}]") from None
    return b"{%d:%b" % (len(value), b"".join(parts))


def _set(letter: bytes) -> Callable[[set[object], Encoders, int], bytes]:
    def encode_set(value: set[object], extra: Encoders, depth: int) -> bytes:
        try:
            parts = sorted(canonical(item, extra, depth) for item in value)
        except NoCanonicalForm as error:
            raise error.within("{...}") from None
        return b"%b%d:%b" % (letter, len(parts), b"".join(parts))

    return encode_set


def _bounds(letter: bytes) -> Callable[[range | slice, Encoders, int], bytes]:
    return lambda value, extra, depth: _items(letter, (value.start, value.stop, value.step), extra, depth)


_CONTAINERS: Final[Mapping[type, Callable[[Any, Encoders, int], bytes]]] = MappingProxyType(
    {
        tuple: lambda value, extra, depth: _items(b"(", value, extra, depth),
        list: lambda value, extra, depth: _items(b"[", value, extra, depth),
        dict: _dict,
        set: _set(b"S"),
        frozenset: _set(b"Y"),
        range: _bounds(b"r"),
        slice: _bounds(b"l"),
    }
)


_PLAIN: Final[Mapping[type, Callable[[Any], object]]] = MappingProxyType(
    {str: str.__str__, int: int.__int__, float: float.__float__, bytes: bytes.__bytes__}
)
"""What a subclass of a scalar is as a plain one, whatever it overrides."""


def _other(value: object, extra: Encoders, depth: int) -> bytes:
    """Encode what is known by more than its exact type, or by a hook."""
    # type() and not isinstance(): a lazy object pretends to be what it would be, and finding out may run a query.
    kind = type(value)
    if issubclass(kind, type):
        return text_block(b"K", _class_path(cast("type", value)))
    if issubclass(kind, Enum):
        return _member(kind, cast("Enum", value), extra, depth)
    content = _content(kind, value, extra, depth)
    if content is not None:
        return _instance(kind, content, value, extra, depth)
    for hook in extra:
        body = hook(value)
        if body is not None:
            return block(b"x", body)
    raise NoCanonicalForm(f"is a {kind.__qualname__}, which has no canonical form")


def _content(kind: type, value: object, extra: Encoders, depth: int) -> bytes | None:
    """Return what an instance is as a plain scalar or tuple, ``None`` where its class is none that we understand."""
    for base, plain in _PLAIN.items():
        if issubclass(kind, base):
            return canonical(plain(value), ())
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _items(b"(", tuple(tuple.__iter__(cast("tuple[object, ...]", value))), extra, depth)
    return b"" if is_dataclass(kind) and not issubclass(kind, tuple | list | dict | set | frozenset) else None


def _class_path(kind: type) -> str:
    """Return ``module.qualname`` if it leads to ``kind`` and so cannot be the path of another class, too."""
    found: object = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    path = f"{kind.__module__}.{kind.__qualname__}"
    if found is not kind:
        raise NoCanonicalForm(
            f"needs the class {path}, which cannot be found under that name by other processes"
        )
    return path


def _member(kind: type[Enum], member: Enum, extra: Encoders, depth: int) -> bytes:
    path = text_block(b"E", _class_path(kind))
    # A combination of flags has no name of its own.
    return path + canonical(member.value if issubclass(kind, Flag) else member.name, extra, depth)


def _instance(kind: type, content: bytes, value: object, extra: Encoders, depth: int) -> bytes:
    """Encode the class, what the value is as a plain scalar or tuple, and its attributes by name."""
    parts = [text_block(b"O", _class_path(kind)), content]
    for name, attribute in sorted(_attributes(kind, value).items()):
        try:
            parts.append(plain_str(name) + canonical(attribute, extra, depth))
        except NoCanonicalForm as error:
            raise error.within(f".{name}") from None
    return b"".join(parts) + b";"


def _attributes(kind: type, value: object) -> dict[str, object]:
    """Return the fields and whatever else the instance holds, except what a ``cached_property`` keeps there.

    Such a value appears when it is first asked for; were it part of the key, looking at an argument would change it.
    """
    state = object.__getstate__(value)
    held, slots = state if isinstance(state, tuple) else (state, None)
    found = {
        name: attribute
        for name, attribute in (held or {}).items()
        # By name, because Django has a class of its own for this.
        if type(getattr_static(kind, name, None)).__name__ != "cached_property"
    }
    found.update(slots or {})
    if is_dataclass(kind):
        names = (field.name for field in fields(kind))
        found.update((name, getattr(value, name)) for name in names if hasattr(value, name))
    return found
