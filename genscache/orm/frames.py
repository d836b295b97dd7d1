"""What the walk keeps: a frame for each open parenthesis, what was found so far, and how tokens name relations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from genscache.orm.lexer import parts
from genscache.orm.statement import Relation

Spelled: TypeAlias = tuple[str, Relation]
"""A name of a WITH clause: as it is spelled, and what it would mean as a relation. Both must match."""

_LONGEST: Final = 63
"""How many bytes of a name PostgreSQL keeps."""


@dataclass(slots=True)
class Frame:
    """What is known between one ``(`` and its ``)``."""

    start: int
    ctes: frozenset[Spelled] = frozenset()
    verb: str = ""
    function: str = ""
    expect: bool = False
    listing: bool = False
    target: bool = False
    using: bool = False
    withs: bool = False
    recursive: bool = False
    cte: Spelled | None = None


@dataclass(slots=True)
class Found:
    """What a walk collects; ``every`` says that any relation read could also be written."""

    reads: set[Relation] = field(default_factory=set)
    writes: set[Relation] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    writing: bool = False
    every: bool = False
    locking: bool = False
    into: bool = False
    doubt: bool = False
    incomplete: bool = False


def is_name(word: str) -> bool:
    """Tell whether a token can name a relation: a word, a quoted name, MySQL's ``2024_log``, SQLite's ``'t'``."""
    first = word[:1]
    if first.isdigit():
        return not word.replace(".", "").isdigit()
    return first.isalpha() or (first != "" and (first in "_\"`'" or first >= "\x80"))


def plain_name(token: str) -> str:
    """Return a name as it is spelled, without quotes."""
    return token[1:-1] if token[0] in "\"`'" else token


def relations(token: str) -> list[Relation]:
    """Return the relations that a token can mean: PostgreSQL cuts a name after 63 bytes, others do not."""
    if token[0] == "'":
        return [Relation(name=token[1:-1].replace("''", "'"))]
    digits = token[0].isdigit()
    names = [part.lower() for part in token.split(".")] if digits else [name for name, _ in parts(token)]
    schema = names[-2] if len(names) > 1 else None
    whole = names[-1].encode(errors="surrogatepass")
    found = [Relation(name=names[-1], schema=schema)]
    if len(whole) > _LONGEST:
        found.append(Relation(name=whole[:_LONGEST].decode(errors="ignore"), schema=schema))
    return found
