"""Names to keys: what a namespace, an entry, a hint and a lock are called in the store.

    gc:1:{default.blog_post}:rows                       counter of a namespace
    gc:1:{default.blog_post}:object=5                   the same, with a detail
    gc:1:{default.blog_post}:match=author%3D3           rows with a value; "=" is quoted like everything in a detail
    gc:1:{app.views.front_page}:e:<fingerprint>:g=17.42 entry under a vector of one or two generations
    gc:1:{app.views.front_page}:e:<start>:g=~<digest>   entry under a longer one: both of them, digested together
    gc:1:{app.views.front_page}:l:<fingerprint>:g=17.42 lock for filling that entry
    gc:1:{app.views.front_page}:h:<digest>              hint
    gc:1:clock                                          bump clock
    gc:1:fence                                          which run of the server this is

The braces are Redis Cluster's hash tag: all keys of one owner lie in one slot. No two different inputs share a key:
each part is quoted into an alphabet without the separators, so a table called ``a}:rows`` cannot reach a key of ``a``.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import lru_cache
from typing import Final, NamedTuple

KEY_VERSION: Final = "1"
"""Part of every key; a release that writes keys in another way changes it, which costs misses."""

LONGEST_NAME: Final = 80
"""Bytes that a quoted name may take; a longer one keeps its beginning and gets a digest."""

LONGEST_PLAIN_VECTOR: Final = 33
"""Bytes up to which an entry's key spells out its generations: two of them. More take up memory for each entry."""

SHOWN: Final = 6
"""Characters of its fingerprint with which the key of any other entry begins, so that people find it."""

LONGEST_KEY: Final = 240
"""No key is longer, in bytes; memcached takes 250 with the prefix that Django adds."""

SITE_OWNER: Final = ""

_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_PLAIN = re.compile(rf"[A-Za-z0-9_.-]{{1,{LONGEST_NAME}}}")
_UNSAFE = re.compile(rb"[^A-Za-z0-9_.-]")
_BROKEN_ESCAPE = re.compile(r"%[0-9A-F]?\Z")
_DIGEST_BYTES: Final = 20
_DIGEST_CHARACTERS: Final = 32


@unique
class Kind(StrEnum):
    """What a namespace is about."""

    SITE = "site"
    MODEL = "model"
    ROWS = "rows"
    OBJECT = "object"
    MATCH = "match"
    FUNCTION = "function"
    CALL = "call"
    NAMED = "named"


class Namespace(NamedTuple):
    """A unit of invalidation; sorting gives the canonical order of a vector.

    Attributes:
        kind: What it is about.
        owner: ``table_owner(...)`` for ``MODEL``, ``ROWS``, ``OBJECT`` and ``MATCH``; ``"module.qualname"`` for
            ``FUNCTION`` and ``CALL``; the name for ``NAMED``; ``""`` for ``SITE``.
        detail: The primary key as text for ``OBJECT``; the digest of the arguments for ``CALL``; for ``MATCH`` fields
            and values (``"author=3,status=draft"``), or what guards those (``""``, ``"17"``); else ``""``.
    """

    kind: Kind
    owner: str
    detail: str = ""


SITE: Final = Namespace(Kind.SITE, SITE_OWNER)
"""The namespace that every entry depends on."""


def table_owner(database: str, table: str) -> str:
    """Return the owner of a table's namespaces: ``"default.blog_post"``.

    Dots in the alias are escaped, so the first dot always ends it: the table ``b.c`` of database ``a`` and the table
    ``c`` of database ``a.b`` have different owners.
    """
    if "." in database or "%" in database:
        database = database.replace("%", "%25").replace(".", "%2E")
    return f"{database}.{table}"


def digest(data: bytes) -> str:
    """Return 32 lower-case letters and digits (160 bits of BLAKE2b) that identify ``data``."""
    return b32encode(hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()).decode("ascii").lower()


def fingerprint(data: bytes) -> str:
    """Return 27 letters, digits, ``-`` and ``_`` with the same bits, for keys of which there are many."""
    return _base64(data, _DIGEST_BYTES)


def _base64(data: bytes, size: int) -> str:
    return urlsafe_b64encode(hashlib.blake2b(data, digest_size=size).digest()).rstrip(b"=").decode("ascii")


def quote(name: str) -> str:
    """Return ``name`` in the alphabet ``[A-Za-z0-9_.-]`` plus ``%XX`` escapes, at most ``LONGEST_NAME`` bytes.

    A longer one is cut to a readable beginning, ``~`` and a digest of the whole. Different names give different
    results: neither ``~`` nor ``%`` is in the alphabet, so a name can spell out neither a digest nor an escape.
    """
    if _PLAIN.fullmatch(name):
        return name
    data = name.encode("utf-8", "surrogatepass")
    quoted = _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], data).decode("ascii")
    if len(quoted) <= LONGEST_NAME:
        return quoted
    beginning = _BROKEN_ESCAPE.sub("", quoted[: LONGEST_NAME - _DIGEST_CHARACTERS - 1])
    return f"{beginning}~{digest(data)}"


@dataclass(frozen=True, slots=True)
class KeySpace:
    """All keys of one installation.

    Attributes:
        prefix: First part of every key, 1 to 32 characters of ``[A-Za-z0-9_.-]``.

    Raises:
        ValueError: The prefix is not of that form.
    """

    prefix: str

    def __post_init__(self) -> None:
        """Refuse a prefix with which keys could collide."""
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(
                f"the key prefix must be 1 to 32 characters of A-Z a-z 0-9 _ . -, got {self.prefix!r}. "
                'Use something like "gc" or "mysite.production".'
            )

    @property
    def clock(self) -> str:
        """Return the key of the bump clock."""
        return f"{self.prefix}:{KEY_VERSION}:clock"

    @property
    def fence(self) -> str:
        """Return the key under which a server's identity is kept."""
        return f"{self.prefix}:{KEY_VERSION}:fence"

    def counter(self, namespace: Namespace) -> str:
        """Return the key of the namespace's generation."""
        return _counter(self.prefix, namespace)

    def entry(self, owner: str, fingerprint: str, generations: Sequence[int]) -> str:
        """Return the key of an entry.

        Args:
            owner: Owner of the namespace in whose slot the entry lies.
            fingerprint: Identifies what was asked, without generations.
            generations: The vector. For a longer one, and the fingerprint, stands a digest: ``:g=~<27 characters>``.
        """
        vector = ".".join(map(str, generations))
        start = _start(self.prefix, owner, fingerprint)
        if len(vector) <= LONGEST_PLAIN_VECTOR:
            return start + vector
        # As many bits as the fingerprint has: it is what tells questions apart.
        found = _base64((start + vector).encode("ascii"), _DIGEST_BYTES)
        return f"{self.beginning(owner, fingerprint)}:g=~{found}"

    def beginning(self, owner: str, fingerprint: str) -> str:
        """Return what the keys of a question's entries begin with, under whatever vector."""
        return f"{_slot(self.prefix, owner)}:e:{quote(fingerprint)[:SHOWN]}"

    def hint(self, owner: str, fingerprint: str) -> str:
        """Return the key under which is kept what an entry depended on last."""
        return f"{_slot(self.prefix, owner)}:h:{quote(fingerprint)}"

    def lock(self, entry: str) -> str:
        """Return the key of the lock that lets one caller fill ``entry``, a key made by ``entry()``.

        Raises:
            ValueError: ``entry`` is the key of something else.
        """
        slot, found, rest = entry.partition("}:e:")
        if not found:
            raise ValueError(
                f"a lock belongs to the key of an entry, got {entry!r}. Pass what entry() returned."
            )
        return f"{slot}}}:l:{rest}"


@lru_cache(5_000)
def _slot(prefix: str, owner: str) -> str:
    """Return the common beginning of an owner's keys; no name quotes to ``*``, so that is the site's."""
    # An empty hash tag would make Redis Cluster hash the whole key, and scatter what belongs together.
    return f"{prefix}:{KEY_VERSION}:{{{quote(owner) if owner else '*'}}}"


@lru_cache(20_000)
def _counter(prefix: str, namespace: Namespace) -> str:
    """Return the key of a namespace's generation."""
    kind, owner, detail = namespace
    slot = _slot(prefix, owner)
    if detail or kind is Kind.OBJECT or kind is Kind.CALL:
        return f"{slot}:{kind}={detail and quote(detail)}"
    return f"{slot}:{kind}"


@lru_cache(10_000)
def _start(prefix: str, owner: str, fingerprint: str) -> str:
    """Return the key of an entry without its generations."""
    return f"{_slot(prefix, owner)}:e:{quote(fingerprint)}:g="
