"""What Hypothesis may choose: few rows and few readers, so that what happens meets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from hypothesis import strategies as st

from genscache.stores.base import Fetch, Put
from property_tests import announcements, deeds, scenes
from property_tests.actors import Fault

# What stands there twice is chosen twice as often.
names = st.sampled_from(["discovered", "declared", "one 1", "composite", "discovered", "patient", "outside"])
pks = st.sampled_from([1, 1, 1, 1, 2, 3])
kinds = st.sampled_from(["update", "update", "save", *deeds.WRITES])
often = st.booleans()
casts = st.sampled_from(scenes.CASTS)

Scene: TypeAlias = tuple[Callable[..., None], dict[str, Any]]
"""A function of ``scenes``, and its arguments after the world."""


def _scene(function: Callable[..., None], **particulars: st.SearchStrategy[Any]) -> st.SearchStrategy[Scene]:
    return st.tuples(st.just(function), st.fixed_dictionaries({"cast": casts, **particulars}))


OVERTAKING = _scene(
    scenes.overtake,
    name=names,
    how=st.sampled_from(["told", "forgotten", "warm"]),
    where=st.sampled_from(["queried", Fetch, "query", Put, "a flight"]),
    kinds=st.lists(kinds, min_size=1, max_size=2),
    pk=pks,
    waiter=often,
)
WATCHING = _scene(
    scenes.watch,
    name=names,
    kind=kinds,
    pk=pks,
    atomic=often,
    warm=st.sampled_from([True, True, False]),
    rival_at=st.sampled_from([0, 0, 1, 2, 3]),
    kill_at=st.sampled_from([0, 0, 0, 1, 2, 3, 4]),
    faults=st.sampled_from([[], [], [], *([each] for each in Fault)]),
)
OTHERS = st.one_of(
    _scene(
        scenes.transact,
        name=names,
        moves=st.lists(st.sampled_from(scenes.MOVES), min_size=2, max_size=7),
        kind=kinds,
        pk=pks,
        well=often,
    ),
    _scene(scenes.write_more_than_is_seen, names=st.lists(names, min_size=1, max_size=2), pk=pks),
    _scene(
        scenes.gather,
        name=names,
        deep=often,
        moves=st.lists(st.sampled_from(["write", "tell", "read"]), min_size=1, max_size=3),
        how=st.sampled_from(announcements.INVALIDATIONS),
        pk=pks,
        well=often,
    ),
    _scene(
        scenes.evict,
        name=names,
        which=st.sampled_from(["rows", "", "model"]),
        rounds=st.lists(st.tuples(often, often), min_size=2, max_size=5),
    ),
)
SCENES = st.one_of(OVERTAKING, WATCHING, OTHERS)
