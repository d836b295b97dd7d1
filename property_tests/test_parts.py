"""Whatever instances hold and however they are related, parts give back what pickle would."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import NamedTuple, cast

import pytest
from django.db import models
from hypothesis import given
from hypothesis import strategies as st

from genscache.codec import Codec, Unreadable
from genscache.columns import PLAIN, length, pack, unpacking
from property_tests.test_codec import SCALARS, VALUES
from tests.parts.comparing import KEY, codec, mutable, told
from tests.site.news.models import Article, Asset, Author, Column, PopularArticle, Section, Topic

CODECS = pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
MODELS: list[type[models.Model]] = [Article, Asset, Author, Column, PopularArticle, Section, Topic]
NAMES = st.sampled_from(["id", "title", "section_id", "n", "what it's", "a\nb", "class", "views", "é"])
FLAT = SCALARS | st.just(float("inf")) | st.lists(st.integers(), max_size=2)


class Graph(NamedTuple):
    """Instances as plain data, which can be printed: what a model prints of itself it may ask the database for."""

    shapes: list[Shape]
    values: list[list[object]]
    relations: list[list[int | None]]

    def made(self) -> list[models.Model]:
        """Make the instances, related to one another by number."""
        found = []
        for shape, values in zip(self.shapes, self.values, strict=True):
            instance: models.Model = shape.model.__new__(shape.model)
            instance._state = models.base.ModelState()
            instance._state.db, instance._state.adding = shape.database, shape.adding
            vars(instance).update(zip(shape.names, values, strict=True))
            found.append(instance)
        for instance, shape, numbers in zip(found, self.shapes, self.relations, strict=True):
            related = [None if number is None else found[number % len(found)] for number in numbers]
            instance._state.fields_cache = dict(zip(shape.relations, related, strict=True))
        return found


class Shape(NamedTuple):
    """What alike instances have in common."""

    model: type[models.Model]
    names: list[str]
    relations: list[str]
    database: str | None
    adding: bool


SHAPES = st.builds(
    Shape,
    st.sampled_from(MODELS),
    st.lists(NAMES, unique=True, max_size=4),
    st.lists(st.sampled_from(["section", "author", "parent"]), unique=True, max_size=2),
    st.sampled_from(["default", "other", None]),
    st.booleans(),
)


@st.composite
def graphs(draw: st.DrawFn, values: st.SearchStrategy[object] = FLAT) -> Graph:
    """Describe instances of a few shapes, related to one another at random, also in circles."""
    some = draw(st.lists(SHAPES, min_size=1, max_size=3))
    shapes = draw(st.lists(st.sampled_from(some), min_size=1, max_size=8))
    numbers = st.none() | st.integers(0, len(shapes) - 1)
    return Graph(
        shapes,
        [[draw(values) for _ in shape.names] for shape in shapes],
        [[draw(numbers) for _ in shape.relations] for shape in shapes],
    )


def round_trip(codec: Codec, value: object) -> object:
    found = codec.decode(codec.encode(value, key=KEY), key=KEY)
    assert not isinstance(found, Unreadable)
    return found


@CODECS
@given(graph=graphs())
def test_instances_come_back_as_pickle_would_give_them(*, signed: bool, graph: Graph) -> None:
    made, value = codec(signed=signed), graph.made()
    wanted = told(pickle.loads(pickle.dumps(value)))
    # The third time they are made by code that was written for them.
    for _ in range(3):
        assert told(round_trip(made, value)) == wanted


@CODECS
@given(
    graph=graphs(),
    plan=st.recursive(
        st.integers(-1, 7) | VALUES.map(lambda value: {"value": value}),
        lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=3).map(tuple),
        max_leaves=8,
    ),
)
def test_in_containers_and_beside_other_values(*, signed: bool, graph: Graph, plan: object) -> None:
    value = filled(plan, graph.made())
    assert told(round_trip(codec(signed=signed), value)) == told(pickle.loads(pickle.dumps(value)))


def filled(plan: object, found: list[models.Model]) -> object:
    """Put instances in the place of numbers, and all of them in that of -1."""
    if isinstance(plan, int):
        return found if plan < 0 else found[plan % len(found)]
    if isinstance(plan, list):
        return [filled(each, found) for each in plan]
    if isinstance(plan, tuple):
        return {name: filled(each, found) for name, each in enumerate(plan)}
    return plan


@CODECS
@given(graph=graphs(VALUES))
def test_no_two_results_share_what_can_be_changed(*, signed: bool, graph: Graph) -> None:
    made = codec(signed=signed)
    parsed = made.parse(made.encode(graph.made(), key=KEY), key=KEY)
    assert not isinstance(parsed, Unreadable)
    results = [parsed.build() for _ in range(3)]
    assert len({repr(told(each)) for each in results}) == 1
    one, other, third = map(mutable, results)
    assert not one.keys() & (other.keys() | third.keys())


@given(graphs())
def test_they_are_stored_in_parts_wherever_they_hold_anything(graph: Graph) -> None:
    value = graph.made()
    assert codec().dump(value).parts == all(len(vars(instance)) > 1 for instance in value)


WHOLE = st.one_of(st.integers(0, 300), st.integers(-(2**15) - 1, 2**16), st.integers(-(2**64), 2**65))
LONG = st.one_of(
    st.lists(st.text(max_size=3), min_size=16, max_size=40),
    st.lists(WHOLE, min_size=16, max_size=40),
    st.lists(WHOLE | st.booleans() | st.none() | st.text(max_size=2), min_size=16, max_size=40),
    st.builds(
        lambda start, step, count: [*range(start, start + step * count, step)],
        WHOLE,
        st.integers(1, 2**40),
        st.integers(16, 40),
    ),
)


@given(LONG)
def test_long_columns_come_back_and_say_how_long_they_are(column: list[object]) -> None:
    packed = pack(column)
    assert packed is not None
    letter, data = packed
    back = data if letter == PLAIN else unpacking(letter)(data)
    assert [(type(each), each) for each in cast("Sequence[object]", back)] == [
        (type(each), each) for each in column
    ]
    assert length(letter, data) == len(column)
    assert len(pickle.dumps(data, 5)) <= len(pickle.dumps(tuple(column), 5))
