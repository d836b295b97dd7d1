"""Many-to-many changes with a reader at every step, and answers that are made of several queries."""

from __future__ import annotations

import pytest

from tests.races.actors import Actor
from tests.races.marks import on_both, on_postgres
from tests.races.stage import Stage
from tests.races.world import Reader

THROUGH = "*news_article_tags"
CHANGES = [
    ("remove", ["two"], ["one"]),
    ("clear", [], []),
    ("set", ["one"], ["one"]),
    ("add", ["three"], ["one", "three", "two"]),
]
BEFORE_COMMIT = {
    "remove": ["in the receiver of pre_remove", f"before sql DELETE{THROUGH}", f"after sql DELETE{THROUGH}"],
    "clear": ["in the receiver of pre_clear", f"before sql DELETE{THROUGH}", f"after sql DELETE{THROUGH}"],
    "set": ["in the receiver of pre_remove", "in the receiver of post_remove"],
    "add": ["in the receiver of pre_add", f"before sql INSERT{THROUGH}", f"after sql INSERT{THROUGH}"],
}
OLD = ["one", "two"]


def tag_readers(stage: Stage, new: list[str]) -> list[Reader]:
    """Return the readers of an article's tags."""
    pk = stage.rows.pks[0]
    return [
        Reader("tags_of", (pk,), (OLD, new)),
        Reader("tags_by_relation", (pk,), (OLD, new)),
        Reader("tags_prefetched", (pk,), (OLD, new)),
        Reader("tag_count", (pk,), (2, len(new))),
    ]


@on_both
@pytest.mark.parametrize(
    ("action", "names", "new", "point"),
    [
        pytest.param(action, names, new, point, id=f"{action}-{point.replace(' ', '-')}")
        for action, names, new in CHANGES
        for point in [*BEFORE_COMMIT[action], "before Lease"]
    ],
)
def test_a_reader_between_the_signal_and_the_commit(
    stage: Stage, action: str, names: list[str], new: list[str], point: str
) -> None:
    """W: signal, DELETE or INSERT of relations | R: SELECT (old), Put | W: COMMIT | anybody reads.

    Stale if the signal itself were the bump: R fills the old tags after it, and nothing bumps after COMMIT.
    """
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    if action == "add":
        stage.does(writer, "make_tag", "three")
    readers = tag_readers(stage, new)
    change = stage.writing(writer, "tags", stage.rows.pks[0], action, names, version=1, until=point)
    for each in readers:
        # What two of them ask may be one question; then the second one hits.
        result = stage.read(reader, each)
        assert (result.value, result.filled or result.outcome == "hit") == (each.versions[0], True)

    change.end()

    stage.everybody_reads(readers, 1)


@on_both
@pytest.mark.parametrize(("action", "names", "new"), CHANGES, ids=[each[0] for each in CHANGES])
def test_relations_between_the_query_and_the_fill(
    stage: Stage, action: str, names: list[str], new: list[str]
) -> None:
    """R: SELECT (old) | W changes the relations | R: Put(old) | anybody reads."""
    readers = tag_readers(stage, new)
    cast = stage.cast(*(f"{each.run} reader" for each in readers))
    writer = stage.actor("writer")
    if action == "add":
        stage.does(writer, "make_tag", "three")
    fills = [
        stage.reading(actor, each, until="after sql SELECT*FROM news_")
        for actor, each in zip(cast, readers, strict=True)
    ]

    stage.write(writer, "tags", stage.rows.pks[0], action, names, version=1)

    for fill in fills:
        assert fill.end().filled
    stage.everybody_reads(readers, 1)


@on_postgres
@pytest.mark.parametrize("point", ["before commit", "after commit"])
@pytest.mark.parametrize("killed", [False, True])
def test_relations_under_a_lease(stage: Stage, point: str, *, killed: bool) -> None:
    """W: lease (and COMMIT) | R reads, stores nothing | W settles, or is killed | anybody reads."""
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    readers = tag_readers(stage, ["one"])
    stage.warm(bystander, readers)
    change = stage.writing(writer, "tags", stage.rows.pks[0], "remove", ["two"], version=1, until=point)
    version = 0 if point == "before commit" else 1
    for each in readers:
        assert stage.read(reader, each).value == each.versions[version]

    if killed:
        writer.kill()
        stage.floors.clear()
        stage.witness(version, "which is what the database has")
        stage.leases_run_out()
    else:
        change.end()
    stage.everybody_reads(readers, version if killed else 1)


@on_both
@pytest.mark.parametrize("script", ["tags_from_the_other_side", "tag_sql"])
def test_relations_that_are_changed_from_elsewhere(stage: Stage, script: str) -> None:
    """The same row of the relation's table goes by the other model's manager, or by SQL, between query and fill."""
    readers = tag_readers(stage, ["one"])
    cast = stage.cast(*(f"{each.run} reader" for each in readers))
    fills = [
        stage.reading(actor, each, until="after sql SELECT*FROM news_")
        for actor, each in zip(cast, readers, strict=True)
    ]

    stage.write(stage.actor("writer"), script, stage.rows.pks[0], "two", version=1)

    for fill in fills:
        assert fill.end().filled
    stage.everybody_reads(readers, 1)


# -- answers made of several queries

WORLD, NEW = ["World", ["a0", "a1"]], ["New", ["a1", "new"]]
MIXED = ["World", ["a1", "new"]]
IMPOSSIBLE = ["New", ["a0", "a1"]]


def rename_both(stage: Stage, writer: Actor) -> None:
    stage.write(writer, "rename_both", stage.rows.section.pk, stage.rows.pks[0], version=1)


@on_both
@pytest.mark.parametrize(
    ("point", "warm"),
    [
        ("after sql SELECT*FROM news_section", False),
        ("before Put", False),
        ("before sql SELECT*FROM news_article", False),
        ("after Fetch", True),
    ],
)
def test_a_write_between_the_two_queries_of_a_prefetch(stage: Stage, point: str, *, warm: bool) -> None:
    """R: sections (old) | W: both tables in one transaction | R: articles (new) | anybody reads: both new.

    What R is given, an uncached run at READ COMMITTED could have given, too. What it stores is two entries: the
    sections under the vector from before W, the articles under the one from after it.
    """
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    both = Reader("prefetched", (), (WORLD, NEW))
    if warm:
        stage.warm(reader, [both])
    reading = stage.begins(reader, "prefetched", until=point)
    rename_both(stage, writer)

    assert reading.end().value == MIXED
    stage.everybody_reads([both], 1)


@on_both
def test_a_write_between_the_second_query_and_its_fill(stage: Stage) -> None:
    """R: sections and articles (old), the second one not stored yet | W: both | R: Put(old) | anybody reads."""
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    both = Reader("prefetched", (), (WORLD, NEW))
    reading = stage.begins(reader, "prefetched", until="after sql SELECT*FROM news_article")
    rename_both(stage, writer)

    result = reading.end()
    assert (result.value, result.trace.count("Put")) == (WORLD, 2)
    stage.everybody_reads([both], 1)


@on_both
@pytest.mark.parametrize("warm", [False, True])
def test_nobody_is_given_the_new_half_with_the_old_one(stage: Stage, *, warm: bool) -> None:
    """W: COMMIT of both tables, not settled | R: sections (new), articles: new, too | W: settle | anybody: both new.

    Level 2 within one answer: having seen the new section, R may not hit the old articles.
    """
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    both = Reader("prefetched", (), (WORLD, NEW))
    if warm:
        stage.warm(bystander, [both])
    write = stage.writing(
        writer, "rename_both", stage.rows.section.pk, stage.rows.pks[0], version=1, until="after commit"
    )
    reading = stage.begins(reader, "prefetched", until="after sql SELECT*FROM news_section")
    write.end()

    assert reading.end().value == NEW
    stage.everybody_reads([both], 1)


@on_both
def test_one_half_is_served_and_the_other_asked_for(stage: Stage) -> None:
    """Both halves are there | W: the section only | R: section (new), articles: the entry | the halves are entries."""
    reader, writer, bystander = stage.cast("reader", "writer", "bystander")
    both = Reader("prefetched", (), (WORLD, ["New", ["a0", "a1"]]))
    stage.warm(bystander, [both])
    stage.write(writer, "rename_section", stage.rows.section.pk, "New", version=1)

    result = stage.read(reader, both)

    assert result.value == IMPOSSIBLE, "which is possible here: the articles were not written"
    assert (result.asked("FROM news_section"), result.asked("FROM news_article ")) == (1, 0)
    stage.everybody_reads([both], 1)


@on_both
@pytest.mark.parametrize("point", ["before Put", "after sql SELECT*news_section"])
def test_a_joined_table_is_written_between_the_query_and_the_fill(stage: Stage, point: str) -> None:
    """R: SELECT article JOIN section (old) | W: the section | R: Put(old) | anybody reads.

    Stale if only the queried model's table counted, as where ``select_related`` is not tracked.
    """
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    joined = Reader("section_name", (stage.rows.pks[0],), ("World", "New"))
    fill = stage.reading(reader, joined, until=point)
    stage.write(writer, "rename_section", stage.rows.section.pk, "New", version=1)

    assert fill.end().filled
    stage.everybody_reads([joined], 1)


@on_both
def test_two_tables_in_one_decorated_function(stage: Stage) -> None:
    """R: articles (old) | W: both tables | R: sections (new), Put | anybody reads: both new.

    The function's entry lies under the oldest generation of each table: the mixture is given to R alone.
    """
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    composite = Reader("composite", (), ([["a0", "a1"], ["World"]], [["new", "a1"], ["New"]]))
    reading = stage.begins(reader, "composite", until="after sql SELECT*FROM news_article")
    rename_both(stage, writer)

    result = reading.end()
    assert (result.value, result.filled) == ([["a0", "a1"], ["New"]], True)
    stage.everybody_reads([composite], 1)


@on_both
def test_a_uuid_key_is_the_same_row_for_readers_and_writers(stage: Stage) -> None:
    """R: SELECT by a UUID (old) | W | R: Put(old) | anybody reads: the two write the key in different forms."""
    reader, writer, _ = stage.cast("reader", "writer", "bystander")
    pk = stage.does(writer, "make_asset", "old").value
    path = Reader("asset", (pk,), ("old", "new"))
    fill = stage.reading(reader, path, until="after sql SELECT*FROM news_")
    stage.write(writer, "rename_asset", pk.replace("-", "").upper(), "new", version=1)

    assert fill.end().filled
    stage.everybody_reads([path], 1)
