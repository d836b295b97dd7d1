"""What one SQL text does: a table of statements for every dialect, row shapes, flags, and the memory."""

from __future__ import annotations

import threading

import pytest

from genscache.orm.sql import (
    DeleteByPk,
    Insert,
    InsertArrays,
    Relation,
    RowShape,
    SqlMemo,
    Statement,
    StatementKind,
    UpdateByPk,
    scan,
)

READ, WRITE, UNKNOWN = StatementKind.READ, StatementKind.WRITE, StatementKind.UNKNOWN
HARMLESS, BEGIN, COMMIT = StatementKind.HARMLESS, StatementKind.BEGIN, StatementKind.COMMIT
ROLLBACK, SAVEPOINT = StatementKind.ROLLBACK, StatementKind.SAVEPOINT


def names(relations: frozenset[Relation]) -> str:
    """Show relations as sorted words."""
    return " ".join(sorted(f"{r.schema}.{r.name}" if r.schema else r.name for r in relations))


READS: list[tuple[str, str]] = [
    ("SELECT 1", ""),
    ("SELECT * FROM a", "a"),
    ("select * from A", "a"),
    ("SeLeCt * FrOm a", "a"),
    ('SELECT * FROM "A"', "A"),
    ("SELECT * FROM `a`", "a"),
    ("SELECT * FROM [a b]", "a b"),
    ("SELECT * FROM 'a'", "a"),
    ('SELECT * FROM "a""b"', 'a"b'),
    ("SELECT * FROM s.a", "s.a"),
    ('SELECT * FROM "s" . "a"', "s.a"),
    ("SELECT * FROM db.s.a", "s.a"),
    ("SELECT * FROM s /* . */ . /* x */ a", "s.a"),
    ("SELECT * FROM ünï_table", "ünï_table"),
    ("SELECT * FROM 2024_log", "2024_log"),
    ("SELECT * FROM a, b", "a b"),
    ("SELECT * FROM a x, b AS y, c", "a b c"),
    ("SELECT * FROM a AS x (p, q), b", "a b"),
    ("SELECT * FROM a JOIN b ON a.x = b.x, c", "a b c"),
    ("SELECT * FROM a LEFT OUTER JOIN b USING (id) JOIN c USING (id)", "a b c"),
    ("SELECT * FROM a NATURAL JOIN b CROSS JOIN c", "a b c"),
    ("SELECT STRAIGHT_JOIN * FROM a STRAIGHT_JOIN b", "a b"),
    ("SELECT * FROM (a JOIN b ON 1 = 1) JOIN c ON 1 = 1", "a b c"),
    ("SELECT * FROM ((a JOIN b ON 1 = 1), c)", "a b c"),
    ("SELECT * FROM a LEFT JOIN (b, c, d) ON 1 = 1", "a b c d"),
    ("SELECT * FROM (SELECT * FROM a) x, b", "a b"),
    ("SELECT * FROM (VALUES (1), (2)) v (x), b", "b"),
    ("SELECT * FROM ONLY a", "a"),
    ("SELECT * FROM ONLY (a), b", "a b"),
    ("SELECT * FROM a, LATERAL (SELECT * FROM b WHERE b.x = a.x) l", "a b"),
    ("SELECT * FROM a TABLESAMPLE BERNOULLI (10), b", "a b"),
    ("SELECT * FROM a PARTITION (p0, p1), b", "a b"),
    ("SELECT * FROM a USE INDEX (i, j), b", "a b"),
    ("SELECT * FROM a INDEXED BY i, b NOT INDEXED", "a b"),
    ("SELECT * FROM a FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01', b", "a b"),
    ("SELECT (SELECT max(x) FROM b) FROM a", "a b"),
    ("SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b)", "a b"),
    ("SELECT * FROM a WHERE x IN (SELECT x FROM b) AND y = ANY (SELECT y FROM c)", "a b c"),
    ("SELECT ARRAY(SELECT x FROM a)", "a"),
    ("SELECT arr[(SELECT max(x) FROM a)] FROM b", "a b"),
    ("SELECT CASE WHEN 1 THEN (SELECT x FROM a) END", "a"),
    ("SELECT * FROM a WHERE x IN b", "a b"),
    ("SELECT * FROM a WHERE x IN 'b'", "a b"),
    ("SELECT * FROM a WHERE x IN window", "a window"),
    ("SELECT x FROM a UNION ALL SELECT x FROM b EXCEPT SELECT x FROM c", "a b c"),
    ("(SELECT x FROM a) UNION (SELECT x FROM b) ORDER BY 1", "a b"),
    ("((SELECT x FROM a))", "a"),
    ("TABLE a", "a"),
    ("TABLE a UNION TABLE b", "a b"),
    ("VALUES (1, (SELECT x FROM a))", "a"),
    ("SELECT EXTRACT(YEAR FROM created) FROM a", "a"),
    ("SELECT SUBSTRING(x FROM 1 FOR 2), TRIM(BOTH 'x' FROM y), OVERLAY(x PLACING 'a' FROM 2) FROM a", "a"),
    ("SELECT EXTRACT(YEAR FROM (SELECT max(d) FROM b)) FROM a", "a b"),
    ("SELECT POSITION('x' IN y) FROM a", "a"),
    ("SELECT x IS DISTINCT FROM y, x IS NOT DISTINCT FROM z FROM a", "a"),
    ("SELECT DISTINCT FROM a", "a"),
    ("SELECT x AS from, y AS table, z AS update FROM a", "a"),
    ("SELECT 1 join FROM a", "a"),
    ("SELECT * FROM a offset, b", "a b"),
    ("SELECT * FROM a window, b", "a b"),
    ("SELECT rank() OVER w, 1 FROM a WINDOW w AS (ORDER BY x), v AS ()", "a"),
    ("SELECT * FROM a ORDER BY x, y LIMIT 5, 10", "a"),
    ("SELECT x, y FROM a GROUP BY x, y HAVING count(*) > 1", "a"),
    ("SELECT * FROM a FETCH FIRST 5 ROWS ONLY", "a"),
    ("SELECT replace(x, 'a', 'b'), (replace(x, 'a', 'b')), (insert(x, 1, 2, 'b')) FROM a", "a"),
    ("SELECT (delete), (update) FROM a", "a"),
    ("SELECT * FROM a WHERE MATCH (x) AGAINST ('y' IN BOOLEAN MODE)", "a"),
    ("SELECT 'FROM b', \"x\" FROM a", "a"),
    ("SELECT 'it''s FROM b' FROM a", "a"),
    ("SELECT E'it\\'s FROM b' FROM a", "a"),
    ("SELECT 'it\\'s FROM b' FROM a", "a"),
    ("SELECT $$ FROM b $$, $q$ it's FROM c $q$ FROM a", "a"),
    ("SELECT N'x', x'00', b'01', U&'\\0061' FROM a", "a"),
    ("SELECT q'[it's FROM b]' FROM a", "a"),
    ("-- FROM b\nSELECT * FROM a", "a"),
    ("/* FROM b */ SELECT * FROM a", "a"),
    ("SELECT * FROM a -- , b", "a"),
    ("SELECT * FROM a /* unfinished", "a"),
    ("SELECT /*+ INDEX(a i) */ * FROM a", "a"),
    ("SELECT x #>> '{a,b}', y #> '{c}' FROM a", "a"),
    ("SELECT x::numeric(10, 2), y ->> 'k', z @> '{}' FROM a", "a"),
    ("SELECT * FROM a WHERE x = %s AND y = %(name)s AND z LIKE 'b%%'", "a"),
    ("SELECT * FROM a WHERE x %% 2 = 0 AND y = ? AND z = :name", "a"),
    ("SELECT * FROM a; ", "a"),
    ("SELECT * FROM a; SELECT * FROM b", "a b"),
    ("SELECT generate_series(1, 2) FROM generate_series(1, 5) AS g (x), a", "a"),
    ("SELECT * FROM a, unnest(a.x) WITH ORDINALITY AS t (x, n), b", "a b"),
    ("SELECT * FROM json_each('[1]') j, a", "a"),
    ("SELECT * FROM ROWS FROM (generate_series(1, 2), unnest(%s)) r, a", "a"),
    ("WITH x AS (SELECT * FROM a) SELECT * FROM x", "a"),
    ("WITH x (p, q) AS MATERIALIZED (SELECT * FROM a), y AS NOT MATERIALIZED (SELECT * FROM x) TABLE y", "a"),
    ("WITH a AS (SELECT * FROM a) SELECT * FROM a", "a"),
    ("WITH RECURSIVE x AS (SELECT 1 FROM a UNION ALL SELECT 1 FROM x) SELECT * FROM x", "a"),
    ("WITH x AS (SELECT 1) SELECT * FROM s.x", "s.x"),
    ('WITH "X" AS (SELECT 1) SELECT * FROM x', "x"),
    ("SELECT * FROM (WITH x AS (SELECT 1 FROM a) SELECT * FROM x) y, x", "a x"),
    ("WITH x AS (WITH y AS (SELECT 1 FROM a) SELECT * FROM y) SELECT * FROM x, y", "a y"),
    ("WITH recursive AS (SELECT 1 FROM a) SELECT * FROM b", "a b"),
    ("WITH RECURSIVE t(n) AS (VALUES (1)) SEARCH DEPTH FIRST BY n SET o SELECT * FROM t, a", "a"),
    ("SELECT * FROM {OJ a LEFT JOIN b ON 1 = 1}", "a b"),
    ("SELECT * FROM a WHERE x IN (%s, %s, %s) OR (y, z) IN ((%s, %s), (%s, %s))", "a"),
    ("COPY (SELECT * FROM a) TO STDOUT", "a"),
    ("COPY a (x, y) TO STDOUT", "a"),
    ("EXPLAIN ANALYZE SELECT * FROM a", "a"),
    ("EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM a", "a"),
]


@pytest.mark.parametrize(("sql", "reads"), READS)
def test_a_read_names_every_relation_and_no_other(sql: str, reads: str) -> None:
    found = scan(sql)
    assert (found.kind, names(found.reads), names(found.writes)) == (READ, reads, "")


WRITES: list[tuple[str, str, str]] = [
    ("INSERT INTO a VALUES (1)", "a", ""),
    ("INSERT INTO a (x, y) VALUES (1, 2), (3, 4)", "a", ""),
    ("INSERT INTO s.a (x) SELECT y FROM b", "s.a", "b"),
    ("INSERT INTO a TABLE b", "a", "b"),
    ("INSERT INTO a (x) (SELECT y FROM b)", "a", "b"),
    ("INSERT INTO a WITH x AS (SELECT * FROM b) SELECT * FROM x", "a", "b"),
    ("INSERT INTO a AS t (x) VALUES (1) ON CONFLICT (x) DO UPDATE SET y = (SELECT max(y) FROM b), z = 1", "a", "b"),
    ("INSERT INTO a (x) SELECT x FROM b ON DUPLICATE KEY UPDATE y = 1, z = 2", "a", "b"),
    ("INSERT INTO a DEFAULT VALUES RETURNING id, x", "a", ""),
    ("INSERT a SET x = 1", "a", ""),
    ("INSERT IGNORE INTO a VALUES (1)", "a", ""),
    ("INSERT LOW_PRIORITY IGNORE a VALUES (1)", "a", ""),
    ("INSERT OR REPLACE INTO a VALUES (1)", "a", ""),
    ("INSERT INTO 'a' VALUES (1)", "a", ""),
    ("INSERT ALL INTO a VALUES (1) INTO b VALUES (2) SELECT * FROM c", "a b", "c"),
    ("REPLACE INTO a VALUES (1)", "a", ""),
    ("REPLACE DELAYED a SET x = 1", "a", ""),
    ("UPSERT INTO a VALUES (1)", "a", ""),
    ("UPDATE a SET x = 1", "a", ""),
    ("UPDATE ONLY a * SET x = 1", "a", ""),
    ("UPDATE a AS t SET x = b.x FROM b WHERE t.id = b.id", "a", "b"),
    ("UPDATE a SET x = (SELECT max(x) FROM b), y = 2 WHERE z IN (SELECT z FROM c)", "a", "b c"),
    ("UPDATE a, b SET a.x = b.x", "a b", ""),
    ("UPDATE a x JOIN b y ON x.id = y.id SET x.p = y.p", "a b", ""),
    ("UPDATE LOW_PRIORITY IGNORE a SET x = 1", "a", ""),
    ("UPDATE OR ROLLBACK a SET x = 1", "a", ""),
    ("UPDATE a SET x = 1 RETURNING x, y", "a", ""),
    ("UPDATE a SET (x, y) = (SELECT p, q FROM b)", "a", "b"),
    ("DELETE FROM a", "a", ""),
    ("DELETE FROM a AS t WHERE t.x IN (SELECT x FROM b)", "a", "b"),
    ("DELETE FROM a USING b, c WHERE a.id = b.id", "a b c", "b c"),
    ("DELETE a, b FROM a JOIN b ON 1 = 1", "a b", "a b"),
    ("DELETE t FROM a AS t", "a t", "a"),
    ("DELETE QUICK FROM a", "a", ""),
    ("DELETE a WHERE x = 1", "a", ""),
    ("MERGE INTO a USING b ON 1 = 1 WHEN MATCHED THEN UPDATE SET x = 1 WHEN NOT MATCHED THEN INSERT (x) VALUES (1)",
     "a", "b"),
    ("MERGE INTO a USING (SELECT * FROM b) s ON 1 = 1 WHEN MATCHED THEN DELETE", "a", "b"),
    ("WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x", "a", ""),
    ("WITH x AS (SELECT 1), y AS (UPDATE a SET x = 1 RETURNING *) SELECT * FROM y, b", "a", "b"),
    ("WITH x AS (SELECT * FROM b) INSERT INTO a SELECT * FROM x", "a", "b"),
    ("WITH x AS (SELECT * FROM b) UPDATE a SET x = 1 FROM x", "a", "b"),
    ("WITH a AS (SELECT * FROM b) DELETE FROM a", "a", "b"),
    ("WITH x AS (INSERT INTO a VALUES (1) RETURNING *) DELETE FROM b", "a b", ""),
    ("WITH x AS (/* ) */ DELETE FROM a RETURNING ')') SELECT * FROM x", "a", ""),
    ("SELECT * INTO a FROM b", "a", "b"),
    ("SELECT x INTO TEMP TABLE a FROM b", "a", "b"),
    ("CREATE TABLE a (id int)", "a", ""),
    ("CREATE TABLE IF NOT EXISTS s.a AS SELECT * FROM b", "s.a", "b"),
    ("CREATE TABLE a AS TABLE b", "a", "b"),
    ("CREATE OR REPLACE VIEW a AS WITH x AS (SELECT * FROM b) SELECT * FROM x", "a", "b"),
    ("CREATE UNIQUE INDEX CONCURRENTLY i ON a (x)", "a", ""),
    ("CREATE VIRTUAL TABLE a USING fts5(x)", "a", ""),
    ("DROP TABLE IF EXISTS a, s.b CASCADE", "a s.b", ""),
    ("DROP MATERIALIZED VIEW a", "a", ""),
    ("ALTER TABLE ONLY a ADD COLUMN x int", "a", ""),
    ("ALTER TABLE a RENAME TO b", "a b", ""),
    ("ALTER TABLE a RENAME COLUMN x TO y", "a", ""),
    ("ALTER TABLE a ATTACH PARTITION b FOR VALUES FROM (1) TO (2)", "a b", ""),
    ("ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b", "a b p", ""),
    ("RENAME TABLE a TO b, c TO d", "a b c d", ""),
    ("TRUNCATE a", "a", ""),
    ('TRUNCATE TABLE ONLY "a", b * RESTART IDENTITY', "a b", ""),
    ("COPY a (x, y) FROM STDIN", "a", ""),
    ("LOAD DATA LOCAL INFILE 'f' REPLACE INTO TABLE a", "a", ""),
    ("REFRESH MATERIALIZED VIEW CONCURRENTLY a", "a", ""),
    ("EXPLAIN ANALYZE UPDATE a SET x = 1", "a", ""),
    ("EXPLAIN (VERBOSE, ANALYSE) DELETE FROM a", "a", ""),
    ("EXPLAIN ANALYZE CREATE TABLE a AS SELECT * FROM b", "a", "b"),
    ("ANALYZE FORMAT=JSON DELETE FROM a", "a", ""),
    ("COPY (DELETE FROM a RETURNING *) TO STDOUT", "a", ""),
    ("SELECT 1; DELETE FROM a", "a", ""),
    ("SELECT '\\'; DELETE FROM a; --'", "a", ""),
    ("/* x */ -- y\n DELETE FROM a", "a", ""),
    ("SET STATEMENT max_statement_time = 1 FOR DELETE FROM a", "a", ""),
    ("DELETE FROM a, b USING a JOIN b ON 1 = 1", "a b", "a b"),
    ("INSERT INTO a VALUES (1) AS n ON DUPLICATE KEY UPDATE x = n.x, y = 2", "a", ""),
    ("REPLACE a SELECT * FROM b", "a", "b"),
    ("UPDATE a PARTITION (p0) SET x = 1", "a", ""),
    ("CREATE TABLE a SELECT * FROM b", "a", "b"),
    ("WITH x AS (SELECT 1) REPLACE INTO a SELECT * FROM x", "a", ""),
    ('UPDATE"a"SET"x"=1', "a", ""),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "writes", "reads"), WRITES)
def test_a_write_names_what_it_writes_and_reads(sql: str, writes: str, reads: str) -> None:
    found = scan(sql)
    unsure = "'\\'" in sql  # PostgreSQL sees two statements, MySQL one string
    assert found.kind is (UNKNOWN if unsure else WRITE)
    assert (names(found.writes), names(found.reads)) == (writes, reads)


KINDS: list[tuple[str, StatementKind]] = [
    ("BEGIN", BEGIN), ("BEGIN IMMEDIATE", BEGIN), ("START TRANSACTION READ ONLY", BEGIN), ("begin;", BEGIN),
    ("COMMIT", COMMIT), ("END TRANSACTION", COMMIT), ("COMMIT AND CHAIN", COMMIT),
    ("ROLLBACK", ROLLBACK), ("ABORT", ROLLBACK), ("ROLLBACK WORK", ROLLBACK),
    ("SAVEPOINT s", SAVEPOINT), ("RELEASE SAVEPOINT s", SAVEPOINT), ("ROLLBACK TO SAVEPOINT s", SAVEPOINT),
    ("SET autocommit = 0", BEGIN), ("SET @@session.autocommit=1", COMMIT), ("SET autocommit = @x", UNKNOWN),
    ("SET x = 1", HARMLESS), ("SHOW TABLES FROM db", HARMLESS), ("EXPLAIN DELETE FROM a", HARMLESS),
    ("EXPLAIN QUERY PLAN SELECT * FROM a", HARMLESS), ("EXPLAIN (FORMAT JSON) UPDATE a SET x = 1", HARMLESS),
    ("DESCRIBE a", HARMLESS), ("PRAGMA foreign_keys = ON", HARMLESS), ("USE db", HARMLESS), ("LISTEN c", HARMLESS),
    ("NOTIFY c, 'x'", HARMLESS), ("ANALYZE", HARMLESS), ("ANALYZE a (x)", HARMLESS), ("ANALYZE TABLE a", HARMLESS),
    ("VACUUM FULL a", HARMLESS), ("REINDEX TABLE a", HARMLESS), ("LOCK TABLE a IN EXCLUSIVE MODE", HARMLESS),
    ("COMMENT ON TABLE a IS 'x'", HARMLESS), ("GRANT SELECT ON a TO b", HARMLESS), ("DROP INDEX i", HARMLESS),
    ("PREPARE p AS DELETE FROM a", HARMLESS), ("DEALLOCATE p", HARMLESS), ("DISCARD ALL", HARMLESS),
    ("ALTER SESSION SET NLS_DATE_FORMAT = 'YYYY'", HARMLESS), ("ATTACH DATABASE 'x' AS y", HARMLESS),
    ("DECLARE c CURSOR FOR SELECT * FROM a", READ), ("FETCH ALL FROM c", READ),
    ("", UNKNOWN), ("  -- nothing", UNKNOWN), (";", UNKNOWN),
    ("CALL p(1)", UNKNOWN), ("DO $$ BEGIN DELETE FROM a; END $$", UNKNOWN), ("EXECUTE p", UNKNOWN),
    ("{call p(1)}", UNKNOWN), ("FROBNICATE a", UNKNOWN), ("SELECT 'unfinished", UNKNOWN), ('SELECT "x', UNKNOWN),
    ("SELECT \x00 FROM a", UNKNOWN), ('SELECT * FROM U&"d\\0061t"', UNKNOWN), ("COMMIT PREPARED 'x'", UNKNOWN),
    ("PREPARE TRANSACTION 'x'", UNKNOWN), ("BEGIN; DELETE FROM a; COMMIT", UNKNOWN), ("SELECT 1; BEGIN", UNKNOWN),
    ("BEGIN DELETE FROM a; END;", UNKNOWN),
    ("BEGIN NOT ATOMIC DELETE FROM a", UNKNOWN), ("TRUNCATE a CASCADE", UNKNOWN),
    ("DROP SCHEMA s CASCADE", UNKNOWN),
    ("CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END", UNKNOWN),
    ("CREATE FUNCTION f() RETURNS int AS $$ SELECT 1 $$ LANGUAGE sql", UNKNOWN),
    ("CREATE TABLE a AS EXECUTE p", UNKNOWN), ("EXPLAIN ANALYZE EXECUTE p", UNKNOWN),
    ("SELECT x INTO OUTFILE 'f' FROM a", UNKNOWN), ("UPDATE %s SET x = 1", UNKNOWN), ("DELETE FROM", UNKNOWN),
    ("INSERT INTO (a", UNKNOWN), ("SELECT 1 /*! ; DELETE FROM a */", UNKNOWN), ("HANDLER a OPEN", UNKNOWN),
    ("/* /* FROM b */ */ SELECT * FROM a", UNKNOWN),
    ("SELECT 1 # 2; DELETE FROM a", UNKNOWN), ("SELECT 1 --1; DELETE FROM a", UNKNOWN),
    ("SELECT 1 /* /* */ ; DELETE FROM a /* */ */", UNKNOWN), ("SELECT 1 -- x\rFROM a; DELETE FROM a", UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "kind"), KINDS)
def test_the_kind_of_a_statement(sql: str, kind: StatementKind) -> None:
    assert scan(sql).kind is kind


@pytest.mark.parametrize(
    "sql",
    [
        "BEGIN; DELETE FROM a; COMMIT",
        "TRUNCATE a CASCADE",
        "SELECT 1 /*! ; DELETE FROM a */",
        "SELECT 1 # 2; DELETE FROM a",
        "SELECT 1 /* /* */ ; DELETE FROM a /* */ */",
        "/*! DELETE */ FROM a; DELETE FROM a",
    ],
)
def test_an_unknown_statement_still_tells_the_writes_that_it_names(sql: str) -> None:
    found = scan(sql)
    assert (found.kind, names(found.writes), found.complete) == (UNKNOWN, "a", False)


INCOMPLETE = [
    "SELECT * FROM dblink('x', 'SELECT 1') AS t (x int)",
    "SELECT query_to_xml('SELECT * FROM b', true, true, '') FROM a",
    "SELECT * FROM active_users() u",
    "SELECT * FROM TABLE(f())",
    "SELECT @total FROM a",
    "SELECT x INTO @total FROM a",
    "SELECT * FROM %s",
    "SELECT * FROM a JOIN",
    "SELECT * FROM (a",
    "SELECT * FROM a)",
    "FETCH ALL FROM c",
    "DECLARE c CURSOR FOR SELECT * FROM a",
    "SET @x = (SELECT max(x) FROM a)",
    "SELECT frob(x FROM a) FROM b",
    "SELECT lo_get(1) FROM a",
]


@pytest.mark.parametrize("sql", INCOMPLETE)
def test_a_read_that_cannot_be_told_for_sure_says_so(sql: str) -> None:
    assert not scan(sql).complete


@pytest.mark.parametrize("sql", [sql for sql, _ in READS if "{OJ" not in sql and "[a b]" not in sql])
def test_a_read_that_can_be_told_is_complete(sql: str) -> None:
    assert scan(sql).complete


@pytest.mark.parametrize(
    ("sql", "flag"),
    [
        ("SELECT * FROM a FOR UPDATE", "locking"),
        ("SELECT * FROM a FOR NO KEY UPDATE OF a, b SKIP LOCKED", "locking"),
        ("SELECT * FROM a FOR KEY SHARE", "locking"),
        ("SELECT * FROM a LOCK IN SHARE MODE", "locking"),
        ("SELECT * FROM (SELECT * FROM a FOR SHARE) x", "locking"),
        ("CREATE TABLE a (x int)", "ddl"),
        ("LOCK TABLES a WRITE", "ddl"),
        ("TRUNCATE a", "ddl"),
        ("SET autocommit = 1", "ddl"),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "isolation"),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ", "isolation"),
        ("BEGIN ISOLATION LEVEL REPEATABLE READ", "isolation"),
        ("START TRANSACTION WITH CONSISTENT SNAPSHOT", "isolation"),
        ("SET default_transaction_isolation = 'serializable'", "isolation"),
        ("SET @@tx_isolation = 'REPEATABLE-READ'", "isolation"),
        ("SELECT set_config('transaction_isolation', 'serializable', true)", "isolation"),
        ("SELECT pg_catalog.set_config(%s, %s, true)", "isolation"),
        ("RESET ALL", "isolation"),
        ("DISCARD ALL", "isolation"),
        ("PRAGMA read_uncommitted = 1", "isolation"),
        ("SELECT 1; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "isolation"),
        ("SET search_path TO x", "search_path"),
        ("SET LOCAL SCHEMA 'x'", "search_path"),
        ("SELECT set_config('search_path', 'x', false)", "search_path"),
        ("SELECT set_config('app.tenant', 'x', true)", "search_path"),
        ("SET app.tenant = 'x'", "search_path"),
        ("SET LOCAL app.tenant TO 'x'", "search_path"),
        ("SET @tenant = 5", "search_path"),
        ("SET sql_mode = '', @tenant := 5", "search_path"),
        ("SET SESSION AUTHORIZATION x", "search_path"),
        ("SET row_security = off", "search_path"),
        ("USE other", "search_path"),
        ("ATTACH DATABASE 'x' AS y", "search_path"),
        ("ALTER SESSION SET CURRENT_SCHEMA = x", "search_path"),
        ("DISCARD ALL", "search_path"),
    ],
)
def test_flags(sql: str, flag: str) -> None:
    assert getattr(scan(sql), flag) is True


@pytest.mark.parametrize("flag", ["locking", "ddl", "isolation", "search_path"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT share, lock FROM a",
        "UPDATE a SET x = 1",
        "SET x = 1",
        "BEGIN",
        "SELECT set_config('work_mem', 'z', true)",
        "SET application_name = 'role of the schema'",
        "SET statement_timeout = 1.5",
        "SET @@session.sql_mode = 'x'",
    ],
)
def test_flags_are_off_where_nothing_calls_for_them(sql: str, flag: str) -> None:
    assert getattr(scan(sql), flag) is False


def test_functions_are_named_with_and_without_their_schema() -> None:
    found = scan(
        'SELECT App.Archive(x), "Fix"(y), count(*) FILTER (WHERE z IN (1)) FROM f(1) WHERE (a) AND NOT (b)'
    )
    assert found.functions == {"app.archive", "archive", "fix", "count", "f"}


def test_a_column_list_calls_nothing() -> None:
    assert scan("INSERT INTO a (x) VALUES (1) ON CONFLICT (x) DO NOTHING").functions == frozenset()


@pytest.mark.parametrize(
    "sql", ["CALL app.rebuild(f(1))", "{ call app.rebuild(f(1)) }", "{? = call app.rebuild(f(1))}"]
)
def test_procedures_are_told_apart_from_functions(sql: str) -> None:
    found = scan(sql)
    assert found.procedures == {"app.rebuild", "rebuild"}
    assert found.functions == {"f"}


SHAPES: list[tuple[str, RowShape | None]] = [
    ('UPDATE "t" SET "a" = %s WHERE "t"."id" = %s', UpdateByPk("t", "id", 1)),
    ("UPDATE `t` SET `a` = %s, `b` = (`t`.`b` + %s) WHERE `t`.`id` = %s", UpdateByPk("t", "id", 1)),
    ('UPDATE "t" SET "a" = (SELECT U0."x" FROM "u" U0 WHERE U0."y" = %s) WHERE "t"."id" = %s',
     UpdateByPk("t", "id", 1)),
    ('UPDATE "t" SET "a" = CASE WHEN ("t"."id" = %s) THEN %s ELSE NULL END WHERE "t"."id" IN (%s, %s)',
     UpdateByPk("t", "id", 2)),
    ('UPDATE "t" SET "a" = %s WHERE "t"."id" = %s RETURNING "t"."b", "t"."c"', UpdateByPk("t", "id", 1)),
    ('UPDATE "t" SET "id" = %s WHERE "t"."id" = %s', None),
    ('UPDATE "t" SET "a" = %s, "ID" = %s WHERE "t"."id" = %s', None),
    ('UPDATE "t" SET "a" = %s WHERE "u"."id" = %s', None),
    ('UPDATE "t" SET "a" = %s WHERE ("t"."id" = %s AND "t"."b" = %s)', None),
    ('UPDATE "t" SET "a" = %s WHERE "t"."b" = %s OR "t"."id" = %s', None),
    ('UPDATE "t" SET "a" = %s WHERE "t"."b" = %s AND EXISTS (SELECT 1 FROM "t" WHERE "t"."id" = %s)', None),
    ('UPDATE "t" SET "a" = (SELECT 1 FROM "t" WHERE "t"."id" = %s)', None),
    ('UPDATE "t" SET "a" = \'x\' WHERE "t"."id" = %s', None),
    ('UPDATE "t" SET "a" = %s /* c */ WHERE "t"."id" = %s', None),
    ('UPDATE "t" SET "a" = %s FROM "u" WHERE "t"."id" = %s', None),
    ('UPDATE "t" SET "a" = %s WHERE "t"."id" = %s LIMIT 1', None),
    ('UPDATE "t" SET "a" = %s WHERE "t"."id" = %s; DELETE FROM "u" WHERE "u"."id" = %s', None),
    ('UPDATE "t" SET ("a", "id") = (%s, %s) WHERE "t"."id" = %s', None),
    ('DELETE FROM "t" WHERE "t"."id" = %s', DeleteByPk("t", "id", 1)),
    ("DELETE FROM `t` WHERE `t`.`id` IN (%s, %s, %s)", DeleteByPk("t", "id", 3)),
    ('DELETE FROM "t" WHERE "t"."id" IN (%s) OR "t"."id" = %s', None),
    ('DELETE FROM "t" WHERE NOT "t"."id" = %s', None),
    ('DELETE FROM "t" WHERE "t"."id" IN (SELECT U0."id" FROM "u" U0)', None),
    ('DELETE FROM "s"."t" WHERE "t"."id" = %s', None),
    ('INSERT INTO "t" ("a", "b") VALUES (%s, %s)', Insert("t", ("a", "b"), ((0, 1),))),
    ('INSERT INTO "t" ("a", "b") VALUES (%s, %s) RETURNING "t"."id"', Insert("t", ("a", "b"), ((0, 1),))),
    ('INSERT INTO "t" ("a", "b", "c") VALUES (%s, ST_GeomFromEWKB(%s, 4326), %s)',
     Insert("t", ("a", "b", "c"), ((0, None, 2),))),
    ('INSERT INTO "t" ("a", "b") VALUES (DEFAULT, %s)', Insert("t", ("a", "b"), ((None, 0),))),
    ('INSERT INTO "t" ("a") VALUES (%s), (%s)', Insert("t", ("a",), ((0,), (1,)))),
    ('INSERT INTO "t" ("a", "b") VALUES (%s, %s), (%s, %s), (%s, %s) RETURNING "t"."id", "t"."c"',
     Insert("t", ("a", "b"), ((0, 1), (2, 3), (4, 5)))),
    ('INSERT INTO "t" ("a", "b") VALUES (%s, f(%s, %s)), (DEFAULT, %s), (7, %s)',
     Insert("t", ("a", "b"), ((0, None), (None, 3), (None, 4)))),
    ('INSERT INTO "t" ("a") VALUES (%s), (%s) ON CONFLICT DO NOTHING', None),
    ('INSERT INTO "t" ("a") VALUES (%s), (%s) ON CONFLICT("a") DO UPDATE SET "a" = (%s)', None),
    ('INSERT INTO `t` (`a`) VALUES (%s), (%s) AS new ON DUPLICATE KEY UPDATE `a` = f(`new`.`a`)', None),
    ('INSERT INTO "t" ("a", "b") VALUES (%s, %s), (%s)', None),
    ('INSERT INTO "t" ("a") VALUES (%s), (SELECT 1)', None),
    ('INSERT INTO "t" ("a") VALUES (%s), ROW(%s)', None),
    ('INSERT INTO "t" ("a") VALUES (%s), (%s) WHERE (%s)', None),
    ('INSERT INTO "t" ("a") VALUES ' + ", ".join(["(%s)"] * 300), Insert("t", ("a",), tuple((i,) for i in range(300)))),
    ('INSERT INTO "t" ("a") VALUES ' + ", ".join(["(%s)"] * 301), None),
    ('INSERT INTO "t" ("a", "b") SELECT * FROM UNNEST((%s)::integer[], (%s)::double precision[]) RETURNING "t"."id"',
     InsertArrays("t", ("a", "b"))),
    ('INSERT INTO "t" ("a") SELECT * FROM UNNEST((%s)::varchar[])', InsertArrays("t", ("a",))),
    ('INSERT INTO "t" ("a") SELECT * FROM UNNEST((%s)::varchar[]) ON CONFLICT DO NOTHING', None),
    ('INSERT INTO "t" ("a", "b") SELECT * FROM UNNEST((%s)::varchar[])', None),
    ('INSERT INTO "t" ("a") SELECT * FROM UNNEST((%s)::varchar[], (%s)::text[])', None),
    ('INSERT INTO "t" ("a") SELECT * FROM UNNEST((%s)::varchar[]) WHERE "a" > %s', None),
    ('INSERT INTO "t" ("a") SELECT * FROM UNNEST((SELECT %s)::varchar[])', None),
    ('INSERT INTO "t" ("a") VALUES ((SELECT 1))', None),
    ('INSERT INTO "t" ("a", "b") VALUES (%s)', None),
    ('INSERT INTO "t" ("a") VALUES (%s) ON CONFLICT DO NOTHING', None),
    ('INSERT IGNORE INTO "t" ("a") VALUES (%s)', None),
    ('INSERT OR REPLACE INTO "t" ("a") VALUES (%s)', None),
    ('INSERT INTO "t" ("a") SELECT %s', None),
    ('INSERT INTO "t" DEFAULT VALUES', None),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "shape"), SHAPES)
def test_row_shapes_are_what_django_emits_and_nothing_else(sql: str, shape: RowShape | None) -> None:
    found = scan(sql)
    assert found.shape == shape
    assert shape is None or found.kind is WRITE


def test_relations_compare_without_case() -> None:
    assert Relation(name="Orders").folded == Relation(name="ORDERS", schema="s").folded == "orders"


def test_a_name_longer_than_postgresql_keeps_stands_for_both_tables() -> None:
    name = "x" * 70
    assert {r.name for r in scan(f"SELECT * FROM {name}").reads} == {name, "x" * 63}


def test_the_memory_returns_the_same_object_and_is_bounded() -> None:
    memo = SqlMemo(size=2, longest=100)
    first = memo.scan("SELECT * FROM a")
    assert memo.scan("SELECT * FROM a") is first
    memo.scan("SELECT * FROM b")
    memo.scan("SELECT * FROM c")
    again = memo.scan("SELECT * FROM a")
    assert again is not first
    assert again == first


def test_a_long_text_is_scanned_and_not_kept() -> None:
    memo = SqlMemo(size=2, longest=100)
    sql = "SELECT * FROM a WHERE x IN (" + ", ".join(["%s"] * 100) + ")"
    assert memo.scan(sql) == memo.scan(sql)
    assert memo.scan(sql) is not memo.scan(sql)


def test_the_memory_serves_several_threads() -> None:
    memo, wrong = SqlMemo(size=8), list[Statement]()

    def work(seed: int) -> None:
        for step in range(500):
            table = f"t{(seed + step) % 20}"
            found = memo.scan(f"SELECT * FROM {table}")
            if names(found.reads) != table:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    "piece",
    [
        "'",
        '"',
        "/*",
        "*/",
        "$$",
        "\\'",
        "with a (",
        "with a as (",
        "declare c cursor for ",
        "--\n",
        "[",
        "e'",
        "@",
        ".a",
    ],
)
@pytest.mark.timeout(15)
def test_a_hostile_text_takes_no_longer_than_its_length_allows(piece: str) -> None:
    sql = "select " + piece * 20_000
    assert scan(piece * 20_000).complete is False or scan(sql).kind is READ


def test_a_huge_text_is_scanned_in_one_pass() -> None:
    rows = ", ".join(["(%s, %s, %s)"] * 50_000)
    assert names(scan(f"INSERT INTO a (x, y, z) VALUES {rows}").writes) == "a"
    assert scan("(" * 20_000 + "SELECT 1").complete is False


@pytest.mark.parametrize(
    ("sql", "local"),
    [
        ("SET LOCAL search_path TO x", True),
        ("SET search_path TO x", False),
        ("SET SESSION search_path TO x", False),
        ("SELECT set_config('app.tenant', %s, true)", True),
        ("SELECT set_config('app.tenant', concat('a', 'b'), true), set_config('app.b', 'x', TRUE)", True),
        ("SELECT set_config('app.tenant', 'x', true), set_config('app.b', 'x', false)", False),
        ("SELECT set_config('app.tenant', 'x', %s)", False),
        ("SELECT set_config('app.tenant', 'true', not true)", False),
        ("SELECT set_config('app.tenant', 'x', true); UPDATE a SET x = 1", True),
        ("SET LOCAL app.tenant = 'x'; SET ROLE y", False),
    ],
)
def test_what_ends_with_the_transaction_is_known(sql: str, local: bool) -> None:  # noqa: FBT001 - a parameter
    found = scan(sql)
    assert found.search_path
    assert found.local is local
