"""Values to payloads and back: the envelope, what is in it, and why some bytes cannot be read.

What cannot be read is a miss, never an error: a deploy that changes the format, a model or a secret costs misses.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, cast

from genscache.bodies import Bodies
from genscache.decoded import Decoded, Reason, Refused, Unreadable, guarded
from genscache.dismantling import Dismantled
from genscache.envelope import COMPRESSED, MOST_KEY_BYTES, PARTS, Envelope, inflated
from genscache.exceptions import UncacheableValue
from genscache.parts import Anatomy
from genscache.pickling import Describe
from genscache.unpickling import class_path, find_loaded

__all__ = ["LARGEST_BODY", "Codec", "Content", "Decoded", "Reason", "Serializer", "Unreadable"]

LARGEST_BODY: Final = 64 * 2**20
"""Bytes that a compressed body may grow to."""


class Serializer(Protocol):
    """What turns values into bytes, where that is not pickle; exceptions of ``loads`` make the entry a miss."""

    def dumps(self, value: object, /) -> bytes:
        """Return the bytes of ``value``."""

    def loads(self, data: bytes, /) -> object:
        """Return the value of ``data``; it shares no mutable object with that of another call."""


@dataclass(frozen=True, slots=True)
class Content:
    """A value as bytes, not sealed yet: the body, the definitions of the models in it, and whether it is in parts."""

    body: bytes
    models: bytes
    parts: bool = False


def _no_model(_kind: type) -> None:
    """Describe nothing: for projects, and tests, without models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """Values to payloads and back.

    Attributes:
        serializer: ``None`` for pickle.
        keys: Secrets of 1 to 64 bytes; the first signs, each verifies.
        signed: Sign, and trust what is signed. If false, there is a checksum and pickles are restricted.
        allowed: Classes, ``"module.Class"`` or ``"module.*"``, that unsigned pickles may hold besides the safe ones.
        describe: Returns a digest of a model class's definition, ``None`` for other classes.
        resolve: Returns the model class at ``"module:Class"``, ``None`` where there is none.
        compress_above: Body size in bytes from which it is compressed; ``None``: never.
        largest: Bytes that a compressed body may grow to when it is read.
        anatomy: What can take model instances apart; ``None``: they are pickled.

    Raises:
        ValueError: A key is missing, empty or too long, or ``largest`` is not above 0.
    """

    serializer: Serializer | None = None
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    signed: bool = True
    allowed: frozenset[str] = frozenset()
    describe: Describe = _no_model
    resolve: Callable[[str], type | None] = find_loaded
    compress_above: int | None = None
    largest: int = LARGEST_BODY
    anatomy: Anatomy | None = None
    _envelope: Envelope = field(init=False, repr=False, compare=False)
    _bodies: Bodies = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse keys that would sign nothing."""
        self._check_options()
        keys = self.keys if self.signed else (b"",)
        name = "pickle" if self.serializer is None else _name(self.serializer)
        bodies = Bodies(
            trusted=self.signed, allowed=self.allowed, describe=self.describe, anatomy=self.anatomy
        )
        # The dataclass is frozen for its users.
        object.__setattr__(self, "_envelope", Envelope(keys, name))
        object.__setattr__(self, "_bodies", bodies)

    def _check_options(self) -> None:
        if self.largest < 1:
            raise ValueError(
                f"the largest body has at least 1 byte, got {self.largest!r}. Use {LARGEST_BODY}."
            )
        if not self.signed:
            return
        if not self.keys:
            raise ValueError("a signing codec needs a key, got none. Pass keys=(secret,) or signed=False.")
        for key in self.keys:
            if not 0 < len(key) <= MOST_KEY_BYTES:
                raise ValueError(
                    f"a signing key has 1 to {MOST_KEY_BYTES} bytes, got {len(key)}. Pass a digest of the secret."
                )

    def encode(self, value: object, *, key: str) -> bytes:
        """Return the payload of ``value`` for the entry ``key``; it can be read under no other key.

        Raises:
            UncacheableValue: It cannot be pickled or, unsigned, is of a class that is not on the list.
        """
        return self.seal(self.dump(value), key=key)

    def dump(self, value: object) -> Content:
        """Do the part of ``encode`` that looks at the value; a lazy one asks the database here.

        Raises:
            UncacheableValue: As ``encode``.
        """
        if type(value) is Unreadable:
            raise UncacheableValue(f"{value!r} means that there is no value. Return something else.")
        try:
            return self._dump(value)
        except Exception as error:  # a value's own __reduce__ may raise anything
            raise UncacheableValue(
                f"a result of type {type(value).__module__}.{type(value).__qualname__} cannot be stored: {error}. "
                "Return plain data: a list and not a generator, values and not locks, files or local classes."
            ) from error

    @property
    def stores_parts(self) -> bool:
        """Whether results may be given in parts."""
        return self.serializer is None and self.signed and self.anatomy is not None

    def dump_parts(self, parts: Dismantled) -> tuple[Content, object]:
        """Do what ``dump`` does for a result in parts, and return what a hit would give, too.

        Raises:
            Exception: It cannot be stored so.
        """
        body, models = self._bodies.dump_parts(parts)
        content = Content(body, self._lines(models), parts=True)
        return content, self._bodies.parse(content.models, body, self._check_models).build()

    def seal(self, content: Content, *, key: str) -> bytes:
        """Do the part of ``encode`` that needs the key."""
        flags, body = PARTS if content.parts else 0, content.body
        if self.compress_above is not None and self.compress_above < len(body) <= self.largest:
            flags, body = flags | COMPRESSED, zlib.compress(body)
        return self._envelope.seal(flags, content.models, body, key=key)

    def decode(self, data: bytes, *, key: str) -> object | Unreadable:
        """Return the value of a payload, or why there is none; whatever the bytes are, it raises nothing."""
        found = self.parse(data, key=key)
        return found if isinstance(found, Unreadable) else found.build()

    def parse(self, data: bytes, *, key: str) -> Decoded | Unreadable:
        """Do the part of ``decode`` that need not be done again for the next value of the same payload.

        Returns:
            What builds values, or why there will be none; whatever the bytes are, it raises nothing.
        """
        return cast("Decoded | Unreadable", guarded(lambda: self._parse(data, key)))

    def _parse(self, data: bytes, key: str) -> Decoded:
        flags, models, body = self._envelope.open(data, key=key)
        if flags & COMPRESSED:
            body = inflated(body, self.largest)
        if flags & PARTS:
            if self.serializer is not None:
                raise Refused(Reason.FOREIGN)
            return self._bodies.parse(models, body, self._check_models)
        known = self._check_models(models)
        if self.serializer is not None:
            return Decoded(partial(self.serializer.loads, body), len(body))
        return Decoded(partial(self._bodies.load, known, body), len(body))

    def _dump(self, value: object) -> Content:
        if self.serializer is None:
            body, models, parts = self._bodies.dump(value)
            return Content(body, self._lines(models), parts)
        found: object = self.serializer.dumps(value)
        if not isinstance(found, bytes):
            raise TypeError(f"the serializer's dumps() must return bytes, got {type(found).__qualname__}")
        return Content(found, b"")

    def _lines(self, models: Mapping[type, str]) -> bytes:
        """Return the list of models; one of the same module as the one before leaves its name out."""
        lines, last = [], ""
        for kind, definition in models.items():
            module, _, name = self._findable(kind).partition(":")
            lines.append(f"{'' if module == last else module}:{name}\t{definition}")
            last = module
        return "\n".join(lines).encode()

    def _findable(self, kind: type) -> str:
        path = class_path(kind)
        if self.resolve(path) is not kind:
            raise pickle.PicklingError(f"the model {path} cannot be found under that name")
        return path

    def _check_models(self, models: bytes) -> dict[str, type]:
        """Return the model classes of the entry, each of them defined now as it was when the entry was made."""
        known: dict[str, type] = {}
        last = ""
        for line in models.decode().splitlines():
            path, _, definition = line.partition("\t")
            if path[:1] == ":":
                path = last + path
            last = path.partition(":")[0]
            kind = self.resolve(path)
            if kind is None or self.describe(kind) != definition:
                raise Refused(Reason.CHANGED)
            known[path] = kind
        return known


def _name(serializer: Serializer) -> str:
    """Return what tells serializers apart: their ``name``, else that of their class or module."""
    kind = type(serializer)
    named = getattr(serializer, "name", None) or getattr(serializer, "__name__", None)
    return named if isinstance(named, str) else f"{kind.__module__}.{kind.__qualname__}"
