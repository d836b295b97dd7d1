"""Row shapes: the few statements, exactly as Django's ORM writes them, that name rows by primary key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from genscache.delivery import MANY_ROWS


@dataclass(frozen=True, slots=True)
class UpdateByPk:
    """``UPDATE t SET ... WHERE t.c = %s`` or ``IN (%s, ...)``: the last ``count`` parameters are values of ``column``.

    The column is not assigned by the statement, so a row keeps its primary key.
    """

    table: str
    column: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class DeleteByPk:
    """``DELETE FROM t WHERE t.c = %s`` or ``IN (%s, ...)``: the ``count`` parameters are values of ``column``."""

    table: str
    column: str
    count: int


@dataclass(frozen=True, slots=True)
class Insert:
    """``INSERT INTO t (...) VALUES (...), (...)`` of rows that stand there, without any clause for conflicts.

    Each of ``rows`` has an item for each of ``columns``: the index of the parameter that is its value as it stands, or
    ``None`` where the value is something else (DEFAULT, a number, an expression around a parameter).
    """

    table: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int | None, ...], ...]


@dataclass(frozen=True, slots=True)
class InsertArrays:
    """``INSERT INTO t (...) SELECT * FROM UNNEST((%s)::type[], ...)``: a parameter is the list of a column's values.

    So Django writes several rows on PostgreSQL since 5.2.
    """

    table: str
    columns: tuple[str, ...]


RowShape: TypeAlias = UpdateByPk | DeleteByPk | Insert | InsertArrays

# ruff: noqa: S608 - patterns that recognise SQL, none is sent anywhere
_QUOTED = r'(?:"[^"]+"|`[^`]+`)'
_COLUMN = rf"{_QUOTED}\.{_QUOTED}"
_WHERE: Final = re.compile(
    rf" WHERE ({_QUOTED})\.({_QUOTED}) (?:= (%s)|IN \((%s(?:, %s)*+)\))(?: RETURNING {_COLUMN}(?:, {_COLUMN})*+)?\Z"
)
_UPDATE: Final = re.compile(rf"UPDATE ({_QUOTED}) SET (?={_QUOTED} = )")
_DELETE: Final = re.compile(rf"DELETE FROM ({_QUOTED})(?= WHERE )")
_INSERT: Final = re.compile(rf"INSERT INTO ({_QUOTED}) \(({_QUOTED}(?:, {_QUOTED})*+)\) VALUES ")
_RETURNING: Final = re.compile(rf" RETURNING {_COLUMN}(?:, {_COLUMN})*+\Z")
_ARRAYS: Final = re.compile(
    r'INSERT INTO "(\w+)" \(("\w+"(?:, "\w+")*+)\) SELECT \* FROM UNNEST'
    r"\((\(%s\)::[a-z][a-z0-9 ]*\[\](?:, \(%s\)::[a-z][a-z0-9 ]*\[\])*+)\)"
    r'(?: RETURNING "\w+"\."\w+"(?:, "\w+"\."\w+")*+)?\Z'
)
_NAME: Final = re.compile(_QUOTED)
_STEP: Final = re.compile(rf"{_QUOTED}|%s|%%|[A-Za-z_]\w*+|[(),;=]")
_OUTER_WORDS: Final = frozenset({"WHERE", "FROM", "JOIN", "ORDER", "LIMIT", "RETURNING", "OR", "AND", ";"})
_UNPLAIN: Final = frozenset({"SELECT", "VALUES", ";"})


def row_shape(sql: str) -> RowShape | None:
    """Recognise what Django's ORM emits, to the letter; ``None`` in any doubt.

    The caller has made sure that the text has no comments, and no marks that databases read differently.
    """
    if "'" in sql or '""' in sql or "``" in sql:
        return None
    if sql.startswith("UPDATE "):
        return _update(sql)
    if sql.startswith("DELETE "):
        return _delete(sql)
    return _insert(sql) if sql.startswith("INSERT ") else None


def _update(sql: str) -> UpdateByPk | None:
    """Recognise an update of rows by primary key that leaves the key alone."""
    head, where = _UPDATE.match(sql), _WHERE.search(sql)
    if head is None or where is None or where[1] != head[1]:
        return None
    assigned = _assigned(sql[head.end() : where.start()])
    column = where[2][1:-1]
    if assigned is None or column.lower() in assigned:
        return None
    return UpdateByPk(table=head[1][1:-1], column=column, count=(where[3] or where[4]).count("%s"))


def _assigned(clause: str) -> set[str] | None:
    """Return the columns that a SET clause assigns, in lower case; ``None`` if it is not simply that."""
    columns: set[str] = set()
    steps = [*_STEP.findall(clause), "", ""]
    depth, start = 0, True
    for at, step in enumerate(steps[:-2]):
        depth += {"(": 1, ")": -1}.get(step, 0)
        if depth < 0 or (depth == 0 and step.upper() in _OUTER_WORDS):
            return None
        if start:
            if not _NAME.fullmatch(step) or steps[at + 1] != "=":
                return None
            columns.add(step[1:-1].lower())
        start = depth == 0 and step == ","
    return columns if depth == 0 and not start else None


def _delete(sql: str) -> DeleteByPk | None:
    """Recognise a deletion of rows by primary key."""
    head = _DELETE.match(sql)
    where = _WHERE.match(sql, head.end()) if head else None
    if head is None or where is None or where[1] != head[1]:
        return None
    return DeleteByPk(table=head[1][1:-1], column=where[2][1:-1], count=(where[3] or where[4]).count("%s"))


def insert_arrays(sql: str) -> InsertArrays | None:
    """Recognise an insert of several rows as Django writes it for PostgreSQL.

    Its brackets are read differently by other databases; it stands in no other text, so that does not matter.
    """
    match = _ARRAYS.match(sql) if sql.startswith("INSERT ") else None
    if match is None:
        return None
    columns = tuple(name[1:-1] for name in _NAME.findall(match[2]))
    return InsertArrays(table=match[1], columns=columns) if match[3].count("%s") == len(columns) else None


def _insert(sql: str) -> Insert | None:
    """Recognise an insert of rows whose values stand in the statement."""
    match = _INSERT.match(sql)
    if match is None:
        return None
    columns = tuple(name[1:-1] for name in _NAME.findall(match[2]))
    returning = _RETURNING.search(sql, match.end())
    body = sql[match.end() : returning.start() if returning else len(sql)]
    if body.count("), (") >= MANY_ROWS:
        # Whoever writes so many names the model; to tell them apart would be work for nothing.
        return None
    rows = _plain_rows(body, len(columns)) or _rows(body, len(columns))
    return None if rows is None else Insert(table=match[1][1:-1], columns=columns, rows=rows)


def _plain_rows(body: str, width: int) -> tuple[tuple[int | None, ...], ...] | None:
    """Return the rows of a VALUES clause that is nothing but parameters; quickly, since there may be many."""
    row = f"({', '.join(['%s'] * width)})"
    count, rest = divmod(len(body) + 2, len(row) + 2)
    if rest or body != ", ".join([row] * count):
        return None
    return tuple(tuple(range(first, first + width)) for first in range(0, count * width, width))


def _rows(body: str, width: int) -> tuple[tuple[int | None, ...], ...] | None:
    """Return the rows of a VALUES clause; ``None`` if it is not simply that."""
    rows: list[tuple[int | None, ...]] = []
    seen = 0
    for piece in _split(body):
        text = piece.strip()
        values = _values(text[1:-1], seen) if text[:1] == "(" and text[-1:] == ")" else None
        if values is None or len(values) != width:
            return None
        rows.append(values)
        seen += _STEP.findall(text).count("%s")
    return tuple(rows)


def _values(clause: str, seen: int) -> tuple[int | None, ...] | None:
    """Return, for each value of a row, the index of the parameter that it is; ``None`` if it is not one row.

    Args:
        clause: What stands between the row's parentheses.
        seen: How many parameters stand before it.
    """
    values: list[int | None] = []
    depth = 0
    for value in _split(clause):
        values.append(seen if value.strip() == "%s" else None)
        for step in _STEP.findall(value):
            depth += {"(": 1, ")": -1}.get(step, 0)
            if depth < 0 or step.upper() in _UNPLAIN:
                return None
            seen += step == "%s"
    return tuple(values) if depth == 0 else None


def _split(clause: str) -> list[str]:
    """Split values at the commas that stand outside parentheses."""
    pieces, depth, start = [], 0, 0
    for match in _STEP.finditer(clause):
        step = match.group()
        depth += {"(": 1, ")": -1}.get(step, 0)
        if depth == 0 and step == ",":
            pieces.append(clause[start : match.start()])
            start = match.end()
    return [*pieces, clause[start:]]
