"""What one SQL text does: ``scan`` reads it, ``SqlMemo`` remembers what was read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Final

from genscache.orm.lexer import is_ambiguous, readings, tokenize
from genscache.orm.shapes import (
    DeleteByPk,
    Insert,
    InsertArrays,
    RowShape,
    UpdateByPk,
    insert_arrays,
    row_shape,
)
from genscache.orm.statement import Relation, Statement, StatementKind
from genscache.orm.tokens import Tokens
from genscache.orm.verbs import one_statement

__all__ = [
    "DeleteByPk",
    "Insert",
    "InsertArrays",
    "Relation",
    "RowShape",
    "SqlMemo",
    "Statement",
    "StatementKind",
    "UpdateByPk",
    "scan",
]

_CONTROL: Final = frozenset({
    StatementKind.BEGIN, StatementKind.COMMIT, StatementKind.ROLLBACK, StatementKind.SAVEPOINT, StatementKind.UNKNOWN,
})  # fmt: skip
_WITH_BODY: Final = frozenset({"TRIGGER", "FUNCTION", "PROCEDURE", "EVENT", "PACKAGE", "RULE", "TYPE"})
_UNREADABLE: Final = Statement(kind=StatementKind.UNKNOWN, complete=False)
_ESCAPED_NAME: Final = re.compile(r"[uU]&\s*\"")
_CONDITIONAL: Final = re.compile(r"/\*M?!")


_GLUED: Final = re.compile(
    r"(?<![\w$.])(\d[\d.]*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|%s)(FROM|JOIN|INTO|USING)\b", re.IGNORECASE
)
"""A number or a placeholder that a word follows without a space: ``SELECT 1.0FROM t``."""


def scan(sql: str) -> Statement:
    """Tell what a text does.

    Args:
        sql: One or more statements, as they are given to a cursor (with ``%s`` placeholders or without).

    Returns:
        What the text does under every reading that PostgreSQL, MySQL, MariaDB, SQLite or Oracle could give it. Never
        raises: what cannot be read is UNKNOWN.
    """
    if "\x00" in sql or ("&" in sql and _ESCAPED_NAME.search(sql)):
        return _UNREADABLE
    if "/*" in sql and len(_CONDITIONAL.findall(sql)) > 1:
        # Each could run or not, by the server's version; two readings do not cover the mixtures.
        return replace(_merged(sql), kind=StatementKind.UNKNOWN, complete=False)
    sql = _GLUED.sub(r"\1 \2", sql)
    if is_ambiguous(sql):
        statement = _merged(sql)
        arrays = insert_arrays(sql) if statement.kind is StatementKind.WRITE else None
        return statement if arrays is None else replace(statement, shape=arrays)
    statement = _scan_text(sql)
    if statement.kind is StatementKind.WRITE:
        shape = row_shape(sql)
        return statement if shape is None else replace(statement, shape=shape)
    return statement


def _merged(sql: str) -> Statement:
    """Merge what the text does under each reading."""
    found = [_scan_text(text) for text in readings(sql)]
    if not found:
        return _UNREADABLE
    kinds = {statement.kind for statement in found}
    return _union(found, kinds.pop() if len(kinds) == 1 else StatementKind.UNKNOWN)


def _scan_text(text: str) -> Statement:
    """Scan one canonical text, which may hold several statements."""
    raw = tokenize(text)
    if raw is None:
        return _UNREADABLE
    # str.upper makes ASCII of a few letters (the long s), which no database reads as a keyword.
    words = list(map(str.upper, raw)) if text.isascii() else [t.upper() if t.isascii() else t for t in raw]
    if ";" not in words:
        return one_statement(Tokens(raw, words)) if words else _UNREADABLE
    if words[0] == "CREATE" and not _WITH_BODY.isdisjoint(words):
        return replace(_UNREADABLE, ddl=True)
    found = [one_statement(tokens) for tokens in _statements(raw, words)]
    return _union(found, _combined(found)) if found else _UNREADABLE


def _statements(raw: list[str], words: list[str]) -> Iterator[Tokens]:
    """Split at semicolons, leaving out what is empty."""
    start = 0
    for at in [*(index for index, word in enumerate(words) if word == ";"), len(words)]:
        if at > start:
            yield Tokens(raw[start:at], words[start:at])
        start = at + 1


def _combined(found: list[Statement]) -> StatementKind:
    """Return the kind of several statements in one text; transaction control amid others is unknown."""
    kinds = {statement.kind for statement in found}
    if len(found) == 1:
        return found[0].kind
    if kinds & _CONTROL:
        return StatementKind.UNKNOWN
    if StatementKind.WRITE in kinds:
        return StatementKind.WRITE
    return StatementKind.READ if StatementKind.READ in kinds else StatementKind.HARMLESS


def _union(found: list[Statement], kind: StatementKind) -> Statement:
    """Unite statements: everything that any of them does."""
    if len(found) == 1:
        return found[0]
    return Statement(
        kind=kind,
        reads=frozenset().union(*(one.reads for one in found)),
        writes=frozenset().union(*(one.writes for one in found)),
        functions=frozenset().union(*(one.functions for one in found)),
        procedures=frozenset().union(*(one.procedures for one in found)),
        locking=any(one.locking for one in found),
        ddl=any(one.ddl for one in found),
        isolation=any(one.isolation for one in found),
        search_path=any(one.search_path for one in found),
        local=all(one.local for one in found if one.search_path),
        complete=kind is not StatementKind.UNKNOWN and all(one.complete for one in found),
    )


class SqlMemo:
    """A bounded memory of scanned texts, least recently used first out; safe to use from several threads."""

    def __init__(self, *, size: int = 2048, longest: int = 10_000) -> None:
        """Remember ``size`` texts of up to ``longest`` characters; longer ones are scanned each time."""
        self._longest = longest
        self._scan = lru_cache(maxsize=size)(scan)

    def scan(self, sql: str) -> Statement:
        """Return ``scan(sql)``, remembered."""
        return self._scan(sql) if len(sql) <= self._longest else scan(sql)
