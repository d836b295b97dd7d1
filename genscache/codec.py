"""The envelope around an entry: value to bytes and back, for bytes that anybody may have written.

    magic and version   3 bytes   "gc1"
    flags               1         1: the body is compressed; 2: it is in parts (see ``parts``), else a pickle
    serializer          4         digest of its name
    signature          16         keyed BLAKE2b over the entry's key and everything else here
    length of models    4
    models                        "module:Class <tab> definition" a line
    body

What cannot be read is a miss, never an error: a deploy that changes the format, a model or a secret costs misses.
"""

from __future__ import annotations

import hashlib
import hmac
import pickle
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from functools import partial
from typing import Final, Protocol, cast

from genscache.assembling import Assembly, ForeignFormat
from genscache.building import Makers
from genscache.dismantling import Dismantled, dismantle
from genscache.exceptions import UncacheableValue
from genscache.opcodes import ForbiddenOpcode, TooManyTuples, TooManyValues
from genscache.parts import Anatomy, Body
from genscache.pickling import Describe, HiddenModel, RecordingPickler, RestrictedPickler, no_models
from genscache.unpickling import ForbiddenClass, RestrictedUnpickler, class_path, find_loaded
from genscache.verifying import verify

MAGIC: Final = b"gc1"
LARGEST_BODY: Final = 64 * 2**20
"""Bytes that a compressed body may grow to."""

_HEADER: Final = struct.Struct(">3sB4s16sI")
_PERSON: Final = b"genscache1"
_COMPRESSED: Final = 1
_PARTS: Final = 2
_FLAGS: Final = _COMPRESSED | _PARTS
_CELL: Final = 64
_MOST_KEY_BYTES: Final = hashlib.blake2b.MAX_KEY_SIZE


class Serializer(Protocol):
    """What turns values into bytes, where that is not pickle; exceptions of ``loads`` make the entry a miss."""

    def dumps(self, value: object, /) -> bytes:
        """Return the bytes of ``value``."""

    def loads(self, data: bytes, /) -> object:
        """Return the value of ``data``; it shares no mutable object with that of another call."""


@unique
class Reason(StrEnum):
    """Why bytes could not be read."""

    TRUNCATED = "truncated"
    FOREIGN = "foreign"
    SIGNATURE = "signature"
    FORBIDDEN = "forbidden class"
    CHANGED = "changed model"
    CORRUPT = "corrupt"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class Content:
    """A value as bytes, not sealed yet: the body, the definitions of the models in it, and whether it is in parts."""

    body: bytes
    models: bytes
    parts: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What ``decode`` returns in place of a value."""

    reason: Reason


class _Refused(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Decoded:
    """A payload that has been checked: it builds its value any number of times.

    It is immutable, and may be kept and used by many threads. Values share no mutable object with one another.

    Attributes:
        size: Bytes that it takes in memory, about.
    """

    __slots__ = ("_load", "size")

    def __init__(self, load: Callable[[], object], size: int) -> None:
        self._load = load
        self.size = size

    def build(self) -> object | Unreadable:
        """Return a value that nobody else has, or why there is none; it raises nothing."""
        return guarded(self._load)


def guarded(load: Callable[[], object]) -> object | Unreadable:
    """Return what ``load`` does; what it raises becomes the reason why bytes cannot be read."""
    try:
        return load()
    except _Refused as refused:
        return Unreadable(refused.reason)
    except (ForbiddenClass, ForbiddenOpcode):
        return Unreadable(Reason.FORBIDDEN)
    except (TooManyTuples, TooManyValues):
        return Unreadable(Reason.TOO_LARGE)
    except Exception:  # noqa: BLE001 - bytes from outside: whatever they cause is a miss
        return Unreadable(Reason.CORRUPT)


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
    _makers: Makers = field(default_factory=Makers, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse keys that would sign nothing."""
        if self.largest < 1:
            raise ValueError(
                f"the largest body has at least 1 byte, got {self.largest!r}. Use {LARGEST_BODY}."
            )
        if not self.signed:
            return
        if not self.keys:
            raise ValueError("a signing codec needs a key, got none. Pass keys=(secret,) or signed=False.")
        for key in self.keys:
            if not 0 < len(key) <= _MOST_KEY_BYTES:
                raise ValueError(
                    f"a signing key has 1 to {_MOST_KEY_BYTES} bytes, got {len(key)}. Pass a digest of the secret."
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

    def seal(self, content: Content, *, key: str) -> bytes:
        """Do the part of ``encode`` that needs the key."""
        flags, body, models = _PARTS if content.parts else 0, content.body, content.models
        if self.compress_above is not None and self.compress_above < len(body) <= self.largest:
            flags, body = flags | _COMPRESSED, zlib.compress(body)
        header = _HEADER.pack(MAGIC, flags, self._serializer_id(), bytes(16), len(models))
        mac = _mac(self.keys[0] if self.signed else b"", header, key, models, body)
        return b"".join((header[:8], mac, header[24:], models, body))

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
        models, body, flags = self._unwrap(data, key)
        known = self._check_models(models)
        plain = self._inflate(body) if flags & _COMPRESSED else body
        if flags & _PARTS:
            return self._assembled(known, plain)
        return Decoded(lambda: self._load(known, plain), len(plain))

    def _unwrap(self, data: bytes, key: str) -> tuple[bytes, bytes, int]:
        """Return the models, the body, and the flags; nothing is believed before its signature."""
        if len(data) < _HEADER.size:
            raise _Refused(Reason.TRUNCATED if data[:3] == MAGIC[: len(data)] else Reason.FOREIGN)
        magic, flags, serializer, mac, length = _HEADER.unpack_from(data)
        if magic != MAGIC or serializer != self._serializer_id() or flags & ~_FLAGS:
            raise _Refused(Reason.FOREIGN)
        start = _HEADER.size + length
        if len(data) < start:
            raise _Refused(Reason.TRUNCATED)
        header, models, body = data[: _HEADER.size], data[_HEADER.size : start], data[start:]
        keys = self.keys if self.signed else (b"",)
        if not any(hmac.compare_digest(mac, _mac(each, header, key, models, body)) for each in keys):
            raise _Refused(Reason.SIGNATURE)
        return models, body, flags

    def _dump(self, value: object) -> Content:
        if self.serializer is not None:
            body: object = self.serializer.dumps(value)
            if not isinstance(body, bytes):
                raise TypeError(f"the serializer's dumps() must return bytes, got {type(body).__qualname__}")
            return Content(body, b"")
        parts = None if self.anatomy is None else dismantle(value, self.anatomy)
        if parts is not None:
            content = self._dump_parts(parts)
            if content is not None:
                return content
        pickler = self._pickler()
        body = pickler.pickled(value)
        return Content(body, self._models(pickler.models))

    def _dump_parts(self, parts: Dismantled) -> Content | None:
        """Return a value in parts, ``None`` where an instance hides in what would be pickled."""
        models = {kind.model: self.describe(kind.model) for kind in parts.kinds}
        rest = None
        if parts.rest:
            pickler = self._pickler(models=False)
            try:
                rest = pickler.pickled(parts.rest)
            except HiddenModel:
                return None
        if None in models.values():
            return None
        body = parts.body(rest)
        if not self.signed:
            verify(body, parts.kinds)
        return Content(
            self._pickler(models=False).pickled(body),
            self._models(cast("dict[type, str]", models)),
            parts=True,
        )

    def _pickler(self, *, models: bool = True) -> RecordingPickler:
        describe = self.describe if models else partial(no_models, self.describe)
        return (
            RecordingPickler(describe) if self.signed else RestrictedPickler(describe, allowed=self.allowed)
        )

    def _models(self, models: Mapping[type, str]) -> bytes:
        return "\n".join(
            f"{self._findable(kind)}\t{definition}" for kind, definition in models.items()
        ).encode()

    def _findable(self, kind: type) -> str:
        path = class_path(kind)
        if self.resolve(path) is not kind:
            raise pickle.PicklingError(f"the model {path} cannot be found under that name")
        return path

    def _check_models(self, models: bytes) -> dict[str, type]:
        """Return the model classes of the entry, each of them defined now as it was when the entry was made."""
        known: dict[str, type] = {}
        for line in models.decode().splitlines():
            path, _, definition = line.partition("\t")
            kind = self.resolve(path)
            if kind is None or self.describe(kind) != definition:
                raise _Refused(Reason.CHANGED)
            known[path] = kind
        return known

    def _inflate(self, body: bytes) -> bytes:
        inflate = zlib.decompressobj()
        inflated = inflate.decompress(body, self.largest)
        if inflate.unconsumed_tail:
            raise _Refused(Reason.TOO_LARGE)
        if not inflate.eof or inflate.unused_data:
            raise _Refused(Reason.CORRUPT)
        return inflated

    def _load(self, models: dict[str, type], body: bytes) -> object:
        if self.serializer is not None:
            return self.serializer.loads(body)
        if self.signed:
            # Only we, or whoever has our secret key, can have written it.
            return pickle.loads(body)  # noqa: S301
        return RestrictedUnpickler(body, allowed=self.allowed, models=models).load()

    def _assembled(self, models: dict[str, type], body: bytes) -> Decoded:
        """Return what builds a value from its parts."""
        anatomy = self.anatomy
        if anatomy is None or self.serializer is not None:
            raise _Refused(Reason.FOREIGN)
        kinds = [found for found in map(anatomy.kind, models.values()) if found is not None]
        if len(kinds) < len(models):
            raise _Refused(Reason.CHANGED)
        load = partial(self._load, {})
        parts = load(body)
        if not self.signed:
            verify(parts, kinds)
        try:
            assembly = Assembly(
                cast("Body", parts),
                kinds,
                anatomy=anatomy,
                makers=self._makers,
                load=load,
                trusted=self.signed,
            )
        except ForeignFormat:
            raise _Refused(Reason.FOREIGN) from None
        return Decoded(assembly.build, len(body) + _CELL * assembly.cells)

    def _serializer_id(self) -> bytes:
        name = "pickle" if self.serializer is None else _name(self.serializer)
        return hashlib.blake2b(name.encode(), digest_size=4, person=_PERSON).digest()


def _mac(secret: bytes, header: bytes, key: str, models: bytes, body: bytes) -> bytes:
    """Sign everything but the signature's own place; each part's length is known, so none runs into the next."""
    name = key.encode("utf-8", "surrogatepass")
    mac = hashlib.blake2b(key=secret, digest_size=16, person=_PERSON)
    for part in (header[:8], header[24:], len(name).to_bytes(4, "big"), name, models, body):
        mac.update(part)
    return mac.digest()


def _name(serializer: Serializer) -> str:
    """Return what tells serializers apart: their ``name``, else that of their class or module."""
    kind = type(serializer)
    named = getattr(serializer, "name", None) or getattr(serializer, "__name__", None)
    return named if isinstance(named, str) else f"{kind.__module__}.{kind.__qualname__}"
