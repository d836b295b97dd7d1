"""The promise, on the real code: several processes read, write and die in any order, and nobody gets a stale value.

Level 1: no read that starts after a write or an invalidation has returned gives anything older. Level 2, with leases:
once anybody has seen a version, no read that starts later gives an older one. And what is not committed, or was rolled
back, is seen by nobody else. A dict of histories (``history.py``) is the model; the database itself says what was
committed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from genscache.stores.base import Fetch
from property_tests import deeds
from property_tests.actors import Fault, Ground
from property_tests.databases import Database
from property_tests.grounds import MemoryGround, ValkeyGround
from property_tests.readers import READERS
from property_tests.world import LEASE, Session, World

actors = st.integers(0, 2)
names = st.sampled_from(sorted(READERS))
pks = st.integers(1, 3)
often = st.booleans()


class Coherence(RuleBasedStateMachine):
    """Moves a world.

    Args:
        make: Makes the world of one example.
    """

    def __init__(self, make: Callable[[], World]) -> None:
        super().__init__()
        self.world = make()

    def teardown(self) -> None:
        try:
            if sys.exception() is None:
                self.settle_down()
        finally:
            self.world.close()

    # -- one actor

    def idle(self, index: int) -> Session | None:
        session = self.world.sessions[index]
        return session if session.actor.idle else None

    def go(self, session: Session, *, through: bool) -> None:
        """Begin what was given; with ``through``, end it, too."""
        self.world.step(session)
        if through:
            self.world.finish(session)

    @rule(index=actors, name=names, through=often, kind=st.sampled_from(["plain", "plain", "plain", "fresh", "direct"]))
    def read(self, index: int, name: str, through: bool, kind: str) -> None:
        session = self.idle(index)
        if session and not session.broken:
            deeds.read(self.world, session, name, fresh=kind == "fresh", direct=kind == "direct")
            self.go(session, through=through)

    @rule(index=actors, kind=st.sampled_from(deeds.WRITES), pk=pks, through=often)
    def write(self, index: int, kind: str, pk: int, through: bool) -> None:
        session = self.idle(index)
        if session and not session.broken:
            deeds.write(self.world, session, kind, pk)
            self.go(session, through=through)

    @rule(index=actors, kind=st.sampled_from(deeds.INVALIDATIONS), name=names, pk=pks, through=often)
    def tell(self, index: int, kind: str, name: str, pk: int, through: bool) -> None:
        session = self.idle(index)
        if session and not session.broken:
            deeds.tell(self.world, session, kind, name, pk)
            self.go(session, through=through)

    @rule(index=actors, pk=pks)
    def write_untold(self, index: int, pk: int) -> None:
        session = self.idle(index)
        if session and not session.broken:
            deeds.write_untold(self.world, session, pk)
            self.go(session, through=True)

    @rule(index=actors, kind=st.sampled_from(["atomic", "atomic", "batch"]), through=often)
    def enter(self, index: int, kind: str, through: bool) -> None:
        session = self.idle(index)
        if session and not session.broken and not session.cursor and len(session.contexts) < 4:
            deeds.enter(self.world, session, kind)
            self.go(session, through=through)

    @rule(index=actors, well=st.sampled_from([True, True, False]), through=often)
    def leave(self, index: int, well: bool, through: bool) -> None:
        session = self.idle(index)
        if session and session.contexts:
            deeds.leave(self.world, session, well=well and not session.broken)
            self.go(session, through=through)

    @precondition(lambda self: self.world.database.snapshots)
    @rule(index=actors)
    def pin(self, index: int) -> None:
        session = self.idle(index)
        if session and not session.contexts:
            (deeds.unpin if session.cursor else deeds.pin)(self.world, session)
            self.go(session, through=True)

    # -- who goes on

    @rule(index=actors, through=often)
    def go_on(self, index: int, through: bool) -> None:
        session = self.world.sessions[index]
        if not session.actor.idle:
            self.go(session, through=through)

    @rule(index=actors, faults=st.lists(st.sampled_from(Fault), min_size=1, max_size=2))
    def trouble(self, index: int, faults: list[Fault]) -> None:
        # Without leases, a bump that is owed is the end of the promise to other processes.
        self.world.sessions[index].actor.faults.extend(faults if self.world.leases else faults[:1])

    @rule(index=actors)
    def kill(self, index: int) -> None:
        event(f"killed at {type(self.world.sessions[index].actor.at).__name__}")
        self.world.kill(self.world.sessions[index])

    @rule(index=actors, fault=st.sampled_from(["done", "late"]))
    def lose_the_answer_of_commit(self, index: int, fault: str) -> None:
        self.world.sessions[index].commit_fault = fault

    @precondition(lambda self: self.world.late is not None)
    @rule(commit=often)
    def commit_late(self, commit: bool) -> None:
        self.world.late_commit(commit=commit)

    # -- the store and the rest of the world

    @rule(milliseconds=st.sampled_from([1000, 4900, 9000, LEASE + 1000]))
    def let_time_pass(self, milliseconds: int) -> None:
        if self.world.may_pass(milliseconds):
            self.world.ground.advance(milliseconds)

    @rule(which=st.integers(0, 30))
    def evict(self, which: int) -> None:
        ground = self.world.ground
        keys = [key for key in ground.counters if not self.world.leases or not self._leased(key)]
        keys += ground.entries
        if keys:
            ground.lose(keys[which % len(keys)])

    def _leased(self, counter: str) -> bool:
        """Tell whether evicting a counter would take leases with it: the documented end of level 2."""
        (state,) = self.world.ground.store.execute(Fetch((counter,))).states
        return state is not None and state.leased

    @rule()
    def evict_the_clock(self) -> None:
        self.world.ground.lose_clock()

    @rule(which=st.integers(0, 7))
    def deliver_late(self, which: int) -> None:
        wire = self.world.ground.wire
        if wire:
            self.world.ground.store.execute(wire[which % len(wire)])

    @rule()
    def change_the_world_outside(self) -> None:
        self.world.set_outside()

    # -- the end

    def settle_down(self) -> None:
        """Let everybody end, all leases run out, and see that the caches show what is committed."""
        world = self.world
        for index in range(len(world.sessions)):
            while not world.sessions[index].actor.idle:
                world.finish(world.sessions[index])
            while world.sessions[index].contexts:
                deeds.leave(world, world.sessions[index], well=False)
                world.finish(world.sessions[index])
            world.sessions[index].actor.faults.clear()
        if world.late:
            world.late_commit(commit=True)
        world.ground.advance(LEASE + 1000)
        if world.leases:
            told = world.history.now(row for row in world.history.versions if self._told(row))
            world.history.raise_floor(told)
        for session in (world.sessions[0], world.sessions[-1]):
            for name in READERS:
                deeds.read(world, session, name)
                world.finish(session)

    def _told(self, row: tuple[str, int]) -> bool:
        return (row, len(self.world.history.versions[row]) - 1) not in self.world.history.untold

    @initialize(reads=st.lists(st.tuples(actors, names), max_size=4))
    def warm_up(self, reads: list[tuple[int, str]]) -> None:
        for index, name in reads:
            deeds.read(self.world, self.world.sessions[index], name)
            self.world.finish(self.world.sessions[index])


def explore(make_ground: Callable[[], Ground], alias: str = "default", *, leases: bool = True, prefix: str = "m") -> None:
    """Let Hypothesis look for a trace that breaks the promise."""
    run_state_machine_as_test(
        lambda: Coherence(lambda: World(make_ground(), Database(alias), prefix=prefix, leases=leases))
    )


@pytest.mark.django_db(transaction=True)
def test_nobody_goes_back_in_time() -> None:
    explore(MemoryGround)


@pytest.mark.django_db(transaction=True)
def test_no_stale_read_survives_without_leases() -> None:
    explore(MemoryGround, leases=False)


@pytest.mark.django_db(transaction=True)
def test_nobody_goes_back_in_time_with_valkey(valkey_url: str) -> None:
    explore(lambda: ValkeyGround("redis" + valkey_url[valkey_url.index("://") :], "m", "m:1:clock"))


@pytest.mark.django_db(transaction=True, databases=["postgres"])
def test_nobody_goes_back_in_time_on_postgresql() -> None:
    explore(MemoryGround, "postgres")
