"""What counts as the same value, and the nines."""

from __future__ import annotations

import math
from collections import OrderedDict
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from genscache.auditing import nines
from genscache.auditing_values import digest_of
from genscache.exceptions import UncacheableValue
from tests.site.news.models import Article, Author, Section

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def article(**changes: object) -> Article:
    given = {
        "pk": 1,
        "title": "One",
        "author": Author(pk=1, name="Ada"),
        "section": Section(pk=1, name="home"),
        "published": NOON,
    }
    return Article(**{**given, **changes})


SAME = [
    (math.nan, float("nan")),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({"a", "b", "c"}, {"c", "b", "a"}),
    (article(), article()),
    ([article(), article()], [article(), article()]),
    (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
    ("\ud800", "\ud800"),
    (OrderedDict(a=1), OrderedDict(a=1)),
]
DIFFERENT = [
    (1, True),
    (1, "1"),
    (1, 1.0),
    (1, Decimal(1)),
    (None, 0),
    ([1, 2], [2, 1]),
    ([1], (1,)),
    (["a", "b"], ["ab"]),
    (["1:a"], ["1", "a"]),
    ({"a": 1}, {"a": 2}),
    (article(), article(title="Two")),
    (article(), article(author=Author(pk=1, name="Bob"))),
    (0.0, -0.0),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same(one: object, other: object) -> None:
    assert digest_of(one) == digest_of(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different(one: object, other: object) -> None:
    assert digest_of(one) != digest_of(other)


def test_what_a_loose_comparison_forgives() -> None:
    assert digest_of([1, 2, 2], loose=True) == digest_of([2, 1, 2], loose=True)
    assert digest_of([1, 2, 2], loose=True) != digest_of([1, 1, 2], loose=True)
    assert digest_of(0.1 + 0.2, loose=True) == digest_of(0.3, loose=True)
    assert digest_of(0.31, loose=True) != digest_of(0.3, loose=True)


def test_a_value_that_contains_itself_comes_to_an_end() -> None:
    one: list[object] = [1]
    one.append(one)
    other: list[object] = [1]
    other.append(other)
    assert digest_of(one) == digest_of(other) != digest_of([1, [1]])


def test_a_value_that_is_too_deep_is_refused() -> None:
    deep: list[object] = []
    for _ in range(1000):
        deep = [deep]
    with pytest.raises(UncacheableValue, match="nested more than"):
        digest_of(deep)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({}, "no audited hit has proven anything (0 inconclusive)"),
        (
            {"audit: right": 119_999, "audit: violation": 1, "audit: inconclusive": 7},
            "99.99916 % of 120 000 audited hits were right (1 proven violations, 7 inconclusive)",
        ),
        ({"audit: right": 10}, "100 % of 10 audited hits were right (0 proven violations, 0 inconclusive)"),
        (
            {"audit: right": 99_999_999, "audit: violation": 1},
            "99.99999 % of 100 000 000 audited hits were right (1 proven violations, 0 inconclusive)",
        ),
    ],
)
def test_the_nines_never_round_up_to_all(counts: dict[str, int], text: str) -> None:
    assert nines(counts) == text
