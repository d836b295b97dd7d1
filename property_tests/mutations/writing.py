"""Bugs of writes: when they are leased, bumped and settled."""

from __future__ import annotations

from property_tests.mutations import INTERLEAVINGS, Edit, Mutation

MUTATIONS = (
    Mutation(
        "a SELECT outside transactions is let pass, whatever it calls",
        (
            Edit(
                "            and not (statement.functions and self._engine().catalog.declares_procedures)\n",
                "",
            ),
        ),
        "tests/writes/test_sql.py::test_a_query_that_calls_a_function_that_is_declared_to_write",
    ),
    Mutation(
        "the bump comes before COMMIT and not after it",
        (
            Edit(
                "    try:\n        yield\n    except BaseException as error:\n        after_failure",
                "    ticket.settle(pending)\n"
                "    try:\n        yield\n    except BaseException as error:\n        after_failure",
            ),
            Edit(
                "        _reset(connection)\n        ticket.settle(pending)\n",
                "        _reset(connection)\n",
            ),
        ),
        f"{INTERLEAVINGS}::test_readers_at_every_step_of_a_commit",
        quick=True,
    ),
    Mutation(
        "the lease is settled before COMMIT, and a bump follows",
        (
            Edit(
                "    try:\n        yield\n    except BaseException as error:\n        after_failure",
                "    ticket.release()\n"
                "    try:\n        yield\n    except BaseException as error:\n        after_failure",
            ),
        ),
        f"{INTERLEAVINGS}::test_readers_at_every_step_of_a_commit",
    ),
    Mutation(
        "no lease before COMMIT",
        (
            Edit(
                "        if not leases(engine):\n            return\n        coarse",
                "        if True:\n            return\n        coarse",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_writer_that_dies_around_its_commit",
    ),
    Mutation(
        "the lease is released when the answer of COMMIT is lost",
        (
            Edit(
                "        ticket.abandon(pending, error)\n",
                "        ticket.release()\n",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_commit_whose_answer_is_lost_and_that_takes_effect_later",
    ),
    Mutation(
        "the end of a batch ends the lease of a COMMIT that may still come",
        (Edit("self._batch.abandon(namespaces)", "self._batch.add(namespaces)"),),
        f"{INTERLEAVINGS}::test_the_end_of_a_batch_does_not_end_the_lease_of_a_commit_that_may_still_come",
    ),
    Mutation(
        "a lease of a batch counts from its answer",
        (
            Edit(
                "self._batch.leased(counters, since=asked)",
                "self._batch.leased(counters, since=time.monotonic())",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_lease_of_a_batch_counts_from_when_it_was_asked_for",
    ),
    Mutation(
        "what was pending is dropped when a savepoint is released",
        (Edit("                outer.update(frame)\n", "                pass\n"),),
        f"{INTERLEAVINGS}::test_what_a_released_savepoint_wrote_is_bumped_at_commit",
    ),
    Mutation(
        "a batch that ends with an error is not sent out",
        (
            Edit(
                "        if batch is not None and steps is not None:\n            failed = deliver(",
                "        if batch is not None and steps is not None and error is None:\n"
                "            failed = deliver(",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_batch_is_sent_out_at_its_end",
    ),
    Mutation(
        "a bump whose answer is lost is not sent again",
        (
            Edit(
                "    except StoreUnavailable:\n        yield operation",
                "    except StoreUnavailable:\n        return",
            ),
        ),
        f"{INTERLEAVINGS}::test_a_bump_that_did_not_arrive_is_sent_again",
    ),
    Mutation(
        "invalidate_obj forgets the lists",
        (
            Edit(
                "                namespaces |= self.row(alias, table, [text if exact else None])\n",
                "                bumped = self.row(alias, table, [text if exact else None])\n"
                "                namespaces |= {each for each in bumped if each.kind is not Kind.ROWS}\n",
            ),
        ),
        f"{INTERLEAVINGS}::test_what_was_written_behind_everybodys_back_is_gone_when_it_was_told",
    ),
)
