"""A COMMIT that comes when its lease has run out: refused by PostgreSQL where that is enforced, else level 2 breaks."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.db import connections

from tests.races.actors import PATIENCE, Actor, Run
from tests.races.stage import Stage
from tests.races.world import Reader
from tests.writes.actors import databases
from tests.writes.world import Rows

OPEN = {
    "postgres": "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' "
    "AND datname = current_database() AND pid <> pg_backend_pid()",
    "mariadb": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_rows_modified > 0 "
    "AND trx_mysql_thread_id <> connection_id()",
}
LATE = {
    # What the driver raises, and with which words.
    "postgres": ("InternalError", "idle-in-transaction"),
    "mariadb": ("OperationalError", "2006"),
}


def transactions(alias: str) -> int:
    """Return how many sessions other than this one stand in a transaction."""
    with connections[alias].cursor() as cursor:
        cursor.execute(OPEN[alias])
        return int(cursor.fetchone()[0])


def until_refused(alias: str) -> None:
    """Wait until the server has ended the session that was late."""
    end = time.monotonic() + PATIENCE
    while transactions(alias):
        assert time.monotonic() < end, "the server lets the writer stand in its transaction"
        # MariaDB tells the same again to who asks within a tenth of a second.
        time.sleep(0.2)


def paused(stage: Stage, writer: Actor, script: str, until: str, version: int | None = None) -> Run:
    """Let a writer come to where it has its lease and has not sent its COMMIT."""
    run = stage.writing(writer, script, stage.rows.pks[0], 1, version=version, until=until)
    assert transactions(stage.alias) == 1
    return run


@databases("postgres", "mariadb")
@pytest.mark.parametrize(
    ("script", "until"),
    [
        ("update_atomic", "before commit"),
        ("save_atomic", "before commit"),
        ("sql_begin", "before sql COMMIT"),
    ],
)
def test_a_late_commit_is_refused_and_nobody_is_stale(
    alias: str, stages: Callable[..., Stage], readers: dict[str, Reader], rows: Rows, script: str, until: str
) -> None:
    """The writer stands still past its lease; a reader resolves that, and fills. The COMMIT comes too late."""
    # MariaDB counts in whole seconds.
    stage = stages(LEASE=1.0 if alias == "postgres" else 3.0, ENFORCE_LEASES=True)
    writer, reader = stage.cast("writer", "reader")
    chosen = [readers["listed"], readers["function"]]
    stage.warm(reader, chosen)
    run = paused(stage, writer, script, until)

    until_refused(alias)
    stage.leases_run_out()
    stage.everybody_reads(chosen, 0)

    error, words = LATE[alias]
    result = run.end(raises=error)
    assert words in result.detail
    if script == "sql_begin":
        # Django, which knew of no transaction, keeps the connection that is closed.
        writer.kill()
    stage.everybody_reads(chosen, 0)
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT title FROM news_article WHERE id = %s", [rows.pks[0]])
        assert cursor.fetchone() == ("a0",)
    if not writer.dead:
        # It goes on with a new session.
        assert stage.write(writer, "update_atomic", rows.pks[0], 2, version=2).raised == ""
        stage.everybody_reads(chosen, 2)


@databases("postgres")
def test_without_enforcement_the_late_commit_is_seen_and_then_unseen(
    alias: str, stages: Callable[..., Stage], readers: dict[str, Reader], rows: Rows
) -> None:
    """What the setting is for: between the late COMMIT and its bump, who asks the database is ahead of who hits."""
    stage = stages(LEASE=1.0)
    writer, reader, other = stage.cast("writer", "reader", "other")
    chosen = readers["listed"]
    run = paused(stage, writer, "update_atomic", "before commit", version=1)
    stage.leases_run_out()
    stage.everybody_reads([chosen], 0)

    run.on(until="after commit")
    stage.sees(other, 1)
    with pytest.raises(AssertionError, match="STALE"):
        stage.read(reader, chosen)

    # Level 1 holds: when the write has returned, nobody is given what was before it.
    run.end()
    stage.everybody_reads([chosen], 1)


@databases("postgres", "mariadb")
def test_a_writer_that_is_not_late_commits(
    alias: str, stages: Callable[..., Stage], readers: dict[str, Reader], rows: Rows
) -> None:
    stage = stages(ENFORCE_LEASES=True)
    writer, reader = stage.cast("writer", "reader")
    stage.warm(reader, [readers["listed"]])
    for script in ("update_atomic", "sql_begin", "without_autocommit", "nested", "in_batch"):
        stage.write(writer, script, rows.pks[0], 1, version=1)
    stage.everybody_reads([readers["listed"]], 1)
