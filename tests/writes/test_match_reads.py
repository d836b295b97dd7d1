"""``match`` from end to end: lists filtered by equality outlive writes of other rows, in one release or several."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from genscache import invalidate_model, invalidate_obj
from genscache.events import Event, Read
from genscache.stores.base import Settle
from tests.site.news.models import Article, Section
from tests.writes.actors import Cache, Configure, databases, every_database
from tests.writes.conftest import Clock
from tests.writes.spy import SpyStore
from tests.writes.world import Rows

ALL = {"cache": "all"}
LISTS: dict[str, list[list[str]] | None] = {
    "none": None,
    "section": [["section"]],
    "author": [["author"]],
    "section and author": [["section"], ["author"]],
    "together": [["author", "section"]],
}


def configured(configure: Configure, store: SpyStore, name: str) -> Cache:
    """Begin a release with one of the lists."""
    match = LISTS[name]
    return configure(store, MODELS={"news.Article": ALL if match is None else {**ALL, "match": match}})


def read(cache: Cache, alias: str, **values: Any) -> tuple[list[str], str]:
    """Read a list as the cache may answer, and tell how it did."""
    outcomes: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Read):
            outcomes.append(event.outcome)

    stop = cache.engine.hub.subscribe(listen)
    try:
        found = [article.title for article in Article.objects.using(alias).filter(**values).order_by("pk")]
    finally:
        stop()
    return found, outcomes[-1]


@pytest.fixture
def sport(alias: str, rows: Rows) -> Section:
    """Return a section with one article."""
    made = Section.objects.using(alias).create(name="Sport")
    Article.objects.using(alias).create(title="s", section=made, author=rows.author)
    return made


@every_database
@pytest.mark.parametrize("atomic", [False, True], ids=["autocommit", "atomic"])
def test_who_lives_and_who_dies(
    alias: str,
    install: Configure,
    memory: SpyStore,
    rows: Rows,
    sport: Section,
    atomic: bool,  # noqa: FBT001
) -> None:
    cache = configured(install, memory, "section")
    world, other = {"section": rows.section}, {"section": sport}
    first = rows.articles[0]

    def warm() -> None:
        for values in (world, other, {}):
            read(cache, alias, **values)
            assert read(cache, alias, **values)[1] == "hit"

    def outcomes(write: Callable[[], object]) -> tuple[str, str, str]:
        warm()
        if atomic:
            with transaction.atomic(using=alias):
                write()
        else:
            write()
        return read(cache, alias, **world)[1], read(cache, alias, **other)[1], read(cache, alias)[1]

    articles = Article.objects.using(alias)
    assert outcomes(lambda: articles.filter(pk=first.pk).update(views=1)) == ("miss", "hit", "miss")
    assert outcomes(first.save) == ("miss", "hit", "miss")
    assert outcomes(lambda: articles.create(title="n", section=sport, author=rows.author)) == (
        "hit",
        "miss",
        "miss",
    )
    assert outcomes(lambda: articles.filter(pk=first.pk).update(section=sport)) == ("miss", "miss", "miss")
    assert read(cache, alias, **other) == (["a0", "s", "n"], "hit")
    assert outcomes(lambda: articles.get(title="n").delete()) == ("hit", "miss", "miss")
    assert outcomes(lambda: articles.filter(title="s").update(views=1)) == ("miss", "miss", "miss")
    assert outcomes(lambda: invalidate_obj(first)) == ("miss", "miss", "miss")
    assert outcomes(lambda: invalidate_model(Article)) == ("miss", "miss", "miss")
    assert outcomes(lambda: Section.objects.using(alias).update(name="x")) == ("hit", "hit", "hit")
    assert outcomes(lambda: rows.tags[0].articles.add(rows.articles[1])) == ("hit", "hit", "hit")


def _update(alias: str, rows: Rows, sport: Section) -> None:
    Article.objects.using(alias).filter(pk=rows.pks[0]).update(section=sport)


def _insert(alias: str, rows: Rows, _sport: Section) -> None:
    Article.objects.using(alias).create(title="n", section=rows.section, author=rows.author)


def _delete(alias: str, rows: Rows, _sport: Section) -> None:
    rows.articles[0].delete(using=alias)


def _bulk(alias: str, rows: Rows, _sport: Section) -> None:
    new = [Article(title=title, section=rows.section, author=rows.author) for title in "mn"]
    Article.objects.using(alias).bulk_create(new)


WRITES = {"update": _update, "insert": _insert, "delete": _delete, "bulk": _bulk}


@databases("default")
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("writer", LISTS)
@pytest.mark.parametrize("reader", LISTS)
def test_releases_side_by_side(
    alias: str,
    install: Configure,
    memory: SpyStore,
    rows: Rows,
    sport: Section,
    reader: str,
    writer: str,
    write: str,
) -> None:
    """What one release has filled, another one's write reaches, whatever either has opted in to; and back again."""
    filters: list[dict[str, object]] = [
        {"section": rows.section}, {"section": sport}, {"author": rows.author},
        {"section": rows.section, "author": rows.author}, {},
    ]  # fmt: skip
    old = configured(install, memory, reader)
    for values in filters:
        read(old, alias, **values)
        assert read(old, alias, **values)[1] == "hit"

    configured(install, memory, writer)
    WRITES[write](alias, rows, sport)

    back = configured(install, memory, reader)
    for values in filters:
        fresh = list(
            Article.objects.using(alias)
            .nocache()
            .filter(**values)
            .order_by("pk")
            .values_list("title", flat=True)
        )
        assert read(back, alias, **values)[0] == fresh


@databases("default")
@pytest.mark.parametrize("writer", LISTS)
def test_a_writer_of_another_release_that_dies(
    alias: str, install: Configure, memory: SpyStore, clock: Clock, rows: Rows, sport: Section, writer: str
) -> None:
    """Killed between COMMIT and settle: its leases run out, which ends in a bump, for readers of every release."""
    old = configured(install, memory, "section")
    values = {"section": rows.section}
    read(old, alias, **values)
    assert read(old, alias, **values)[1] == "hit"

    configured(install, memory, writer)

    def die() -> None:
        raise SystemExit

    memory.before(Settle, die)
    with pytest.raises(SystemExit):
        WRITES["update"](alias, rows, sport)

    back = configured(install, memory, "section")
    assert read(back, alias, **values) == (["a1", "a2"], "bypass")
    clock.advance(seconds=30)
    assert read(back, alias, **values) == (["a1", "a2"], "miss")


@every_database
def test_flush_and_loaddata(
    alias: str, install: Configure, memory: SpyStore, rows: Rows, sport: Section, tmp_path: Path
) -> None:
    cache = configured(install, memory, "section")
    values = {"section": rows.section.pk}
    assert read(cache, alias, **values)[0] == ["a0", "a1", "a2"]
    assert read(cache, alias, **values)[1] == "hit"
    fixture = tmp_path / "fixture.json"
    fields = {"title": "new", "section": rows.section.pk, "author": rows.author.pk, "tags": []}
    fixture.write_text(json.dumps([{"model": "news.article", "pk": rows.pks[0], "fields": fields}]))

    call_command("loaddata", str(fixture), database=alias, verbosity=0)
    assert read(cache, alias, **values) == (["new", "a1", "a2"], "miss")
    assert read(cache, alias, **values)[1] == "hit"

    call_command("flush", database=alias, verbosity=0, interactive=False)
    assert read(cache, alias, **values) == ([], "miss")
