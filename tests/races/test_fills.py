"""A reader and a writer that overlap: what was computed from old rows is never served after the write."""

from __future__ import annotations

import pytest

from tests.races.marks import on_both, on_postgres, reading
from tests.races.stage import Stage
from tests.races.world import Reader

READERS = [
    "get",
    "listed",
    "values",
    "first",
    "seen",
    "any_seen",
    "total",
    "total_by_section",
    "in_section",
    "function",
    "discovering",
    "function_of_one",
    "function_around_list",
    "aget",
    "alisted",
]
AUTOCOMMIT = ["save", "update", "sql", "sql_many"]
TRANSACTIONS = [
    "save_atomic",
    "update_atomic",
    "sql_atomic",
    "bulk_update",
    "locked_save",
    "without_autocommit",
    "nested",
    "with_hook",
]
WRITERS = [*AUTOCOMMIT, *TRANSACTIONS, "sql_begin", "in_batch", "told"]

every_reader = pytest.mark.parametrize("name", READERS)
every_writer = pytest.mark.parametrize("writer", WRITERS)
ASKED = "after sql SELECT*FROM news_"
"""The database has answered, and nothing else has happened since."""

some_readers = reading("get", "listed", "seen", "discovering", "aget")


@on_postgres
@every_reader
@pytest.mark.parametrize("point", [ASKED, "before Put"])
def test_a_write_between_the_query_and_the_fill(
    stage: Stage, readers: dict[str, Reader], name: str, point: str
) -> None:
    """R: vector, SELECT (old) | W: UPDATE, COMMIT, settle | R: Put(old) | anybody reads.

    Stale if the vector were read after the query, or anew before the Put: the old rows would lie under the new
    generations.
    """
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    fill = stage.reading(reader, readers[name], until=point)

    stage.write(writer, "save_atomic", stage.rows.pks[0], 1, version=1)

    late = fill.end()
    assert late.value == readers[name].versions[0]
    assert late.filled, "the race did not happen: nothing was stored"
    stage.everybody_reads([readers[name]], 1)


@on_both
@every_writer
def test_every_writer_between_the_query_and_the_fill(
    stage: Stage, readers: dict[str, Reader], writer: str
) -> None:
    """The same with every way to write: several readers fill at once."""
    names = ["get", "listed", "seen", "discovering"]
    cast = stage.cast(*(f"{name} reader" for name in names))
    fills = [
        stage.reading(actor, readers[name], until=ASKED) for actor, name in zip(cast, names, strict=True)
    ]

    stage.write(stage.actor("writer"), writer, stage.rows.pks[0], 1, version=1)

    for fill, name in zip(fills, names, strict=True):
        late = fill.end()
        assert (late.value, late.filled) == (readers[name].versions[0], True)
    stage.everybody_reads([readers[name] for name in names], 1)


@some_readers
@pytest.mark.parametrize("point", ["after Ensure", "before sql SELECT*FROM news_", "before Put"])
def test_a_write_at_every_moment_of_a_miss(
    stage: Stage, readers: dict[str, Reader], name: str, point: str
) -> None:
    """R: counters made | W: COMMIT, settle | R: SELECT (new or old), Put | anybody reads.

    What is read late is new, and lies under an old vector: a miss for everybody, never an old row under a new one.
    """
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    fill = stage.reading(reader, readers[name], until=point)

    stage.write(writer, "update", stage.rows.pks[0], 1, version=1)

    late = fill.end()
    assert late.filled
    assert late.value == readers[name].versions[0 if point == "before Put" else 1]
    stage.everybody_reads([readers[name]], 1)


@some_readers
def test_a_write_between_the_fetch_of_a_warm_entry_and_its_end(
    stage: Stage, readers: dict[str, Reader], name: str
) -> None:
    """R: fetches counters and the entry (old) | W: COMMIT, settle | R: returns old | anybody reads.

    R began before the write returned, so the old value is its due; whoever begins later is given the new one.
    """
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    stage.warm(reader, [readers[name]])
    hit = stage.reading(reader, readers[name], until="after Fetch")

    stage.write(writer, "update", stage.rows.pks[0], 1, version=1)

    late = hit.end()
    assert (late.value, late.outcome) == (readers[name].versions[0], "hit")
    stage.everybody_reads([readers[name]], 1)


@some_readers
def test_a_late_fill_does_not_take_the_place_of_a_younger_one(
    stage: Stage, readers: dict[str, Reader], name: str
) -> None:
    """R: SELECT (old) | W writes | B: fills (new) | R: Put(old) | B: still hits, and new.

    Stale if an entry's place did not depend on the vector. And R, who had met an older vector, must not unlink B's.
    """
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    fill = stage.reading(reader, readers[name], until=ASKED)
    stage.write(writer, "update", stage.rows.pks[0], 1, version=1)
    assert stage.read(bystander, readers[name]).filled

    assert fill.end().filled

    assert stage.read(bystander, readers[name]).outcome == "hit"
    stage.everybody_reads([readers[name]], 1)


@some_readers
def test_two_fills_around_two_writes(stage: Stage, readers: dict[str, Reader], name: str) -> None:
    """R1: SELECT (0) | W: 1 | R2: SELECT (1) | W: 2 | R2: Put(1) | R1: Put(0) | anybody reads: 2."""
    one, two, writer = stage.cast("first reader", "second reader", "writer")
    first = stage.reading(one, readers[name], until=ASKED)
    stage.write(writer, "save", stage.rows.pks[0], 1, version=1)
    second = stage.reading(two, readers[name], until=ASKED)
    stage.write(writer, "save_atomic", stage.rows.pks[0], 2, version=2)

    assert second.end().value == readers[name].versions[1]
    assert first.end().value == readers[name].versions[0]

    stage.everybody_reads([readers[name]], 2)


@some_readers
@pytest.mark.parametrize("clock", [False, True])
def test_counters_evicted_between_read_and_fill(
    stage: Stage, readers: dict[str, Reader], name: str, *, clock: bool
) -> None:
    """R: vector, SELECT | counters are evicted | W: COMMIT, no counter to bump | B makes counters | R: Put(old).

    Stale if an absent counter came back as it was (1, after the first): R's entry would be alive again. With
    ``clock`` even the bump clock is lost.
    """
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    fill = stage.reading(reader, readers[name], until=ASKED)
    stage.evict_counters(clock=clock)
    stage.write(writer, "update", stage.rows.pks[0], 1, version=1)
    assert "Ensure" in stage.read(bystander, readers[name]).trace

    assert fill.end().filled

    stage.everybody_reads([readers[name]], 1)


@some_readers
def test_counters_evicted_under_a_warm_entry(stage: Stage, readers: dict[str, Reader], name: str) -> None:
    """An entry (old) is there | counters are evicted | W writes, and there is nothing to bump | anybody reads.

    Stale if counters came back with the number that they had, or with the first number again.
    """
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    stage.warm(reader, [readers[name]])
    stage.evict_counters(clock=True)

    stage.write(writer, "save_atomic", stage.rows.pks[0], 1, version=1)

    stage.everybody_reads([readers[name]], 1)


@on_postgres
@pytest.mark.parametrize("point", ["before commit", "after commit"])
def test_counters_evicted_under_a_lease(stage: Stage, readers: dict[str, Reader], point: str) -> None:
    """W: lease | counters and leases are evicted | R: makes counters, SELECT, Put | W: settles | anybody reads.

    Level 2 is not promised here (docs/explanation/promises.md); level 1 is: the settle bumps what R has made.
    """
    names = ["get", "listed", "discovering"]
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    stage.warm(reader, [readers[name] for name in names])
    write = stage.writing(writer, "update_atomic", stage.rows.pks[0], 1, version=1, until=point)
    stage.evict_counters()
    for name in names:
        assert stage.read(reader, readers[name]).filled

    write.end()

    stage.everybody_reads([readers[name] for name in names], 1)


@on_postgres
def test_a_policy_caches_as_a_call_does(stages: object, rows: object) -> None:
    """The fill race where GENSCACHE["MODELS"] asks for the caching, and nobody calls ``.cache()``."""
    assert callable(stages)
    stage: Stage = stages(MODELS={"news.Article": {"cache": "all"}})
    listed = Reader("by_policy", (), (["a0", "a1"], ["new", "a1"]))
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    fill = stage.reading(reader, listed, until=ASKED)

    stage.write(writer, "save", stage.rows.pks[0], 1, version=1)

    assert fill.end().filled
    stage.everybody_reads([listed], 1)


@on_both
@pytest.mark.parametrize("writer", ["create", "bulk_create"])
@pytest.mark.parametrize("run", ["listed", "discovering", "alisted"])
def test_rows_that_are_born_between_the_query_and_the_fill(stage: Stage, run: str, writer: str) -> None:
    """R: SELECT (two rows) | W: INSERT | R: Put(two rows) | anybody reads: three."""
    reader, maker, _ = stage.cast("reader", "writer", "bystander")
    listed = Reader(run, (), (["a0", "a1"], ["a0", "a1", "born"]))
    fill = stage.reading(reader, listed, until=ASKED)

    stage.write(maker, writer, stage.rows.section.pk, stage.rows.author.pk, ["born"], version=1)

    assert fill.end().value == ["a0", "a1"]
    stage.everybody_reads([listed], 1)


@on_both
@pytest.mark.parametrize("run", ["get", "function_of_one"])
@pytest.mark.parametrize("known", [False, True])
def test_a_row_that_is_born_between_the_query_and_the_fill(stage: Stage, run: str, *, known: bool) -> None:
    """R: SELECT (no such row) | W: INSERT of that key | R: Put("no such row") | anybody reads.

    Stale if the birth bumped nothing that an entry of one object depends on.
    """
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    pk = stage.rows.pks[-1] + 1
    one = Reader(run, (pk,), (None, "born"))
    fill = stage.reading(reader, one, until=ASKED)

    key = [pk] if known else []
    stage.write(writer, "create", stage.rows.section.pk, stage.rows.author.pk, ["born"], *key, version=1)

    late = fill.end()
    assert (late.value, late.filled) == (None, True)
    stage.everybody_reads([one], 1)


@on_both
@pytest.mark.parametrize("writer", ["delete", "delete_rows", "delete_section"])
@pytest.mark.parametrize("run", ["get", "listed", "discovering"])
def test_a_row_that_dies_between_the_query_and_the_fill(stage: Stage, run: str, writer: str) -> None:
    """R: SELECT (the row) | W: DELETE, by itself or as a cascade | R: Put(the row) | anybody reads: it is gone."""
    reader, killer, _ = stage.cast("reader", "writer", "bystander")
    pk = stage.rows.pks[0]
    if run == "get":
        subject = Reader(run, (pk,), ("a0", None))
    else:
        subject = Reader(run, (), (["a0", "a1"], [] if writer == "delete_section" else ["a1"]))
    fill = stage.reading(reader, subject, until=ASKED)

    stage.write(killer, writer, stage.rows.section.pk if writer == "delete_section" else pk, version=1)

    assert fill.end().filled
    stage.everybody_reads([subject], 1)
