"""The envelope, what it refuses, and what no unsigned pickle can do."""

from __future__ import annotations

import copyreg
import datetime as dt
import decimal
import enum
import fractions
import hashlib
import ipaddress
import json
import pathlib
import pickle
import struct
import sys
import threading
import uuid
import zlib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from django.utils.safestring import SafeString, mark_safe

from genscache.codec import Codec, Reason, Unreadable
from genscache.exceptions import UncacheableValue
from genscache.opcodes import MOST_SHARED, MOST_TUPLES
from genscache.unpickling import PLAIN_TYPES, find_loaded, revive

KEY = "gc:1:{app.front_page}:e:abc:g=1.2"
SECRET = b"s" * 32
UTC = dt.UTC


class Model:
    """What stands for a Django model: its class has a definition."""

    def __init__(self, pk: int, *, related: object = None) -> None:
        self.pk = pk
        self.related = related

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and vars(self) == vars(other)

    __hash__ = object.__hash__


class Author(Model):
    pass


class Listing:
    """Something that holds a model's class and no instance, as a queryset does."""

    def __init__(self, model: type) -> None:
        self.model = model


class Colour(enum.Enum):
    RED = 1


class Point(NamedTuple):
    x: int
    y: object


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    value: object


class Definitions:
    """A describe hook whose answers a test can change, as a deploy does."""

    def __init__(self) -> None:
        self.found: dict[type, str] = {Model: "m1", Author: "a1"}
        self.asked: list[type] = []

    def __call__(self, kind: type) -> str | None:
        self.asked.append(kind)
        return self.found.get(kind)


def signed(**options: Any) -> Codec:
    return Codec(**{"keys": (SECRET,), "describe": Definitions(), **options})


def unsigned(**options: Any) -> Codec:
    return Codec(**{"signed": False, "describe": Definitions(), **options})


def round_trip(codec: Codec, value: object) -> object:
    return codec.decode(codec.encode(value, key=KEY), key=KEY)


def envelope(body: bytes, *, models: bytes = b"", flags: int = 0, secret: bytes = b"") -> bytes:
    """Return what somebody who knows the format and ``secret`` can write; without one, that is anybody."""
    serializer = hashlib.blake2b(b"pickle", digest_size=4, person=b"genscache1").digest()
    head = b"gc1" + bytes([flags]) + serializer
    length = struct.pack(">I", len(models))
    name = KEY.encode()
    signature = hashlib.blake2b(
        head + length + len(name).to_bytes(4, "big") + name + models + body,
        key=secret,
        digest_size=16,
        person=b"genscache1",
    ).digest()
    return head + signature + length + models + body


PLAIN: list[object] = [
    *(
        None,
        True,
        0,
        -1,
        2**100,
        -(2**3000),
        1.5,
        2j,
        "",
        "\ud800",
        "é" * 300,
        b"",
        b"x" * 300,
        bytearray(b"y"),
    ),
    *(
        [],
        [1, [2]],
        (),
        (1,),
        (1, 2),
        (1, 2, 3),
        (1, 2, 3, 4),
        {},
        {"a": [1]},
        {1, 2},
        frozenset({1, (2, 3)}),
    ),
    *(range(5), slice(1, 2), decimal.Decimal("1.50"), decimal.Decimal("NaN").copy_abs().is_nan()),
    *(
        dt.date(2024, 1, 1),
        dt.datetime(2024, 1, 1, tzinfo=UTC),
        dt.time(1, 2),
        dt.timedelta(3),
    ),
    dt.timezone(dt.timedelta(hours=1), "x"),
    dt.datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")),
    *(fractions.Fraction(1, 3), uuid.UUID(int=5), ZoneInfo("Europe/Berlin")),
    *(pathlib.PurePosixPath("/a/b"), pathlib.PureWindowsPath("c:/a"), pathlib.Path("a")),
    *(ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("::1"), ipaddress.ip_network("10.0.0.0/8")),
    *(ipaddress.ip_interface("::1/64"), ipaddress.ip_network("::/64"), ipaddress.ip_interface("10.0.0.1/8")),
    *(deque([1, 2], maxlen=5), deque([1]), OrderedDict(a=1, b=2), Counter("aab"), mark_safe("<b>")),
    ["x" * 70_000, b"y" * 70_000, list(range(3000)), {str(number): number for number in range(3000)}],
]


@pytest.mark.parametrize("make", [signed, unsigned])
@pytest.mark.parametrize("value", PLAIN, ids=lambda value: type(value).__name__)
def test_round_trip(make: Callable[..., Codec], value: object) -> None:
    again = round_trip(make(), value)
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize("make", [signed, unsigned])
def test_round_trip_of_what_contains_itself(make: Callable[..., Codec]) -> None:
    value: dict[str, Any] = {"list": []}
    value["list"] += [value, (value["list"],)]
    again = round_trip(make(), value)
    assert isinstance(again, dict)
    assert again["list"][0] is again
    assert again["list"][1][0] is again["list"]


@pytest.mark.parametrize("make", [signed, unsigned])
def test_two_decodes_share_no_mutable_object(make: Callable[..., Codec]) -> None:
    codec = make()
    payload = codec.encode({"a": [1, {"b": set()}], "m": Model(1, related=[1])}, key=KEY)
    one, other = codec.decode(payload, key=KEY), codec.decode(payload, key=KEY)
    assert isinstance(one, dict)
    one["a"][1]["b"].add(1)
    one["m"].related.append(2)
    assert other == {"a": [1, {"b": set()}], "m": Model(1, related=[1])}


def test_the_envelope_is_small() -> None:
    assert len(signed().encode(None, key=KEY)) - len(pickle.dumps(None, 5)) == 28


# -- what cannot be stored


def generator() -> Iterator[int]:
    yield 1


class Explodes:
    def __reduce__(self) -> str:
        raise OSError("connection lost")


def deep() -> list[object]:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (generator(), "type builtins.generator cannot be stored: cannot pickle 'generator' object"),
        ([threading.Lock()], "type builtins.list cannot be stored: cannot pickle '_thread.lock' object"),
        (lambda: 1, "type builtins.function cannot be stored"),
        (Explodes(), "connection lost"),
        (Unreadable(Reason.CORRUPT), "means that there is no value"),
        (deep(), "recursion"),
    ],
    ids=["generator", "lock", "lambda", "raises", "unreadable", "deep"],
)
def test_what_cannot_be_pickled_is_refused_with_the_cure(value: object, words: str) -> None:
    with pytest.raises(UncacheableValue, match=words) as caught:
        signed().encode(value, key=KEY)
    assert "Return " in str(caught.value)


def test_a_local_class_is_refused() -> None:
    class Local:
        pass

    for codec in (signed(), unsigned(allowed=frozenset({f"{__name__}.*"}))):
        with pytest.raises(UncacheableValue, match="Local"):
            codec.encode(Local(), key=KEY)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Row("a", 1), f'add "{__name__}.Row" to GENSCACHE'),
        ([{"a": Colour.RED}], f'add "{__name__}.Colour" to'),
        (Point(1, 2), f'add "{__name__}.Point" to'),
        (Row, "is a class or a function"),
        (int, "is a class or a function"),
        (len, "is a class or a function"),
        (defaultdict(list), 'add "collections.defaultdict" to'),
        (iter([1]), "not on the list"),
        (ValueError("x"), "not on the list"),
        (slice("a"), "slice with"),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_unsigned_what_is_not_on_the_list_is_refused(value: object, words: str) -> None:
    with pytest.raises(UncacheableValue, match=words):
        unsigned().encode(value, key=KEY)


class Singleton:
    def __reduce__(self) -> str:
        return "SINGLETON"


SINGLETON = Singleton()


@pytest.mark.parametrize(
    ("value", "words"), [(Explodes(), "connection lost"), (SINGLETON, "pickled by the name 'SINGLETON'")]
)
def test_unsigned_a_listed_class_that_is_pickled_in_its_own_way_is_refused(value: object, words: str) -> None:
    assert round_trip(signed(), SINGLETON) is SINGLETON
    with pytest.raises(UncacheableValue, match=words):
        unsigned(allowed=frozenset({f"{__name__}.*"})).encode(value, key=KEY)


def test_unsigned_a_listed_class_may_not_have_functions_called() -> None:
    with pytest.raises(UncacheableValue, match="which unsigned entries may not call"):
        unsigned(allowed=frozenset({f"{__name__}.*"})).encode(Reduces(attack), key=KEY)


@pytest.mark.parametrize("kind", PLAIN_TYPES, ids=lambda kind: kind.__name__)
def test_no_pickle_can_change_a_type_that_it_may_name(kind: type) -> None:
    with pytest.raises(TypeError, match="immutable type"):
        kind.now = None  # type: ignore[attr-defined]  # what is tested


@pytest.mark.parametrize("pattern", [f"{__name__}.*", f"{__name__}.Row"])
def test_unsigned_what_is_on_the_list_is_stored(pattern: str) -> None:
    codec = unsigned(allowed=frozenset({pattern, f"{__name__}.Colour", f"{__name__}.Point"}))
    value = [Row("a", (1,)), Colour.RED, Point(1, [Row("b", None)])]
    assert round_trip(codec, value) == value
    # The list of the reader counts, not the writer's.
    assert unsigned().decode(codec.encode(value, key=KEY), key=KEY) == Unreadable(Reason.FORBIDDEN)


# -- models


@pytest.mark.parametrize("make", [signed, unsigned])
def test_a_changed_model_is_a_miss(make: Callable[..., Codec]) -> None:
    definitions = Definitions()
    codec = make(describe=definitions)
    payload = codec.encode({"rows": [Model(1, related=Author(2))]}, key=KEY)
    assert codec.decode(payload, key=KEY) == {"rows": [Model(1, related=Author(2))]}
    definitions.found[Author] = "a2"
    assert codec.decode(payload, key=KEY) == Unreadable(Reason.CHANGED)
    del definitions.found[Author]
    assert codec.decode(payload, key=KEY) == Unreadable(Reason.CHANGED)


@pytest.mark.parametrize("make", [signed, unsigned])
def test_a_model_that_is_gone_is_a_miss(make: Callable[..., Codec]) -> None:
    payload = make().encode(Model(1), key=KEY)
    assert make(resolve=lambda _: None).decode(payload, key=KEY) == Unreadable(Reason.CHANGED)


def test_the_models_are_compared_before_anything_is_unpickled(monkeypatch: pytest.MonkeyPatch) -> None:
    definitions = Definitions()
    payload = signed(describe=definitions).encode(Model(1), key=KEY)
    definitions.found[Model] = "m2"
    monkeypatch.setattr(pickle, "loads", lambda _: pytest.fail("unpickled"))
    assert signed(describe=definitions).decode(payload, key=KEY) == Unreadable(Reason.CHANGED)


def test_a_class_held_as_a_value_counts_as_a_model_too() -> None:
    definitions = Definitions()
    codec = signed(describe=definitions)
    # Row first: its metaclass is that of the models, and must not hide them.
    payload = codec.encode([Row, Listing(Author)], key=KEY)
    definitions.found[Author] = "a2"
    assert codec.decode(payload, key=KEY) == Unreadable(Reason.CHANGED)


def test_each_class_is_described_once_per_encode() -> None:
    definitions = Definitions()
    signed(describe=definitions).encode([Model(number) for number in range(50)], key=KEY)
    assert definitions.asked.count(Model) == 1


def test_a_model_that_no_reader_could_find_is_refused() -> None:
    with pytest.raises(UncacheableValue, match="cannot be found under that name"):
        signed(resolve=lambda _: None).encode(Model(1), key=KEY)


def test_resolve_finds_what_is_no_attribute_of_its_module() -> None:
    hidden = type(
        "Hidden", (Model,), {"__module__": __name__, "__reduce__": lambda _: (find_loaded, ("a:b",))}
    )
    codec = signed(
        describe=lambda kind: "h1" if kind is hidden else None,
        resolve=lambda path: hidden if path == f"{__name__}:Hidden" else None,
    )
    assert codec.decode(codec.encode(hidden(1), key=KEY), key=KEY) is None


def django_codec(make: Callable[..., Codec]) -> Codec:
    from django.db.models import Model as DjangoModel  # noqa: PLC0415 - needs the settings

    return make(describe=lambda kind: kind.__name__ if issubclass(kind, DjangoModel) else None)


@pytest.mark.parametrize("make", [signed, unsigned])
def test_django_instances_round_trip_with_what_they_are_related_to(make: Callable[..., Codec]) -> None:
    from tests.site.news.models import Article, Author, Section  # noqa: PLC0415 - needs the settings

    codec = django_codec(make)
    authors = [Author(pk=number, name=SafeString(f"a{number}")) for number in range(3)]
    article = Article(pk=7, title="t", author=authors[1], section=Section(pk=3, name="s"))
    payload = codec.encode([*authors, article], key=KEY)
    again = codec.decode(payload, key=KEY)
    assert isinstance(again, list)
    assert [(type(each), each.pk) for each in again] == [
        *((Author, number) for number in range(3)),
        (Article, 7),
    ]
    assert again[3].author is again[1]
    assert again[3].section.name == "s"
    assert again[3].published == article.published
    assert again[0].name == "a0"
    assert again[0]._state.adding is True
    # The module is named once.
    assert b"tests.site.news.models:Author\tAuthor\n:" in payload
    for name in ("Author", "Article", "Section"):
        assert f":{name}\t{name}".encode() in payload


def test_unsigned_a_django_model_outside_the_models_section_is_not_made() -> None:
    from tests.site.news.models import Author  # noqa: PLC0415 - needs the settings

    codec = django_codec(unsigned)
    models = b"tests.site.news.models:Author\tAuthor"
    body = codec.encode(Author(pk=1), key=KEY)[28 + len(models) :]
    assert isinstance(codec.decode(envelope(body, models=models), key=KEY), Author)
    assert codec.decode(envelope(body), key=KEY) == Unreadable(Reason.FORBIDDEN)


# -- bytes that somebody else wrote


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.TRUNCATED),
        (b"g", Reason.TRUNCATED),
        (b"gc1\x00", Reason.TRUNCATED),
        (b"x", Reason.FOREIGN),
        (b"\x80\x05N.", Reason.FOREIGN),
        (b"gc2" + bytes(50), Reason.FOREIGN),
        (pickle.dumps(list(range(100))), Reason.FOREIGN),
        (envelope(b"\x80\x05N.", flags=2, secret=SECRET), Reason.FOREIGN),
        (envelope(b"\x80\x05N.", models=b"x" * 100, secret=SECRET)[:60], Reason.TRUNCATED),
        (envelope(b"\x80\x05N."), Reason.SIGNATURE),
        (envelope(b"\x80\x05N.", secret=b"other"), Reason.SIGNATURE),
        (envelope(b"", secret=SECRET), Reason.CORRUPT),
        (envelope(b"\x80\x05", secret=SECRET), Reason.CORRUPT),
        (envelope(b"cno_such_module\nname\n.", secret=SECRET), Reason.CORRUPT),
        (envelope(b"\x80\x05N.", flags=1, secret=SECRET), Reason.CORRUPT),
        (envelope(zlib.compress(b"\x80\x05N.")[:-2], flags=1, secret=SECRET), Reason.CORRUPT),
        (envelope(zlib.compress(b"\x80\x05N.") + b"x", flags=1, secret=SECRET), Reason.CORRUPT),
        (envelope(b"\x80\x05N.", models=b"\xff", secret=SECRET), Reason.CORRUPT),
        (envelope(b"\x80\x05N.", models=b"os:system\tx", secret=SECRET), Reason.CHANGED),
    ],
)
def test_why_bytes_cannot_be_read(data: bytes, reason: Reason) -> None:
    assert signed().decode(data, key=KEY) == Unreadable(reason)


def test_the_envelope_of_these_tests_is_the_real_one() -> None:
    assert envelope(pickle.dumps([1], 5), secret=SECRET) == signed().encode([1], key=KEY)
    assert unsigned().decode(envelope(pickle.dumps([1], 5)), key=KEY) == [1]


def test_a_payload_is_bound_to_its_key_and_its_secret() -> None:
    payload = signed().encode([1], key=KEY)
    assert signed().decode(payload, key=KEY) == [1]
    assert signed().decode(payload, key=KEY + "0") == Unreadable(Reason.SIGNATURE)
    assert signed(keys=(b"t" * 32,)).decode(payload, key=KEY) == Unreadable(Reason.SIGNATURE)
    assert unsigned().decode(payload, key=KEY) == Unreadable(Reason.SIGNATURE)
    assert unsigned().decode(unsigned().encode([1], key=KEY), key="other") == Unreadable(Reason.SIGNATURE)


def test_an_unsigned_payload_is_not_read_where_signatures_are_asked_for() -> None:
    assert signed().decode(unsigned().encode([1], key=KEY), key=KEY) == Unreadable(Reason.SIGNATURE)


def test_a_rotated_secret_still_verifies_and_no_longer_signs() -> None:
    old, new, both = signed(), signed(keys=(b"n" * 32,)), signed(keys=(b"n" * 32, SECRET))
    assert both.decode(old.encode([1], key=KEY), key=KEY) == [1]
    assert new.decode(both.encode([1], key=KEY), key=KEY) == [1]
    assert old.decode(both.encode([1], key=KEY), key=KEY) == Unreadable(Reason.SIGNATURE)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs a key, got none"),
        ({"keys": (SECRET, b"")}, "1 to 64 bytes, got 0"),
        ({"keys": (b"x" * 65,)}, "1 to 64 bytes, got 65"),
        ({"signed": False, "largest": 0}, "at least 1 byte, got 0"),
    ],
)
def test_options_that_would_protect_nothing_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Codec(**options)


def test_the_keys_are_not_shown() -> None:
    assert "sss" not in repr(signed())


# -- compression


def test_large_bodies_are_compressed_and_small_ones_not() -> None:
    codec = signed(compress_above=1000)
    small, large = codec.encode("x" * 500, key=KEY), codec.encode("x" * 5000, key=KEY)
    assert len(small) > 500
    assert len(large) < 200
    assert codec.decode(large, key=KEY) == "x" * 5000
    # What is compressed can be read by whoever does not compress.
    assert signed().decode(large, key=KEY) == "x" * 5000


def test_a_bomb_is_not_inflated() -> None:
    bomb = zlib.compress(b"\x80\x05C" + bytes(10_000_000))
    codec = unsigned(largest=1_000_000)
    assert codec.decode(envelope(bomb, flags=1), key=KEY) == Unreadable(Reason.TOO_LARGE)


def test_a_body_that_no_reader_would_inflate_is_not_compressed() -> None:
    codec = signed(compress_above=10, largest=1000)
    assert round_trip(codec, "x" * 5000) == "x" * 5000
    assert round_trip(codec, "x" * 500) == "x" * 500


# -- serializers


class Json:
    name = "json"

    def dumps(self, value: object, /) -> bytes:
        return json.dumps(value).encode()

    def loads(self, data: bytes, /) -> object:
        return json.loads(data)


class Text(Json):
    name = "text"

    def dumps(self, value: object, /) -> bytes:
        return json.dumps(value)  # type: ignore[return-value]  # the mistake that is tested


class Broken(Json):
    def loads(self, data: bytes, /) -> object:
        raise RuntimeError("broken")


@pytest.mark.parametrize("make", [signed, unsigned])
def test_a_serializer_of_the_projects_own(make: Callable[..., Codec]) -> None:
    codec = make(serializer=Json())
    assert round_trip(codec, {"a": [1, None]}) == {"a": [1, None]}
    assert b'{"a": [1, null]}' in codec.encode({"a": [1, None]}, key=KEY)
    with pytest.raises(UncacheableValue, match="not JSON serializable"):
        codec.encode(object(), key=KEY)
    with pytest.raises(UncacheableValue, match=r"dumps\(\) must return bytes, got str"):
        make(serializer=Text()).encode(1, key=KEY)
    assert make(serializer=Broken()).decode(codec.encode(1, key=KEY), key=KEY) == Unreadable(Reason.CORRUPT)


def test_entries_of_another_serializer_are_foreign() -> None:
    payload = signed().encode(1, key=KEY)
    assert signed(serializer=Json()).decode(payload, key=KEY) == Unreadable(Reason.FOREIGN)
    assert signed().decode(signed(serializer=Json()).encode(1, key=KEY), key=KEY) == Unreadable(
        Reason.FOREIGN
    )


def test_a_serializer_without_a_name_goes_by_that_of_its_class() -> None:
    class Nameless:
        dumps = Json.dumps
        loads = Json.loads

    one, other = Nameless(), type("Other", (Nameless,), {})()
    payload = signed(serializer=one).encode(1, key=KEY)
    assert signed(serializer=Nameless()).decode(payload, key=KEY) == 1
    assert signed(serializer=other).decode(payload, key=KEY) == Unreadable(Reason.FOREIGN)


# -- attacks on unsigned entries: whoever writes to the store can write a valid checksum


class Canary:
    """Records what a pickle should never have been able to do."""

    done: list[str] = []  # noqa: RUF012 - what attacks would change

    def __call__(self, *args: object) -> str:
        self.done.append("called")
        return "called"

    def __setstate__(self, state: object) -> None:
        self.done.append("state")


def attack(what: str = "attacked") -> str:
    Canary.done.append(what)
    return what


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def name(module: str, qualname: str) -> bytes:
    return text(module) + text(qualname) + b"\x93"


class Reduces:
    def __init__(self, function: Callable[..., object], *args: object) -> None:
        self.reduced = (function, args)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.reduced


HEAD = b"\x80\x05"
HERE = __name__
REVIVE = name("genscache.unpickling", "revive")
CALL = text("call")
NEW = text("new")


def names() -> dict[str, bytes]:
    dangerous = [
        *(("os", "system"), ("posix", "system"), ("nt", "system"), ("subprocess", "Popen"), ("sys", "exit")),
        *(
            ("builtins", builtin)
            for builtin in ("eval", "exec", "getattr", "setattr", "__import__", "compile", "open")
        ),
        *(
            ("builtins", builtin)
            for builtin in ("object", "type", "list", "bytearray", "bytes", "print", "iter", "map")
        ),
        *(
            ("functools", "partial"),
            ("operator", "methodcaller"),
            ("operator", "attrgetter"),
            ("codecs", "decode"),
        ),
        *(
            ("copyreg", "_reconstructor"),
            ("copyreg", "__newobj__"),
            ("copyreg", "add_extension"),
            ("types", "FunctionType"),
        ),
        *(("pickle", "loads"), ("importlib", "import_module"), ("runpy", "run_module"), ("shutil", "rmtree")),
        *(
            ("collections", "deque"),
            ("fractions", "Fraction"),
            ("uuid", "UUID"),
            ("django.db.models.base", "ModelState"),
        ),
        *(
            ("datetime", "sys"),
            ("decimal", "Context"),
            ("datetime.datetime", "now"),
            ("django.db.models.base", "apps"),
        ),
        *(
            ("datetime", "datetime.now"),
            ("datetime", "datetime.__class__.__base__"),
            ("genscache.unpickling", "pickle.loads"),
        ),
        *(
            ("genscache.unpickling", "sys"),
            ("genscache.unpickling", "revive.__globals__"),
            ("", ""),
            (HERE, "attack"),
        ),
        *((HERE, "Canary"), ("antigravity", "geohash")),
    ]
    return {
        f"{module}.{qualname} {form}": data
        for module, qualname in dangerous
        for form, data in {
            "named": HEAD + name(module, qualname) + b".",
            "called": HEAD + name(module, qualname) + text("x") + b"\x85R.",
            "newobj": HEAD + name(module, qualname) + b")\x81.",
            "global": f"c{module}\n{qualname}\n)R.".encode(),
            "inst": f"(i{module}\n{qualname}\n.".encode(),
            "obj": f"(c{module}\n{qualname}\no.".encode(),
        }.items()
    }


NAMES = names()


def revived(path: str, how: bytes = CALL, args: bytes = b"", count: int = 0) -> bytes:
    return HEAD + REVIVE + b"(" + text(path) + how + args + b"tR."


PROGRAMS = {
    **{f"protocol {protocol}": pickle.dumps(Reduces(attack), protocol) for protocol in range(6)},
    "nested": pickle.dumps({"a": [Reduces(attack)]}, 5),
    "as a key": pickle.dumps({Reduces(attack): 1}, 5),
    "eval": pickle.dumps(Reduces(eval, "__import__('os').getcwd()"), 5),
    "newobj_ex": HEAD + name(HERE, "Canary") + b")}\x92.",
    "newobj of a plain type": HEAD + name("decimal", "Decimal") + b")\x81.",
    "extension code 1": b"\x80\x02\x82\x01.",
    "extension code 2": b"\x80\x02\x83\x01\x00.",
    "extension code 4": b"\x80\x02\x84\x01\x00\x00\x00.",
    "persistent id": b"\x80\x02Ppid\n.",
    "persistent id from the stack": HEAD + b"NQ.",
    "dup": HEAD + b"N2\x86.",
    "text opcodes": b"I1\n.",
    "string": b"S'a'\n.",
    "buffer": HEAD + b"\x97.",
    "state of the reviver": HEAD + REVIVE + b"}" + text("_make") + name("decimal", "Decimal") + b"sb.",
    "slots of the reviver": HEAD + REVIVE + b"N}" + text("_make") + b"Ns\x86b.",
    "state of a class": HEAD + name("decimal", "Decimal") + b"}" + text("x") + b"Nsb.",
    "slots of a class": HEAD + name("decimal", "Decimal") + b"N}" + text("x") + b"Ns\x86b.",
    "slots of a c function": HEAD + name("datetime", "datetime") + b"N}" + text("now") + b"Ns\x86b.",
    "append to a class": HEAD + name("decimal", "Decimal") + b"Na.",
    "items of the reviver": HEAD + REVIVE + b"NNs.",
    "revive os.system": revived("os:system", args=text("x")),
    "revive a function of ours": revived(f"{HERE}:attack"),
    "revive what is not listed": revived(f"{HERE}:Canary"),
    "revive a builtin": revived("builtins:eval", args=text("1")),
    "revive an import of a listed module": revived("fractions:Decimal"),
    "revive through a dotted name": revived("fractions:Fraction.__init__"),
    "revive by no text": HEAD + REVIVE + b"(" + name("decimal", "Decimal") + CALL + b"tR.",
    "revive by nothing": HEAD + REVIVE + b")R.",
    "revive with an unhashable name": HEAD + REVIVE + b"(]" + CALL + b"tR.",
    "a deque of a range": revived(
        "collections:deque", args=name("builtins", "range") + b"J\xff\xff\xff\x7f\x85R"
    ),
    "a fraction of a text": revived("fractions:Fraction", args=text("1e999999999")),
    "a counter of a text": revived("collections:Counter", args=text("abc")),
    "a slice of a slice": revived(
        "builtins:slice", args=REVIVE + b"(" + text("builtins:slice") + CALL + b"NtR"
    ),
    "a zone of a path": revived("zoneinfo:ZoneInfo", args=text("../../etc/passwd")),
    "model_unpickle of a class": HEAD
    + name("django.db.models.base", "model_unpickle")
    + name("decimal", "Decimal")
    + b"\x85R.",
    "model_unpickle of any model": HEAD
    + name("django.db.models.base", "model_unpickle")
    + text("news")
    + text("Author")
    + b"\x86\x85R.",
    "memo index that takes gigabytes": HEAD + b"Nr\xff\xff\xff\x7f.",
    "memo index as text": b"Np99999999999\n.",
    "memo index that is not there": HEAD + b"h\x05.",
    "huge bytes": HEAD + b"\x8e" + (2**62).to_bytes(8, "little") + b".",
    "huge text": HEAD + b"\x8d" + (2**62).to_bytes(8, "little") + b".",
    "huge bytearray": HEAD + b"\x96" + (2**40).to_bytes(8, "little") + b".",
    "huge frame": HEAD + b"\x95" + (2**62).to_bytes(8, "little") + b"N.",
    "huge int": HEAD + b"\x8b" + (2**31 - 1).to_bytes(4, "little") + b".",
    "negative int length": HEAD + b"\x8b\xff\xff\xff\xff.",
    "a tuple too deep to hash": HEAD + b"})" + b"\x85" * 2_000_000 + b"Ns.",
    "a tuple that takes for ever to hash": HEAD
    + b"})\x85\x94"
    + b"".join(b"h" + bytes([number]) + b"\x86\x94" for number in range(80))
    + b"Ns.",
    "marks without end": HEAD + b"(" * 100_000,
    "empty stack": HEAD + b".",
    "empty stack reduced": HEAD + b"R.",
    "rubbish after the end": HEAD + b"N.N.",
    "a list as a key": HEAD + b"}]Ns.",
    "an unknown protocol": b"\x80\xffN.",
}


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    monkeypatch.setattr(Canary, "done", done)
    return done


@pytest.mark.parametrize("attack_name", [*NAMES, *PROGRAMS])
def test_no_unsigned_pickle_does_anything(attack_name: str, canary: list[str]) -> None:
    body = {**NAMES, **PROGRAMS}[attack_name]
    loaded = set(sys.modules)
    result = unsigned().decode(envelope(body), key=KEY)
    assert isinstance(result, Unreadable)
    assert result.reason in {Reason.FORBIDDEN, Reason.CORRUPT, Reason.TOO_LARGE}
    assert canary == []
    assert "antigravity" not in sys.modules
    assert {module for module in set(sys.modules) - loaded if not module.startswith("tzdata")} == set()


@pytest.mark.parametrize("attack_name", ["protocol 5", "protocol 0"])
def test_the_attacks_work_where_nothing_stops_them(attack_name: str, canary: list[str]) -> None:
    """Else the test above would prove nothing."""
    assert pickle.loads(PROGRAMS[attack_name]) == "attacked"
    assert canary == ["attacked"]


def test_a_listed_class_gives_away_neither_its_module_nor_its_attributes(canary: list[str]) -> None:
    codec = unsigned(allowed=frozenset({f"{HERE}.*"}))
    for path in (
        f"{HERE}:attack",
        f"{HERE}:Row.__init__",
        f"{HERE}:sys",
        f"{HERE}:ZoneInfo",
        f"{HERE}:json.JSONDecoder",
    ):
        assert codec.decode(envelope(revived(path)), key=KEY) == Unreadable(Reason.FORBIDDEN)
    # The class itself never is on the stack, so nothing can set its attributes.
    for opcodes in (name(HERE, "Row"), name(HERE, "Row") + b"N}" + text("x") + b"Ns\x86b"):
        assert codec.decode(envelope(HEAD + opcodes + b"."), key=KEY) == Unreadable(Reason.FORBIDDEN)
    assert canary == []


def test_an_extension_code_that_somebody_used_is_no_way_in(canary: list[str]) -> None:
    copyreg.add_extension(HERE, "attack", 0x77)
    try:
        program = b"\x80\x02\x82\x77)R."
        assert pickle.loads(program) == "attacked"  # from now on Python remembers what the code stands for
        canary.clear()
        assert unsigned().decode(envelope(program), key=KEY) == Unreadable(Reason.FORBIDDEN)
        assert canary == []
    finally:
        copyreg.remove_extension(HERE, "attack", 0x77)


def test_revive_does_nothing_for_an_ordinary_unpickler() -> None:
    with pytest.raises(pickle.UnpicklingError, match="can only be revived by a RestrictedUnpickler"):
        revive("fractions:Fraction", "call", 1, 2)


def test_results_that_a_reader_would_refuse_for_their_tuples_are_not_stored() -> None:
    shared = (1, 2)
    assert round_trip(unsigned(), [shared] * (MOST_SHARED + 1)) == [shared] * (MOST_SHARED + 1)
    with pytest.raises(UncacheableValue, match="18 of them shared"):
        unsigned().encode([shared] * (MOST_SHARED + 3), key=KEY)
    with pytest.raises(UncacheableValue, match="50001 tuples"):
        unsigned().encode([(number,) for number in range(MOST_TUPLES + 1)], key=KEY)
    assert round_trip(signed(), [shared] * 1000) == [shared] * 1000


@pytest.mark.parametrize("error", [MemoryError, RecursionError, OverflowError, RuntimeWarning])
def test_whatever_unpickling_raises_is_a_miss(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def loads(_: bytes) -> object:
        raise error

    monkeypatch.setattr(pickle, "loads", loads)
    assert round_trip(signed(), 1) == Unreadable(Reason.CORRUPT)
