"""The promise, for querysets: whatever is asked, the cache says what the database says, whoever has written what.

Random questions (``orm/questions.py``) and random writes (``orm/writes.py``) in several connections of two
processes. The oracle is the database: each question is asked once of the cache and once, at the same moment and on the
same connection, of a plain queryset of Django's, and both answers must be the same, down to types, deferred fields and
related objects. After each step, everybody asks again what was asked before.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from genscache.stores.base import Fetch
from property_tests import blocks
from property_tests.actors import Ground
from property_tests.grounds import MemoryGround, ValkeyGround
from property_tests.orm import deeds, stage
from property_tests.orm.questions import Question, families, questions
from property_tests.orm.stage import POLICIES
from property_tests.orm.writes import announced, writes
from property_tests.walking import come_to_rest
from property_tests.world import LEASE, Session, World

REMEMBERED = 8
"""Questions that are asked again."""

actors = st.integers(0, 2)
often = st.booleans()


class Querysets(RuleBasedStateMachine):
    """Moves a world.

    Args:
        make: Makes the world of one example, from a policy.
    """

    def __init__(self, make: Callable[[str], World]) -> None:
        super().__init__()
        self._make = make
        self.world: World | None = None
        self.asked: deque[Question] = deque(maxlen=REMEMBERED)
        self.turn = 0

    @property
    def here(self) -> World:
        assert self.world is not None
        return self.world

    def teardown(self) -> None:
        if self.world is None:
            return
        try:
            if sys.exception() is None:
                come_to_rest(self.here)
                self.ask_all(tuple(self.asked))
        finally:
            self.world.close()

    @initialize(
        policy=st.sampled_from(sorted(POLICIES)), family=families(), others=st.lists(questions(), max_size=3)
    )
    def open(self, policy: str, family: tuple[Question, ...], others: list[Question]) -> None:
        self.world = self._make(policy)
        self.remember(*family, *others)

    # -- who can

    def ready(self, index: int) -> Session:
        """Return an actor that can do something; one in a broken transaction rolls back first."""
        session = self.here.sessions[index]
        while session.broken:
            self.end_block(session, well=False)
        return session

    def end_block(self, session: Session, *, well: bool) -> None:
        blocks.leave(self.here, session, well=well and not session.broken)
        self.here.finish(session)

    def remember(self, *found: Question) -> None:
        for each in found:
            if each not in self.asked:
                self.asked.append(each)

    def ask_all(self, found: tuple[Question, ...], *, but: Session | None = None) -> None:
        stage.ask_all(self.here, found, but=but)

    @invariant()
    def everybody_asks_again(self) -> None:
        if self.world is not None:
            self.turn += 1
            found = list(self.asked)
            self.ask_all(tuple(found[(self.turn + step) % len(found)] for step in range(min(3, len(found)))))

    @rule(family=families())
    def ask_new(self, family: tuple[Question, ...]) -> None:
        self.remember(*family)
        self.ask_all(family)

    # -- what is written

    @rule(index=actors, text=writes(), undone=st.sampled_from((False, False, False, True)))
    def write(self, *, index: int, text: str, undone: bool) -> None:
        session = self.ready(index)
        stage.write(self.here, session, text, undone=undone)

    @rule(index=actors, first=writes(), second=writes())
    def write_twice(self, index: int, first: str, second: str) -> None:
        for text in (first, second):
            self.write(index=index, text=text, undone=False)

    @rule(index=actors, text=announced)
    def announce(self, index: int, text: str) -> None:
        if not any(each.batching for each in self.here.sessions):
            self.write(index=index, text=text, undone=False)

    # -- who meets whom

    @rule(
        reader=actors,
        rest=st.sampled_from((1, 2)),
        question=st.none() | questions(),
        steps=st.integers(1, 6),
        text=writes(),
        waiter=often,
    )
    def overtake(
        self, *, reader: int, rest: int, question: Question | None, steps: int, text: str, waiter: bool
    ) -> None:
        """A read stops somewhere; a write comes and ends; another thread asks for the same; the read ends."""
        question = question or self.asked[0]
        self.remember(question)
        first, second, writer = (self.ready((reader + each) % 3) for each in (0, rest, 3 - rest))
        answers: list[object] = []
        deeds.glance(self.here, first, question, answers.append)
        self.some(first, steps)
        stage.write(self.here, writer, text)
        if waiter:
            deeds.glance(self.here, second, question, answers.append)
            self.some(second, steps)
        self.here.finish(first)
        self.here.finish(second)
        deeds.part(answers)
        self.ask_all((question,))

    @rule(index=actors, text=writes(), family=families())
    def watch(self, index: int, text: str, family: tuple[Question, ...]) -> None:
        """Others ask at every step of a write: with leases, nobody ever sees what the database no longer says."""
        self.remember(*family)
        writer = self.ready(index)
        self.ask_all(family)
        if self.here.leases and not text.startswith("invalidate"):
            deeds.write(self.here, writer, text)
            while not writer.actor.idle:
                self.here.step(writer)
                self.ask_all(family[:1], but=writer)
            self.ask_all(family)

    def some(self, session: Session, steps: int) -> None:
        for _ in range(steps):
            if not session.actor.idle:
                self.here.step(session)

    # -- blocks

    @rule(index=actors, kind=st.sampled_from(("atomic", "atomic", "atomic", "batch", "repeatable")))
    def enter(self, index: int, kind: str) -> None:
        session = self.ready(index)
        repeatable = kind == "repeatable" and self.here.database.alias == "postgres" and not session.frames
        if len(session.contexts) < 3:
            blocks.enter(self.here, session, "batch" if kind == "batch" else "atomic")
            self.here.finish(session)
            if repeatable:
                deeds.isolate(self.here, session)
                self.here.finish(session)

    @rule(index=actors, well=st.sampled_from((True, True, False)))
    def leave(self, *, index: int, well: bool) -> None:
        session = self.here.sessions[index]
        if session.contexts:
            self.end_block(session, well=well)

    # -- trouble

    @rule(which=st.integers(0, 60))
    def evict(self, which: int) -> None:
        ground = self.here.ground
        keys = [key for key in ground.counters if not self._leased(key)] + list(ground.entries)
        if keys:
            ground.lose(keys[which % len(keys)])

    def _leased(self, counter: str) -> bool:
        (state,) = self.here.ground.store.execute(Fetch((counter,))).states
        return state is not None and state.leased

    @rule(milliseconds=st.sampled_from((1000, 61_000, LEASE + 1000)), process=st.sampled_from((0, 1)))
    def pass_time(self, milliseconds: int, process: int) -> None:
        """Time passes, or a process forgets what it knows."""
        if not any(each.contexts for each in self.here.sessions):
            self.here.ground.advance(milliseconds)
            if milliseconds == LEASE + 1000:
                self.here.restart(process)


def explore(
    make_ground: Callable[[], Ground], alias: str = "default", *, leases: bool = True, share: int = 1
) -> None:
    """Let Hypothesis look for a trace that breaks the promise, in a share of the profile's examples."""

    class Here(Querysets):
        def __init__(self) -> None:
            super().__init__(
                lambda policy: stage.make_world(make_ground(), policy, alias=alias, leases=leases)
            )

    profile = settings()
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=max(1, profile.max_examples // share),
            stateful_step_count=max(4, profile.stateful_step_count // 5),
        ),
    )


@pytest.mark.django_db(transaction=True)
def test_querysets_say_what_the_database_says() -> None:
    explore(MemoryGround)


@pytest.mark.django_db(transaction=True)
def test_querysets_say_what_the_database_says_without_leases() -> None:
    explore(MemoryGround, leases=False, share=4)


@pytest.mark.django_db(transaction=True)
def test_querysets_say_what_the_database_says_with_valkey(valkey_url: str) -> None:
    explore(lambda: ValkeyGround("redis" + valkey_url[valkey_url.index("://") :], "m", "m:1:clock"), share=6)


@pytest.mark.django_db(transaction=True, databases=["postgres"])
def test_querysets_say_what_postgresql_says() -> None:
    explore(MemoryGround, "postgres", share=4)


@pytest.mark.django_db(transaction=True, databases=["mariadb"])
def test_querysets_say_what_mariadb_says() -> None:
    explore(MemoryGround, "mariadb", share=6)
