"""Transactions that are rolled back, in part or at the end, that fail, that overlap, and that read what they wrote."""

from __future__ import annotations

import pytest

from tests.races.marks import on_both, on_postgres, reading
from tests.races.stage import Stage
from tests.races.world import Reader

own_readers = reading("get", "listed", "seen", "function", "discovering", "aget")


@own_readers
def test_what_is_not_committed_is_given_to_nobody_else(
    stage: Stage, readers: dict[str, Reader], name: str
) -> None:
    """W: UPDATE, reads its own row (new) | R reads (old), fills | W: ROLLBACK | everybody reads: old.

    Poisoned with rows that never existed if a transaction that has written could fill, or if it hit what others fill.
    """
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    subject = readers[name]
    rest = (name, *subject.args)
    write = stage.writing(writer, "rolled_back", stage.rows.pks[0], *rest, until="written")

    assert stage.read(reader, subject).filled

    result = write.end()
    assert result.value == subject.versions[1], "a transaction must see what it has written"
    assert not result.filled
    stage.everybody_reads([subject], 0)


@own_readers
def test_own_writes_with_an_entry_that_others_have_filled(
    stage: Stage, readers: dict[str, Reader], name: str
) -> None:
    """R fills (old) | W: UPDATE, reads (new) | R hits (old) | W: COMMIT | everybody reads: new."""
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    subject = readers[name]
    stage.warm(reader, [subject])
    rest = (name, *subject.args)
    write = stage.writing(writer, "own_writes", stage.rows.pks[0], *rest, version=1, until="written")

    assert stage.read(reader, subject).outcome == "hit"

    result = write.end()
    assert (result.value, result.filled) == (subject.versions[1], False)
    stage.everybody_reads([subject], 1)


@on_both
@pytest.mark.parametrize("point", ["outer written", "inner written", "savepoint rolled back"])
def test_a_savepoint_that_is_rolled_back(stage: Stage, readers: dict[str, Reader], point: str) -> None:
    """W: UPDATE a0, SAVEPOINT, UPDATE a1, ROLLBACK TO | R fills both (old) | W: COMMIT | a0 is new, a1 as it was.

    Stale if the savepoint's rollback dropped what was pending from before it, as it drops ``on_commit`` hooks; and a1's
    entry must survive.
    """
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    chosen = [readers[name] for name in ("get", "listed", "seen", "discovering")]
    other = Reader("get", (stage.rows.pks[1],), ("a1", "new"))
    write = stage.writing(writer, "inner_rolled_back", *stage.rows.pks, version=1, until=point)
    for each in (*chosen, other):
        family = "other" if each is other else "row"
        assert stage.reading(reader, each, family=family).ends().filled

    write.end()

    assert stage.read(reader, other, family="other").outcome == "hit"
    stage.everybody_reads(chosen, 1)
    stage.everybody_reads([other], 0, family="other")


@own_readers
def test_what_a_savepoint_has_undone_is_read_in_the_same_transaction(
    stage: Stage, readers: dict[str, Reader], name: str
) -> None:
    """W: SAVEPOINT, UPDATE, ROLLBACK TO, reads (old) and stores nothing | COMMIT | everybody reads: old."""
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    subject = readers[name]
    rest = (name, *subject.args)
    write = stage.writing(writer, "inner_read_back", stage.rows.pks[0], *rest, until="inner written")
    assert stage.read(reader, subject).filled

    result = write.end()

    assert (result.value, result.filled) == (subject.versions[0], False)
    stage.everybody_reads([subject], 0)


@on_postgres
def test_a_hook_of_the_users_own_reads_in_another_process(stage: Stage, readers: dict[str, Reader]) -> None:
    """W: COMMIT | W's ``on_commit`` hook, registered before the write, tells R | R reads: new.

    Stale if the bump were an ``on_commit`` hook itself: it would come after the user's.
    """
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    chosen = list(readers.values())
    stage.warm(reader, chosen)
    write = stage.writing(writer, "with_hook", stage.rows.pks[0], 1, version=1, until="in the hook")

    stage.witness(1, "of which the hook tells")
    stage.everybody_reads(chosen, 1)

    write.end()
    stage.everybody_reads(chosen, 1)


@on_both
def test_a_hook_that_raises(stage: Stage, readers: dict[str, Reader]) -> None:
    """W: COMMIT, a hook raises and later ones never run | everybody reads: new."""
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    chosen = [readers[name] for name in ("get", "listed", "seen", "function")]
    stage.warm(reader, chosen)
    write = stage.writing(writer, "with_failing_hook", stage.rows.pks[0], 1, version=1, until="in the hook")

    write.end(raises="Undo")

    stage.everybody_reads(chosen, 1)


@on_postgres
def test_a_commit_that_is_refused(stage: Stage, readers: dict[str, Reader]) -> None:
    """W: UPDATE that breaks a deferred constraint | R fills (old) | W: lease, COMMIT fails | R hits (old) | W2 writes.

    A COMMIT that has definitely failed is a ROLLBACK: the lease goes and entries stay. The next write must still bump.
    """
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    chosen = [readers[name] for name in ("get", "listed", "seen", "discovering")]
    write = stage.writing(writer, "refused_commit", stage.rows.pks[0], until="written")
    for each in chosen:
        assert stage.read(reader, each).filled
    write.on(until="before commit")
    for each in chosen:
        assert stage.read(reader, each).outcome == "bypass"

    write.end(raises="IntegrityError")

    for each in chosen:
        assert stage.read(reader, each).outcome == "hit"
    stage.everybody_reads(chosen, 0)
    stage.write(writer, "update", stage.rows.pks[0], 1, version=1)
    stage.everybody_reads(chosen, 1)


@on_both
@pytest.mark.parametrize("point", ["before commit", "after commit"])
@pytest.mark.parametrize("second", ["update", "update_atomic"])
def test_two_writers_of_two_rows_overlap(
    stage: Stage, readers: dict[str, Reader], point: str, second: str
) -> None:
    """W1 (a0): lease | W2 (a1): lease, COMMIT, settle | R reads | W1: COMMIT, settle | everybody reads.

    With one lease for both instead of a set of tokens, W2's settle would end W1's, and R could fill in W1's window.
    """
    reader, one, two = stage.cast("reader", "first writer", "second writer")
    pks = stage.rows.pks
    lists = Reader("listed", (), (["a0", "a1"], ["a0", "new"], ["new", "new"]))
    found = Reader("discovering", (), lists.versions)
    stage.warm(reader, [lists, found])
    first = stage.writing(one, "update_atomic", pks[0], 1, version=2, until=point)

    stage.write(two, second, pks[1], 1, version=1)

    if point == "after commit":
        stage.sees(reader, 1)
        stage.witness(2, "which is committed")
    for each in (lists, found):
        assert stage.read(reader, each).outcome == "bypass"
    first.end()
    stage.everybody_reads([lists, found], 2)


@on_postgres
def test_a_writer_that_waits_for_the_row_of_another(stage: Stage, readers: dict[str, Reader]) -> None:
    """W1: UPDATE | W2 waits for the row's lock in the database | R fills (0) | W1: COMMIT | W2: COMMIT | R reads.

    What W2 leases and bumps must come after its own COMMIT, however long it has waited.
    """
    reader, one, two = stage.cast("reader", "first writer", "second writer")
    chosen = [readers[name] for name in ("listed", "seen", "total", "discovering", "aget")]
    pk = stage.rows.pks[0]
    first = stage.writing(one, "update_atomic", pk, 1, version=1, until="written")
    second = stage.writing(two, "update_atomic", pk, 2, version=2)
    stage.until_blocked()
    for each in chosen:
        assert stage.read(reader, each).filled

    first.end()
    second.ends()

    stage.everybody_reads(chosen, 2)


@on_postgres
@pytest.mark.parametrize("killed", [False, True])
def test_a_settle_ends_its_own_lease_only(stage: Stage, readers: dict[str, Reader], *, killed: bool) -> None:
    """W1: COMMIT | W2 (same row): lease | W1: settle | R reads (1), stores nothing | W2: COMMIT | R reads (2)."""
    reader, one, two = stage.cast("reader", "first writer", "second writer")
    chosen = [readers[name] for name in ("listed", "seen", "total", "discovering", "aget")]
    pk = stage.rows.pks[0]
    stage.warm(reader, chosen)
    first = stage.writing(one, "update_atomic", pk, 1, version=1, until="after commit")
    second = stage.writing(two, "update_atomic", pk, 2, version=2, until="before commit")
    first.end()
    for each in chosen:
        result = stage.read(reader, each)
        assert (result.value, result.outcome) == (each.versions[1], "bypass")

    second.on(until="after commit")
    stage.sees(reader, 2)
    for each in chosen:
        assert stage.read(reader, each).value == each.versions[2]
    if killed:
        two.kill()
        stage.leases_run_out()
    else:
        second.end()
    stage.everybody_reads(chosen, 2)


@own_readers
def test_a_reader_in_a_transaction_sees_each_write(
    stage: Stage, readers: dict[str, Reader], name: str
) -> None:
    """R: BEGIN (READ COMMITTED), reads (old), fills | W writes | R reads (new), fills | COMMIT.

    A cache that does without transactions would be no use with ATOMIC_REQUESTS; one that trusts them must look again.
    """
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    subject = readers[name]
    rest = (name, *subject.args)
    reading = stage.begins(reader, "in_transaction", *rest, until="read once")
    assert stage.read(bystander, subject).outcome == "hit"
    stage.write(writer, "save", stage.rows.pks[0], 1, version=1)

    result = reading.end()

    assert result.value == [subject.versions[0], subject.versions[1]]
    assert stage.read(bystander, subject).outcome == "hit"
    stage.everybody_reads([subject], 1)


@own_readers
def test_a_reader_with_autocommit_off(stage: Stage, readers: dict[str, Reader], name: str) -> None:
    """R: ``set_autocommit(False)``, reads (old) | W writes | R: COMMIT, reads (new)."""
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    subject = readers[name]
    rest = (name, *subject.args)
    reading = stage.begins(reader, "reading_without_autocommit", *rest, until="read once")
    stage.write(writer, "update_atomic", stage.rows.pks[0], 1, version=1)

    assert reading.end().value == [subject.versions[0], subject.versions[1]]

    stage.everybody_reads([subject], 1)


@own_readers
@pytest.mark.parametrize(("end", "warm"), [("commit", False), ("rollback", True)])
def test_a_read_in_a_transaction_that_wrote_another_table(
    stage: Stage, readers: dict[str, Reader], name: str, end: str, *, warm: bool
) -> None:
    """R: UPDATE of another table | W writes (new) | R reads: new, and stores nothing | R: COMMIT or ROLLBACK.

    Before W, R may be served: its own writes do not concern what it reads. A fill could not be trusted: nobody can tell
    which of its rows others may see.
    """
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    subject = readers[name]
    rest = (end, name, *subject.args)
    if warm:
        stage.warm(bystander, [subject])
        served = stage.does(reader, "after_a_write_elsewhere", *rest)
        assert (served.value, served.outcome) == (subject.versions[0], "hit")
    reading = stage.begins(reader, "after_a_write_elsewhere", *rest, until="wrote another table")
    stage.write(writer, "update", stage.rows.pks[0], 1, version=1)

    result = reading.end()

    assert (result.value, result.filled) == (subject.versions[1], False)
    stage.everybody_reads([subject], 1)


@on_both
def test_a_table_that_a_reader_wrote_itself(stage: Stage) -> None:
    """R: UPDATE author, reads authors: its own; B reads authors: the old ones | R: ROLLBACK | B: the old ones."""
    reader, _ = stage.cast("reader", "bystander")
    authors = Reader("authors", (), (["Ada"], ["uncommitted"]))
    reading = stage.begins(reader, "after_a_write_elsewhere", "rollback", "authors", until="read")

    stage.everybody_reads([authors], 0)

    result = reading.end()
    assert (result.value, result.filled) == (["uncommitted"], False)
    stage.everybody_reads([authors], 0)
