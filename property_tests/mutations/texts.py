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
        "what can be changed is read once for all results",
        (Edit("    if not kinds <= CONSTANT:\n        return None\n", ""),),
        "property_tests/test_parts.py::test_no_two_results_share_what_can_be_changed",
    ),
    Mutation(
        "every relation leads to the first of its kind",
        (Edit("            first += len(members.ids)\n", "            first += 1\n"),),
        "property_tests/test_parts.py::test_instances_come_back_as_pickle_would_give_them",
    ),
    Mutation(
        "relations to what is made later are forgotten",
        (Edit("        for members in self._late:\n            members.relate(table)\n", ""),),
        "property_tests/test_parts.py::test_instances_come_back_as_pickle_would_give_them",
    ),
    Mutation(
        "instances in parts have no price",
        (Edit("        self._cost += cost\n", ""),),
        "tests/security/test_parts.py::test_a_bomb_is_known_before_it_goes_off[relations]",
    ),
    Mutation(
        "a hidden instance is pickled with the rest",
        (Edit("    if describe(kind) is not None:\n        raise HiddenModel\n", ""),),
        "tests/parts/test_parts.py::test_what_hides_an_instance_is_pickled_whole",
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
