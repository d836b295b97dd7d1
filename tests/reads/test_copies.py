"""Copies that a process keeps of entries: never served without the store's word, and given to nobody twice."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from genscache import cached, invalidate, invalidate_model, stats
from genscache.engine import Engine
from genscache.protocol.memory import Copies, Copy, Memory
from tests.reads.conftest import Use
from tests.reads.wire import Wire
from tests.site.news.models import Section

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "x" * 50_000
SECTIONS: Any = Section.objects


@pytest.fixture
def on_wire(use: Use, wire: Wire) -> Engine:
    return use(STORE=wire.url)


@pytest.fixture
def section(on_wire: Engine) -> Section:
    return Section.objects.create(name="World")


def names() -> list[str]:
    return [each.name for each in SECTIONS.cache()]


def copied(read: Callable[[], Any], engine: Engine) -> None:
    """Read until the process has a copy."""
    for _ in range(3):
        read()
    assert len(engine.memory.copies) == 1


def as_somebody_else(engine: Engine, do: Callable[[], Any]) -> Any:
    """Do something as a process that has never heard of anything."""
    mine = engine.memory
    engine.memory = Memory()
    try:
        return do()
    finally:
        engine.memory = mine


def test_the_entry_is_sent_no_more(on_wire: Engine, wire: Wire) -> None:
    @cached("prices")
    def text() -> str:
        return LONG

    copied(text, on_wire)
    before = stats()["hit"]
    with wire.counting() as turns:
        assert text() == LONG
    assert turns == [1]
    assert wire.sent.count(b"GETRANGE") == wire.sent.count(b"MGET") == 1
    assert wire.received < 1_000
    assert stats()["hit"] == before + 1


def test_an_invalidation_elsewhere_is_heard_of(on_wire: Engine, section: Section) -> None:
    copied(names, on_wire)
    as_somebody_else(on_wire, lambda: Section.objects.update(name="Elsewhere"))
    assert names() == ["Elsewhere"]
    copied(names, on_wire)
    # Somebody else fills first: the old entry is not removed by this process.
    as_somebody_else(on_wire, lambda: (Section.objects.update(name="Once more"), names()))
    assert names() == ["Once more"]
    assert names() == ["Once more"]


def test_what_others_have_put_in_its_place_is_served(on_wire: Engine) -> None:
    """Generations stand still, for instance after ``refresh()``."""
    answers = iter(range(100))

    @cached("prices")
    def price() -> int:
        return next(answers)

    copied(price, on_wire)
    assert price() == 0
    assert as_somebody_else(on_wire, price.refresh) == 1
    assert price() == 1
    copied(price, on_wire)
    assert price() == 1


def test_an_entry_that_has_gone_is_missed(on_wire: Engine, raw: Redis) -> None:
    """It has run out, was evicted, or somebody has removed it."""
    runs: list[int] = []

    @cached("prices")
    def price() -> int:
        runs.append(1)
        return 7

    copied(price, on_wire)
    (entry,) = on_wire.memory.copies._copies
    assert raw.delete(entry) == 1
    assert price() == 7
    assert len(runs) == 2


def test_another_type_in_its_place_is_missed(on_wire: Engine, raw: Redis) -> None:
    @cached("prices")
    def price() -> int:
        return 7

    copied(price, on_wire)
    (entry,) = on_wire.memory.copies._copies
    raw.delete(entry)
    raw.rpush(entry, "a")
    assert price() == 7
    assert not stats().get("survived: store error")


def test_nobody_sees_what_others_do_to_their_values(on_wire: Engine, section: Section) -> None:
    def first() -> Section:
        found: Section = SECTIONS.cache().get(pk=section.pk)
        return found

    copied(first, on_wire)
    mine = first()
    mine.name = "changed"
    mine._state.fields_cache["x"] = 1
    assert first().name == "World"
    assert first() is not first()
    assert not first()._state.fields_cache


def test_a_coroutine_has_copies_too(on_wire: Engine, wire: Wire) -> None:
    runs: list[int] = []

    @cached("prices")
    async def text() -> str:
        runs.append(1)
        return LONG

    async def main() -> None:
        for _ in range(3):
            await text()
        with wire.counting() as turns:
            assert await text() == LONG
        assert turns == [1]
        assert wire.received < 1_000
        invalidate("prices")
        await text()
        await on_wire.async_store.aclose()

    asyncio.run(main())
    assert len(runs) == 2


def test_none_are_kept_where_there_is_no_room(use: Use, wire: Wire) -> None:
    engine = use(STORE=wire.url, LOCAL_BYTES=0)

    @cached("prices")
    def text() -> str:
        return LONG

    for _ in range(3):
        text()
    with wire.counting():
        text()
    assert wire.received > len(LONG)
    assert len(engine.memory.copies) == 0


def test_none_are_kept_of_a_store_that_knows_no_marks(use: Use) -> None:
    engine = use(STORE="django://default")
    Section.objects.create(name=secrets.token_hex(8))
    for _ in range(4):
        names()
    assert len(engine.memory.copies) == 0


def test_a_child_of_a_fork_has_none(on_wire: Engine, section: Section) -> None:
    copied(names, on_wire)
    on_wire.forget()
    assert len(on_wire.memory.copies) == 0
    assert names() == ["World"]


def test_old_copies_go_with_their_generations(on_wire: Engine, section: Section) -> None:
    copied(names, on_wire)
    invalidate_model(Section)
    copied(names, on_wire)


def test_copies_have_a_room_of_their_own() -> None:
    copies: Copies[str] = Copies(100)
    for name in "abcd":
        copies.keep(name, Copy(b"", name, 25))
    assert copies.get("a") is not None
    copies.keep("e", Copy(b"", "e", 20))
    assert (copies.used, len(copies)) == (95, 4)
    assert copies.get("b") is None
    assert copies.get("a") is not None
    copies.keep("f", Copy(b"", "f", 26))
    assert copies.get("f") is None
    copies.keep("a", Copy(b"", "again", 5))
    assert copies.used == 75
    for _ in range(2):
        copies.drop("a")
    assert (copies.used, len(copies)) == (70, 3)
