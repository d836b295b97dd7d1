"""The contract of ``Fetch``, ``Ensure``, ``Bump`` and ``ReadClock``."""

from __future__ import annotations

from genscache.stores.base import Bump, Ensure, Fetch, Operation, Put, ReadClock, Store
from genscache.testing.ground import LONG, Ground
from genscache.types import NO_GENERATION, CounterState, Fetched

MANY = 1201
"""More than two atomic steps of a store that chunks."""


class CounterContract(Ground):
    """Generations never repeat, and a missing counter is created only if absent."""

    def test_capabilities_have_a_name_and_room_for_keys(self, store: Store) -> None:
        assert store.capabilities.name
        assert store.capabilities.max_key_bytes >= len(self.names(1)[0])

    def test_what_is_no_operation_is_refused(self, store: Store) -> None:
        import pytest  # noqa: PLC0415  the package does without it

        with pytest.raises(TypeError, match="No store can do"):
            store.execute(Operation())

    def test_fetch_says_what_is_absent(self, store: Store) -> None:
        counter, entry = self.names(2)
        assert store.execute(Fetch((counter,), entry)) == Fetched((None,), None)

    def test_fetch_of_nothing_is_nothing(self, store: Store) -> None:
        assert store.execute(Fetch(())) == Fetched((), None)

    def test_fetch_changes_nothing(self, store: Store) -> None:
        (counter,) = self.names(1)
        store.execute(Fetch((counter,)))
        assert self.state(store, counter) is None

    def test_fetch_answers_in_the_order_asked(self, store: Store) -> None:
        first, absent, second = self.names(3)
        store.execute(Ensure((second,)))
        store.execute(Ensure((first,)))
        one, other = self.state(store, first), self.state(store, second)
        assert one != other
        assert store.execute(Fetch((second, absent, first, second))).states == (other, None, one, other)

    def test_ensure_creates_what_is_absent(self, store: Store) -> None:
        (counter,) = self.names(1)
        (made,) = store.execute(Ensure((counter,)))
        assert made.generation > NO_GENERATION
        assert not made.leased
        assert self.state(store, counter) == made

    def test_ensure_returns_what_exists_as_it_is(self, store: Store) -> None:
        known, absent = self.names(2)
        before = self.generation(store, known)
        new, old = store.execute(Ensure((absent, known)))
        assert old == CounterState(before, leased=False)
        assert new.generation != before
        # Of one that was there before, nobody may think that there is no entry under its generation.
        assert not old.fresh
        assert not any(state.fresh for state in store.execute(Ensure((absent, known))))

    def test_ensure_gives_one_generation_to_a_counter_named_twice(self, store: Store) -> None:
        (counter,) = self.names(1)
        first, second = store.execute(Ensure((counter, counter)))
        assert first == second == self.state(store, counter)

    def test_a_brief_counter_is_a_counter(self, store: Store) -> None:
        brief, lasting, elsewhere = self.names(3)
        made = store.execute(Ensure((lasting, brief), (brief, elsewhere), LONG))
        assert all(state.generation > NO_GENERATION and not state.leased for state in made)
        assert store.execute(Fetch((lasting, brief, elsewhere))).states == (*made, None)
        assert store.execute(Ensure((brief, lasting), (brief, lasting), LONG)) == made[::-1]
        (after,) = store.execute(Bump((brief,)))
        assert after not in {state.generation for state in made}
        assert self.state(store, brief) == CounterState(after, leased=False)

    def test_a_brief_counter_ends_and_comes_back_with_a_generation_that_it_never_had(
        self, store: Store
    ) -> None:
        self.needs_time()
        brief, lasting = self.names(2)
        made, other = store.execute(Ensure((brief, lasting), (brief,), self.life))
        self.let_pass(store, self.life + 2)
        assert store.execute(Fetch((brief, lasting))).states == (None, other)
        assert self.generation(store, brief) != made.generation

    def test_ensure_leaves_the_time_that_a_counter_has(self, store: Store) -> None:
        self.needs_time()
        (counter,) = self.names(1)
        made = store.execute(Ensure((counter,)))
        assert store.execute(Ensure((counter,), (counter,), self.life)) == made
        self.let_pass(store, self.life + 2)
        assert store.execute(Fetch((counter,))).states == made

    def test_many_brief_counters_in_one_operation(self, store: Store) -> None:
        self.needs_time()
        counters = self.names(MANY)
        made = store.execute(Ensure(counters, counters[1::2], self.life))
        self.let_pass(store, self.life + 2)
        found = store.execute(Fetch(counters)).states
        assert found[::2] == made[::2]
        assert set(found[1::2]) == {None}

    def test_a_life_of_counters_out_of_bounds_is_refused(self, store: Store) -> None:
        import pytest  # noqa: PLC0415  the package does without it

        (counter,) = self.names(1)
        for life in (-1, 0, 60 * 24 * 60 * 60 * 1000 + 1):
            with pytest.raises(ValueError, match="life must be a number of milliseconds from 1 to"):
                store.execute(Ensure((counter,), (counter,), life))
        assert self.state(store, counter) is None

    def test_ensure_and_bump_of_nothing(self, store: Store) -> None:
        assert store.execute(Ensure(())) == ()
        assert store.execute(Bump(())) == ()

    def test_bump_gives_a_new_generation(self, store: Store) -> None:
        (counter,) = self.names(1)
        before = self.generation(store, counter)
        (after,) = store.execute(Bump((counter,)))
        assert after != before
        assert self.state(store, counter) == CounterState(after, leased=False)

    def test_bump_of_an_absent_counter_does_nothing(self, store: Store) -> None:
        absent, known = self.names(2)
        before = self.generation(store, known)
        nothing, after = store.execute(Bump((absent, known)))
        assert nothing == NO_GENERATION
        assert after != before
        assert self.state(store, absent) is None

    def test_bump_leaves_other_counters_alone(self, store: Store) -> None:
        bumped, other = self.names(2)
        before = self.generation(store, other)
        self.generation(store, bumped)
        store.execute(Bump((bumped,)))
        assert self.generation(store, other) == before

    def test_generations_never_repeat(self, store: Store) -> None:
        (counter,) = self.names(1)
        seen = [self.generation(store, counter)]
        for _ in range(30):
            seen += self.bumped(store, counter)
        assert len(set(seen)) == len(seen)

    def test_a_lost_counter_comes_back_with_a_generation_that_it_never_had(self, store: Store) -> None:
        (counter,) = self.names(1)
        seen = [self.generation(store, counter)]
        for _ in range(10):
            seen += self.bumped(store, counter)
            store.execute(Put((), ttl=1, unlink=(counter,)))
            assert self.state(store, counter) is None
            seen.append(self.generation(store, counter))
        assert len(set(seen)) == len(seen)

    def test_many_counters_in_one_operation(self, store: Store) -> None:
        counters = self.names(MANY)
        made = store.execute(Ensure(counters))
        assert store.execute(Fetch(counters)).states == made
        after = store.execute(Bump(counters))
        assert not {state.generation for state in made} & set(after)
        assert [state.generation for state in store.execute(Ensure(counters))] == list(after)

    def test_generations_of_all_counters_are_ordered(self, store: Store) -> None:
        self.needs(store, "ordered")
        counters = self.names(3)
        seen = [state.generation for state in store.execute(Ensure(counters))]
        for counter in (*counters, *reversed(counters)):
            seen += self.bumped(store, counter)
        seen += self.bumped(store, *counters)
        assert seen == sorted(set(seen))
        assert seen[-1] < 2**53

    def test_the_clock_separates_what_was_given_before_from_what_comes_after(self, store: Store) -> None:
        self.needs(store, "ordered")
        known, later = self.names(2)
        before = self.generation(store, known)
        reading = store.execute(ReadClock())
        assert before <= reading
        assert store.execute(ReadClock()) == reading
        assert store.execute(Bump((known,)))[0] > reading
        assert self.generation(store, later) > reading

    def test_the_clock_gives_nothing_where_generations_are_not_ordered(self, store: Store) -> None:
        if not store.capabilities.ordered:
            self.generation(store, *self.names(1))
            assert store.execute(ReadClock()) == NO_GENERATION

    def test_concurrent_readers_agree_on_a_new_counter(self, store: Store) -> None:
        # Without an atomic "add" (locks=False) readers may disagree for a moment, which costs a miss.
        self.needs(store, "locks")
        if self.threads:
            (counter,) = self.names(1)
            seen = self.at_once(lambda _: store.execute(Ensure((counter,))), 8)
            assert len(set(seen)) == 1

    def test_concurrent_bumps_all_differ_from_what_was_there(self, store: Store) -> None:
        if self.threads:
            (counter,) = self.names(1)
            before = self.generation(store, counter)
            seen = [
                generation for (generation,) in self.at_once(lambda _: store.execute(Bump((counter,))), 8)
            ]
            assert before not in seen
            if store.capabilities.ordered:
                assert len(set(seen)) == len(seen)

    def test_a_closed_store_opens_again(self, store: Store) -> None:
        (counter,) = self.names(1)
        self.generation(store, counter)
        store.close()
        self.generation(store, counter)
