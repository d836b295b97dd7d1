"""Readers whose transactions show an old snapshot: they poison nothing, and what they are given is their snapshot's."""

from __future__ import annotations

import pytest

from tests.races.marks import REPEATABLE, in_snapshots, on_both
from tests.races.stage import Stage
from tests.races.world import Reader

TAKEN = "the snapshot is taken"

some_readers = in_snapshots("listed", "get", "seen", "total", "discovering", "aget")


@some_readers
@pytest.mark.parametrize("filled", [False, True], ids=["not-filled-since", "filled-since"])
def test_an_old_snapshot_poisons_nothing(
    stage: Stage, readers: dict[str, Reader], name: str, level: str, *, filled: bool
) -> None:
    """R: snapshot | W: COMMIT, settle | (B fills new) | R: vector (new), SELECT (old), nothing is stored | B reads.

    The deadly one: a fill would put old rows under the current generation. And a hit on what B has filled would be
    newer than what R's other queries show.
    """
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    subject = readers[name]
    reading = stage.begins(reader, "in_snapshot", level, name, *subject.args, until=TAKEN)
    stage.write(writer, "update_atomic", stage.rows.pks[0], 1, version=1)
    if filled:
        assert stage.read(bystander, subject).filled

    result = reading.end()

    assert result.value == [subject.versions[0]] * 2, "the snapshot is from before the write"
    assert not result.filled
    stage.everybody_reads([subject], 1)


@some_readers
def test_a_snapshot_may_fill_what_is_as_old_as_itself(
    stage: Stage, readers: dict[str, Reader], name: str, level: str
) -> None:
    """W: settle | R: snapshot, SELECT, Put | B hits | W writes | R reads its snapshot | B: new.

    A bypass of everything would be safe, and no cache.
    """
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    subject = readers[name]
    stage.read(bystander, subject)
    stage.write(writer, "update", stage.rows.pks[0], 1, version=1)
    # The counters are there, and older than the snapshot; the entry under them is not.
    reading = stage.begins(reader, "in_snapshot", level, name, *subject.args, until="read once")

    assert stage.read(bystander, subject).outcome == "hit", "the snapshot has filled"
    stage.write(writer, "update", stage.rows.pks[0], 2, version=2)

    result = reading.end()
    assert (result.value, result.filled) == ([subject.versions[1]] * 2, True)
    stage.everybody_reads([subject], 2)


@some_readers
def test_a_snapshot_may_hit_what_is_as_old_as_itself(
    stage: Stage, readers: dict[str, Reader], name: str, level: str
) -> None:
    """An entry is there | R: snapshot | R hits | W writes, B fills | R: its snapshot, by the database | B: new."""
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    subject = readers[name]
    stage.warm(bystander, [subject])
    reading = stage.begins(reader, "in_snapshot", level, name, *subject.args, until="read once")
    stage.write(writer, "save", stage.rows.pks[0], 1, version=1)
    stage.read(bystander, subject)

    result = reading.end()

    assert result.value == [subject.versions[0]] * 2
    assert [outcome for _, outcome, _ in result.reads] == ["hit", "bypass"], result.reads
    stage.everybody_reads([subject], 1)


@some_readers
def test_a_write_between_the_query_and_the_fill_of_a_snapshot(
    stage: Stage, readers: dict[str, Reader], name: str, level: str
) -> None:
    """R: snapshot, vector, SELECT (old) | W: COMMIT, settle | R: Put(old) under the old vector | anybody reads: new."""
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    subject = readers[name]
    stage.warm(bystander, [subject])
    stage.write(writer, "update", stage.rows.pks[0], 1, version=1)
    reading = stage.begins(reader, "in_snapshot", level, name, *subject.args, until="before Put")
    stage.write(writer, "update", stage.rows.pks[0], 2, version=2)

    result = reading.end()

    assert result.filled
    stage.everybody_reads([subject], 2)


@some_readers
def test_a_hit_before_the_first_query(
    stage: Stage, readers: dict[str, Reader], name: str, level: str
) -> None:
    """R: BEGIN, hits (old) | W writes | R: SELECT: as old as the hit.

    Without a snapshot from before the hit, the query would see more than the hit did. (MariaDB cannot be made to take
    one: there the first read bypasses.)
    """
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    subject = readers[name]
    stage.warm(bystander, [subject])
    reading = stage.begins(reader, "by_hit_first", level, name, *subject.args, until="read once")
    stage.write(writer, "update", stage.rows.pks[0], 1, version=1)

    result = reading.end()

    assert result.value == [subject.versions[0], ["a0", "a1"]]
    assert result.outcome == ("hit" if stage.alias == "postgres" else "bypass")
    stage.everybody_reads([subject], 1)


@some_readers
@pytest.mark.parametrize("point", ["before commit", "after commit"])
def test_a_snapshot_that_begins_under_a_lease(
    stage: Stage, readers: dict[str, Reader], name: str, level: str, point: str
) -> None:
    """W: lease (or COMMIT) | R: snapshot | W: settle | R reads what its snapshot shows, and stores nothing | B: new."""
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    subject = readers[name]
    stage.warm(bystander, [subject])
    write = stage.writing(writer, "update_atomic", stage.rows.pks[0], 1, version=1, until=point)
    reading = stage.begins(reader, "in_snapshot", level, name, *subject.args, until=TAKEN)
    write.end()
    stage.read(bystander, subject)

    result = reading.end()

    shown = 0 if point == "before commit" else 1
    assert result.value == [subject.versions[shown]] * 2
    assert not result.filled
    stage.everybody_reads([subject], 1)


@some_readers
def test_counters_evicted_under_a_snapshot(
    stage: Stage, readers: dict[str, Reader], name: str, level: str
) -> None:
    """R: snapshot | W: COMMIT, settle | counters are evicted | R: makes counters, SELECT, stores nothing | B: new.

    A counter that is made again is younger than the snapshot, whatever it was before.
    """
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    subject = readers[name]
    stage.warm(bystander, [subject])
    reading = stage.begins(reader, "in_snapshot", level, name, *subject.args, until=TAKEN)
    stage.write(writer, "update", stage.rows.pks[0], 1, version=1)
    stage.evict_counters()

    result = reading.end()

    assert (result.value, result.filled) == ([subject.versions[0]] * 2, False)
    stage.everybody_reads([subject], 1)


@on_both
def test_prefetched_relations_in_a_snapshot(stage: Stage) -> None:
    """R: snapshot | W: both tables, one transaction; B fills both | R: both as they were | everybody else: both new."""
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    both = Reader("prefetched", (), (["World", ["a0", "a1"]], ["New", ["a1", "new"]]))
    stage.warm(bystander, [both])
    reading = stage.begins(reader, "in_snapshot", REPEATABLE, "prefetched", until=TAKEN)
    stage.write(writer, "rename_both", stage.rows.section.pk, stage.rows.pks[0], version=1)
    stage.read(bystander, both)

    result = reading.end()

    assert (result.value, result.filled) == ([both.versions[0]] * 2, False)
    stage.everybody_reads([both], 1)
