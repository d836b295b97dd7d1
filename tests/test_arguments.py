"""Canonical bytes of values, and of calls."""

from __future__ import annotations

import enum
import io
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cached_property
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import PurePosixPath, PureWindowsPath
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from genscache.arguments import DEEPEST, encode
from genscache.exceptions import UncacheableArgument
from genscache.signatures import CallSignature, function_path

BERLIN = ZoneInfo("Europe/Berlin")


class Colour(enum.Enum):
    RED = 1
    CRIMSON = 1  # noqa: PIE796 - an alias is what is tested
    BLUE = 2


class Other(enum.Enum):
    RED = 1


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Level(enum.IntEnum):
    LOW = 1


class Slug(str):
    __slots__ = ()


class Money(int):
    currency: str = "EUR"


class Slotted(int):
    pass


class Point(NamedTuple):
    x: object
    y: object


class Pair(NamedTuple):
    x: object
    y: object


@dataclass(frozen=True)
class Filter:
    name: str
    limit: object = 10

    @cached_property
    def shout(self) -> str:
        return self.name.upper()


@dataclass(frozen=True, slots=True)
class Slim:
    name: str


class Base:
    def __init__(self) -> None:
        self.tenant = "a"


@dataclass
class Derived(Base):
    name: str = ""
    made: int = field(init=False)


def money(amount: int, currency: str) -> Money:
    made = Money(amount)
    made.currency = currency
    return made


def derived(tenant: str) -> Derived:
    made = Derived("n")
    made.tenant = tenant
    return made


DISTINCT: list[object] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        255,
        -255,
        10**5000,
        0.0,
        -0.0,
        1.0,
        float("inf"),
        float("nan"),
        1j,
        complex(-0.0, 1),
    ),
    *(
        "",
        "1",
        "a",
        "é",
        "e\u0301",
        "\ud800",
        "None",
        "s1:1",
        b"",
        b"1",
        b"a",
        bytearray(b"a"),
        Slug("a"),
        Slug("1"),
    ),
    *(
        Decimal(1),
        Decimal("1.0"),
        Decimal("1.00"),
        Decimal("-0"),
        Decimal(0),
        Decimal("NaN"),
        Decimal("sNaN"),
    ),
    *(Decimal("Infinity"), Decimal(100), Decimal("1E+2"), Fraction(1), Fraction(1, 3), Fraction(-1, 3)),
    *(
        date(2024, 1, 1),
        datetime(2024, 1, 1),  # noqa: DTZ001 - naive ones have a form of their own
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=BERLIN),
    ),
    datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1))),
    datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Paris")),
    *(datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=fold) for fold in (0, 1)),
    *(time(1), time(1, fold=1), time(1, tzinfo=UTC), time(1, tzinfo=BERLIN), timedelta(1), timedelta(0, 1)),
    *(UTC, timezone(timedelta(0), "UTC "), BERLIN, ZoneInfo("Europe/Paris")),
    *(UUID(int=1), UUID(int=2), ip_address("10.0.0.1"), ip_address("::1"), ip_address("fe80::1%a")),
    *(
        ip_network("10.0.0.1/32"),
        ip_interface("10.0.0.1/32"),
        ip_interface("10.0.0.1/24"),
        ip_network("::1/128"),
    ),
    *(PurePosixPath("a"), PureWindowsPath("a"), PurePosixPath("a/b")),
    *(
        Colour.RED,
        Colour.BLUE,
        Other.RED,
        Level.LOW,
        Rights.READ,
        Rights.WRITE,
        Rights.READ | Rights.WRITE,
        Rights(0),
    ),
    *(range(1), range(0, 1, 2), slice(1), slice(0, 1), slice(0, 1, 2)),
    *(
        (),
        [],
        {},
        set(),
        frozenset(),
        (1,),
        [1],
        {1},
        frozenset({1}),
        {1: 1},
        ((),),
        [[]],
        (1, 2),
        (12,),
        ("a", "b"),
    ),
    *(
        ("ab", "c"),
        ("a", "bc"),
        ["a, b"],
        ["a", "b"],
        [["a"], "b"],
        [["a", "b"]],
        {"a": 1, "b": 2},
        {"b": 2, "a": 1},
    ),
    *({"a": {"b": 1}}, {"a": "b"}, {1: "a"}, {True: "a"}, {"1": "a"}, (None,), (None, None)),
    *(Point(1, 2), Pair(1, 2), Point(2, 1), Filter("a"), Filter("a", 11), Filter("b"), Slim("a")),
    *(Money(5), money(5, "USD"), money(5, "GBP"), Slotted(5), 5, derived("a"), derived("b")),
    *(Point, Pair, int, Colour),
]


def test_different_values_have_different_bytes() -> None:
    found: dict[bytes, object] = {}
    for value in DISTINCT:
        encoded = encode(value)
        assert encoded not in found, f"{value!r} and {found[encoded]!r}"
        found[encoded] = value
    # Inside a container too, where one value could run into the next.
    assert (
        len({encode((first, second)) for first in DISTINCT for second in DISTINCT[:20]}) == len(DISTINCT) * 20
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Colour.RED, Colour.CRIMSON),
        ({1, 2, 3, "a"}, {"a", 3, 2, 1}),
        (frozenset("abc"), frozenset("cba")),
        (Filter("a"), Filter("a", limit=10)),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=timezone(timedelta(0)))),
        (Rights.READ | Rights.WRITE, Rights(3)),
    ],
)
def test_equal_values_have_equal_bytes(one: object, other: object) -> None:
    assert encode(one) == encode(other)


def test_looking_at_a_cached_property_does_not_change_the_bytes() -> None:
    value = Filter("a")
    before = encode(value)
    assert value.shout == "A"
    assert encode(value) == before


def test_a_decimal_does_not_depend_on_the_context() -> None:
    before = encode(Decimal("1E+5"))
    with localcontext() as context:
        context.capitals = 0
        assert encode(Decimal("1E+5")) == before


def test_overridden_methods_do_not_speak_for_a_scalar() -> None:
    assert encode(Liar("a")) != encode(Liar("b"))


class Liar(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "same"

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"same"


def test_every_process_and_hash_seed_writes_the_same() -> None:
    code = (
        "from genscache.arguments import encode; from datetime import datetime, UTC\n"
        "print(encode([{'a', 'b', 'c', 1, None}, frozenset('xyz'), {'k': datetime(2024, 1, 1, tzinfo=UTC)}]).hex())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


def numbers() -> Iterator[int]:
    yield 1


class Local:
    pass


class NotTheFirst(list[int]):
    pass


Impostor = type("Filter", (Filter,), {"__module__": __name__, "__qualname__": "Filter"})
Unfindable = type("NameOfNothing", (Point,), {"__module__": __name__})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (numbers(), "value is a generator, which has no canonical form"),
        (numbers, "is a function"),
        (lambda: 1, "is a function"),
        (object(), "is a object"),
        (Local(), "is a Local"),
        (NotTheFirst(), "is a NotTheFirst"),
        (sys, "is a module"),
        (sys.stdin, "which has no canonical form"),
        (os.stat_result(range(10)), "is a stat_result"),
        (list[int], "is a GenericAlias"),
        (memoryview(b"a"), "is a memoryview"),
        ([1, {"a": (2, object())}], r"value\[1\]\['a'\]\[1\] is a object"),
        ({object: {1: object()}}, r"value\[<class 'object'>\]\[1\] is a object"),
        ({(1, Local): 1, (1, numbers): 2}, r"value\.keys\(\)\[1\]\[1\] is a function"),
        ({numbers}, r"value\{\.\.\.\} is a function"),
        (Filter("a", limit=[object()]), r"value\.limit\[0\] is a object"),
        (Point(1, object()), r"value\[1\] is a object"),
        (Impostor("a"), "cannot be found under that name"),
        (Unfindable(1, 2), "cannot be found under that name"),
        (slice(object()), r"value\[1\] is a object"),
    ],
)
def test_what_has_no_canonical_form_is_refused_by_its_place(value: object, words: str) -> None:
    with pytest.raises(UncacheableArgument, match=words):
        encode(value)


def test_a_class_of_a_function_is_refused() -> None:
    class Inner(enum.Enum):
        A = 1

    for value in (Inner, Inner.A):
        with pytest.raises(UncacheableArgument, match="cannot be found under that name"):
            encode(value)


def test_a_zone_without_a_key_is_refused() -> None:
    # The smallest file there can be: one type of local time, called UTC, and no transition.
    data = (
        b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4) + struct.pack(">lbb", 0, 0, 0) + b"UTC\0"
    )
    with pytest.raises(UncacheableArgument, match="ZoneInfo without a key"):
        encode(ZoneInfo.from_file(io.BytesIO(data)))


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    return value


def test_nesting_has_an_end() -> None:
    encode(nested(DEEPEST))
    with pytest.raises(UncacheableArgument, match="deeper than 64 levels"):
        encode(nested(DEEPEST + 1))
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(UncacheableArgument, match="contains itself"):
        encode(loop)


def test_hooks_are_asked_in_order_for_what_is_not_known() -> None:
    asked: list[object] = []

    def first(value: object) -> bytes | None:
        asked.append(value)
        return None

    def second(value: object) -> bytes | None:
        return b"local" if isinstance(value, Local) else None

    local = Local()
    encoded = encode([1, "a", local], extra=(first, second))
    assert asked == [local]
    assert encoded == encode([1, "a", Local()], extra=(second,))
    assert encoded != encode([1, "a", b"local"], extra=(second,))
    with pytest.raises(UncacheableArgument, match="is a object"):
        encode(object(), extra=(first, second))


def test_a_lazy_object_is_not_evaluated_to_find_out_what_it_is() -> None:
    class Lazy:
        @property
        def __class__(self) -> type:  # what lazy objects do
            raise AssertionError("evaluated")

        @__class__.setter
        def __class__(self, value: type) -> None: ...

    with pytest.raises(UncacheableArgument, match=r"is a .*Lazy"):
        encode(Lazy())


# -- calls


def plain(limit: int = 10, order: str = "name") -> None: ...


def strict(a: int, b: int) -> None: ...


def full(first: int, /, second: int = 2, *rest: int, named: int = 4, **others: object) -> None: ...


def encoded(function: Callable[..., object], *args: object, **kwargs: object) -> bytes:
    return CallSignature(function).encode(args, kwargs)


def test_calls_that_mean_the_same_have_the_same_bytes() -> None:
    same = {
        encoded(plain),
        encoded(plain, 10),
        encoded(plain, limit=10),
        encoded(plain, 10, "name"),
        encoded(plain, order="name", limit=10),
        encoded(plain, 10, order="name"),
    }
    assert len(same) == 1
    assert encoded(full, 1, 2, named=4) == encoded(full, 1) == encoded(full, 1, second=2)
    assert encoded(full, 1, b=1, a=2) == encoded(full, 1, a=2, b=1)


def test_calls_that_mean_something_else_have_other_bytes() -> None:
    calls = [
        encoded(plain, 10),
        encoded(plain, 11),
        encoded(plain, "10"),
        encoded(plain, 10.0),
        encoded(plain, True),
        encoded(plain, 10, "limit"),
        encoded(full, 1),
        encoded(full, 1, 2, 3),
        encoded(full, 1, 2, 3, 4),
        encoded(full, 1, 2, (3, 4)),
        encoded(full, 1, named=3),
        encoded(full, 1, others=3),
        encoded(full, 1, others={"a": 1}),
        encoded(full, 1, a=1),
        encoded(full, 1, rest=(3,)),
        encoded(full, 1, first=1),
    ]
    assert len(set(calls)) == len(calls)


def test_the_short_way_binds_as_the_long_one_does() -> None:
    signature = CallSignature(strict)
    assert signature.encode((1, [2]), {}) == signature.encode((1,), {"b": [2]})


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (strict, (1,), {}),
        (strict, (), {}),
        (strict, (1, 2, 3), {}),
        (strict, (1, 2), {"b": 3}),
        (strict, (1, 2), {"c": 3}),
        (full, (), {}),
        (plain, (1, 2, 3), {}),
    ],
)
def test_wrong_arguments_raise_what_the_function_raises(
    function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
) -> None:
    with pytest.raises(TypeError) as own:
        function(*args, **kwargs)
    with pytest.raises(TypeError) as ours:
        CallSignature(function).encode(args, kwargs)
    assert not isinstance(ours.value, UncacheableArgument)
    assert str(ours.value) == str(own.value)


def test_a_positional_only_parameter_given_by_keyword_is_refused() -> None:
    # The words are those of inspect, and differ from the interpreter's in this one case.
    with pytest.raises(TypeError, match=r"^full\(\) .*first"):
        encoded(full, first=1)


def test_the_message_names_the_function_the_argument_and_the_cure() -> None:
    with pytest.raises(UncacheableArgument) as caught:
        encoded(plain, [1, object()])
    assert str(caught.value) == (
        'plain(): argument "limit": limit[1] is a object, which has no canonical form. '
        "Pass a plain value such as request.user.pk, or give @cached(key=lambda ...)."
    )
    with pytest.raises(UncacheableArgument, match=r'^plain\(\): argument "order" is a object, which'):
        encoded(plain, 1, object())
    with pytest.raises(UncacheableArgument, match=r'^full\(\): argument "extra" is a object, which'):
        encoded(full, 1, extra=object())


def test_hooks_reach_the_arguments() -> None:
    signature = CallSignature(plain)
    assert signature.encode((Local(),), {}, extra=(lambda _: b"x",)) != signature.encode((1,), {})


def test_the_path_of_a_function() -> None:
    assert function_path(plain) == f"{__name__}.plain"


def test_a_mutable_default_counts_as_it_is_now() -> None:
    default: list[int] = []

    def grows(items: list[int] = default) -> None: ...

    signature = CallSignature(grows)
    before = signature.encode((), {})
    default.append(1)
    assert signature.encode((), {}) != before


def test_missing_trailing_arguments_take_their_defaults_on_the_short_way() -> None:
    signature = CallSignature(plain)
    assert signature.encode((), {}) == signature.encode((10, "name"), {}) != signature.encode((11,), {})


def test_the_end_of_one_string_is_not_the_beginning_of_the_next() -> None:
    assert encode(("a", "sb")) != encode(("as", "b"))
    assert encode({"a": "sb"}) != encode({"as": "b"})
