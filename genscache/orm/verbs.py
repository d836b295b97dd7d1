"""What the first word of a statement makes of it: transaction control, settings, definitions, and queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from genscache.orm.clauses import Walk
from genscache.orm.definitions import alter, create, drop, rename, truncate
from genscache.orm.frames import Found, is_name, relations
from genscache.orm.settings import configured, session, set_, use
from genscache.orm.statement import Relation, Statement, StatementKind
from genscache.orm.tokens import Tokens

_BEGIN_WORDS: Final = frozenset({
    "", "TRANSACTION", "WORK", "TRAN", "ISOLATION", "READ", "NOT", "DEFERRABLE", "DEFERRED", "IMMEDIATE", "EXCLUSIVE",
    "CONCURRENT",
})  # fmt: skip
_QUERIES: Final = frozenset({
    "SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "UPSERT",
})  # fmt: skip
_EXECUTABLE: Final = _QUERIES | {"EXECUTE", "CREATE", "REFRESH", "DECLARE", "CALL", "DO"}
_EXPLAIN_OPTIONS: Final = frozenset({
    "ANALYZE", "ANALYSE", "VERBOSE", "COSTS", "SETTINGS", "GENERIC_PLAN", "BUFFERS", "SERIALIZE", "WAL", "TIMING",
    "SUMMARY", "MEMORY", "FORMAT", "IO",
})  # fmt: skip
_UNKNOWN: Final = Statement(kind=StatementKind.UNKNOWN, complete=False)
_HARMLESS: Final = Statement(kind=StatementKind.HARMLESS)


def one_statement(tokens: Tokens) -> Statement:
    """Tell what the tokens of one statement do."""
    verb = tokens.word(0)
    if verb in _QUERIES or verb == "(":
        statement = from_walk(Walk(tokens.raw, tokens.words).run())
        return configured(statement, tokens) if "set_config" in statement.functions else statement
    handler = _VERBS.get(verb)
    return handler(tokens) if handler else _other(tokens)


def from_walk(found: Found) -> Statement:
    """Turn what a walk found into the statement that it was."""
    writes = found.writes | found.reads if found.every else found.writes
    kind = StatementKind.READ
    if found.writing:
        kind = StatementKind.UNKNOWN if found.doubt or not writes else StatementKind.WRITE
    return Statement(
        kind=kind,
        reads=frozenset(found.reads),
        writes=frozenset(writes),
        functions=frozenset(found.functions),
        locking=found.locking,
        ddl=found.into,
        complete=not (found.doubt or found.incomplete or kind is StatementKind.UNKNOWN),
    )


def _other(tokens: Tokens) -> Statement:
    """Answer for a verb that nobody knows, with what its tokens name all the same."""
    found = Walk(tokens.raw, tokens.words).run()
    return replace(from_walk(found), kind=StatementKind.UNKNOWN, complete=False)


def _begin(tokens: Tokens) -> Statement:
    """BEGIN and START TRANSACTION; BEGIN before anything else is a block of procedural code."""
    starts = tokens.word(1) == "TRANSACTION" if tokens.word(0) == "START" else tokens.word(1) in _BEGIN_WORDS
    if not starts or "ATOMIC" in tokens.words:
        return replace(_other(tokens), ddl=True)
    return Statement(kind=StatementKind.BEGIN, isolation=tokens.mention(("ISOLATION", "SNAPSHOT", "READ")))


def _commit(tokens: Tokens) -> Statement:
    """COMMIT and END; COMMIT PREPARED makes the work of another session visible."""
    return _UNKNOWN if "PREPARED" in tokens.words else Statement(kind=StatementKind.COMMIT)


def _rollback(tokens: Tokens) -> Statement:
    """ROLLBACK and ABORT, whole or to a savepoint."""
    if "PREPARED" in tokens.words:
        return _UNKNOWN
    return Statement(kind=StatementKind.SAVEPOINT if "TO" in tokens.words else StatementKind.ROLLBACK)


def _savepoint(tokens: Tokens) -> Statement:
    """SAVEPOINT and RELEASE."""
    return Statement(kind=StatementKind.SAVEPOINT) if len(tokens.words) > 1 else _UNKNOWN


def _harmless(_tokens: Tokens) -> Statement:
    """Answer for statements that change no row and hold nothing open."""
    return _HARMLESS


def _administrative(_tokens: Tokens) -> Statement:
    """Answer for statements that change no row but commit on MySQL."""
    return Statement(kind=StatementKind.HARMLESS, ddl=True)


def _inner(tokens: Tokens) -> Statement:
    """Read a query inside another statement; only queries, so that no text can make this recurse."""
    return one_statement(tokens) if tokens.word(0) in _QUERIES or tokens.word(0) == "(" else _UNKNOWN


def _set(tokens: Tokens) -> Statement:
    """SET; MariaDB's SET STATEMENT ... FOR runs the statement behind it."""
    if tokens.word(1) != "STATEMENT":
        return set_(tokens)
    at = tokens.after("FOR")
    return _inner(tokens.rest(at))


def _prepare(tokens: Tokens) -> Statement:
    """PREPARE keeps a statement for later; PREPARE TRANSACTION takes the open transaction away."""
    return _UNKNOWN if tokens.word(1) == "TRANSACTION" else _HARMLESS


def _declare(tokens: Tokens) -> Statement:
    """DECLARE CURSOR reads when it is fetched; any other DECLARE starts procedural code."""
    if "CURSOR" not in tokens.words:
        return _other(tokens)
    at = tokens.words.index("FOR") + 1 if "FOR" in tokens.words else len(tokens.words)
    return replace(_inner(tokens.rest(at)), complete=False)


def _fetch(_tokens: Tokens) -> Statement:
    """FETCH returns rows of a query that another text named."""
    return Statement(kind=StatementKind.READ, complete=False)


def _call(tokens: Tokens) -> Statement:
    """CALL, EXEC and EXECUTE: what they do stands elsewhere."""
    walk = Walk(tokens.raw, tokens.words, at=1)
    statement = from_walk(walk.run())
    named = tokens.raw[1] if is_name(tokens.word(1)) else ""
    before = set(statement.functions)
    walk.found.functions.clear()
    if named:
        walk.called(named)
    procedures = frozenset(walk.found.functions)
    return replace(statement, kind=StatementKind.UNKNOWN, functions=frozenset(before - procedures),
                   procedures=procedures, ddl=True, complete=False)  # fmt: skip


def _braces(tokens: Tokens) -> Statement:
    """``{call p()}`` and ``{? = call p()}``."""
    if "CALL" in tokens.words:
        return _call(tokens.rest(tokens.words.index("CALL")))
    return _other(tokens)


def _explain(tokens: Tokens) -> Statement:
    """EXPLAIN, DESCRIBE and ANALYZE: with ANALYZE (or ANALYSE) before a statement, the statement runs."""
    at, depth = 0, 0
    options = tokens.word(1) == "(" and tokens.word(2) in _EXPLAIN_OPTIONS
    while at < len(tokens.words):
        word = tokens.word(at)
        if not depth and (word in _EXECUTABLE or (word == "(" and not (options and at == 1))):
            break
        depth += {"(": 1, ")": -1}.get(word, 0)
        at += 1
    runs = not {"ANALYZE", "ANALYSE"}.isdisjoint(tokens.words[:at])
    if not runs:
        return _HARMLESS
    if at < len(tokens.words) and tokens.word(0) != "EXPLAIN" and tokens.word(at) not in _EXECUTABLE:
        return _administrative(tokens)  # ANALYZE t (column)
    if at >= len(tokens.words) or "TABLE" in tokens.words[:2] or tokens.word(1) == "LOCAL":
        return _administrative(tokens)
    return one_statement(tokens.rest(at))


def _copy(tokens: Tokens) -> Statement:
    """COPY t FROM writes, COPY t TO and COPY (query) TO read."""
    at = 2 if tokens.word(1) == "BINARY" else 1
    if tokens.word(at) == "(":
        return from_walk(Walk(tokens.raw, tokens.words, at=at).run())
    if not is_name(tokens.word(at)):
        return _UNKNOWN
    named = frozenset(relations(tokens.raw[at]))
    depth = 0
    for word in tokens.words[at + 1 :]:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth == 0 and word == "FROM":
            return Statement(kind=StatementKind.WRITE, writes=named)
        if depth == 0 and word == "TO":
            return Statement(kind=StatementKind.READ, reads=named)
    return _UNKNOWN


def _load(tokens: Tokens) -> Statement:
    """LOAD DATA and LOAD XML write one table."""
    at = tokens.after("INTO", "TABLE")
    if tokens.word(1) in {"DATA", "XML"} and at and is_name(tokens.word(at)):
        return Statement(kind=StatementKind.WRITE, writes=frozenset(relations(tokens.raw[at])), ddl=True)
    return _UNKNOWN


def _refresh(tokens: Tokens) -> Statement:
    """REFRESH MATERIALIZED VIEW."""
    at = tokens.after("VIEW", "CONCURRENTLY") or tokens.after("VIEW")
    if not at or not is_name(tokens.word(at)):
        return _UNKNOWN
    writes: frozenset[Relation] = frozenset(relations(tokens.raw[at]))
    return Statement(kind=StatementKind.WRITE, writes=writes)


_VERBS: Final[dict[str, Callable[[Tokens], Statement]]] = {
    **dict.fromkeys(("BEGIN", "START"), _begin),
    **dict.fromkeys(("COMMIT", "END"), _commit),
    **dict.fromkeys(("ROLLBACK", "ABORT"), _rollback),
    **dict.fromkeys(("SAVEPOINT", "RELEASE"), _savepoint),
    **dict.fromkeys(("RESET", "PRAGMA"), set_),
    "SET": _set,
    **dict.fromkeys(("USE", "ATTACH", "DETACH"), use),
    **dict.fromkeys(("EXPLAIN", "DESCRIBE", "DESC", "ANALYZE", "ANALYSE"), _explain),
    **dict.fromkeys(("CALL", "EXEC", "EXECUTE"), _call),
    **dict.fromkeys(
        ("SHOW", "LISTEN", "UNLISTEN", "NOTIFY", "DEALLOCATE", "CLOSE", "MOVE", "CHECKPOINT", "HELP", "KILL"),
        _harmless,
    ),
    **dict.fromkeys(
        (
            "GRANT",
            "REVOKE",
            "COMMENT",
            "LOCK",
            "UNLOCK",
            "VACUUM",
            "REINDEX",
            "CLUSTER",
            "OPTIMIZE",
            "FLUSH",
            "CHECKSUM",
        ),
        _administrative,
    ),
    "DISCARD": session,
    "PREPARE": _prepare,
    "DECLARE": _declare,
    "FETCH": _fetch,
    "{": _braces,
    "COPY": _copy,
    "LOAD": _load,
    "REFRESH": _refresh,
    "CREATE": create,
    "ALTER": alter,
    "DROP": drop,
    "RENAME": rename,
    "TRUNCATE": truncate,
}
