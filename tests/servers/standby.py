"""A hot standby of a PostgreSQL server, whose replay can be held and let go: lag without sleeping."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from typing import Any

import psycopg

from tests.servers.postgres import Postgres
from tests.servers.processes import HOST, wait_until

CAUGHT_UP_SECONDS = 30.0


class Standby(Postgres):
    """A copy of a running server, streaming from it.

    Args:
        primary: A server that runs for as long as this one.
        options: More arguments for the command line.
    """

    def __init__(self, primary: Postgres, *, options: Sequence[str] = ()) -> None:
        super().__init__(options=("-c", "wal_retrieve_retry_interval=100ms", *options))
        self._primary = primary

    def prepare(self) -> None:
        """Copy the primary's files, as the server's user."""
        self._programs = self._reachable_programs()
        data = self.directory / "data"
        data.mkdir(mode=0o700)
        user = self.user()
        if user is not None:
            os.chown(data, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        self.run(
            self._programs / "pg_basebackup",
            f"--pgdata={data}",
            f"--host={HOST}",
            f"--port={self._primary.port}",
            "--username=postgres",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--write-recovery-conf",
            "--no-sync",
        )

    def hold(self) -> None:
        """Hold the replay: from now on nothing that the primary commits is seen here."""
        self.ask("SELECT pg_wal_replay_pause()")
        wait_until(
            lambda: self.ask("SELECT pg_get_wal_replay_pause_state()") == "paused",
            seconds=CAUGHT_UP_SECONDS,
            what="The pause of the replay",
        )

    def let_go(self) -> None:
        """Go on with the replay, and wait until all that the primary has committed is replayed."""
        self.ask("SELECT pg_wal_replay_resume()")
        self.catch_up()

    def catch_up(self) -> None:
        """Wait until all that the primary has committed is replayed."""
        # A record of our own, which its COMMIT flushes: what no COMMIT follows may stay in the primary's buffers.
        target = self.of_primary("SELECT pg_logical_emit_message(true, 'genscache', 'here')::text")
        wait_until(
            lambda: bool(self.ask(f"SELECT pg_last_wal_replay_lsn() >= '{target}'")),
            seconds=CAUGHT_UP_SECONDS,
            what="The end of the standby's lag",
        )

    def promote(self) -> None:
        """Make it a primary of its own."""
        self.ask("SELECT pg_promote()")

    def ask(self, sql: str) -> Any:
        """Return the first value that a statement gives here, on a connection that nobody watches."""
        return _ask(self.port, sql)

    def of_primary(self, sql: str) -> Any:
        """Return the first value that a statement gives on the primary."""
        return _ask(self._primary.port, sql)


def _ask(port: int, sql: str) -> Any:
    with psycopg.connect(
        host=HOST, port=port, user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall()[0][0] if cursor.description else None
