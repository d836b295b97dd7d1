"""Bugs of keys, payloads and SQL."""

from __future__ import annotations

from property_tests.mutations import INTERLEAVINGS, Edit, Mutation

MUTATIONS = (
    Mutation(
        "1 and True are the same argument",
        (
            Edit(
                'bool: lambda value: b"T" if value else b"F",',
                'bool: lambda value: b"i%x;" % int(value),',
            ),
        ),
        "tests/test_arguments.py",
    ),
    Mutation(
        "a string does not say how long it is",
        (Edit('return b"s%d:%b" % (len(body), body)', 'return b"s%b" % body'),),
        "tests/test_arguments.py::test_the_end_of_one_string_is_not_the_beginning_of_the_next",
    ),
    Mutation(
        "no signature is compared",
        (
            Edit(
                "        if not any(hmac.compare_digest(",
                "        if False and not any(hmac.compare_digest(",
            ),
        ),
        "property_tests/test_codec.py::test_only_who_has_the_secret_can_sign",
        quick=True,
    ),
    Mutation(
        "a comment hides a write",
        (
            Edit(
                r"""newlines=re.compile(r"[\r\n]|\Z" if cr else r"\n|\Z")""",
                r"""newlines=re.compile(r"\Z")""",
            ),
        ),
        f"{INTERLEAVINGS}::test_readers_at_every_step_of_a_statement",
    ),
)
