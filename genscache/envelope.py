"""The envelope around an entry, for bytes that anybody may have written.

    magic and version   3 bytes   "gc1"
    flags               1         1: the body is compressed; 2: it is in parts (see ``parts``), else a pickle
    serializer          4         digest of its name
    signature          16         keyed BLAKE2b over the entry's key and everything else here; ``stores.base.MARK``
    length of models    4
    models                        "module:Class <tab> definition" a line; without a module: that of the line before
    body

What cannot be read is a miss, never an error: a deploy that changes the format, a model or a secret costs misses.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib
from collections.abc import Sequence
from typing import Final

from genscache.decoded import Reason, Refused

MAGIC: Final = b"gc1"
COMPRESSED: Final = 1
PARTS: Final = 2
MOST_KEY_BYTES: Final = hashlib.blake2b.MAX_KEY_SIZE

_FLAGS: Final = COMPRESSED | PARTS
_HEADER: Final = struct.Struct(">3sB4s16sI")
_PERSON: Final = b"genscache1"


class Envelope:
    """Seals and opens.

    Args:
        keys: Secrets; the first signs, each verifies. An empty one makes a checksum.
        serializer: The name of what made the body.
    """

    def __init__(self, keys: Sequence[bytes], serializer: str) -> None:
        self._serializer = hashlib.blake2b(serializer.encode(), digest_size=4, person=_PERSON).digest()
        # Each signature begins with a copy: the key is a block of its own, hashed once.
        self._macs = [hashlib.blake2b(key=key, digest_size=16, person=_PERSON) for key in keys]

    def seal(self, flags: int, models: bytes, body: bytes, *, key: str) -> bytes:
        """Return the payload for the entry ``key``."""
        header = _HEADER.pack(MAGIC, flags, self._serializer, bytes(16), len(models))
        rest = models + body
        return b"".join((header[:8], _signature(self._macs[0], header, key, rest), header[24:], rest))

    def open(self, data: bytes, *, key: str) -> tuple[int, bytes, bytes]:
        """Return flags, models and body; nothing is believed before its signature.

        Raises:
            Refused: There are none.
        """
        if len(data) < _HEADER.size:
            raise Refused(Reason.TRUNCATED if data[:3] == MAGIC[: len(data)] else Reason.FOREIGN)
        magic, flags, serializer, found, length = _HEADER.unpack_from(data)
        if magic != MAGIC or serializer != self._serializer or flags & ~_FLAGS:
            raise Refused(Reason.FOREIGN)
        start = _HEADER.size + length
        if len(data) < start:
            raise Refused(Reason.TRUNCATED)
        rest = memoryview(data)[_HEADER.size :]
        if not any(hmac.compare_digest(found, _signature(mac, data, key, rest)) for mac in self._macs):
            raise Refused(Reason.SIGNATURE)
        return flags, data[_HEADER.size : start], data[start:]


def inflated(body: bytes, largest: int) -> bytes:
    """Return a compressed body as it was.

    Raises:
        Refused: It would have more than ``largest`` bytes, or ends too early or too late.
        zlib.error: It never was compressed.
    """
    inflate = zlib.decompressobj()
    found = inflate.decompress(body, largest)
    if inflate.unconsumed_tail:
        raise Refused(Reason.TOO_LARGE)
    if not inflate.eof or inflate.unused_data:
        raise Refused(Reason.CORRUPT)
    return found


def _signature(mac: hashlib.blake2b, header: bytes, key: str, rest: bytes | memoryview) -> bytes:
    """Sign everything but the signature's own place; each part's length is known, so none runs into the next."""
    name = key.encode("utf-8", "surrogatepass")
    mac = mac.copy()
    mac.update(b"".join((header[:8], header[24:28], len(name).to_bytes(4, "big"), name)))
    mac.update(rest)
    return mac.digest()
