"""What actors do."""

from __future__ import annotations

from django.db import IntegrityError, OperationalError

from genscache.exceptions import WriteRefused
from property_tests.explorer.process import Process, Task
from property_tests.explorer.steps import Row


def reads(*rows: Row, discover: bool = False) -> Task:
    """Read rows through the cache, as one entry."""

    def task(process: Process) -> None:
        process.read(*rows, discover=discover)

    return task


def reads_in_snapshot(*each: tuple[Row, ...]) -> Task:
    """Read entries, one after the other, in a transaction that reads a snapshot."""

    def task(process: Process) -> None:
        process.begin(snapshot=True)
        for rows in each:
            process.read(*rows)
        process.commit()

    return task


def writes(row: Row) -> Task:
    """Update a row in autocommit."""

    def task(process: Process) -> None:
        try:
            process.update(row)
        except (WriteRefused, IntegrityError, OperationalError):
            process.lose_connection()

    return task


def commits(
    *rows: Row,
    snapshot: bool = False,
    also: tuple[Row, ...] = (),
    peeks: tuple[Row, ...] = (),
    roll_back: bool = False,
) -> Task:
    """Update rows in a transaction.

    Args:
        rows: They, in this order.
        snapshot: At snapshot isolation; if somebody was faster, it is rolled back.
        also: Rows that a trigger changes with each of them, of which nobody knows.
        peeks: Reads an entry before the end, through the cache.
        roll_back: It ends so.
    """

    def task(process: Process) -> None:
        process.begin(snapshot=snapshot)
        try:
            for row in rows:
                process.update(row, also=also)
        except OperationalError:
            process.roll_back()
            return
        if peeks:
            process.read(*peeks)
        if roll_back:
            process.roll_back()
            return
        try:
            process.commit()
        except (WriteRefused, IntegrityError, OperationalError):
            process.lose_connection()

    return task
