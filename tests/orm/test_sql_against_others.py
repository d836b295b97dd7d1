"""Every table that SQLite touches, or that sqlglot finds, is one that ``scan`` reports."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from random import Random

import pytest
import sqlglot
from sqlglot import expressions

from genscache.orm.sql import Statement, StatementKind, scan
from tests.orm.corpus import TABLES, Corpus

KNOWN = {table.strip('"').lower() for table in TABLES}
WRITING = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
SEEDS = range(4)


class Watched:
    """A SQLite database that tells which tables a statement reads and writes."""

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.database = sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)
        for table in TABLES:
            self.database.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, x INT, y INT)")
        self.database.set_authorizer(self._note)

    def _note(
        self, action: int, name: str | None, _second: str | None, _db: str | None, _trigger: str | None
    ) -> int:
        if name and name.lower() in KNOWN and action == sqlite3.SQLITE_READ:
            self.reads.add(name.lower())
        if name and name.lower() in KNOWN and action in WRITING:
            self.writes.add(name.lower())
        return sqlite3.SQLITE_OK

    def touches(self, sql: str) -> bool:
        """Compile a statement and note what it touches; false where SQLite refuses it."""
        self.reads.clear()
        self.writes.clear()
        try:
            self.database.execute(f"EXPLAIN {sql}").close()
        except sqlite3.Error:
            return False
        return True


@pytest.fixture
def watched() -> Iterator[Watched]:
    database = Watched()
    with closing(database.database):
        yield database


def reported(found: Statement) -> tuple[set[str], set[str]]:
    """Return the names read or written, and those written."""
    writes = {relation.folded for relation in found.writes}
    return writes | {relation.folded for relation in found.reads}, writes


@pytest.mark.parametrize("seed", SEEDS)
def test_sqlite_touches_no_table_that_is_not_reported(watched: Watched, seed: int) -> None:
    corpus, valid, exact = Corpus(Random(seed)), 0, 0
    for _ in range(600):
        sql = corpus.statement()
        if not watched.touches(sql):
            continue
        valid += 1
        found = scan(sql)
        everything, writes = reported(found)
        assert (found.kind is StatementKind.WRITE) is bool(watched.writes), sql
        assert watched.writes == writes, sql
        assert watched.reads <= everything, sql
        assert everything <= KNOWN, sql
        assert found.complete, sql
        exact += watched.reads | watched.writes == everything
    assert valid > 100
    assert exact > valid * 0.8


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "sqlite"])
@pytest.mark.parametrize("seed", SEEDS)
def test_sqlglot_finds_no_table_that_is_not_reported(dialect: str, seed: int) -> None:
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    corpus, parsed = Corpus(Random(seed), dialect), 0
    for _ in range(60):
        sql = corpus.statement()
        try:
            tree = sqlglot.parse_one(sql, dialect=dialect)
        except sqlglot.errors.SqlglotError:
            continue
        parsed += 1
        theirs = {table.name.lower() for table in tree.find_all(expressions.Table)} & KNOWN
        assert theirs <= reported(scan(sql))[0], sql
    assert parsed > 40


def test_the_corpus_reaches_the_hard_places() -> None:
    corpus = Corpus(Random(1))
    text = "\n".join(corpus.statement() for _ in range(600))
    for mark in (
        r"WITH RECURSIVE",
        r"IN gamma",
        r"JOIN \(",
        r"EXISTS\(",
        r"/\*",
        r"--",
        r"UPDATE",
        r"main \. ",
    ):
        assert re.search(mark, text), mark
