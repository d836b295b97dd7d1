"""Which results are stored in parts, how, and that nothing is lost where they are not."""

from __future__ import annotations

import copyreg
import datetime as dt
import pickle
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from django.db import models
from django.db.models.base import ModelState
from django.db.models.signals import post_init
from django.test.utils import isolate_apps
from django.utils.safestring import SafeString

from genscache import columns
from genscache.anatomy import DjangoAnatomy
from genscache.codec import Codec, Reason, Unreadable
from genscache.columns import pack, unpacking
from tests.parts.comparing import KEY, codec, mutable, told
from tests.site.news.models import Article, Author, Section

NAIVE = dt.datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001  databases without zones have these
PUBLISHED = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC)


def loaded(instance: models.Model, **related: models.Model | None) -> Any:
    """Have an instance look as if it came from the database, with what select_related loads."""
    instance._state.adding, instance._state.db = False, "default"
    instance._state.fields_cache.update(related)
    return instance


def articles(count: int) -> list[Any]:
    return [
        loaded(
            Article(
                id=number,
                title=f"Title {number}",
                section_id=number % 3,
                author_id=number,
                published=PUBLISHED,
                score=Decimal("1.50"),
            ),
            section=loaded(Section(id=number % 3, name=f"Section {number % 3}")),
            author=None if number % 5 == 4 else loaded(Author(id=number, name="Ada")),
        )
        for number in range(count)
    ]


def by_pickle(value: object) -> object:
    return told(pickle.loads(pickle.dumps(value)))


def by_codec(value: object, made: Codec) -> object:
    found = made.decode(made.encode(value, key=KEY), key=KEY)
    assert not isinstance(found, Unreadable)
    return told(found)


SIGNED = pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])


@SIGNED
@pytest.mark.parametrize("count", [1, 2, 20, 300])
def test_a_list_with_what_select_related_loads(count: int, *, signed: bool) -> None:
    value = articles(count)
    made = codec(signed=signed)
    assert made.dump(value).parts
    for _ in range(3):
        assert by_codec(value, made) == by_pickle(value)


def test_it_takes_less_than_a_pickle() -> None:
    for count in (1, 20, 1000):
        value = articles(count)
        assert len(codec().encode(value, key=KEY)) <= 0.75 * len(pickle.dumps(value, 5))


VALUES: list[object] = [
    *(None, True, 0, -(2**70), 1.5, float("-inf"), 2j, "", "\ud800", "é" * 300, b"", b"\0" * 300, SafeString("x")),
    *(Decimal("-0"), Decimal("1E+10"), Decimal("sNaN123"), Decimal("Infinity"), Decimal("0.10")),
    *(uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), dt.date.min, dt.date.max, dt.time(1, tzinfo=dt.UTC)),
    *(NAIVE, NAIVE.replace(year=1), NAIVE.replace(year=9999, fold=1), PUBLISHED),
    *(dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")), dt.timedelta(-1, 2, 3)),
    *(dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1), "x")), dt.timezone(dt.timedelta(hours=2))),
    *([1, [2]], {"a": [{"b": None}], "c": 1}, {1, 2}, (1, [2]), bytearray(b"x"), frozenset({1}), [], {}),
]  # fmt: skip


@SIGNED
@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("others", [[], [None], [0], ["x"]], ids=repr)
def test_every_kind_of_value_beside_every_other(value: object, others: list[object], *, signed: bool) -> None:
    found = []
    for number, each in enumerate([value, value, *others]):
        article = loaded(Article(id=number))
        article.held = each
        found.append(article)
    made = codec(signed=signed)
    assert made.dump(found).parts
    assert by_codec(found, made) == by_pickle(found)


@pytest.mark.parametrize(
    ("value", "letter"),
    [
        ([1, None, "x", b"y", 1.5, True], "p"),
        ([PUBLISHED], "z"),
        ([PUBLISHED, None], "Z"),
        ([NAIVE], "t"),
        ([dt.datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))] * 2, "o"),
        ([PUBLISHED, NAIVE], "p"),
        ([dt.date(2026, 1, 1), None], "D"),
        ([dt.date(2026, 1, 1), PUBLISHED], "p"),
        ([Decimal(1), Decimal("NaN")], "n"),
        ([uuid.UUID(int=1)], "u"),
        (["", "\u00e4\ud800", *map(str, range(16))], "s"),
        (["one text"] * 16, "p"),
        (["x"] * 15, "p"),
        ([*"abcdefghijklmnop", "a\x00b"], "p"),
        ([*"abcdefghijklmnop", None], "p"),
        ([1] * 15, "p"),
        ([True] * 16, "p"),
        ([*range(-5, 11)], "a"),
        ([*range(0, 2**70, 2**66)], "a"),
        ([7] * 16, "i"),
        ([*range(16, 0, -1)], "i"),
        ([*range(16), 17], "i"),
        ([*range(300, 260, -1), 7], "i"),
        ([0, *range(2**64, 2**64 - 40, -1)], "p"),
        ([-1, *range(2**63, 2**63 - 40, -1)], "p"),
        ([*[0] * 39, -32769], "p"),
        ([uuid.uuid1()], "p"),
    ],
)
def test_columns(value: list[object], letter: str) -> None:
    packed = pack(value)
    assert packed is not None
    if letter != "p" or value[0].__class__ is not uuid.UUID:
        # Whether uuid1() is safe depends on the system.
        assert packed[0] == letter
    back = packed[1] if packed[0] == "p" else unpacking(packed[0])(packed[1])
    assert told(tuple(back)) == told(tuple(value))  # type: ignore[arg-type]  # a column


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        (0, 255, "B"), (0, 256, "H"), (-128, 127, "b"), (-129, 0, "h"), (-1, 128, "h"), (0, 65535, "H"),
        (0, 65536, "I"), (-32768, 32767, "h"), (-32769, 0, "i"), (-1, 32768, "i"), (0, 2**32 - 1, "I"), (0, 2**32, "Q"),
        (-(2**31), 2**31 - 1, "i"), (-(2**31) - 1, 0, "q"), (-1, 2**31, "q"), (0, 2**64 - 1, "Q"),
        (-(2**63), 2**63 - 1, "q"),
    ],
)  # fmt: skip
def test_the_narrowest_array_that_holds_all_numbers(low: int, high: int, kind: str) -> None:
    numbers = [low, high, low]
    packed = columns._pack_numbers(numbers)
    assert packed is not None
    letter, data = packed
    assert (letter, cast("tuple[str, bytes]", data)[0]) == ("i", kind)
    assert unpacking(letter)(data) == numbers
    assert columns.length(letter, data) == 3


class Zone(dt.tzinfo):
    """A zone of the project's own, which might be changed."""

    def utcoffset(self, _: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta()

    dst = utcoffset

    def tzname(self, _: dt.datetime | None) -> str:
        return "own"


@pytest.mark.parametrize(
    "value", [[], {}, (), object(), dt.datetime(2026, 1, 1, tzinfo=Zone()), dt.time(1, tzinfo=Zone())]
)
def test_what_can_be_changed_is_in_no_column(value: object) -> None:
    assert pack([value]) is None
    assert pack([1, value]) is None


def test_what_the_same_object_is_stays_the_same_object() -> None:
    tags = ["a"]
    author = loaded(Author(id=1, name="Ada"))
    found = [loaded(Article(id=number), author=author) for number in range(5)]
    for each in found:
        each.tags_of = tags
    # A reverse one-to-one, as Django sets it: each knows the other.
    author._state.fields_cache["article"] = found[2]
    value = {"all": found, "best": found[3], "author": author, "tags": tags}
    assert codec().dump(value).parts
    again: Any = codec().decode(codec().encode(value, key=KEY), key=KEY)
    assert told(again) == by_pickle(value)
    assert again["best"] is again["all"][3]
    assert all(each.author is again["author"] for each in again["all"])
    assert all(each.tags_of is again["tags"] for each in again["all"])
    assert again["author"]._state.fields_cache["article"] is again["all"][2]


def test_a_chain_that_pickle_is_too_shallow_for() -> None:
    found = None
    for number in range(10_000):
        found = loaded(Section(id=number, name="x"), **({"parent": found} if number else {}))
    again: Any = codec().decode(codec().encode([found], key=KEY), key=KEY)
    last = again[0]
    for number in reversed(range(10_000)):
        assert last.id == number
        last = last._state.fields_cache.get("parent")


def test_each_result_is_its_own() -> None:
    value = {"all": articles(20), "facets": {"x": [1]}, "first": articles(1)[0]}
    value["first"].held = {"a": []}
    parsed = codec().parse(codec().encode(value, key=KEY), key=KEY)
    assert not isinstance(parsed, Unreadable)
    one, other = parsed.build(), parsed.build()
    assert told(one) == told(other) == by_pickle(value)
    assert not mutable(one).keys() & mutable(other).keys()
    mutable(one).clear()
    one["all"][0].title = "changed"  # type: ignore[index]  # a dict
    one["facets"]["x"].append(2)  # type: ignore[index]
    assert told(parsed.build()) == told(other)
    assert parsed.size > len(codec().encode(value, key=KEY)) - 300


def test_an_instance_from_parts_has_no_more_than_one_from_the_database() -> None:
    again: Any = codec().decode(codec().encode(articles(2), key=KEY), key=KEY)
    assert list(vars(again[0])) == ["_state", *(field.attname for field in Article._meta.concrete_fields)]
    assert type(again[0]._state) is ModelState


def test_no_code_of_the_class_runs(settings: Any) -> None:
    heard: list[object] = []

    def hear(**_: object) -> None:
        heard.append(1)

    value = articles(3)
    post_init.connect(hear)
    try:
        codec().decode(codec().encode(value, key=KEY), key=KEY)
    finally:
        post_init.disconnect(hear)
    assert heard == []


# -- what is left to pickle


class Own:
    """A mixin that has a say in how instances are pickled."""

    def __getstate__(self) -> dict[str, object]:
        return {"more": 1}


class Slotted:
    __slots__ = ("slot",)


class Guarded:
    def __getattribute__(self, name: str) -> Any:
        return super().__getattribute__(name)


class Made:
    def __new__(cls, *_: object) -> Any:
        return super().__new__(cls)


class Plain:
    """A mixin that has no say."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)


@isolate_apps("tests.site.news")
@pytest.mark.parametrize(
    ("mixin", "fits"), [(Plain, True), (Own, False), (Slotted, False), (Guarded, False), (Made, False)]
)
def test_classes_that_have_a_say_are_left_to_pickle(mixin: type, *, fits: bool) -> None:
    class Given(mixin, models.Model):  # type: ignore[misc]  # noqa: DJ008
        class Meta:
            app_label = "news"

    assert (DjangoAnatomy().kind(Given) is not None) == fits


@isolate_apps("tests.site.news")
def test_a_class_with_a_reducer_of_its_own_is_left_to_pickle() -> None:
    class Given(models.Model):  # noqa: DJ008
        class Meta:
            app_label = "news"

    copyreg.pickle(Given, lambda _: (Given, ()))
    try:
        assert DjangoAnatomy().kind(Given) is None
    finally:
        del copyreg.dispatch_table[Given]
    assert DjangoAnatomy().kind(Given) is not None


@pytest.mark.parametrize("value", [None, 1, [], [1, 2], {"a": [1]}, [("x", 1)], ["x"] * 100], ids=repr)
def test_results_without_instances_are_pickled(value: object) -> None:
    assert not codec().dump(value).parts


def hiding() -> Iterator[object]:
    one, other = articles(2)
    yield [{one.title: {one}}, other]
    yield (one, frozenset({other}))
    yield {"a": {"b": {"c": {"d": {"e": one}}}}}
    one.other = other
    yield [one]
    one, other = articles(2)
    one.others = [{"x": (other,)}]
    yield [one]
    same = [one]
    yield {"a": same, "b": same}
    one, _ = articles(2)
    one._state.more = 1
    yield one
    one, _ = articles(2)
    one._state.fields_cache["x"] = "no instance"
    yield [one]
    one, _ = articles(2)
    one.model = Section
    yield [one]
    vars(one).clear()
    vars(one)["_state"] = ModelState()
    yield [one]


@pytest.mark.parametrize("place", range(10))
def test_what_hides_an_instance_is_pickled_whole(place: int) -> None:
    value = list(hiding())[place]
    assert not codec().dump(value).parts
    if place != 8:
        assert by_codec(value, codec()) == by_pickle(value)


# -- formats


def test_an_entry_of_the_release_before_is_read() -> None:
    """It had no parts, and named the module in each line."""
    value = articles(3)
    before, now = replace(codec(), anatomy=None), codec()
    payload = before.encode(value, key=KEY)
    assert payload[3] == 0
    assert told(now.decode(payload, key=KEY)) == by_pickle(value)


def test_an_entry_in_parts_is_foreign_to_who_knows_none() -> None:
    payload = codec().encode(articles(1), key=KEY)
    assert replace(codec(), anatomy=None).decode(payload, key=KEY) == Unreadable(Reason.FOREIGN)
    # As it was tested before: any flag that is not known.
    assert payload[3] & ~1


def test_an_entry_of_a_later_format_is_foreign() -> None:
    made = codec()
    content = made.dump(articles(1))
    body = pickle.loads(content.body)
    later = replace(content, body=pickle.dumps((body[0] + 1, *body[1:])))
    assert made.decode(made.seal(later, key=KEY), key=KEY) == Unreadable(Reason.FOREIGN)


def test_parts_that_do_not_fit_together_are_a_miss_also_where_they_are_signed() -> None:
    made = codec()
    content = made.dump(articles(3))
    version, structure, columns, rest = pickle.loads(content.body)
    for wrong in (
        (version, structure, columns[:-1], rest),
        (version, structure, (*columns[:-1], "x"), rest),
        (version, structure, (columns[0][:1], *columns[1:]), rest),
        (version, b"", columns, rest),
        (version, structure, None, rest),
        (version, None, columns, rest),
        (),
        None,
    ):
        forged = made.seal(replace(content, body=pickle.dumps(wrong)), key=KEY)
        assert made.decode(forged, key=KEY) == Unreadable(Reason.CORRUPT)


@SIGNED
def test_a_changed_model_is_a_miss(*, signed: bool) -> None:
    made = codec(signed=signed)
    payload = made.encode(articles(1), key=KEY)
    changed = replace(made, describe=lambda kind: "another" if kind is Author else made.describe(kind))
    assert changed.decode(payload, key=KEY) == Unreadable(Reason.CHANGED)
    gone = replace(made, resolve=lambda path: None if path.endswith("Author") else made.resolve(path))
    assert gone.decode(payload, key=KEY) == Unreadable(Reason.CHANGED)


@SIGNED
def test_compressed_parts(*, signed: bool) -> None:
    made = replace(codec(signed=signed), compress_above=0)
    value = articles(50)
    assert made.encode(value, key=KEY)[3] == 3
    assert by_codec(value, made) == by_pickle(value)


@SIGNED
@pytest.mark.parametrize("place", [0, 2])
def test_bytes_that_a_driver_gives_as_a_memoryview_come_back(place: int, *, signed: bool) -> None:
    """PostgreSQL's BinaryField: pickle cannot store such a value by itself, an instance's own state can."""
    rows = articles(3)
    rows[place].title = memoryview(b"\x00\xff")
    made = codec(signed=signed)
    found: Any = made.decode(made.encode(rows, key=KEY), key=KEY)
    assert isinstance(found[place].title, memoryview)
    assert bytes(found[place].title) == b"\x00\xff"
    assert [each.pk for each in found] == [0, 1, 2]
    assert found[1].section.name == "Section 1"
