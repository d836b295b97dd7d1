"""Unsigned payloads in parts that ask for more than they hold, and such as do not fit."""

from __future__ import annotations

import pickle
import time
import tracemalloc
from typing import Any, cast

import pytest
from django.db.models.base import ModelState
from hypothesis import given, settings
from hypothesis import strategies as st

from genscache.codec import Reason, Unreadable
from genscache.opcodes import MOST_MEMORY
from tests.parts.comparing import KEY, codec, told
from tests.security.attacks import envelope, split
from tests.site.news.models import Section

FLAG = 2
STATE = ("default", False, None)
ALL = ("i", (1, 1), 3)
GROUP = (0, 3, None, STATE, (), "pp")
WIDE = (tuple(range(100)),) * 2
COLUMNS: tuple[object, ...] = ((1, 2, 3), ("a", "b", "c"))


def models() -> bytes:
    made = codec(signed=False)
    return split(made.encode(Section(id=1, name="a"), key=KEY))[0]


def decoded(structure: object, columns: object = COLUMNS, rest: object = None, *, version: object = 1) -> Any:
    body = pickle.dumps((version, pickle.dumps(structure, 5), columns, rest), 5)
    return codec(signed=False).decode(envelope(body, models=models(), flags=FLAG), key=KEY)


def group(**changes: object) -> tuple[object, ...]:
    names = ("model", "count", "names", "state", "relations", "letters")
    return tuple(changes.get(name, value) for name, value in zip(names, GROUP, strict=True))


def test_what_these_tests_change_is_read() -> None:
    found = decoded(((GROUP,), ALL))
    assert [(each.id, each.name, each._state.db) for each in found] == [
        (1, "a", "default"),
        (2, "b", "default"),
        (3, "c", "default"),
    ]


def same() -> tuple[int, ...]:
    """Return numbers that all lead to the first instance, in a tuple that no other place shares."""
    return tuple([1, 0])  # noqa: C409  a display would be one object


BOMBS: dict[str, tuple[object, object]] = {
    "a count without columns": (((group(count=10**6, letters=""),), ALL), ()),
    "columns in many groups": ((((0, 10**4, None, STATE, (), "pp"),) * 1000, ALL), (tuple(range(10**4)),) * 2000),
    "a list many times": (((GROUP,), ["l", [["i", same(), 10**5] for _ in range(10_000)]]), COLUMNS),
    "relations": (((group(count=100, relations=tuple([[f"r{n}", same()] for n in range(30_000)])),), ALL), WIDE),
    "plans in plans": (((GROUP,), ["l", [["l", [["l", [["o", 1]] * 200]] * 200]] * 200]), COLUMNS),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_known_before_it_goes_off(bomb: str) -> None:
    structure, columns = BOMBS[bomb]
    tracemalloc.start()
    start = time.process_time()
    try:
        found = decoded(structure, columns)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == Unreadable(Reason.TOO_LARGE)
    assert peak < MOST_MEMORY
    assert time.process_time() - start < 60


def test_plans_cannot_hold_themselves_or_lie_deep() -> None:
    plan: Any = ("o", 1)
    for _ in range(40):
        plan = ["l", [plan, plan]]
    assert decoded(((GROUP,), plan)) == Unreadable(Reason.CORRUPT)
    plan[1][0] = plan
    assert decoded(((GROUP,), plan)) == Unreadable(Reason.CORRUPT)


def test_what_is_refused_in_parts_may_be_pickled() -> None:
    """A reader takes no more than a few references to tuples; each of these groups has the same state."""
    value = [Section(id=1) for _ in range(60)]
    for number, each in enumerate(value):
        setattr(each, f"n{number}", 1)
    made = codec(signed=False)
    assert not made.dump(value).parts
    assert codec().dump(value).parts
    assert told(made.decode(made.encode(value, key=KEY), key=KEY)) == told(value)


WRONG: list[tuple[object, ...]] = [
    (group(model=1),), (group(model=-1),), (group(model=True),), (group(count=0),), (group(count=-3),),
    (group(count=2),), (group(count=10**5),), (group(count=True),), (group(letters="p"),), (group(letters="ppp"),),
    (group(letters="pr"),), (group(letters="pq"),), (group(letters="pT"),), (group(letters="pn"),),
    (group(letters=b"pp"),), (group(names=("id",)),), (group(names=("id", "id")),), (group(names=("id", "_state")),),
    (group(names=("id", 1)),), (group(names="id"),), (group(names=[[], "id"]),), (group(state=(1, False, None)),),
    (group(state=("x", 0, None)),), (group(state=("x", False, "FETCH_ALL")),), (group(state=("x", False, b"")),),
    (group(state=()),), (group(relations=(("section", (0, -1)),)),), (group(relations=(("section", (-1, 0)),)),),
    (group(relations=(("section", (1, 2)),)),), (group(relations=(("section", [1, 2]),)),),
    (group(relations=(("section", [1, 2, 4]),)),), (group(relations=(("section", [1, 2, -1]),)),),
    (group(relations=(("section", [1, 2, "3"]),)),), (group(relations=((1, (0, 0)),)),), (group(relations=None),),
    (), (GROUP, GROUP), ("x",), (None,),
]  # fmt: skip


@pytest.mark.parametrize("groups", WRONG, ids=repr)
def test_groups_that_do_not_fit(groups: tuple[object, ...]) -> None:
    assert decoded((groups, ALL)) == Unreadable(Reason.CORRUPT)


@pytest.mark.parametrize(
    "plan",
    [
        *(
            (),
            ("i",),
            ("i", (1, 1)),
            ("i", (1, 1), 4),
            ("i", (1, 1), -1),
            ("i", 1, 1),
            ("o", 4),
            ("o", -1),
            ("o", "1"),
        ),
        *(
            ("x", 0),
            ("x", -1),
            ("x", 2),
            ("r", 0),
            ("r", "0"),
            ("l",),
            ("l", 1),
            ("t", (), ()),
            ("d", ("a",), ()),
        ),
        *(("d", ([],), (("o", 1),)), ("d", (("o", 1),)), ("z", ()), None, "i", (["i"], (1, 1), 3)),
    ],
    ids=repr,
)
def test_plans_that_do_not_fit(plan: object) -> None:
    assert decoded(((GROUP,), plan)) == Unreadable(Reason.CORRUPT)


@pytest.mark.parametrize(
    ("columns", "letters"),
    [
        (([1, 2, 3], COLUMNS[1]), "pp"),
        ((range(3), COLUMNS[1]), "pp"),
        (((1, 2, []), COLUMNS[1]), "pp"),
        (((1, 2), COLUMNS[1]), "pp"),
        ((b"x" * 29, COLUMNS[1]), "zp"),
        (((b"\1\1\0", b"x" * 30), COLUMNS[1]), "Zp"),
        (((b"\1\1\1", bytes(30)), COLUMNS[1]), "Zp"),
        ((("zone", bytes(30)), COLUMNS[1]), "op"),
        (("1 2 x", COLUMNS[1]), "np"),
        (("1 2", COLUMNS[1]), "np"),
        ((bytes(47), COLUMNS[1]), "up"),
        ((bytes(12), COLUMNS[1]), "dp"),
        (("a\0b", COLUMNS[1]), "sp"),
        ((b"a\0b\0c", COLUMNS[1]), "sp"),
        ((("H", bytes(5)), COLUMNS[1]), "ip"),
        ((("H", bytes(8)), COLUMNS[1]), "ip"),
        ((("u", bytes(12)), COLUMNS[1]), "ip"),
        ((("d", bytes(24)), COLUMNS[1]), "ip"),
        ((("B", "abc"), COLUMNS[1]), "ip"),
        (((1, 1, 4), COLUMNS[1]), "ap"),
        (((1, 0, 3), COLUMNS[1]), "ap"),
        (((1, -1, 3), COLUMNS[1]), "ap"),
        ((("1", 1, 3), COLUMNS[1]), "ap"),
        (((1, True, 3), COLUMNS[1]), "ap"),
        (((1, 1), COLUMNS[1]), "ap"),
        ((*COLUMNS, (1, 2)), "pp"),
        ((*COLUMNS, 1), "pp"),
        (None, "pp"),
        (COLUMNS[:1], "pp"),
    ],
    ids=repr,
)
def test_columns_that_do_not_fit(columns: object, letters: str) -> None:
    assert decoded(((group(letters=letters),), ALL), columns) == Unreadable(Reason.CORRUPT)


def test_a_column_of_the_rest_has_to_be_a_list() -> None:
    structure = ((group(letters="pr"),), ALL)
    columns = (COLUMNS[0], 0)
    assert [each.name for each in decoded(structure, columns, pickle.dumps([[1, {}, []]], 5))] == [1, {}, []]
    for rest in cast("list[object]", [[range(3)], [(1, 2, 3)], [[1, 2]], [], {}, {0: {}}, None, "x"]):
        found = decoded(structure, columns, pickle.dumps(rest, 5))
        assert found == Unreadable(Reason.CORRUPT), rest
    assert decoded(structure, columns, b"cos\nsystem\n.") == Unreadable(Reason.FORBIDDEN)


def test_a_class_that_is_not_listed_is_reached_by_no_part() -> None:
    body = pickle.dumps((1, pickle.dumps(((GROUP,), ALL), 5), COLUMNS, None), 5)
    for listed in (
        b"",
        b"os:system\tx",
        b"django.contrib.auth.models:User\tx",
        b"builtins:dict\tNone",
        b":\t",
    ):
        found = codec(signed=False).decode(envelope(body, models=listed, flags=FLAG), key=KEY)
        assert found in (Unreadable(Reason.CHANGED), Unreadable(Reason.CORRUPT))


def test_nothing_is_compiled_from_names_that_anybody_may_have_written() -> None:
    names = ('"]; import os; os.abort()#', "__class__")
    for _ in range(3):
        found = decoded(((group(names=names),), ALL))
        assert [vars(each)[names[0]] for each in found] == [1, 2, 3]
        assert type(found[0]) is Section
        assert type(found[0]._state) is ModelState


JUNK = st.recursive(
    st.sampled_from([0, 1, 3, -1, None, True, "p", "i", "l", "d", "r", "", b"", "default", GROUP, ALL, STATE, COLUMNS])
    | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=6).map(tuple),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(groups=JUNK, plan=JUNK, columns=JUNK, rest=JUNK, version=st.just(1) | JUNK)
def test_no_structure_raises(
    groups: object, plan: object, columns: object, rest: object, version: object
) -> None:
    decoded((groups, plan), columns, rest, version=version)
    decoded(((GROUP,), plan), COLUMNS, rest)
    decoded((groups, ALL), columns, rest)
