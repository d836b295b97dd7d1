"""A store in which somebody else has written: reads are right or go to the database, and nothing is raised."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections, transaction
from django.test import override_settings
from redis import Redis

from genscache import cached, invalidate, invalidate_model, stats
from genscache.codec import Codec
from genscache.engine import Engine, current_engine
from tests.fences import age
from tests.site.news.models import Section

SECTIONS: Any = Section.objects
"""With ``.cache()``, of which no stub knows."""

Write = Callable[[Redis, str], object]

IN_A_CENTURY = 4_000_000_000_000_000
LAST = 2**53 - 1


def text(value: bytes) -> Write:
    """Return what puts bytes under a key."""
    return lambda raw, key: raw.set(key, value)


def instead(write: Write) -> Write:
    """Return what does it after the key is gone: other types cannot be written over."""
    return lambda raw, key: (raw.delete(key), write(raw, key))


GARBAGE: dict[str, Write] = {
    "nothing": text(b""),
    "bytes": text(b"\x00\xff\xfe"),
    "a word": text(b"garbage"),
    "a minus": text(b"-5"),
    "zero": text(b"0"),
    "leading zeros": text(b"000000000000000000000017"),
    "a fraction": text(b"1.5"),
    "nan": text(b"nan"),
    "hexadecimal": text(b"0x10"),
    "too large": text(b"9007199254740992"),
    "gigantic": text(b"9" * 5000),
    "the last": text(str(LAST).encode()),
    "a lease without a deadline": text(b"17 token"),
    "a lease of garbage": text(b"17 a@b"),
    "a lease until nan": text(b"17 a@nan"),
    "a lease of a strange token": text(b"17 a}:b@17"),
    "a lease that has ended": text(b"17 a@18"),
    "a lease that ends too late": text(b"17 a@" + b"9" * 30),
    "a mark that has ended": text(b"0 a@18"),
    "a hundred leases that have ended": text(b"17" + b" a@18" * 100),
    "newlines": text(b"17\n"),
    "a megabyte": text(b"gc1" + bytes(2**20)),
    "a list": instead(lambda raw, key: raw.rpush(key, "17")),
    "a hash": instead(lambda raw, key: raw.hset(key, "17", "17")),
    "a set": instead(lambda raw, key: raw.sadd(key, "17")),
    "a sorted set": instead(lambda raw, key: raw.zadd(key, {"17": 17})),
    "a stream": instead(lambda raw, key: raw.xadd(key, {"17": "17"})),
}


@pytest.fixture(params=[True, False], ids=["signed", "unsigned"])
def engine(request: pytest.FixtureRequest, valkey_url: str) -> Iterator[Engine]:
    """The engine on Valkey under a prefix of its own."""
    options = {"STORE": valkey_url, "PREFIX": f"t{secrets.token_hex(6)}", "SIGN": request.param}
    age(valkey_url, options["PREFIX"])
    with override_settings(GENSCACHE=options):
        yield current_engine()
        current_engine().close()


@pytest.fixture
def raw(valkey_url: str) -> Iterator[Redis]:
    """Somebody who writes to the server."""
    client = Redis.from_url(valkey_url)
    yield client
    client.close()


def keys(engine: Engine, raw: Redis) -> list[str]:
    """Return what this test has in the store."""
    found: Any = raw.keys(f"{engine.settings.prefix}:*")
    return [key.decode() for key in found]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_under_every_key(engine: Engine, raw: Redis, garbage: str) -> None:
    name = f"name-{secrets.token_hex(4)}"

    @cached(name)
    def declared() -> list[str]:
        return list(SECTIONS.values_list("name", flat=True))

    @cached(lock=True)
    def discovered() -> int:
        return int(SECTIONS.filter(name="b").count())

    def reads(expected: str) -> None:
        for _ in range(2):
            assert [each.name for each in SECTIONS.cache()] == [expected]
            assert discovered() == int(expected == "b")
            assert declared() == [expected]
            with transaction.atomic():
                assert [each.name for each in SECTIONS.cache()] == [expected]

    section = SECTIONS.create(name="a")
    reads("a")
    before = keys(engine, raw)
    assert len(before) > 8
    for key in before:
        GARBAGE[garbage](raw, key)
    reads("a")
    # And a write among the garbage reaches everybody.
    for key in before:
        GARBAGE[garbage](raw, key)
    section.name = "b"
    section.save()
    invalidate(name)
    reads("b")
    assert any(stats().get(kind) for kind in ("miss", "bypass"))


@pytest.mark.django_db(transaction=True)
def test_a_lease_for_a_century_costs_bypasses(engine: Engine, raw: Redis) -> None:
    section = SECTIONS.create(name="a")
    assert [each.name for each in SECTIONS.cache()] == ["a"]
    for key in keys(engine, raw):
        raw.set(key, f"17 thief@{IN_A_CENTURY}")
    for name in ("b", "c"):
        SECTIONS.filter(pk=section.pk).update(name=name)
        assert [each.name for each in SECTIONS.cache()] == [name]
    assert stats()["bypass: a write on what it depends on is not settled yet"] >= 2


@pytest.mark.django_db(transaction=True)
def test_a_clock_of_another_type_is_done_without_and_counted(engine: Engine, raw: Redis) -> None:
    SECTIONS.create(name="a")
    raw.delete(engine.keys.clock)
    raw.rpush(engine.keys.clock, "17")
    with transaction.atomic():
        assert [each.name for each in SECTIONS.cache()] == ["a"]
    assert stats()["survived: store error"] == 1
    invalidate_model(Section)
    assert [each.name for each in SECTIONS.cache()] == ["a"]


HINTS: list[object] = [
    ((1, 2, 3),),
    (("model", 1, 2),),
    (("model", None, ""),),
    (("model", "a", b"b"),),
    (("model", "a"),),
    ("abc", "def"),
    ((["model"], "a", ""),),
    (("model", [], {}),),
    ({},),
    (("named", "x" * 100_000, "\ud800"),),
    (("site", "}:rows", ":{"),),
    tuple(("named", f"n{number}", "") for number in range(2000)),
    (("object", "default.news_section", "1" * 300),),
    5,
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("hint", HINTS, ids=lambda each: repr(each)[:30])
def test_a_hint_that_somebody_else_wrote(engine: Engine, raw: Redis, hint: object) -> None:
    """Where entries are not signed it is believed to be a hint, and is of any form."""

    @cached()
    def one() -> int:
        return int(SECTIONS.count())

    assert one() == 0
    (key,) = [key for key in keys(engine, raw) if "}:h:" in key]
    raw.set(key, Codec(signed=False).encode(hint, key=key))
    engine.forget()
    assert one() == one() == 0
    engine.forget()
    raw.set(key, Codec(signed=False).encode(hint, key=key))
    SECTIONS.create(name="a")
    assert one() == one() == 1


@pytest.mark.django_db(transaction=True)
def test_an_entry_moved_to_another_key_is_not_served(engine: Engine, raw: Redis) -> None:
    @cached("names")
    def shout(text: str) -> str:
        return text.upper()

    assert (shout("a"), shout("b")) == ("A", "B")
    one, other = [key for key in keys(engine, raw) if "}:e:" in key]
    mine, yours = raw.get(one) or b"", raw.get(other) or b""
    raw.set(one, yours)
    raw.set(other, mine)
    assert (shout("a"), shout("b")) == ("A", "B")
    assert stats()["survived: unreadable entry"] == 2


@pytest.mark.django_db(transaction=True)
def test_a_hundred_thousand_leases_do_not_hang_a_reader(engine: Engine, raw: Redis) -> None:
    SECTIONS.create(name="a")
    assert SECTIONS.cache().count() == 1
    (key,) = [key for key in keys(engine, raw) if key.endswith("news_section}:rows")]
    raw.set(key, b"17" + b" abc@1700000000000000" * 100_000)
    start = time.monotonic()
    assert SECTIONS.cache().count() == 1
    assert time.monotonic() - start < 5
    assert connections["default"].connection is not None
