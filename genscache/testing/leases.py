"""The contract of ``Lease`` and ``Settle``, and of what the other operations do under a lease."""

from __future__ import annotations

from genscache.stores.base import Bump, Ensure, Fetch, Lease, Settle, Store
from genscache.testing.ground import LONG, SHORT, Ground
from genscache.types import NO_GENERATION, CounterState

MARK = CounterState(NO_GENERATION, leased=True)
EXPIRED = SHORT + 2
"""When a server that expires keys by the millisecond has noticed, in milliseconds."""


class LeaseContract(Ground):
    """While leased, readers are told; a lease that runs out is never dropped without a bump."""

    def test_a_lease_shows_and_keeps_the_generation(self, store: Store) -> None:
        self.needs(store, "leases")
        (counter,) = self.names(1)
        before = self.generation(store, counter)
        store.execute(Lease((counter,), "w1", LONG))
        leased = CounterState(before, leased=True)
        assert self.state(store, counter) == leased
        assert store.execute(Ensure((counter,))) == (leased,)

    def test_a_lease_on_an_absent_counter_leaves_a_mark(self, store: Store) -> None:
        self.needs(store, "leases")
        (counter,) = self.names(1)
        store.execute(Lease((counter,), "w1", LONG))
        assert self.state(store, counter) == MARK
        assert store.execute(Ensure((counter,))) == (MARK,)

    def test_a_mark_is_gone_when_its_lease_has_run_out(self, store: Store) -> None:
        self.needs(store, "leases")
        self.needs_time()
        (counter,) = self.names(1)
        store.execute(Lease((counter,), "w1", SHORT))
        self.let_pass(store, EXPIRED)
        assert self.state(store, counter) is None

    def test_an_expired_mark_becomes_a_new_counter(self, store: Store) -> None:
        self.needs(store, "leases")
        self.needs_time()
        (counter,) = self.names(1)
        store.execute(Lease((counter,), "w1", SHORT))
        self.let_pass(store, SHORT)
        (made,) = store.execute(Ensure((counter,)))
        assert made.generation > NO_GENERATION
        assert not made.leased

    def test_a_mark_lives_as_long_as_its_longest_lease(self, store: Store) -> None:
        self.needs(store, "leases")
        self.needs_time()
        (counter,) = self.names(1)
        store.execute(Lease((counter,), "long", LONG))
        store.execute(Lease((counter,), "short", SHORT))
        self.let_pass(store, EXPIRED)
        assert store.execute(Ensure((counter,))) == (MARK,)
        store.execute(Settle("long", bump=(counter,)))
        assert self.state(store, counter) is None

    def test_an_expired_lease_ends_with_a_bump(self, store: Store) -> None:
        self.needs(store, "leases")
        self.needs_time()
        (counter,) = self.names(1)
        before = self.generation(store, counter)
        store.execute(Lease((counter,), "w1", SHORT))
        self.let_pass(store, SHORT)
        assert self.state(store, counter) == CounterState(before, leased=True), "a fetch resolves nothing"
        (after,) = store.execute(Ensure((counter,)))
        assert after.generation > before
        assert not after.leased
        assert store.execute(Ensure((counter,))) == (after,), "it is resolved once"

    def test_an_expired_lease_beside_a_live_one_bumps_and_stays_leased(self, store: Store) -> None:
        self.needs(store, "leases")
        self.needs_time()
        (counter,) = self.names(1)
        before = self.generation(store, counter)
        store.execute(Lease((counter,), "dead", SHORT))
        store.execute(Lease((counter,), "live", LONG))
        self.let_pass(store, SHORT)
        (after,) = store.execute(Ensure((counter,)))
        assert after.generation > before
        assert after.leased
        store.execute(Settle("live", bump=(), release=(counter,)))
        assert self.state(store, counter) == CounterState(after.generation, leased=False)

    def test_a_brief_counter_does_not_end_under_a_lease(self, store: Store) -> None:
        self.needs(store, "leases")
        self.needs_time()
        (known,) = self.names(1)
        store.execute(Ensure((known,), (known,), LONG))
        store.execute(Lease((known,), "dead", SHORT))
        store.execute(Lease((known,), "live", LONG))
        self.let_pass(store, EXPIRED)
        (after,) = store.execute(Ensure((known,), (known,), SHORT))
        assert after.leased
        self.let_pass(store, EXPIRED)
        assert self.state(store, known) == after

    def test_a_brief_counter_whose_lease_expired_gets_its_life(self, store: Store) -> None:
        self.needs(store, "leases")
        self.needs_time()
        (counter,) = self.names(1)
        before = self.generation(store, counter)
        store.execute(Lease((counter,), "dead", SHORT))
        self.let_pass(store, EXPIRED)
        (after,) = store.execute(Ensure((counter,), (counter,), SHORT))
        assert after.generation > before
        self.let_pass(store, EXPIRED)
        assert self.state(store, counter) is None

    def test_bump_keeps_leases(self, store: Store) -> None:
        self.needs(store, "leases")
        (counter,) = self.names(1)
        before = self.generation(store, counter)
        store.execute(Lease((counter,), "w1", LONG))
        (after,) = store.execute(Bump((counter,)))
        assert after > before
        assert self.state(store, counter) == CounterState(after, leased=True)

    def test_bump_of_a_mark_does_nothing(self, store: Store) -> None:
        self.needs(store, "leases")
        (counter,) = self.names(1)
        store.execute(Lease((counter,), "w1", LONG))
        assert store.execute(Bump((counter,))) == (NO_GENERATION,)
        assert self.state(store, counter) == MARK

    def test_several_leases_coexist(self, store: Store) -> None:
        self.needs(store, "leases")
        (counter,) = self.names(1)
        self.generation(store, counter)
        for token in ("w1", "w2", "w3"):
            store.execute(Lease((counter,), token, LONG))
        for token, left in (("w2", True), ("w1", True), ("w3", False)):
            store.execute(Settle(token, bump=(counter,)))
            state = self.state(store, counter)
            assert state is not None
            assert state.leased is left

    def test_the_same_token_renews(self, store: Store) -> None:
        self.needs(store, "leases")
        self.needs_time()
        counter, mark = self.names(2)
        before = self.generation(store, counter)
        store.execute(Lease((counter, mark), "w1", SHORT))
        store.execute(Lease((counter, mark), "w1", LONG))
        self.let_pass(store, EXPIRED)
        assert store.execute(Ensure((counter, mark))) == (CounterState(before, leased=True), MARK)
        store.execute(Settle("w1", bump=(), release=(counter, mark)))
        assert store.execute(Fetch((counter, mark))).states == (CounterState(before, leased=False), None)

    def test_a_renewal_never_shortens(self, store: Store) -> None:
        self.needs(store, "leases")
        self.needs_time()
        (counter,) = self.names(1)
        before = self.generation(store, counter)
        store.execute(Lease((counter,), "w1", LONG))
        store.execute(Lease((counter,), "w1", SHORT))
        self.let_pass(store, EXPIRED)
        assert store.execute(Ensure((counter,))) == (CounterState(before, leased=True),)

    def test_settle_bumps_and_ends_the_lease(self, store: Store) -> None:
        bumped, other = self.names(2)
        before, untouched = self.generation(store, bumped), self.generation(store, other)
        store.execute(Lease((bumped,), "w1", LONG))
        store.execute(Settle("w1", bump=(bumped,)))
        state = self.state(store, bumped)
        assert state is not None
        assert state.generation not in {before, NO_GENERATION}
        assert not state.leased
        assert self.generation(store, other) == untouched

    def test_release_ends_the_lease_and_keeps_the_generation(self, store: Store) -> None:
        (counter,) = self.names(1)
        before = self.generation(store, counter)
        store.execute(Lease((counter,), "w1", LONG))
        store.execute(Settle("w1", bump=(), release=(counter,)))
        assert self.state(store, counter) == CounterState(before, leased=False)

    def test_a_repeated_settle_is_harmless(self, store: Store) -> None:
        bumped, released = self.names(2)
        before = self.generation(store, released)
        seen = {self.generation(store, bumped)}
        store.execute(Lease((bumped, released), "w1", LONG))
        for _ in range(3):
            store.execute(Settle("w1", bump=(bumped,), release=(released,)))
            seen.add(self.generation(store, bumped))
            assert store.execute(Ensure((released,))) == (CounterState(before, leased=False),)
        # Each settle bumps, whether or not the token is still there.
        assert len(seen) == 4

    def test_settle_bumps_also_when_a_reader_has_resolved_the_lease(self, store: Store) -> None:
        self.needs(store, "leases")
        self.needs_time()
        (counter,) = self.names(1)
        self.generation(store, counter)
        store.execute(Lease((counter,), "w1", SHORT))
        self.let_pass(store, SHORT)
        resolved = self.generation(store, counter)
        store.execute(Settle("w1", bump=(counter,)))
        assert self.generation(store, counter) > resolved

    def test_releasing_what_a_reader_has_resolved_does_nothing(self, store: Store) -> None:
        self.needs(store, "leases")
        self.needs_time()
        (counter,) = self.names(1)
        self.generation(store, counter)
        store.execute(Lease((counter,), "w1", SHORT))
        self.let_pass(store, SHORT)
        resolved = self.generation(store, counter)
        store.execute(Settle("w1", bump=(), release=(counter,)))
        assert self.state(store, counter) == CounterState(resolved, leased=False)

    def test_settle_leaves_the_leases_of_others(self, store: Store) -> None:
        self.needs(store, "leases")
        bumped, released = self.names(2)
        before = self.generation(store, bumped), self.generation(store, released)
        store.execute(Lease((bumped, released), "mine", LONG))
        store.execute(Lease((bumped, released), "other", LONG))
        store.execute(Settle("mine", bump=(bumped,), release=(released,)))
        one, other = store.execute(Ensure((bumped, released)))
        assert one.leased
        assert one.generation > before[0]
        assert other == CounterState(before[1], leased=True)

    def test_a_mark_whose_last_token_goes_is_removed(self, store: Store) -> None:
        self.needs(store, "leases")
        bumped, released, shared = self.names(3)
        store.execute(Lease((bumped, released, shared), "w1", LONG))
        store.execute(Lease((shared,), "w2", LONG))
        store.execute(Settle("w1", bump=(bumped, shared), release=(released,)))
        assert store.execute(Fetch((bumped, released, shared))).states == (None, None, MARK)

    def test_a_counter_in_both_lists_is_bumped(self, store: Store) -> None:
        (counter,) = self.names(1)
        before = self.generation(store, counter)
        store.execute(Lease((counter,), "w1", LONG))
        store.execute(Settle("w1", bump=(counter,), release=(counter,)))
        state = self.state(store, counter)
        assert state is not None
        assert state.generation != before
        assert not state.leased

    def test_settle_creates_nothing(self, store: Store) -> None:
        counters = self.names(2)
        store.execute(Settle("w1", bump=counters[:1], release=counters[1:]))
        assert store.execute(Fetch(counters)).states == (None, None)

    def test_many_counters_in_one_lease_and_one_settle(self, store: Store) -> None:
        self.needs(store, "leases")
        counters = self.names(1201)
        bumped, released = counters[:700], counters[700:]
        before = store.execute(Ensure(counters))
        store.execute(Lease(counters, "w1", LONG))
        assert all(state is not None and state.leased for state in store.execute(Fetch(counters)).states)
        store.execute(Settle("w1", bump=bumped, release=released))
        after = store.execute(Ensure(counters))
        assert not any(state.leased for state in after)
        assert after[700:] == before[700:]
        assert all(
            new.generation > old.generation for new, old in zip(after[:700], before[:700], strict=True)
        )

    def test_a_lease_on_nothing_is_nothing(self, store: Store) -> None:
        store.execute(Lease((), "w1", LONG))
        store.execute(Settle("w1", bump=()))

    def test_tokens_and_durations_that_cannot_be_written_are_refused(self, store: Store) -> None:
        import pytest  # noqa: PLC0415  the package does without it

        (counter,) = self.names(1)
        for token in ("", "a b", "a@1", "é", "x" * 129, "a\n"):
            with pytest.raises(ValueError, match="A token has"):
                store.execute(Lease((counter,), token, LONG))
        for duration in (0, -1, 2**60):
            with pytest.raises(ValueError, match="duration must be"):
                store.execute(Lease((counter,), "w1", duration))
        assert self.state(store, counter) is None

    def test_without_leases_a_lease_does_nothing(self, store: Store) -> None:
        if not store.capabilities.leases:
            known, absent = self.names(2)
            before = self.generation(store, known)
            store.execute(Lease((known, absent), "w1", LONG))
            assert store.execute(Fetch((known, absent))).states == (CounterState(before, leased=False), None)
