"""Bugs of keys, payloads and SQL."""

from __future__ import annotations

from property_tests.mutations import INTERLEAVINGS, Edit, Mutation

MUTATIONS = (
    Mutation(
        "1 and True are the same argument",
        (Edit("scalars.py", 'bool: lambda value: b"T" if value else b"F",', 'bool: lambda value: b"i%x;" % int(value),'),),
        "property_tests/test_keys.py::test_values_have_the_same_bytes_exactly_when_they_are_the_same",
    ),
    Mutation(
        "values run into one another",
        (Edit("scalars.py", 'return b"s%d:%b" % (len(body), body)', 'return b"s%b" % body'),),
        "property_tests/test_keys.py::test_one_value_does_not_run_into_the_next",
    ),
    Mutation(
        "no signature is compared",
        (
            Edit(
                "codec.py",
                "        if not any(hmac.compare_digest(",
                "        if False and not any(hmac.compare_digest(",
            ),
        ),
        "property_tests/test_codec.py::test_only_who_has_the_secret_can_sign",
        quick=True,
    ),
    Mutation(
        "a comment hides a write",
        (Edit("orm/lexer.py", "    if not is_ambiguous(sql):\n        return [sql]\n", '    if not is_ambiguous(sql) or sql.startswith("/*"):\n        return [sql.strip("/* ")]\n'),),
        f"{INTERLEAVINGS}::test_readers_at_every_step_of_a_statement",
    ),
)
