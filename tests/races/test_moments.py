"""What others are given at each moment of a write, and once it has returned; and where its writer is killed there."""

from __future__ import annotations

import pytest

from tests.races.actors import Actor
from tests.races.moments import COMMITTED, LEASED, OPEN, every_moment
from tests.races.stage import Stage
from tests.races.world import Reader

NAMES = ["listed", "seen", "function_of_one", "discovering", "aget"]
"""Readers with entries of their own: ``get`` and ``aget`` share one."""


@every_moment
@pytest.mark.parametrize("warm", [False, pytest.param(True, marks=pytest.mark.whole)], ids=["cold", "warm"])
def test_readers_at_a_moment_of_a_write(
    stage: Stage, readers: dict[str, Reader], writer: str, point: str, world: str, *, warm: bool
) -> None:
    """W stands at the point | everybody reads, twice | W goes on and returns | everybody reads.

    Open: the old value, from the cache, and filled if it is not there; stale afterwards if a bump came before COMMIT or
    at the signal only. Leased and committed: the database's value, and nothing is stored; without a lease the window
    between COMMIT and settle would serve what somebody has already seen replaced (level 2).
    """
    reader, actor, bystander = stage.cast("reader", "writer", "bystander")
    chosen = [readers[name] for name in NAMES]
    if warm:
        stage.warm(reader, chosen)
    write = stage.writing(actor, writer, stage.rows.pks[0], 1, version=1, until=point)
    version = 0 if world in {OPEN, LEASED} else 1
    stage.sees(bystander, version)

    for each in chosen:
        outcomes = [_given(stage, who, each, version) for who in (reader, bystander)]
        if world in {LEASED, COMMITTED}:
            assert outcomes == ["asked", "asked"], outcomes
        elif warm and world == OPEN:
            assert outcomes == ["hit", "hit"], outcomes
        else:
            assert outcomes == ["filled", "hit"], outcomes

    write.end()
    stage.everybody_reads(chosen, 1)


def _given(stage: Stage, who: Actor, reader: Reader, version: int) -> str:
    result = stage.read(who, reader)
    assert result.value == reader.versions[version]
    if result.outcome == "hit":
        return "hit"
    assert result.asked(), "neither the cache nor the database was asked"
    return "filled" if result.filled else "asked"


@every_moment
def test_a_writer_that_is_killed(
    stage: Stage, readers: dict[str, Reader], writer: str, point: str, world: str
) -> None:
    """L: SELECT (old) | W is killed at the point | L: Put(old) | all read; the lease runs out | all read.

    Without a lease an entry from before would be served until its timeout after a kill between COMMIT and settle; so
    would one if an expired lease were dropped without a bump. Where the database has rolled back, the old one is right.
    """
    reader, late, actor = stage.cast("reader", "late reader", "writer")
    chosen = [readers[name] for name in NAMES]
    version = 0 if world in {OPEN, LEASED} else 1
    stage.warm(reader, chosen)
    fill = stage.reading(late, readers["values"], until="before Put")
    stage.writing(actor, writer, stage.rows.pks[0], 1, until=point)

    actor.kill()

    assert fill.end().filled
    chosen.append(readers["values"])
    stage.sees(reader, version)
    if world in {LEASED, COMMITTED}:
        for each in chosen:
            assert _given(stage, late, each, version) == "asked"
        stage.leases_run_out()
        for each in chosen:
            assert _given(stage, late, each, version) == "filled", "an entry from before the lease was served"
    stage.everybody_reads(chosen, version)
    stage.write(stage.actor("next writer"), "save", stage.rows.pks[0], 2, version=2)
    stage.everybody_reads(chosen, 2)
