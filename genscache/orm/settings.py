"""Statements that change what later statements mean: SET and its like, USE, and ``SELECT set_config(...)``."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from genscache.orm.clauses import Walk
from genscache.orm.statement import Statement, StatementKind
from genscache.orm.tokens import Tokens

_SNAPSHOT_WORDS: Final = (
    "ISOLATION",
    "SNAPSHOT",
    "READ_UNCOMMITTED",
    "JOURNAL_MODE",
    "LOCKING_MODE",
)
_PATH_WORDS: Final = ("SEARCH_PATH", "SCHEMA", "ROLE", "AUTHORIZATION", "CATALOG")


def configured(statement: Statement, tokens: Tokens) -> Statement:
    """Add what ``SELECT set_config(name, ...)`` sets; a name that is not a literal could be any."""
    names = {
        tokens.word(at + 2) for at, word in enumerate(tokens.words) if word.rstrip('"').endswith("SET_CONFIG")
    }
    literal = all(name.startswith("'") for name in names)
    isolation = not literal or any(mark in name for name in names for mark in _SNAPSHOT_WORDS)
    path = not literal or any(mark in name for name in names for mark in _PATH_WORDS)
    return replace(statement, isolation=isolation, search_path=path)


def set_(tokens: Tokens) -> Statement:
    """SET, RESET and their like: harmless but for what they say about snapshots, names and autocommit."""
    found = Walk(tokens.raw, tokens.words, at=1).run()
    everything = tokens.word(1) == "ALL"
    kind, implicit = StatementKind.HARMLESS, False
    for at, word in enumerate(tokens.words):
        if word.removeprefix("@@").split(".")[-1].strip('`"') == "AUTOCOMMIT":
            value = tokens.word(at + 2).strip("'")
            kind = {"0": StatementKind.BEGIN, "OFF": StatementKind.BEGIN, "FALSE": StatementKind.BEGIN,
                    "1": StatementKind.COMMIT, "ON": StatementKind.COMMIT, "TRUE": StatementKind.COMMIT,
                    }.get(value, StatementKind.UNKNOWN)  # fmt: skip
            implicit = True
    return Statement(
        kind=kind,
        reads=frozenset(found.reads),
        functions=frozenset(found.functions),
        ddl=implicit or tokens.word(1) == "PASSWORD",
        isolation=everything or "TRANSACTION" in tokens.words or tokens.mention(_SNAPSHOT_WORDS),
        search_path=everything or tokens.mention(_PATH_WORDS),
        complete=not found.reads,
    )


def session(_tokens: Tokens) -> Statement:
    """DISCARD: everything that a session has set is gone."""
    return Statement(kind=StatementKind.HARMLESS, isolation=True, search_path=True)


def use(_tokens: Tokens) -> Statement:
    """USE, ATTACH and DETACH change what an unqualified name means."""
    return Statement(kind=StatementKind.HARMLESS, search_path=True)
