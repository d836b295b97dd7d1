"""Bugs of the short ways: what is remembered of a question, and which queryset may be changed instead of copied."""

from __future__ import annotations

from property_tests.mutations import Edit, Mutation

_QUICK = "tests/querysets/test_quick.py"

MUTATIONS = (
    Mutation(
        "a question without a query forgets its model",
        (Edit("        rows.model, type(rows), op, asked,", "        type(rows), op, asked,"),),
        f"{_QUICK}::test_values_are_told_apart",
        quick=True,
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
        (Edit("    return kind, value, model._meta", "    return kind, model._meta"),),
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
        (Edit("(expected_key if vector == expected else None)", "(expected_key if expected else None)"),),
        f"{_QUICK}::test_every_guard_of_the_long_way[get]",
        quick=True,
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
)
