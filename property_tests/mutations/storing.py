"""Bugs of the store: what a counter is, and what a lease on it is."""

from __future__ import annotations

from property_tests.mutations import INTERLEAVINGS, Edit, Mutation

MUTATIONS = (
    Mutation(
        "a counter that is missing starts at 1",
        (
            Edit(
                "Counter(self._reading(now, NO_GENERATION), now + 1000 * life)",
                "Counter(1, now + 1000 * life)",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_counter_that_was_evicted_never_comes_back_as_it_was",
        quick=True,
    ),
    Mutation(
        "a counter that is missing gets the clock's last reading again",
        (
            Edit(
                "Counter(self._reading(now, NO_GENERATION), now + 1000 * life)",
                "Counter(self._clock or self._reading(now, NO_GENERATION), now + 1000 * life)",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_counter_that_was_evicted_never_comes_back_as_it_was",
    ),
    Mutation(
        "a lease that has run out is dropped without a bump",
        (
            Edit(
                "            counter.renew(self._reading(now, counter.generation), now + 1000 * life)\n"
                "        self._shelves",
                "            pass\n        self._shelves",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_writer_that_dies_around_its_commit",
    ),
    Mutation(
        "one lease a counter instead of a set of tokens",
        (
            Edit(
                "counter.leases[operation.token] = max(deadline, counter.leases.get(operation.token, 0))",
                "counter.leases = {operation.token: deadline}",
            ),
        ),
        f"{INTERLEAVINGS}::test_two_writers_hold_two_leases",
    ),
    Mutation(
        "a lease on a counter that does not exist leaves no mark",
        (
            Edit(
                "            counter = self._shelves.counter(key, now) or Counter(NO_GENERATION, now)\n",
                "            counter = self._shelves.counter(key, now)\n"
                "            if counter is None:\n"
                "                continue\n",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_lease_on_what_nobody_has_read_yet",
    ),
    Mutation(
        "a bump ends all leases",
        (
            Edit(
                "        self.generation = generation\n",
                "        self.generation = generation\n        self.leases = {}\n",
            ),
        ),
        f"{INTERLEAVINGS}::test_two_writers_hold_two_leases",
    ),
)
