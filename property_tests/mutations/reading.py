"""Bugs of reads: which generations, when, and who may be given what."""

from __future__ import annotations

from property_tests.mutations import INTERLEAVINGS, Edit, Mutation

MUTATIONS = (
    Mutation(
        "the vector is read again when the result is stored",
        (
            Edit(
                "        key, superseded = self._place(recording)\n",
                "        key, superseded = self._place(recording)\n"
                "        used = tuple(sorted(recording.used))\n"
                "        states = yield from observe(engine.counters(used))\n"
                "        vector = tuple(state.generation for state in states)\n"
                "        question = self._job.identity.question(engine, self._job.call, used)\n"
                "        key = engine.keys.entry(question.owner, question.fingerprint, vector)\n",
            ),
            Edit(
                "from genscache.protocol.read import Miss, Question, fill\n",
                "from genscache.protocol.read import Miss, Question, fill, observe\n",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_write_between_query_and_fill",
        quick=True,
    ),
    Mutation(
        "the generations of a discovered table are read after the query",
        (
            Edit(
                "        key, superseded = self._place(recording)\n",
                "        late = tuple(sorted(recording.used.keys() - self.vector.keys()))\n"
                "        states = (yield from observe(engine.counters(late))) if late else ()\n"
                "        recording.used.update(zip(late, (state.generation for state in states), strict=True))\n"
                "        key, superseded = self._place(recording)\n",
            ),
            Edit(
                "from genscache.protocol.read import Miss, Question, fill\n",
                "from genscache.protocol.read import Miss, Question, fill, observe\n",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_write_at_every_step_of_a_read",
    ),
    Mutation(
        "waiters share a fill by fingerprint, whatever its vector",
        (
            Edit(
                "self._flights.join(filler.miss.key, ",
                'self._flights.join(filler.miss.key.partition(":g=")[0], ',
            ),
            Edit("if shared is not None and shared[0] != filler.miss.key:", "if False:"),
        ),
        f"{INTERLEAVINGS}::test_a_waiter_that_began_after_the_write_is_not_given_what_was_computed_before_it",
    ),
    Mutation(
        "a waiter is given a result whose dependencies it has not asked for",
        (Edit("if shared is not None and shared[0] != filler.miss.key:", "if False:"),),
        f"{INTERLEAVINGS}::test_a_waiter_asks_for_what_its_leader_has_found",
    ),
    Mutation(
        "a fill drops an entry that is younger than its own",
        (
            Edit(
                "    if any(old > new for old, new in zip(known, vector, strict=True)):\n        return None\n",
                "",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_late_fill_leaves_a_younger_entry_alone",
    ),
    Mutation(
        "readers serve and fill while a lease is on",
        (
            Edit(
                "    if True in [state.leased for state in states]:\n        return Bypass(why_leased(states))\n",
                "",
            ),
            Edit(
                "        if state is None or state.leased:\n            return None\n",
                "        if state is None:\n            return None\n",
            ),
            Edit(
                "            if self.vector is None or fetched.states != self._states:\n",
                "            if self.vector is None or [each and each.generation for each in fetched.states] != [\n"
                "                *self.vector\n            ]:\n",
            ),
        ),
        f"{INTERLEAVINGS}::test_readers_at_every_step_of_a_commit",
    ),
    Mutation(
        "a snapshot uses generations that are younger than itself",
        (
            Edit(
                "    if not_after is not None and any(generation > not_after for generation in vector):\n"
                "        return Bypass(NEWER)\n",
                "",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_snapshot_is_not_shown_what_another_process_has_filled_since",
        quick=True,
    ),
    Mutation(
        "the clock of a snapshot is taken after its first statement",
        (Edit("    if state.begun:\n        return\n", "    if False:\n        return\n"),),
        f"{INTERLEAVINGS}::test_a_snapshot_reads_itself_and_fills_nothing_younger",
    ),
    Mutation(
        "an unfinished SELECT on SQLite is not noticed",
        (Edit("        self.unfinished = self.description is not None\n", ""),),
        f"{INTERLEAVINGS}::test_an_unfinished_select_pins_a_snapshot_in_autocommit",
    ),
    Mutation(
        "a transaction that has written fills",
        (
            Edit(
                "    if state.wrote:\n        return Decision(Mode.READ_ONLY",
                "    if False:\n        return Decision(Mode.READ_ONLY",
            ),
            Edit(
                "        if state.wrote:\n            return WROTE\n",
                "        pass\n",
            ),
            Edit(
                "    return guards.WROTE if state.wrote else sessions.unfit(engine, state)\n",
                "    return sessions.unfit(engine, state)\n",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_transaction_that_has_written_fills_nothing_at_all",
    ),
    Mutation(
        "a connection in a transaction is a quiet one",
        (
            Edit(
                "                or in_transaction(connection, state)\n                or state.pinned\n", ""
            ),
        ),
        f"{INTERLEAVINGS}::test_own_writes_are_read_and_not_shared",
        quick=True,
    ),
    Mutation(
        "a connection that SQL text has changed is a quiet one",
        (
            Edit(
                "                state.session_changed\n                or state.locally_changed\n",
                "                False\n",
            ),
        ),
        "tests/tenants/test_schemas.py::test_a_connection_that_was_changed_in_another_context_is_changed",
    ),
    Mutation(
        "the transaction of a thread that waits does not count",
        (
            Edit(
                "        if waiting is not None and waiting not in own:\n            return False\n",
                "        del waiting\n",
            ),
        ),
        "tests/reads/test_unfit.py::test_own_writes_are_seen_and_not_stored",
    ),
    Mutation(
        "a transaction is served what it has changed itself",
        (Edit("    if state.touches(namespaces):\n        return OWN_WRITES\n", ""),),
        f"{INTERLEAVINGS}::test_own_writes_are_read_and_not_shared",
        quick=True,
    ),
    Mutation(
        "a nested cached function's dependencies are forgotten",
        (
            Edit(
                "            self._outer.absorb(self._recording.used, flaw=self._recording.flaw)\n",
                "            pass\n",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_write_at_every_step_of_a_read",
    ),
    Mutation(
        "reads trust the store while bumps are owed to it",
        (Edit("    if engine.unsettled:\n        return OWED\n", ""),),
        f"{INTERLEAVINGS}::test_a_process_that_owes_a_bump_trusts_nothing",
    ),
)
