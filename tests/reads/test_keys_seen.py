"""What stands in the store: keys a person can read, and no garbage under hot ones."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from redis import Redis

from genscache import (
    batch_invalidations,
    cached,
    explain,
    invalidate,
    invalidate_all,
    invalidate_model,
    invalidate_obj,
    obj,
)
from genscache.engine import Engine
from tests.reads.conftest import Use
from tests.site.news.models import Author, Section


@cached("prices")
def page(number: int) -> int:
    return number * 2


@cached
def sections() -> list[str]:
    return list(Section.objects.values_list("name", flat=True))


def keys(raw: Redis, engine: Engine) -> list[str]:
    """Return what this test has in the store, without the prefix."""
    prefix = engine.settings.prefix
    found: list[bytes] = list(raw.scan_iter(match=f"{prefix}:*"))
    return sorted(key.decode().removeprefix(prefix) for key in found)


def test_keys_say_what_they_are(on_valkey: Engine, raw: Redis) -> None:
    page(7)

    function = r":1:\{tests\.reads\.test_keys_seen\.page\}"
    forms = [
        r":1:clock",
        r":1:fence",
        r":1:\{\*\}:site",
        r":1:\{prices\}:named",
        rf"{function}:call=[a-z2-7]{{32}}",
        rf"{function}:e:[A-Za-z0-9_-]{{6}}:g=~[A-Za-z0-9_-]{{27}}",
        rf"{function}:function",
    ]
    found = keys(raw, on_valkey)
    for form in forms:
        assert sum(re.fullmatch(form, key) is not None for key in found) == 1, form
    assert len(found) == len(forms)


def test_the_generations_stand_in_the_entrys_key(on_valkey: Engine, raw: Redis) -> None:
    """Digested, in the canonical order of their namespaces."""
    page(7)

    prefix = on_valkey.settings.prefix
    (entry,) = (key for key in keys(raw, on_valkey) if ":e:" in key)
    (call,) = (key for key in keys(raw, on_valkey) if ":call=" in key)
    function = call.partition(":call=")[0] + ":function"
    vector = [
        int(raw.get(f"{prefix}{key}") or 0) for key in (call, function, ":1:{prices}:named", ":1:{*}:site")
    ]
    assert all(vector)
    owner = "tests.reads.test_keys_seen.page"
    assert f"{prefix}{entry}" == on_valkey.keys.entry(owner, explain(page, 7).fingerprint or "", vector)


def test_key_is_what_the_key_of_the_entry_begins_with(on_valkey: Engine, raw: Redis) -> None:
    page(7)

    key = page.key(7).removeprefix(on_valkey.settings.prefix)

    (entry,) = (each for each in keys(raw, on_valkey) if ":e:" in each)
    assert entry.startswith(key)
    assert re.fullmatch(r":g=~[A-Za-z0-9_-]{27}", entry.removeprefix(key))
    assert page.key(8) != page.key(7)


@pytest.mark.django_db(transaction=True)
def test_key_of_what_was_discovered_is_that_of_the_tables_known_now(on_valkey: Engine, raw: Redis) -> None:
    before = sections.key()
    sections()

    (entry,) = (key for key in keys(raw, on_valkey) if ":e:" in key)
    assert sections.key() != before
    assert entry.startswith(sections.key().removeprefix(on_valkey.settings.prefix))


def entries(raw: Redis, engine: Engine) -> int:
    return sum(":e:" in key for key in keys(raw, engine))


def test_a_refill_unlinks_what_it_supersedes(on_valkey: Engine, raw: Redis) -> None:
    for _ in range(20):
        page(1)
        invalidate("prices")
    page(1)

    assert entries(raw, on_valkey) == 1


@pytest.mark.django_db(transaction=True)
def test_so_does_one_whose_tables_were_discovered(on_valkey: Engine, raw: Redis) -> None:
    for number in range(20):
        Section.objects.create(name=str(number))
        assert len(sections()) == number + 1

    assert entries(raw, on_valkey) == 1
    assert sum(":h:" in key for key in keys(raw, on_valkey)) == 1


def test_refresh_leaves_no_garbage(on_valkey: Engine, raw: Redis) -> None:
    page(1)
    for _ in range(5):
        invalidate("prices")
        page.refresh(1)

    assert entries(raw, on_valkey) == 1


def test_everything_that_is_stored_has_an_end(on_valkey: Engine, raw: Redis) -> None:
    page(1), page(2)
    page.invalidate(1)
    page.invalidate_all()
    page(1)

    endless = [key for key in keys(raw, on_valkey) if raw.pttl(on_valkey.settings.prefix + key) == -1]
    assert [key for key in endless if key not in {":1:clock", ":1:fence"}] == []
    entry = next(key for key in keys(raw, on_valkey) if ":e:" in key)
    counter = next(key for key in keys(raw, on_valkey) if key.endswith(":function"))
    lives: list[Any] = [raw.pttl(on_valkey.settings.prefix + key) for key in (entry, counter)]
    assert 0 < lives[0] <= 300_000 < lives[1]


@pytest.mark.django_db(transaction=True)
def test_nothing_ever_looks_for_keys_or_flushes(use: Use, own_valkey: Any) -> None:
    """The server counts what it was asked to do, inside scripts too."""
    use(STORE=own_valkey.url)
    _broad_workload()

    client = Redis.from_url(own_valkey.url)
    called = {name.removeprefix("cmdstat_").partition("|")[0] for name in client.info("commandstats")}
    client.close()
    assert {"mget", "set", "evalsha", "unlink"} <= called
    assert called.isdisjoint({"keys", "scan", "flushdb", "flushall", "swapdb", "dbsize", "randomkey", "sort"})


def _broad_workload() -> None:
    @cached(lock=True)
    def outer(number: int) -> list[object]:
        return [sections(), page(number), Author.objects.filter(pk=number).first()]

    author = Author.objects.create(name="Ada")
    for number in range(3):
        outer(number), outer.refresh(number), outer.key(number)
        invalidate_obj(author, obj(Section, number))
        with batch_invalidations():
            Author.objects.update(name=str(number))
            invalidate_model(Section)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE news_author SET name = 'raw'")
        outer(number)
    outer.invalidate(1)
    outer.invalidate_all()
    invalidate_all()
    outer(1)
