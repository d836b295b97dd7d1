"""Entries of single rows, and writers that reach those rows in other ways than by their key."""

from __future__ import annotations

import pytest

from tests.races.marks import on_both, on_postgres
from tests.races.stage import Stage
from tests.races.world import Reader

ASKED = "after sql SELECT*FROM news_"


def race(stage: Stage, readers: list[Reader], writer: str, *args: object) -> None:
    """Let each reader ask (old), a writer write, the readers store, and everybody read."""
    cast = stage.cast(*(f"{each.run} reader" for each in readers))
    fills = [stage.reading(who, each, until=ASKED) for who, each in zip(cast, readers, strict=True)]

    stage.write(stage.actor("writer"), writer, *args, version=1)

    for fill, each in zip(fills, readers, strict=True):
        late = fill.end()
        assert (late.value, late.filled) == (each.versions[0], True)
    stage.everybody_reads(readers, 1)


@on_both
@pytest.mark.parametrize("writer", ["renumber", "renumber_sql"])
def test_a_row_is_given_another_key(stage: Stage, writer: str) -> None:
    """R: SELECT by the old key (there) and by the new one (not there) | W: UPDATE of the key | R: Put | anybody reads.

    Stale if a statement that names one key were taken to write that row only: a row under the other key is born.
    """
    pk, new = stage.rows.pks[1], stage.rows.pks[1] + 1000
    readers = [
        Reader("get", (pk,), ("a1", None)),
        Reader("get", (new,), (None, "a1")),
        Reader("some", (pk, new), (["a1"], ["a1"])),
        Reader("bulk", (pk,), (["a1"], [])),
        Reader("function_of_one", (new,), (None, "a1")),
    ]
    race(stage, readers, writer, pk, new)


@on_both
@pytest.mark.parametrize("writer", ["update", "save", "sql", "upsert", "sql_many", "bulk_update"])
def test_lists_of_keys(stage: Stage, writer: str) -> None:
    """R: SELECT of rows by their keys (old) | W: one of them | R: Put(old) | anybody reads."""
    if writer == "upsert" and stage.alias == "mariadb":
        pytest.skip("MariaDB has no ON CONFLICT with chosen columns")
    pks = stage.rows.pks
    readers = [
        Reader("some", tuple(pks), (["a0", "a1"], ["new", "a1"])),
        Reader("bulk", tuple(pks), (["a0", "a1"], ["a1", "new"])),
        Reader("by_key_and_title", (pks[0], "new"), (False, True)),
        Reader("by_key_and_title", (pks[0], "a0"), (True, False)),
    ]
    race(stage, readers, writer, pks[0], 1)


@on_both
@pytest.mark.parametrize("writer", ["rename_parent", "rename_child"])
def test_a_row_in_two_tables(stage: Stage, writer: str) -> None:
    """R: SELECT of a child by its key (old) | W: the parent's row, by either model | R: Put(old) | anybody reads."""
    maker = stage.actor("maker")
    pk = stage.does(maker, "make_column", stage.rows.section.pk, stage.rows.author.pk).value
    race(stage, [Reader("column", (pk,), ("old", "new")), Reader("get", (pk,), ("old", "new"))], writer, pk)


@on_both
def test_a_row_that_a_deletion_elsewhere_changes(stage: Stage) -> None:
    """R: SELECT of an asset by its key | W: DELETE of its article, ON DELETE SET NULL | R: Put(old) | anybody reads."""
    maker, article = stage.actor("maker"), stage.rows.pks[0]
    pk = stage.does(maker, "make_asset_of", article).value
    race(stage, [Reader("article_of_asset", (pk,), (article, None))], "delete_article", article)


@on_postgres
@pytest.mark.parametrize("writer", ["renumber", "update"])
def test_a_warm_entry_of_one_row(stage: Stage, writer: str) -> None:
    """Entries of both keys are there | W: stops after COMMIT | anybody reads: by the database | W returns."""
    pk, new = stage.rows.pks[1], stage.rows.pks[1] + 1000
    reader, actor = stage.cast("reader", "writer")
    if writer == "renumber":
        readers = [Reader("get", (pk,), ("a1", None)), Reader("get", (new,), (None, "a1"))]
        args = (pk, new)
    else:
        readers = [Reader("get", (pk,), ("a1", "new")), Reader("some", (pk, new), (["a1"], ["new"]))]
        args = (pk, 1)
    stage.warm(reader, readers)
    write = stage.writing(actor, writer, *args, version=1, until="after sql UPDATE")

    stage.witness(1, "which is committed")
    for each in readers:
        assert stage.read(reader, each).outcome == "bypass"

    write.end()
    stage.everybody_reads(readers, 1)
