"""Models with ``match``: a reader filtered by a value, and writers that move a row from one value to another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.races.marks import on_both, on_postgres
from tests.races.stage import Stage
from tests.races.world import Reader

MATCH = {"news.Article": {"match": [["author"]]}}


@pytest.fixture
def matching(stages: Callable[..., Stage]) -> Stage:
    """A stage on which articles are matched by their author; there are three, and the first one wrote everything."""
    stage = stages(MODELS=MATCH)
    maker = stage.actor("maker")
    for name in ("Bob", "Cleo"):
        stage.does(maker, "make_author", name)
    return stage


def by_author(stage: Stage, number: int, *versions: list[str]) -> list[Reader]:
    """Return the readers of what one of the authors wrote, the first being number 0."""
    pk = stage.rows.author.pk + number
    return [
        Reader("matched", (pk,), versions),
        Reader("matched_count", (pk,), tuple(len(each) for each in versions)),
    ]


@on_both
@pytest.mark.parametrize("writer", ["move", "move_rows", "move_sql"])
def test_a_row_that_moves_between_the_query_and_the_fill(matching: Stage, writer: str) -> None:
    """R: SELECT of the author who loses the row, and of the one who gets it | W moves it | R: Put | anybody reads.

    Stale if only the new value of a row bumped: the author who lost it would keep it. The third author's entry stays.
    """
    stage, third = matching, by_author(matching, 2, [])
    actor, pk = stage.actors[0], stage.rows.pks[0]
    changed = [*by_author(stage, 0, ["a0", "a1"], ["a1"]), *by_author(stage, 1, [], ["a0"])]
    stage.warm(actor, third)
    cast = stage.cast(*(f"reader {number}" for number, _ in enumerate(changed)))
    fills = [
        stage.reading(who, each, until="after sql SELECT*FROM news_")
        for who, each in zip(cast, changed, strict=True)
    ]

    stage.write(stage.actor("writer"), writer, pk, stage.rows.author.pk + 1, version=1)

    for fill in fills:
        assert fill.end().filled
    stage.everybody_reads(changed, 1)
    if writer != "move_sql":
        assert stage.reading(actor, third[0], family="third").ends().outcome == "hit", "all rows were bumped"


@on_both
@pytest.mark.parametrize("point", ["written", "before Lease", "before commit", "after commit"])
@pytest.mark.parametrize("killed", [False, True])
def test_a_reader_while_a_row_moves(matching: Stage, point: str, *, killed: bool) -> None:
    """Entries of both values are there | W stands at the point | anybody reads | W goes on, or is killed | reads."""
    stage, pk = matching, matching.rows.pks[0]
    changed = [*by_author(stage, 0, ["a0", "a1"], ["a1"]), *by_author(stage, 1, [], ["a0"])]
    reader, writer = stage.actors[0], stage.actor("writer")
    stage.warm(reader, changed)
    move = stage.writing(writer, "move", pk, stage.rows.author.pk + 1, until=point)
    committed = int(point == "after commit")

    for each in changed:
        result = stage.read(reader, each)
        assert result.value == each.versions[committed]
        assert (result.outcome == "hit") == (point in {"written", "before Lease"})

    if killed:
        writer.kill()
        if point not in {"written", "before Lease"}:
            stage.leases_run_out()
    else:
        move.end()
    stage.everybody_reads(changed, committed if killed else 1)


@on_postgres
def test_two_writers_move_one_row(matching: Stage) -> None:
    """W1: to Bob | W2 waits for the row, R fills | W1: COMMIT | W2: to Cleo, R fills | W2: COMMIT | anybody reads.

    W2 must bump the value that the row had when W2 wrote it (Bob's, by W1), not the one from before it waited (Ada's):
    else Bob would keep the row.
    """
    stage, pk = matching, matching.rows.pks[0]
    ada, bob, cleo = (stage.rows.author.pk + number for number in range(3))
    assert ada < bob
    changed = [
        *by_author(stage, 0, ["a0", "a1"], ["a1"], ["a1"]),
        *by_author(stage, 1, [], ["a0"], []),
        *by_author(stage, 2, [], [], ["a0"]),
    ]
    reader, one, two = stage.actors[0], stage.actor("first writer"), stage.actor("second writer")
    first = stage.writing(one, "move_in_transaction", pk, bob, version=1, until="written")
    second = stage.begins(two, "move_in_transaction", pk, cleo, until="written", wait=False)
    stage.until_blocked()
    for each in changed:
        assert stage.reading(reader, each).ends().value == each.versions[0]

    first.end()
    second.reaches("written")
    for each in changed:
        assert stage.reading(reader, each).ends().value == each.versions[1]
    second.end()
    stage.floors.clear()

    stage.everybody_reads(changed, 2)


@on_postgres
def test_two_writers_move_one_row_with_a_reader_in_between(matching: Stage) -> None:
    """W1: to Bob, COMMIT | R fills (Bob's) | W2: to Cleo | R: Put of what it read before W2 | anybody reads."""
    stage, pk = matching, matching.rows.pks[0]
    bob, cleo = stage.rows.author.pk + 1, stage.rows.author.pk + 2
    changed = [
        *by_author(stage, 0, ["a0", "a1"], ["a1"], ["a1"]),
        *by_author(stage, 1, [], ["a0"], []),
        *by_author(stage, 2, [], [], ["a0"]),
    ]
    writer = stage.actor("writer")
    cast = stage.cast(*(f"reader {number}" for number, _ in enumerate(changed)))
    stage.does(writer, "move", pk, bob)
    fills = [
        stage.reading(who, each, until="after sql SELECT*FROM news_")
        for who, each in zip(cast, changed, strict=True)
    ]
    stage.does(writer, "move_rows", pk, cleo)

    for fill in fills:
        assert fill.end().filled

    stage.floors.clear()
    stage.everybody_reads(changed, 2)


@on_both
@pytest.mark.parametrize("writer", ["create", "bulk_create"])
def test_a_row_with_the_value_is_born_between_the_query_and_the_fill(matching: Stage, writer: str) -> None:
    """R: SELECT of an author without articles | W: INSERT for this author | R: Put(none) | anybody reads."""
    stage, bob = matching, matching.rows.author.pk + 1
    changed = by_author(stage, 1, [], ["born"])
    cast = stage.cast("reader", "counter")
    fills = [
        stage.reading(who, each, until="after sql SELECT*FROM news_")
        for who, each in zip(cast, changed, strict=True)
    ]

    stage.write(stage.actor("writer"), writer, stage.rows.section.pk, bob, ["born"], version=1)

    for fill in fills:
        assert fill.end().filled
    stage.everybody_reads(changed, 1)


@on_both
@pytest.mark.parametrize("writer", ["delete", "delete_rows", "delete_section"])
def test_a_row_with_the_value_dies_between_the_query_and_the_fill(matching: Stage, writer: str) -> None:
    """R: SELECT of an author's articles | W: DELETE, or a cascade | R: Put(old) | anybody reads."""
    stage = matching
    left = [] if writer == "delete_section" else ["a1"]
    changed = by_author(stage, 0, ["a0", "a1"], left)
    cast = stage.cast("reader", "counter")
    fills = [
        stage.reading(who, each, until="after sql SELECT*FROM news_")
        for who, each in zip(cast, changed, strict=True)
    ]
    pk = stage.rows.section.pk if writer == "delete_section" else stage.rows.pks[0]

    stage.write(stage.actor("writer"), writer, pk, version=1)

    for fill in fills:
        assert fill.end().filled
    stage.everybody_reads(changed, 1)


@on_postgres
def test_a_release_without_match_writes_between_the_query_and_the_fill(
    matching: Stage, stages: Callable[..., Stage]
) -> None:
    """R (with ``match``): SELECT (old) | W (another release, without it) | R: Put(old) | anybody reads."""
    stage, pk = matching, matching.rows.pks[0]
    other = stages()
    other.prefix = stage.prefix
    changed = [*by_author(stage, 0, ["a0", "a1"], ["a1"]), *by_author(stage, 1, [], ["a0"])]
    cast = stage.cast(*(f"reader {number}" for number, _ in enumerate(changed)))
    fills = [
        stage.reading(who, each, until="after sql SELECT*FROM news_")
        for who, each in zip(cast, changed, strict=True)
    ]

    other.write(other.actor("old release"), "move", pk, stage.rows.author.pk + 1)
    stage.witness(1, "which the old release had written")

    for fill in fills:
        assert fill.end().filled
    stage.everybody_reads(changed, 1)
