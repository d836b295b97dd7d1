"""Short stories in which every step is one that matters: who is overtaken, where, by what, and who looks afterwards.

A fine-grained rule moves one actor by some steps; that a write overtakes a read between its vector and its fill, and
that somebody asks for the same entry afterwards, is then rare (about 1 example in 25). Each scene makes one such
meeting certain and leaves its particulars to Hypothesis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from property_tests import announcements, blocks, deeds
from property_tests.actors import Fault
from property_tests.walking import all_idle_read, come_to_rest, comes_to, do, end
from property_tests.world import World

Cast: TypeAlias = tuple[int, int, int]
"""The numbers of who has the leading part, of its fellow, and of the third."""

CASTS: tuple[Cast, ...] = ((0, 1, 2), (1, 0, 2), (0, 2, 1), (2, 0, 1))


def make_cold(world: World, how: str, number: int, name: str) -> None:
    """Make the next read of an actor a miss.

    Args:
        world: The world.
        how: "told": by an invalidation; "forgotten": the process and the store know nothing; "warm": not at all.
        number: Of the actor.
        name: Of the reader.
    """
    if how != "forgotten":
        all_idle_read(world, name)
    if how == "told":
        do(world, announcements.tell, number, "call", name, 1)
    if how == "forgotten":
        world.restart(world.sessions[number].process)
        for key in list(world.ground.entries):
            world.ground.lose(key)


def overtake(
    world: World,
    cast: Cast,
    name: str,
    *,
    how: str,
    where: object,
    kinds: Sequence[str],
    pk: int,
    waiter: bool,
) -> None:
    """A read stops; writes come and end; another thread asks for the same; the read ends; everybody looks.

    Args:
        world: The world.
        cast: The reader, whoever asks for the same, and the writer.
        name: Of what is read.
        how: As in ``make_cold``.
        where: The reader stops.
        kinds: Of the writes.
        pk: What they write.
        waiter: Another thread asks before the read has ended.
    """
    come_to_rest(world)
    make_cold(world, how, cast[0], name)
    deeds.read(world, world.sessions[cast[0]], name)
    comes_to(world, world.sessions[cast[0]], where)
    for kind in kinds:
        do(world, deeds.write, cast[2], kind, pk)
    if waiter:
        second = world.sessions[cast[1]]
        deeds.read(world, second, name)
        while not second.actor.idle and second.actor.at not in {"query", "a flight"}:
            world.step(second)
    end(world, cast[0])
    end(world, cast[1])
    all_idle_read(world, name)


def watch(
    world: World,
    cast: Cast,
    name: str,
    *,
    kind: str,
    pk: int,
    atomic: bool,
    warm: bool,
    rival_at: int,
    kill_at: int,
    faults: Sequence[Fault],
) -> None:
    """A write goes on step by step; after each, everybody reads, somebody from the database.

    Args:
        world: The world.
        cast: The writer, its rival, and the third.
        name: Of what is read.
        kind: Of the write.
        pk: What it writes.
        atomic: It is done in a transaction, whose end is what is watched.
        warm: Entries and counters exist before.
        rival_at: After so many steps another writes, from beginning to end.
        kill_at: After so many steps the writer's process dies.
        faults: What goes wrong for the writer.
    """
    come_to_rest(world)
    if warm:
        all_idle_read(world, name)
    if atomic:
        do(world, blocks.enter, cast[0], "atomic")
        do(world, deeds.write, cast[0], kind, pk)
        if not world.sessions[cast[0]].contexts:
            return
        blocks.leave(world, world.sessions[cast[0]], well=not world.sessions[cast[0]].broken)
    else:
        deeds.write(world, world.sessions[cast[0]], kind, pk)
    world.sessions[cast[0]].actor.faults.extend(faults)
    step = 0
    while not world.sessions[cast[0]].actor.idle:
        world.step(world.sessions[cast[0]])
        step += 1
        if step == rival_at:
            do(world, deeds.write, cast[1], kind, pk)
        if step == kill_at:
            world.kill(world.sessions[cast[0]])
        all_idle_read(world, name)
        all_idle_read(world, name, direct=True)
    come_to_rest(world)
    all_idle_read(world, name)


def transact(
    world: World, cast: Cast, name: str, *, moves: Sequence[str], kind: str, pk: int, well: bool
) -> None:
    """A transaction with savepoints reads and writes, while others do, too; everybody looks after its end.

    Args:
        world: The world.
        cast: Who has the transaction, and two others.
        name: Of what is read.
        moves: What happens inside.
        kind: Of the writes.
        pk: What they write.
        well: The transaction and open savepoints are committed.
    """
    come_to_rest(world)
    all_idle_read(world, name)
    do(world, blocks.enter, cast[0], "atomic")
    for move in moves:
        own = world.sessions[cast[0]]
        if own.broken:
            break
        match move:
            case "look" | "read":
                do(world, deeds.read, cast[0], name, direct=move == "look")
            case "write":
                do(world, deeds.write, cast[0], kind, pk)
            case "savepoint" if len(own.contexts) < 4:
                do(world, blocks.enter, cast[0], "atomic")
            case "release" | "undo" if len(own.contexts) > 1:
                do(world, blocks.leave, cast[0], well=move == "release")
            case "another writes":
                do(world, deeds.write, cast[2], kind, pk)
            case "others read":
                do(world, deeds.read, cast[1], name)
                do(world, deeds.read, cast[2], name)
            case _:
                pass
    while world.sessions[cast[0]].contexts:
        do(world, blocks.leave, cast[0], well=well and not world.sessions[cast[0]].broken)
    all_idle_read(world, name)
    all_idle_read(world, name, direct=True)


MOVES = ("look", "read", "write", "savepoint", "release", "undo", "another writes", "others read")


def write_more_than_is_seen(world: World, cast: Cast, names: Sequence[str], *, pk: int) -> None:
    """A write reaches another table than it names, as a trigger's does; its transaction reads and is rolled back."""
    come_to_rest(world)
    for name in names:
        make_cold(world, "forgotten", cast[0], name)
    do(world, blocks.enter, cast[0], "atomic")
    do(world, deeds.write, cast[0], "author", 1)
    if not world.sessions[cast[0]].broken:
        do(world, deeds.write_untold, cast[0], pk, announce=False)
    if not world.sessions[cast[0]].broken:
        for name in names:
            do(world, deeds.read, cast[0], name)
    do(world, blocks.leave, cast[0], well=False)
    for name in names:
        all_idle_read(world, name)


def gather(
    world: World,
    cast: Cast,
    name: str,
    *,
    deep: bool,
    moves: Sequence[str],
    how: str,
    pk: int,
    well: bool,
) -> None:
    """A batch of writes and invalidations, which ends with or without an error; everybody looks.

    Args:
        world: The world.
        cast: Whose batch it is, and two others.
        name: Of what is read and told of.
        deep: One batch is inside another.
        moves: What happens inside.
        how: What is written without the library is told.
        pk: What is written.
        well: It ends without an error.
    """
    come_to_rest(world)
    all_idle_read(world, name)
    for _ in range(1 + deep):
        do(world, blocks.enter, cast[0], "batch")
    for move in moves:
        match move:
            case "write":
                do(world, deeds.write, cast[0], "update", pk)
            case "tell":
                do(world, deeds.write_untold, cast[0], pk)
                world.set_outside()
                do(world, announcements.tell, cast[0], how, name, pk)
            case _:
                all_idle_read(world, name)
    while world.sessions[cast[0]].contexts:
        do(world, blocks.leave, cast[0], well=well)
    all_idle_read(world, name)


def evict(world: World, cast: Cast, name: str, *, which: str, rounds: Sequence[tuple[bool, bool]]) -> None:
    """Counters go, writes come, and everybody reads, again and again.

    Args:
        world: The world.
        cast: A writer and two others.
        name: Of what is read.
        which: Ends the names of the counters that go.
        rounds: In each, whether counters go, and whether somebody writes.
    """
    come_to_rest(world)
    all_idle_read(world, name)
    for gone, written in rounds:
        for counter in [each for each in world.ground.counters if gone and each.endswith(which)]:
            world.ground.lose(counter)
        if written:
            do(world, deeds.write, cast[0], "update", 1)
        all_idle_read(world, name)
