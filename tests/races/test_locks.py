"""Fills with ``lock=True``: one process at a time, a holder that dies, and writes while others wait."""

from __future__ import annotations

import pytest

from tests.races.marks import on_both
from tests.races.stage import Stage
from tests.races.world import Reader

LOCKED = Reader("locked", (), (["a0", "a1"], ["new", "a1"], ["newer", "a1"]))


@on_both
@pytest.mark.parametrize(
    "point", ["after Acquire", "after sql SELECT*FROM news_", "before Put", "before Release"]
)
def test_a_holder_that_is_killed(stage: Stage, point: str) -> None:
    """H: takes the lock, is killed | R: is refused the lock, waits until it ends | R: SELECT, Put | B hits."""
    holder, reader, _ = stage.cast("holder", "reader", "bystander")
    stage.reading(holder, LOCKED, until=point)
    waiting = None
    if point != "before Release":
        waiting = stage.reading(reader, LOCKED, until="after Acquire")

    holder.kill()
    stage.locks_run_out()

    if waiting is not None:
        result = waiting.end()
        assert (result.value, result.filled) == (LOCKED.versions[0], True)
        assert result.trace.count("Acquire") > 1, "it did not wait"
    stage.everybody_reads([LOCKED], 0)
    stage.write(stage.actor("writer"), "update", stage.rows.pks[0], 1, version=1)
    stage.everybody_reads([LOCKED], 1)


@on_both
def test_a_write_while_others_wait_for_the_lock(stage: Stage) -> None:
    """H: lock, SELECT (old) | R waits | W: COMMIT, settle | H: Put(old), unlock | R goes on: new.

    A waiter asks for the generations anew at every turn, so it does not take what was invalidated while it waited.
    """
    holder, reader, writer, _ = stage.cast("holder", "reader", "writer", "bystander")
    filling = stage.reading(holder, LOCKED, until="before Put")
    waiting = stage.reading(reader, LOCKED, until="after Acquire")
    stage.write(writer, "update_atomic", stage.rows.pks[0], 1, version=1)
    late = stage.actor("late reader")
    beginning = stage.reading(late, LOCKED, until="after Acquire")

    assert filling.end().value == LOCKED.versions[0]

    # The late one holds the lock of the new generations, for which the one that waited waits next.
    assert beginning.end().value == LOCKED.versions[1]
    assert waiting.end().value == LOCKED.versions[1]
    stage.everybody_reads([LOCKED], 1)


@on_both
def test_a_holder_is_killed_and_a_writer_too(stage: Stage) -> None:
    """H: lock, is killed | R waits | W: COMMIT, is killed before settle | R asks the database: new; the lease ends."""
    holder, reader, writer, bystander = stage.cast("holder", "reader", "writer", "bystander")
    stage.reading(holder, LOCKED, until="before Put")
    waiting = stage.reading(reader, LOCKED, until="after Acquire")
    stage.writing(writer, "update_atomic", stage.rows.pks[0], 1, until="after commit")
    holder.kill()
    writer.kill()
    stage.sees(bystander, 1)
    stage.locks_run_out()

    result = waiting.end()

    assert (result.value, result.filled) == (LOCKED.versions[1], False)
    stage.leases_run_out()
    stage.everybody_reads([LOCKED], 1)
