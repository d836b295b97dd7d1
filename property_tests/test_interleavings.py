"""The known ways to go stale, each as one fixed interleaving of the real code; the world judges every read.

``machine_coherence`` looks for these by chance; here they are by name, so that none of them can be missed.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from genscache.stores.base import Fetch, Lease, Put, Settle
from property_tests import announcements, blocks, deeds
from property_tests.actors import Fault
from property_tests.databases import Database
from property_tests.grounds import MemoryGround
from property_tests.walking import begin, both_processes_read, do, end, go_to
from property_tests.world import LEASE, World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world() -> Iterator[World]:
    """Three actors: the first two are threads of one process, the third is another process."""
    world = World(MemoryGround(), Database("default"))
    yield world
    world.close()


@pytest.fixture
def without_leases() -> Iterator[World]:
    """The same, and writes take no leases."""
    world = World(MemoryGround(), Database("default"), leases=False)
    yield world
    world.close()


READERS = ("discovered", "declared", "one 1", "composite", "patient")
"""All that read what the tests write."""


# -- order of vector, query and fill


@pytest.mark.parametrize("name", READERS)
def test_a_write_between_query_and_fill(world: World, name: str) -> None:
    begin(world, deeds.read, 0, name, at="queried")
    do(world, deeds.write, 2, "update", 1)
    end(world, 0)
    both_processes_read(world, name)


@pytest.mark.parametrize("name", READERS)
def test_a_write_between_vector_and_query_and_one_after_it(world: World, name: str) -> None:
    do(world, deeds.read, 0, name)
    do(world, deeds.write, 2, "update", 1)
    begin(world, deeds.read, 0, name, at=Fetch)
    do(world, deeds.write, 2, "update", 1)
    go_to(world, world.sessions[0], "queried")
    do(world, deeds.write, 2, "update", 1)
    end(world, 0)
    both_processes_read(world, name)


@pytest.mark.parametrize("name", READERS)
def test_a_write_at_every_step_of_a_read(world: World, name: str) -> None:
    steps = 0
    while True:
        world.ground.advance(1)
        do(world, announcements.tell, 1, "all", name, 1)
        # A process that does not know yet what the function depends on.
        world.restart(0)
        for key in list(world.ground.entries):
            world.ground.lose(key)
        deeds.read(world, world.sessions[0], name)
        for _ in range(steps):
            if not world.sessions[0].actor.idle:
                world.step(world.sessions[0])
        over = steps > 0 and world.sessions[0].actor.idle
        do(world, deeds.write, 2, "save", 1)
        end(world, 0)
        both_processes_read(world, name)
        if over:
            break
        steps += 1
    assert steps > 3


def test_a_waiter_that_began_after_the_write_is_not_given_what_was_computed_before_it(world: World) -> None:
    do(world, deeds.read, 0, "declared")
    do(world, announcements.tell, 0, "model", "declared", 1)
    begin(world, deeds.read, 0, "declared", at="queried")
    do(world, deeds.write, 2, "update", 1)
    join_or_compute(world, "declared")


def test_a_waiter_asks_for_what_its_leader_has_found(world: World) -> None:
    begin(world, deeds.read, 0, "discovered", at="queried")
    do(world, deeds.write, 2, "update", 1)
    join_or_compute(world, "discovered")


def join_or_compute(world: World, name: str) -> None:
    """Let the second thread wait for the first if it will, and both end."""
    deeds.read(world, world.sessions[1], name)
    while world.sessions[1].actor.at not in ("query", "a flight"):
        world.step(world.sessions[1])
    end(world, 0)
    end(world, 1)
    both_processes_read(world, name)


def test_a_late_fill_leaves_a_younger_entry_alone(world: World) -> None:
    do(world, deeds.read, 0, "declared")
    do(world, announcements.tell, 0, "model", "declared", 1)
    begin(world, deeds.read, 0, "declared", at=Fetch)
    do(world, deeds.write, 2, "update", 1)
    do(world, deeds.read, 1, "declared")
    put = [each for each in world.ground.wire if isinstance(each, Put)][-1]
    end(world, 0)
    key = put.items[0][0]
    assert world.ground.store.execute(Fetch((), key)).entry is not None


# -- COMMIT


@pytest.mark.parametrize("name", READERS)
def test_readers_at_every_step_of_a_commit(world: World, name: str) -> None:
    both_processes_read(world, name)
    do(world, blocks.enter, 0, "atomic")
    do(world, deeds.write, 0, "update", 1)
    blocks.leave(world, world.sessions[0], well=True)
    while not world.sessions[0].actor.idle:
        world.step(world.sessions[0])
        both_processes_read(world, name)
        do(world, deeds.read, 2, name, direct=True)
        both_processes_read(world, name)
    both_processes_read(world, name)


@pytest.mark.parametrize("kind", ["update", "save", "create", "delete", "raw", "raw with a comment"])
@pytest.mark.parametrize("name", ["discovered", "one 1", "one 3"])
def test_readers_at_every_step_of_a_statement(world: World, kind: str, name: str) -> None:
    both_processes_read(world, name)
    deeds.write(world, world.sessions[0], kind, 1)
    while not world.sessions[0].actor.idle:
        world.step(world.sessions[0])
        both_processes_read(world, name)
        do(world, deeds.read, 2, name, direct=True)
        both_processes_read(world, name)
    both_processes_read(world, name)


@pytest.mark.parametrize("when", ["before COMMIT", "after COMMIT"])
def test_a_writer_that_dies_around_its_commit(world: World, when: str) -> None:
    both_processes_read(world, "declared")
    both_processes_read(world, "discovered")
    do(world, blocks.enter, 0, "atomic")
    do(world, deeds.write, 0, "update", 1)
    begin(world, blocks.leave, 0, well=True, at=Lease if when == "before COMMIT" else Settle)
    world.kill(world.sessions[0])
    do(world, deeds.read, 2, "discovered", direct=True)
    both_processes_read(world, "discovered")
    world.ground.advance(LEASE + 1)
    # One entry's reader resolves the lease; the other entry must not be found after that.
    do(world, deeds.read, 2, "declared")
    both_processes_read(world, "discovered")


def test_a_commit_whose_answer_is_lost_and_that_takes_effect_later(world: World) -> None:
    do(world, blocks.enter, 0, "atomic")
    do(world, deeds.write, 0, "update", 1)
    world.sessions[0].commit_fault = "late"
    do(world, blocks.leave, 0, well=True)
    both_processes_read(world, "discovered")
    world.late_commit(commit=True)
    do(world, deeds.read, 1, "discovered", direct=True)
    both_processes_read(world, "discovered")
    world.ground.advance(LEASE + 1)
    both_processes_read(world, "discovered")


def test_the_end_of_a_batch_does_not_end_the_lease_of_a_commit_that_may_still_come(world: World) -> None:
    do(world, blocks.enter, 0, "batch")
    do(world, blocks.enter, 0, "atomic")
    do(world, deeds.write, 0, "update", 1)
    world.sessions[0].commit_fault = "late"
    do(world, blocks.leave, 0, well=True)
    do(world, blocks.leave, 0, well=True)
    both_processes_read(world, "discovered")
    world.late_commit(commit=True)
    do(world, deeds.read, 1, "discovered", direct=True)
    both_processes_read(world, "discovered")


# -- leases


@pytest.mark.parametrize("warm", [True, False])
def test_two_writers_hold_two_leases(world: World, warm: bool) -> None:  # noqa: FBT001
    if warm:
        both_processes_read(world, "discovered")
    begin(world, deeds.write, 0, "update", 1, at=Lease)
    do(world, deeds.write, 1, "update", 1)
    both_processes_read(world, "discovered")
    go_to(world, world.sessions[0], Settle)
    do(world, deeds.read, 2, "discovered", direct=True)
    both_processes_read(world, "discovered")
    end(world, 0)


def test_a_lease_on_what_nobody_has_read_yet(world: World) -> None:
    begin(world, deeds.write, 0, "update", 1, at=Lease)
    both_processes_read(world, "discovered")
    go_to(world, world.sessions[0], Settle)
    do(world, deeds.read, 2, "discovered", direct=True)
    both_processes_read(world, "discovered")
    end(world, 0)
    both_processes_read(world, "discovered")


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("nth", range(3))
def test_a_fault_of_the_store_in_a_transaction(world: World, fault: Fault, nth: int) -> None:
    both_processes_read(world, "discovered")
    do(world, blocks.enter, 0, "atomic")
    do(world, deeds.write, 0, "update", 1)
    blocks.leave(world, world.sessions[0], well=True)
    for _ in range(nth):
        world.step(world.sessions[0])
    world.sessions[0].actor.faults.append(fault)
    while not world.sessions[0].actor.idle:
        world.step(world.sessions[0])
        both_processes_read(world, "discovered")
    both_processes_read(world, "discovered")
    world.ground.advance(LEASE + 1)
    both_processes_read(world, "discovered")


@pytest.mark.parametrize("faults", [[Fault.DOWN], [Fault.LOST], [Fault.TWICE]])
def test_a_bump_that_did_not_arrive_is_sent_again(without_leases: World, faults: list[Fault]) -> None:
    world = without_leases
    both_processes_read(world, "discovered")
    world.sessions[0].actor.faults.extend(faults)
    do(world, deeds.write, 0, "update", 1)
    both_processes_read(world, "discovered")


def test_a_process_that_owes_a_bump_trusts_nothing(without_leases: World) -> None:
    world = without_leases
    do(world, deeds.read, 0, "discovered")
    world.sessions[0].actor.faults.extend([Fault.DOWN, Fault.DOWN])
    do(world, deeds.write, 0, "update", 1)
    do(world, deeds.read, 1, "discovered")
    world.ground.advance(2000)
    do(world, deeds.read, 1, "discovered")
    both_processes_read(world, "discovered")


# -- counters


def test_a_counter_that_was_evicted_never_comes_back_as_it_was(world: World) -> None:
    rows = "m:1:{default.news_section}:rows"

    def everybody_reads() -> None:
        # The first of them makes the counter anew, and the second one's old entry must not be found under it.
        both_processes_read(world, "declared")
        both_processes_read(world, "discovered")

    everybody_reads()
    for _ in range(3):
        # The counter's generation is the clock's last reading afterwards.
        do(world, deeds.write, 2, "update", 1)
        world.ground.lose(rows)
        everybody_reads()
        do(world, deeds.write, 2, "update", 1)
        everybody_reads()
        world.ground.lose(rows)
        do(world, deeds.write, 2, "update", 1)
        everybody_reads()


def test_all_counters_and_the_clock_are_evicted(world: World) -> None:
    for _ in range(3):
        both_processes_read(world, "declared")
        for counter in list(world.ground.counters):
            world.ground.lose(counter)
        world.ground.lose_clock()
        do(world, deeds.write, 2, "update", 1)


# -- transactions


def test_a_snapshot_reads_itself_and_fills_nothing_younger(world: World) -> None:
    for name in READERS:
        both_processes_read(world, name)
    do(world, blocks.enter, 0, "atomic")
    do(world, deeds.read, 0, "declared", direct=True)
    do(world, deeds.write, 2, "update", 1)
    for name in READERS:
        do(world, deeds.read, 0, name)
        both_processes_read(world, name)
        do(world, deeds.read, 0, name)


def test_a_snapshot_is_not_shown_what_another_process_has_filled_since(world: World) -> None:
    """This process knows the generations of before, so it meets the younger entry in its second look."""
    for name in READERS:
        both_processes_read(world, name)
    do(world, blocks.enter, 0, "atomic")
    do(world, deeds.read, 0, "declared", direct=True)
    do(world, deeds.write, 2, "update", 1)
    for name in READERS:
        do(world, deeds.read, 2, name)
        do(world, deeds.read, 0, name)


def test_an_unfinished_select_pins_a_snapshot_in_autocommit(world: World) -> None:
    do(world, deeds.pin, 0)
    do(world, deeds.write, 2, "update", 1)
    for name in READERS:
        do(world, deeds.read, 0, name)
        both_processes_read(world, name)


@pytest.mark.parametrize("name", READERS)
def test_own_writes_are_read_and_not_shared(world: World, name: str) -> None:
    both_processes_read(world, name)
    do(world, blocks.enter, 0, "atomic")
    do(world, deeds.write, 0, "update", 1)
    do(world, deeds.read, 0, name)
    both_processes_read(world, name)
    do(world, blocks.leave, 0, well=False)
    both_processes_read(world, name)


def test_a_transaction_that_has_written_fills_nothing_at_all(world: World) -> None:
    for name in ("discovered", "declared"):
        both_processes_read(world, name)
    for key in list(world.ground.entries):
        world.ground.lose(key)
    # The write reaches another table than the one that it names, as a trigger's does.
    do(world, blocks.enter, 0, "atomic")
    do(world, deeds.write, 0, "author", 1)
    do(world, deeds.write_untold, 0, 1, announce=False)
    do(world, deeds.read, 0, "discovered")
    do(world, deeds.read, 0, "declared")
    do(world, blocks.leave, 0, well=False)
    both_processes_read(world, "discovered")
    both_processes_read(world, "declared")


def test_what_a_released_savepoint_wrote_is_bumped_at_commit(without_leases: World) -> None:
    world = without_leases
    both_processes_read(world, "discovered")
    do(world, blocks.enter, 0, "atomic")
    do(world, blocks.enter, 0, "atomic")
    do(world, deeds.write, 0, "update", 1)
    do(world, blocks.leave, 0, well=True)
    do(world, blocks.leave, 0, well=True)
    both_processes_read(world, "discovered")


def test_what_a_rolled_back_savepoint_wrote_is_seen_by_nobody(world: World) -> None:
    both_processes_read(world, "discovered")
    do(world, blocks.enter, 0, "atomic")
    do(world, blocks.enter, 0, "atomic")
    do(world, deeds.write, 0, "update", 1)
    do(world, blocks.leave, 0, well=False)
    do(world, deeds.read, 0, "discovered")
    do(world, deeds.write, 0, "update", 2)
    do(world, blocks.leave, 0, well=True)
    both_processes_read(world, "discovered")


# -- batches


@pytest.mark.parametrize("well", [True, False])
def test_a_batch_is_sent_out_at_its_end(without_leases: World, well: bool) -> None:  # noqa: FBT001
    world = without_leases
    both_processes_read(world, "discovered")
    both_processes_read(world, "outside")
    do(world, blocks.enter, 0, "batch")
    do(world, blocks.enter, 0, "batch")
    do(world, deeds.write, 0, "update", 1)
    world.set_outside()
    do(world, announcements.tell, 0, "name", "outside", 1)
    do(world, blocks.leave, 0, well=well)
    do(world, blocks.leave, 0, well=well)
    both_processes_read(world, "discovered")
    both_processes_read(world, "outside")


def test_a_lease_of_a_batch_counts_from_when_it_was_asked_for(world: World) -> None:
    do(world, blocks.enter, 0, "batch")
    begin(world, deeds.write, 0, "update", 1, at=Lease)
    # The answer of the store was a long time on its way.
    world.ground.advance(LEASE - 1000)
    end(world, 0)
    # Less than after which a lease is renewed, had it counted from the answer.
    world.ground.advance(LEASE // 4 - 100)
    both_processes_read(world, "discovered")
    do(world, deeds.write, 0, "update", 1)
    both_processes_read(world, "discovered")


# -- invalidations


@pytest.mark.parametrize("kind", announcements.INVALIDATIONS)
def test_what_was_written_behind_everybodys_back_is_gone_when_it_was_told(world: World, kind: str) -> None:
    for name in (*READERS, "outside"):
        both_processes_read(world, name)
    do(world, deeds.write_untold, 0, 1)
    world.set_outside()
    for name in (*READERS, "outside"):
        do(world, announcements.tell, 0, kind, name, 1)
        both_processes_read(world, name)
