"""Bugs of the short ways: what is remembered of a question, and which queryset may be changed instead of copied."""

from __future__ import annotations

from property_tests.mutations import Edit, Mutation

_QUICK = "tests/querysets/test_quick.py"
_KEYED = "tests/querysets/test_keyed.py"
_AGAIN = "tests/querysets/test_asked_again.py"
_PLAIN = "tests/stores/test_plain_steps.py"
_COPIES = "tests/reads/test_copies.py"
_SNAPSHOTS = "tests/reads/test_snapshots.py"
_LANE = "tests/stores/test_lane.py"
_HARVESTS = "tests/querysets/test_harvests.py"
_PREPARED = "property_tests/test_prepared.py"

MUTATIONS = (
    Mutation(
        "a question without a query forgets its model",
        (Edit("        rows.model, type(rows), op, database,", "        type(rows), op, database,"),),
        f"{_QUICK}::test_values_are_told_apart",
        quick=True,
    ),
    Mutation(
        "a row is named after another one, and depends on that",
        (Edit("each._replace(detail=text) if each.kind is Kind.OBJECT else each", "each"),),
        f"{_QUICK}::test_rows_are_named_after_one_another_as_if_each_were_the_first",
        quick=True,
    ),
    Mutation(
        "a row is named after another one whose key cannot be told from a limit",
        (Edit(" and found.structure.values.count(full) == 1:", ":"),),
        f"{_QUICK}::test_rows_are_named_after_one_another_as_if_each_were_the_first",
    ),
    Mutation(
        "SQL with values outside of the conditions is asked again",
        (
            Edit('    "annotations", "extra",', '    "extra",'),
            Edit("any(params for _, (_, params), _ in self.select or ())", "False"),
        ),
        f"{_PREPARED}::test_pieces_make_what_django_makes",
    ),
    Mutation(
        "conditions are asked again with the first values",
        (
            Edit(
                "        self.where, self.having, self.qualify = self.query.where, None, None\n",
                "        self.where, self.having, self.qualify = found.where, None, None\n",
            ),
            Edit(
                "    raw: bool = False\n    proven",
                "    raw: bool = False\n    where: Any = None\n    proven",
            ),
            Edit(
                "order_by, joins, fields, self._is_raw(select))",
                "order_by, joins, fields, self._is_raw(select), self.query.where)",
            ),
        ),
        f"{_HARVESTS}::test_a_shape_that_is_known_is_compiled_and_made_without_django",
        quick=True,
    ),
    Mutation(
        "a relation that is missing in some rows is taken from others",
        (
            Edit(
                "progression([numbers.get(row, 0) for row in crop.rows])",
                "progression([*range(related.first, related.first + len(crop.rows))])",
            ),
        ),
        f"{_HARVESTS}::test_a_shape_that_is_known_is_compiled_and_made_without_django",
    ),
    Mutation(
        "receivers do not hear of instances",
        (
            Edit(
                "signal.has_listeners(model) for model in self.models",
                "False and model for model in self.models",
            ),
        ),
        f"{_HARVESTS}::test_receivers_hear_of_every_instance",
        quick=True,
    ),
    Mutation(
        "values that can be changed are copies",
        (
            Edit("    if writing.rest:\n        raise NotParts\n", ""),
            Edit("tuple(writing.columns), kinds, [])", "tuple(writing.columns), kinds, writing.rest)"),
        ),
        f"{_HARVESTS}::test_values_that_can_be_changed_are_djangos",
    ),
    Mutation(
        "a block does not see its own writes",
        (Edit("    if found is not None:\n        found.forget()\n", ""),),
        f"{_SNAPSHOTS}::test_a_write_of_the_block_is_seen_and_one_of_others_at_its_end",
        quick=True,
    ),
    Mutation(
        "what began before a write of the block is kept",
        (Edit("        if answers.room and epoch == self.epoch:\n", "        if answers.room:\n"),),
        f"{_SNAPSHOTS}::test_what_began_before_a_write_of_the_block_is_not_kept",
    ),
    Mutation(
        "a function is filled from what a block has kept",
        (Edit("not audited and current_recording() is None", "not audited"),),
        f"{_SNAPSHOTS}::test_a_function_that_is_filled_asks_for_itself",
        quick=True,
    ),
    Mutation(
        "a transaction with a snapshot is shown what a block has kept",
        (Edit("return decision.not_after is None and not audited", "return not audited"),),
        f"{_SNAPSHOTS}::test_a_database_snapshot_keeps_to_itself",
    ),
    Mutation(
        "what a block has kept is never too old",
        (Edit(" or kept.until < time.monotonic():", ":"),),
        f"{_SNAPSHOTS}::test_an_answer_is_kept_for_so_long",
    ),
    Mutation(
        "a question without a query forgets its tenant",
        (
            Edit(
                "timezone.get_current_timezone_name(), engine.context(), ",
                "timezone.get_current_timezone_name(), ",
            ),
        ),
        f"{_QUICK}::test_tenants_are_told_apart",
    ),
    Mutation(
        "a question without a query forgets its value",
        (Edit("    name = (asked, others)\n", "    name = (asked and asked[::2], others)\n"),),
        f"{_QUICK}::test_values_are_told_apart",
    ),
    Mutation(
        "a queryset with conditions is taken for a bare one",
        (Edit("        or where.children\n", "        or False\n"),),
        f"{_QUICK}::test_what_was_done_to_the_queryset_counts",
    ),
    Mutation(
        "a query with more in it is taken for a bare one",
        (Edit("    if extra and (", "    if False and ("),),
        f"{_QUICK}::test_what_was_done_to_the_queryset_counts",
    ),
    Mutation(
        "a read for a write takes the short way",
        (Edit("        rows._for_write\n        or rows._hints\n", "        rows._hints\n"),),
        f"{_QUICK}::test_reads_for_a_write",
    ),
    Mutation(
        "what a query is called forgets all but its structure",
        (Edit("    name = (structure.content, outside, lock)\n", "    name = (structure.content, lock)\n"),),
        f"{_QUICK}::test_what_is_outside_of_a_question_tells_it_apart",
    ),
    Mutation(
        "the expected entry is served whatever the store says of its vector",
        (Edit("    if not expected.is_met(fetched):\n        return None\n", ""),),
        f"{_QUICK}::test_every_guard_of_the_long_way[get]",
        quick=True,
    ),
    Mutation(
        "a copy is served whatever the store says of its generations",
        (
            Edit(
                "    if not expected.is_met(fetched):\n",
                "    if copy is None and not expected.is_met(fetched):\n",
            ),
        ),
        f"{_COPIES}::test_an_invalidation_elsewhere_is_heard_of",
        quick=True,
    ),
    Mutation(
        "a copy is served of an entry that is not the same any more",
        (Edit("else fetched.same\n", "else True\n"),),
        f"{_COPIES}::test_what_others_have_put_in_its_place_is_served",
        quick=True,
    ),
    Mutation(
        "a copy is handed out itself",
        (
            Edit(
                "return known.build()",
                "return self._engine.hub.__dict__.setdefault(hit.key, known.build())",
            ),
        ),
        f"{_COPIES}::test_nobody_sees_what_others_do_to_their_values",
    ),
    Mutation(
        "copies take as much room as they like",
        (Edit("            while self.used > self.room:\n", "            while False:\n"),),
        f"{_COPIES}::test_copies_have_a_room_of_their_own",
    ),
    Mutation(
        "a connection on which something has come is used all the same",
        (
            Edit(
                "if self.connection._sock is not self.socket or self.poll.poll(0):",
                "if self.connection._sock is not self.socket:",
            ),
        ),
        f"{_LANE}::test_what_nobody_has_asked_for_is_given_to_nobody",
    ),
    Mutation(
        "a kept connection goes on after an exception",
        (
            Edit(
                "        except BaseException:\n            # A signal: the answer may still be on its way.\n"
                "            self._leave(kept)\n            raise\n",
                "        except BaseException:\n            self._kept.append(kept)\n            raise\n",
            ),
        ),
        f"{_LANE}::test_a_signal_while_the_answer_is_awaited",
    ),
    Mutation(
        "the child of a fork speaks on its parent's connections",
        (
            Edit(
                "        if self._pid != os.getpid():\n            # They are the parent's.\n",
                "        if False:\n",
            ),
        ),
        f"{_LANE}::test_the_child_of_a_fork_has_connections_of_its_own",
    ),
    Mutation(
        "what begins like the last answer is taken for it",
        (Edit("        if marked and len(data) == len(start):\n", "        if marked:\n"),),
        f"{_LANE}::test_more_than_was_asked_for_is_strange",
    ),
    Mutation(
        "arguments that are equal are taken for the same",
        (Edit("kwargs.items()), types, engine", "kwargs.items()), engine"),),
        "tests/reads/test_call_arguments.py::test_equal_arguments_of_other_types_are_others",
    ),
    Mutation(
        "a queryset in its caller's hands is changed instead of copied",
        (
            Edit(
                "        found._genscache_owned = False\n        found._genscache_caching = Caching(\n",
                "        found._genscache_caching = Caching(\n",
            ),
        ),
        f"{_QUICK}::test_a_queryset_that_its_caller_keeps_stays_as_it_is",
    ),
    Mutation(
        "a class with a filter of its own filters in place",
        (Edit('"_not_support_combined_queries", "filter", ', '"_not_support_combined_queries", '),),
        f"{_QUICK}::test_a_class_that_filters_in_its_own_way",
    ),
    Mutation(
        "dependencies that may change are remembered",
        (Edit("        if not self._settled:\n", "        if False:\n"),),
        f"{_QUICK}::test_an_instance_that_is_saved_later_is_another_dependency",
    ),
    Mutation(
        "a key of which no SQL says anything is asked for with the SQL of others",
        (Edit("        if place != known.place:\n            return None\n", ""),),
        f"{_KEYED}::test_a_key_of_which_sql_says_something_else_is_left_to_django",
    ),
    Mutation(
        "a lookup of a project's own is taken for Django's",
        (Edit("            if lookup in DJANGOS:\n", "            if True:\n"),),
        f"{_KEYED}::test_a_lookup_of_the_projects_own_is_compiled_each_time",
    ),
    Mutation(
        "a model that was given a field is asked for the old ones",
        (Edit("if known is not None and known.fields is not fields_of(query):", "if False:"),),
        f"{_KEYED}::test_a_model_that_is_given_another_field",
    ),
    Mutation(
        "a row of a model that was given a field is asked for the old ones",
        (
            Edit(
                "if known is None or (known is not UNFIT and known.pieces.fields is not fields_of(bare.query)):",
                "if known is None:",
            ),
        ),
        f"{_KEYED}::test_a_model_that_is_given_another_field",
    ),
    Mutation(
        "instances are made from columns as they were before",
        (Edit("if known is not None and known.pieces is not compiler.pieces:", "if False:"),),
        f"{_KEYED}::test_a_model_that_is_given_another_field",
    ),
    Mutation(
        "an empty text is a key like others",
        (Edit('if known is UNFIT or value == "":', "if known is UNFIT:"),),
        f"{_KEYED}::test_a_key_of_which_sql_says_something_else_is_left_to_django",
    ),
    Mutation(
        "what a database gives is taken for what fields have",
        (
            Edit(
                "return {} if self.pieces.raw else super().get_converters(expressions)",
                "return {}",
            ),
        ),
        f"{_KEYED}::test_what_is_made_of_it_is_what_django_makes",
    ),
    Mutation(
        "a long vector is digested without the question",
        (Edit('_base64((start + vector).encode("ascii")', '_base64(vector.encode("ascii")'),),
        "tests/test_keys.py::test_a_vector_too_long_to_spell_out_becomes_a_digest_that_tells_vectors_apart",
        quick=True,
    ),
    Mutation(
        "the plain case of a settle drops leases that stand behind",
        (Edit("      and #raw == stop + 16\n      and raw:find('^[1-8][0-9]*$', stop + 1)\n", ""),),
        f"{_PLAIN}::test_a_settle",
    ),
    Mutation(
        "the plain case of a settle takes a counter back to the generation that it had",
        (Edit("      and not seen[KEYS[i]]\n", ""),),
        f"{_PLAIN}::test_a_settle",
    ),
    Mutation(
        "the plain case of an ensure does not look for the fence",
        (Edit(" and not (fenced and not (found[2] and found[3]))", ""),),
        f"{_PLAIN}::test_an_ensure_behind_a_fence",
    ),
    Mutation(
        "the plain case of an ensure makes generations that were given before",
        (
            Edit(
                "        last = math.max(last + 1, now)\n        local generation",
                "        last = now\n        local generation",
            ),
        ),
        f"{_PLAIN}::test_an_ensure_without_a_fence",
    ),
    Mutation(
        "a lease on a counter that is not there lives as long as a counter",
        (
            Edit(
                "redis.call('SET', KEYS[i], '0' .. lease, 'PX', ARGV[2])",
                "redis.call('SET', KEYS[i], '0' .. lease, 'PX', ARGV[3])",
            ),
        ),
        f"{_PLAIN}::test_a_lease",
    ),
    Mutation(
        "all counts are asked with the SQL of one",
        (Edit("name, connection = (question, database), conn", "name, connection = database, conn"),),
        f"{_AGAIN}::test_another_value_is_another_count",
    ),
    Mutation(
        "a project's own way to count is left out",
        (Edit("return type(rows.query) is Query and _leaves_counting(type(rows))", "return True"),),
        f"{_AGAIN}::test_a_project_that_counts_in_its_own_way",
    ),
    Mutation(
        "all queries of a shape are asked with the SQL of one",
        (
            Edit(
                "self._recall(prepared, known, (question, using, kind))",
                "self._recall(prepared, known, name)",
            ),
        ),
        f"{_HARVESTS}::test_a_shape_that_is_known_is_compiled_and_made_without_django",
    ),
)
