"""The database: MVCC with row locks, READ COMMITTED and snapshot isolation. Nothing of it is real.

One row a table. A row's version is how often it was committed. An UPDATE locks its row until the transaction ends; a
second one waits; at snapshot isolation it fails if the row has moved on since the snapshot (first updater wins). A
query shows what is committed, or the snapshot, and always what its own transaction has written.
"""

from __future__ import annotations

from typing import NamedTuple

from property_tests.explorer.steps import Deed, Failure, Sql, Versions

FREE = -1


class Database(NamedTuple):
    """What the server knows.

    Attributes:
        versions: What is committed of each row.
        owners: Which actor has locked each row.
    """

    versions: Versions
    owners: tuple[int, ...]


class Outcome(NamedTuple):
    """What a statement has led to: the answer, the database, and the transaction's snapshot."""

    answer: object
    database: Database
    snapshot: Versions | None


def waits(database: Database, actor: int, sql: Sql) -> bool:
    """Tell whether a statement waits for a row lock."""
    if sql.deed not in {Deed.UPDATE, Deed.AUTOCOMMIT}:
        return False
    return any(database.owners[row] not in {FREE, actor} for row in sql.rows)


def execute(database: Database, actor: int, sql: Sql, snapshot: Versions | None) -> Outcome:  # noqa: PLR0911  one case a statement
    """Run a statement that does not wait."""
    versions, owners = database
    if sql.snapshot and snapshot is None:
        snapshot = versions
    match sql.deed:
        case Deed.SNAPSHOT:
            return Outcome((), database, snapshot)
        case Deed.QUERY:
            shown = versions if snapshot is None else snapshot
            return Outcome(tuple(shown[row] + (owners[row] == actor) for row in sql.rows), database, snapshot)
        case Deed.UPDATE:
            if snapshot is not None and any(snapshot[row] != versions[row] for row in sql.rows):
                return Outcome(Failure.CONFLICT, database, snapshot)
            locked = tuple(actor if row in sql.rows else owner for row, owner in enumerate(owners))
            return Outcome((), Database(versions, locked), snapshot)
        case Deed.AUTOCOMMIT:
            after = tuple(version + (row in sql.rows) for row, version in enumerate(versions))
            return Outcome(tuple(after[row] for row in sql.rows), Database(after, owners), None)
        case Deed.COMMIT:
            done = commit(database, actor)
            return Outcome(tuple(done.versions[row] for row in sql.rows), done, None)
        case Deed.ROLLBACK:
            return Outcome((), roll_back(database, actor), None)


def commit(database: Database, actor: int) -> Database:
    """Return what is when an actor's transaction has committed."""
    versions = tuple(v + (owner == actor) for v, owner in zip(*database, strict=True))
    return roll_back(Database(versions, database.owners), actor)


def roll_back(database: Database, actor: int) -> Database:
    """Return what is when an actor's transaction is gone."""
    return Database(database.versions, tuple(FREE if owner == actor else owner for owner in database.owners))
