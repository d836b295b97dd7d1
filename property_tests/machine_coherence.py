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
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from genscache.stores.base import Fetch
from property_tests import announcements, blocks, deeds
from property_tests.actors import Fault, Ground
from property_tests.databases import Database
from property_tests.grounds import MemoryGround, ValkeyGround
from property_tests.readers import READERS
from property_tests.world import LEASE, Session, World

actors = st.integers(0, 2)
names = st.sampled_from(sorted(READERS))
pks = st.integers(1, 3)
often = st.booleans()
THROUGH = 1000
"""More steps than anything takes."""
steps = st.sampled_from((1, 2, 3, 4, 5, 6, 7, 9, THROUGH, THROUGH, THROUGH, THROUGH))


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

    def idle(self, index: int, *, sound: bool = True) -> Session | None:
        """Return one of the actors that have nothing to do; a sound one can do more than roll back."""
        free = [each for each in self.world.sessions if each.actor.idle and not (sound and each.broken)]
        return free[index % len(free)] if free else None

    def busy(self, index: int) -> Session | None:
        """Return one of those that have."""
        busy = [each for each in self.world.sessions if not each.actor.idle]
        return busy[index % len(busy)] if busy else None

    def go(self, session: Session, *, steps: int) -> None:
        """Let one actor take some steps, or all."""
        for _ in range(steps):
            self.world.step(session)
            if session.actor.idle:
                break

    @rule(
        index=actors,
        name=names,
        steps=steps,
        kind=st.sampled_from(["plain", "plain", "plain", "fresh", "direct"]),
    )
    def read(self, *, index: int, name: str, steps: int, kind: str) -> None:
        session = self.idle(index)
        if session:
            deeds.read(self.world, session, name, fresh=kind == "fresh", direct=kind == "direct")
            self.go(session, steps=steps)

    @rule(index=actors, kind=st.sampled_from(deeds.WRITES), pk=pks, steps=steps)
    def write(self, *, index: int, kind: str, pk: int, steps: int) -> None:
        session = self.idle(index)
        if session:
            deeds.write(self.world, session, kind, pk)
            self.go(session, steps=steps)

    @rule(index=actors, kind=st.sampled_from(announcements.INVALIDATIONS), name=names, pk=pks, steps=steps)
    def tell(self, *, index: int, kind: str, name: str, pk: int, steps: int) -> None:
        session = self.idle(index)
        if session:
            announcements.tell(self.world, session, kind, name, pk)
            self.go(session, steps=steps)

    @rule(index=actors, pk=pks)
    def write_untold(self, index: int, pk: int) -> None:
        session = self.idle(index)
        if session:
            deeds.write_untold(self.world, session, pk)
            self.go(session, steps=THROUGH)

    @rule(index=actors, kind=st.sampled_from(["atomic", "atomic", "batch"]), steps=steps)
    def enter(self, *, index: int, kind: str, steps: int) -> None:
        session = self.idle(index)
        if session and not session.cursor and len(session.contexts) < 4:
            blocks.enter(self.world, session, kind)
            self.go(session, steps=steps)

    @rule(
        index=actors,
        well=st.sampled_from([True, True, False]),
        fault=st.sampled_from(["", "", "", "done", "late"]),
        steps=steps,
    )
    def leave(self, *, index: int, well: bool, fault: str, steps: int) -> None:
        session = self.idle(index, sound=False)
        if session and session.contexts:
            session.commit_fault = fault
            blocks.leave(self.world, session, well=well and not session.broken)
            self.go(session, steps=steps)

    @precondition(lambda self: self.world.database.snapshots)
    @rule(index=actors)
    def pin(self, index: int) -> None:
        session = self.idle(index)
        if session and not session.contexts:
            (deeds.unpin if session.cursor else deeds.pin)(self.world, session)
            self.go(session, steps=THROUGH)

    # -- who goes on

    @rule(index=actors, steps=steps)
    def go_on(self, *, index: int, steps: int) -> None:
        session = self.busy(index)
        if session:
            self.go(session, steps=steps)

    @rule(name=names, direct=often)
    def everybody_reads(self, *, name: str, direct: bool) -> None:
        for index, session in enumerate(self.world.sessions):
            if session.actor.idle and not session.broken:
                deeds.read(self.world, session, name, direct=direct and index == 0)
                self.world.finish(session)

    @rule(index=actors, faults=st.lists(st.sampled_from(Fault), min_size=1, max_size=2))
    def make_trouble(self, index: int, faults: list[Fault]) -> None:
        # Without leases, a bump that is owed is the end of the promise to other processes.
        self.world.sessions[index].actor.faults.extend(faults if self.world.leases else faults[:1])

    @rule(index=actors)
    def kill(self, index: int) -> None:
        event(f"killed at {type(self.world.sessions[index].actor.at).__name__}")
        self.world.kill(self.world.sessions[index])

    @precondition(lambda self: self.world.late is not None)
    @rule(commit=often)
    def commit_late(self, *, commit: bool) -> None:
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
                blocks.leave(world, world.sessions[index], well=False)
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

    @initialize(names=st.lists(names, max_size=4, unique=True))
    def warm_up(self, names: list[str]) -> None:
        for name in names:
            self.everybody_reads(name=name, direct=False)


def explore(
    make_ground: Callable[[], Ground], alias: str = "default", *, leases: bool = True, share: int = 1
) -> None:
    """Let Hypothesis look for a trace that breaks the promise, in a share of the profile's examples."""

    class Here(Coherence):
        def __init__(self) -> None:
            super().__init__(lambda: World(make_ground(), Database(alias), leases=leases))

    # A server makes each step slower, and the traces are the same.
    run_state_machine_as_test(Here, settings=settings(max_examples=settings().max_examples // share))


@pytest.mark.django_db(transaction=True)
def test_nobody_goes_back_in_time() -> None:
    explore(MemoryGround)


@pytest.mark.django_db(transaction=True)
def test_no_stale_read_survives_without_leases() -> None:
    explore(MemoryGround, leases=False)


@pytest.mark.django_db(transaction=True)
def test_nobody_goes_back_in_time_with_valkey(valkey_url: str) -> None:
    explore(lambda: ValkeyGround("redis" + valkey_url[valkey_url.index("://") :], "m", "m:1:clock"), share=3)


@pytest.mark.django_db(transaction=True, databases=["postgres"])
def test_nobody_goes_back_in_time_on_postgresql() -> None:
    explore(MemoryGround, "postgres", share=3)
