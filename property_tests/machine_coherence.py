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
from property_tests.choices import OTHERS, OVERTAKING, SCENES, WATCHING, Scene, kinds, names, often, pks
from property_tests.databases import Database
from property_tests.grounds import MemoryGround, ValkeyGround
from property_tests.readers import READERS
from property_tests.walking import all_idle_read, come_to_rest
from property_tests.world import LEASE, Session, World

actors = st.integers(0, 2)
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
                event(f"{self.world.overtaken} fills were overtaken by a write")
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

    @rule(index=actors, kind=kinds, pk=pks, steps=steps)
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
        all_idle_read(self.world, name, direct=direct)

    # -- meetings that chance brings about too rarely

    @rule(scene=SCENES)
    def play(self, scene: Scene) -> None:
        function, particulars = scene
        function(self.world, **particulars)

    # -- trouble: one rule, so that it is rare

    @rule(
        kind=st.sampled_from(["fault", "kill", "late", "time", "evict", "clock", "old message", "outside"]),
        index=actors,
        which=st.integers(0, 30),
        fault=st.sampled_from(Fault),
        commit=often,
        milliseconds=st.sampled_from([1000, 4900, 9000, LEASE + 1000]),
    )
    def make_trouble(
        self, *, kind: str, index: int, which: int, fault: Fault, commit: bool, milliseconds: int
    ) -> None:
        world = self.world
        session = world.sessions[index]
        match kind:
            # Without leases, a bump that the store has refused twice is the end of the promise to other processes.
            case "fault" if world.leases or not session.actor.faults:
                session.actor.faults.append(fault)
            case "kill":
                event(f"killed at {type(session.actor.at).__name__}")
                world.kill(session)
            case "late" if world.late is not None:
                world.late_commit(commit=commit)
            case "time" if world.may_pass(milliseconds):
                world.ground.advance(milliseconds)
            case "evict":
                self.evict(which)
            case "clock":
                world.ground.lose_clock()
            case "old message" if world.ground.wire:
                world.ground.store.execute(world.ground.wire[which % len(world.ground.wire)])
            case "outside":
                world.set_outside()
            case _:
                pass

    def evict(self, which: int) -> None:
        """Lose one counter or entry."""
        ground = self.world.ground
        keys = [key for key in ground.counters if not self.world.leases or not self._leased(key)]
        keys += ground.entries
        if keys:
            ground.lose(keys[which % len(keys)])

    def _leased(self, counter: str) -> bool:
        """Tell whether evicting a counter would take leases with it: the documented end of level 2."""
        (state,) = self.world.ground.store.execute(Fetch((counter,))).states
        return state is not None and state.leased

    # -- the end

    def settle_down(self) -> None:
        """Let everybody end, all leases run out, and see that the caches show what is committed."""
        world = self.world
        come_to_rest(world)
        if world.leases:
            told = world.history.now(row for row in world.history.versions if self._told(row))
            world.history.raise_floor(told)
        for session in (world.sessions[0], world.sessions[-1]):
            for name in READERS:
                deeds.read(world, session, name)
                world.finish(session)

    def _told(self, row: tuple[str, int]) -> bool:
        return (row, len(self.world.history.versions[row]) - 1) not in self.world.history.untold

    # Hypothesis leaves out some of the rules in each example, but never these.
    @initialize(
        warm=st.lists(names, max_size=3, unique=True),
        overtaking=OVERTAKING,
        watching=WATCHING,
        others=st.lists(OTHERS, max_size=1),
    )
    def open(self, *, warm: list[str], overtaking: Scene, watching: Scene, others: list[Scene]) -> None:
        for name in warm:
            all_idle_read(self.world, name)
        for scene in (overtaking, watching, *others):
            self.play(scene)


def explore(
    make_ground: Callable[[], Ground], alias: str = "default", *, leases: bool = True, share: int = 1
) -> None:
    """Let Hypothesis look for a trace that breaks the promise, in a share of the profile's examples."""
    made = 0
    found: list[int] = []

    class Here(Coherence):
        def __init__(self) -> None:
            nonlocal made
            made += 1
            super().__init__(lambda: World(make_ground(), Database(alias), leases=leases))

        def teardown(self) -> None:
            if sys.exception() is not None:
                found.append(made)
            super().teardown()

    profile = settings()
    try:
        # A server makes each step slower, and the traces are the same. A scene is worth many steps.
        run_state_machine_as_test(
            Here,
            settings=settings(
                max_examples=profile.max_examples // share,
                stateful_step_count=profile.stateful_step_count // 8,
            ),
        )
    finally:
        if found:
            print(f"found by example {found[0]}")  # noqa: T201 - ``mutants --machine`` reads it


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
