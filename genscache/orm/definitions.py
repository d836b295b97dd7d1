"""Statements that define: CREATE, ALTER, DROP, RENAME, and TRUNCATE, which MySQL counts among them."""

from __future__ import annotations

from typing import Final

from genscache.orm.clauses import Walk
from genscache.orm.frames import is_name, relations
from genscache.orm.statement import Relation, Statement, StatementKind
from genscache.orm.tokens import Tokens

_HOLDERS: Final = frozenset({"TABLE", "VIEW", "SEQUENCE"})
_OBJECTS: Final = _HOLDERS | {
    "INDEX", "TRIGGER", "FUNCTION", "PROCEDURE", "EVENT", "RULE", "SCHEMA", "DATABASE", "ROLE", "USER", "TYPE",
    "DOMAIN", "EXTENSION", "POLICY", "PACKAGE", "SERVER", "SESSION", "SYSTEM", "OWNED", "AGGREGATE", "OPERATOR",
    "CAST", "LANGUAGE",
}  # fmt: skip
_BEFORE_NAME: Final = frozenset({"IF", "NOT", "EXISTS", "CONCURRENTLY", "ONLY"})
_SETTINGS: Final = frozenset({"SESSION", "SYSTEM", "ROLE", "USER", "DATABASE"})
_NEW_NAMES: Final = frozenset({"COLUMN", "INDEX", "KEY", "CONSTRAINT"})
_UNKNOWN: Final = Statement(kind=StatementKind.UNKNOWN, ddl=True, complete=False)
_HARMLESS: Final = Statement(kind=StatementKind.HARMLESS, ddl=True)


def create(tokens: Tokens) -> Statement:
    """CREATE: a table, view, sequence or index by name; anything with a body of its own is unknown."""
    kind, at = _object(tokens)
    if kind == "INDEX":
        return _index(tokens)
    at = _to_name(tokens, at)
    if kind not in _HOLDERS or not is_name(tokens.word(at)) or "EXECUTE" in tokens.words:
        return _UNKNOWN
    found = Walk(tokens.raw, tokens.words, at=at + 1).run()
    return Statement(
        kind=StatementKind.WRITE,
        reads=frozenset(found.reads),
        writes=frozenset(relations(tokens.raw[at])) | found.writes,
        functions=frozenset(found.functions),
        ddl=True,
        complete=not (found.doubt or found.incomplete),
    )


def drop(tokens: Tokens) -> Statement:
    """DROP: tables, views and sequences by name; an index holds no rows."""
    kind, at = _object(tokens)
    if kind == "INDEX":
        return _index(tokens)
    return _written(_listed(tokens, _to_name(tokens, at))) if kind in _HOLDERS else _UNKNOWN


def alter(tokens: Tokens) -> Statement:
    """ALTER: the object, its new name, and every table that partitions or inheritance tie to it."""
    kind, at = _object(tokens)
    if kind == "INDEX":
        return _HARMLESS
    if kind in _SETTINGS:
        isolation, path = tokens.mention(("ISOLATION",)), tokens.mention(("SCHEMA", "SEARCH_PATH"))
        return Statement(kind=StatementKind.HARMLESS, ddl=True, isolation=isolation, search_path=path)
    at = _to_name(tokens, at)
    if kind not in _HOLDERS or not is_name(tokens.word(at)):
        return _UNKNOWN
    written = set(relations(tokens.raw[at]))
    for index in range(at + 1, len(tokens.words)):
        written.update(_tied(tokens, index))
    return _written(written)


def rename(tokens: Tokens) -> Statement:
    """RENAME TABLE a TO b, c TO d: every name."""
    if tokens.word(1) in {"USER", "INDEX"}:
        return _HARMLESS
    written: set[Relation] = set()
    for raw, word in zip(tokens.raw[1:], tokens.words[1:], strict=True):
        if is_name(word) and word not in {"TABLE", "TABLES", "TO", "IF", "EXISTS"}:
            written.update(relations(raw))
    return _written(written)


def truncate(tokens: Tokens) -> Statement:
    """TRUNCATE by name; with CASCADE it empties tables that it does not name."""
    at = 2 if tokens.word(1) == "TABLE" and is_name(tokens.word(2)) else 1
    statement = _written(_listed(tokens, at))
    if "CASCADE" in tokens.words or tokens.word(1) == "CLUSTER":
        return Statement(kind=StatementKind.UNKNOWN, writes=statement.writes, ddl=True, complete=False)
    return statement


def _object(tokens: Tokens) -> tuple[str, int]:
    """Return what sort of object a definition is about, and the index after that word."""
    for at, word in enumerate(tokens.words[1:20], start=1):
        if word in _OBJECTS:
            return word, at + 1
    return "", len(tokens.words)


def _to_name(tokens: Tokens, at: int) -> int:
    """Step over IF NOT EXISTS and the like; a table may itself be called ``only``."""
    while tokens.word(at) in _BEFORE_NAME and is_name(tokens.word(at + 1)):
        at += 1
    return at


def _index(tokens: Tokens) -> Statement:
    """Name the table of an index where the statement does; the rows stay the same in any case."""
    at = tokens.after("ON")
    at += tokens.word(at) == "ONLY" and is_name(tokens.word(at + 1))
    return _written(set(relations(tokens.raw[at]))) if at and is_name(tokens.word(at)) else _HARMLESS


def _listed(tokens: Tokens, at: int) -> set[Relation]:
    """Read ``a, ONLY b, c *`` up to the first word that continues no list."""
    written: set[Relation] = set()
    while is_name(tokens.word(at)):
        at = _to_name(tokens, at)
        written.update(relations(tokens.raw[at]))
        at += 2 if tokens.word(at + 1) == "*" else 1
        if tokens.word(at) != ",":
            break
        at += 1
    return written


def _tied(tokens: Tokens, at: int) -> list[Relation]:
    """Return the other table that the words at an index of ALTER TABLE tie to it."""
    word, following = tokens.word(at), tokens.word(at + 1)
    if word == "RENAME" and following not in _NEW_NAMES:
        at += following in {"TO", "AS", "="} and is_name(tokens.word(at + 2))
    elif not (word in {"PARTITION", "INHERIT"} or (word == "TABLE" and tokens.word(at - 1) == "WITH")):
        return []
    return relations(tokens.raw[at + 1]) if is_name(tokens.word(at + 1)) else []


def _written(names: set[Relation]) -> Statement:
    """Return the write to these relations; with none it is unknown what was written."""
    return Statement(kind=StatementKind.WRITE, writes=frozenset(names), ddl=True) if names else _UNKNOWN
