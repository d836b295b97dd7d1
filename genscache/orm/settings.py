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
_PATH_WORDS: Final = ("SEARCH_PATH", "SCHEMA", "ROLE", "AUTHORIZATION", "CATALOG", "ROW_SECURITY")


def configured(statement: Statement, tokens: Tokens) -> Statement:
    """Add what ``SELECT set_config(name, ...)`` sets; a name that is not a literal could be any."""
    calls = [at for at, word in enumerate(tokens.words) if word.rstrip('"').endswith("SET_CONFIG")]
    names = {tokens.word(at + 2) for at in calls}
    literal = all(name.startswith("'") for name in names)
    isolation = not literal or any(mark in name for name in names for mark in _SNAPSHOT_WORDS)
    path = not literal or any(mark in name for name in names for mark in (*_PATH_WORDS, "."))
    return replace(
        statement, isolation=isolation, search_path=path, local=all(_is_local(tokens, at) for at in calls)
    )


def _is_local(tokens: Tokens, at: int) -> bool:
    """Tell whether the call of ``set_config`` at an index ends with ``true``: until the end of the transaction."""
    depth = 0
    for index in range(at + 1, len(tokens.words)):
        depth += {"(": 1, ")": -1}.get(tokens.words[index], 0)
        if depth == 0:
            return tokens.words[index - 2 : index] == [",", "TRUE"]
    return False


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
        search_path=everything or _sees_otherwise(tokens),
        local=tokens.word(1) == "LOCAL",
        complete=not found.reads,
    )


def _sees_otherwise(tokens: Tokens) -> bool:
    """Tell whether names that are set decide about names, or about rows: ``app.tenant``, and MySQL's ``@tenant``."""
    names = [word for word in tokens.words if not word.startswith("'")]
    at = 2 if tokens.word(1) in {"SESSION", "LOCAL"} else 1
    custom = "." in tokens.word(at) and not tokens.word(at).startswith("@@")
    own = any(word[0] == "@" and not word.startswith("@@") and len(word) > 1 for word in names)
    return custom or own or any(mark in word for word in names for mark in _PATH_WORDS)


def session(_tokens: Tokens) -> Statement:
    """DISCARD: everything that a session has set is gone."""
    return Statement(kind=StatementKind.HARMLESS, isolation=True, search_path=True)


def use(_tokens: Tokens) -> Statement:
    """USE, ATTACH and DETACH change what an unqualified name means."""
    return Statement(kind=StatementKind.HARMLESS, search_path=True)
