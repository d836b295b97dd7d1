"""Whose entry it is: functions made by one factory, and results that ask the database late."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from django.db.models import QuerySet

from genscache import cached
from genscache.engine import Engine
from genscache.exceptions import UncacheableValue
from tests.site.news.models import Author, Section

pytestmark = pytest.mark.django_db(transaction=True)


def made(value: object) -> Callable[[], object]:
    @cached(timeout=60)
    def function() -> object:
        return value

    return function


@pytest.mark.parametrize(("one", "other"), [(1, 2), (1, True), ([1], [2]), (int, str), (os, pytest)])
def test_functions_of_one_factory_do_not_share_entries(engine: Engine, one: object, other: object) -> None:
    assert made(repr(one))() == repr(one)
    assert made(repr(other))() == repr(other)
    kept = [made(1), made(True), made(1.0), made("1")]
    assert [type(each()) for each in kept] == [int, bool, float, str]


def test_a_factory_s_function_that_closes_over_a_plain_value_is_the_same_in_another_process(
    engine: Engine,
) -> None:
    assert made(3).key() == made(3).key()  # type: ignore[attr-defined]
    assert made([3]).key() != made([3]).key()  # type: ignore[attr-defined]


def test_with_key_the_user_says_what_counts(engine: Engine) -> None:
    def make(box: list[int]) -> Callable[[], list[int]]:
        @cached(key=lambda: "the box")
        def function() -> list[int]:
            return box

        return function

    assert make([1])() == make([2])() == [1]


def test_a_queryset_that_is_evaluated_late_counts_among_what_was_read(engine: Engine) -> None:
    runs = []

    @cached
    def context() -> dict[str, QuerySet[Author] | list[QuerySet[Section]]]:
        runs.append(1)
        return {"authors": Author.objects.order_by("pk"), "nested": [Section.objects.order_by("pk")]}

    context()
    Author.objects.create(name="Ada")
    assert [author.name for author in context()["authors"]] == ["Ada"]  # type: ignore[union-attr]
    Section.objects.create(name="News")
    found = context()["nested"][0]
    assert [section.name for section in found] == ["News"]  # type: ignore[union-attr]
    context()
    assert len(runs) == 3


def test_what_cannot_be_stored_names_the_function(engine: Engine) -> None:
    @cached
    def lines() -> Iterator[str]:
        return iter(line for line in "ab")

    with pytest.raises(UncacheableValue, match=r"lines\(\).*generator"):
        lines()
