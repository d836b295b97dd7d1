"""Deliberate bugs, each with the test that must catch it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """One change of the package, wherever the text is now.

    Attributes:
        old: The text to replace, which is exactly once in the whole package.
        new: What replaces it.
    """

    old: str
    new: str


@dataclass(frozen=True)
class Mutation:
    """One bug.

    Attributes:
        name: What it is, in a few words.
        edits: How the right code becomes wrong.
        caught_by: The test that must fail: a pytest node below ``property_tests/`` or ``tests/``.
        quick: Part of the short form.
        machine: The machine that looks for it by chance is the one of querysets.
    """

    name: str
    edits: tuple[Edit, ...]
    caught_by: str
    quick: bool = False
    machine: bool = False


INTERLEAVINGS = "property_tests/test_interleavings.py"
MACHINE = "property_tests/machine_coherence.py"
QUESTIONS = "property_tests/test_questions.py"
QUERYSET_MACHINE = "property_tests/machine_orm.py"
