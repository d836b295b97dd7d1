"""``match`` when several write at once: a writer knows what its rows hold when nobody else can change them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models import F

from genscache.stores.base import Settle
from tests.site.news.models import Article, Section
from tests.writes.actors import PATIENCE, Cache, Configure, Undo, databases, elsewhere, sql, undone
from tests.writes.reached import watching
from tests.writes.spy import SpyStore
from tests.writes.world import Rows

MODELS = {"news.Article": {"match": [["section"], ["views"]]}}
servers = databases("postgres", "mariadb")


@pytest.fixture
def cache(install: Configure, memory: SpyStore) -> Cache:
    return install(memory, MODELS=MODELS)


@pytest.fixture
def places(alias: str, rows: Rows) -> list[int]:
    """Return the keys of three sections, the articles' own first."""
    made = [Section.objects.using(alias).create(name=name) for name in ("Sport", "Money")]
    return [rows.section.pk, *(each.pk for each in made)]


class Other(threading.Thread):
    """Somebody else, who is let go and waited for."""

    def __init__(self, alias: str, call: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._alias = alias
        self._call = call
        self.error: BaseException | None = None

    def run(self) -> None:
        """Do it."""
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            self.error = error
        finally:
            connections.close_all()

    def finish(self) -> None:
        """Wait until it is done."""
        self.join(PATIENCE)
        assert not self.is_alive(), "somebody else hangs"
        if self.error:
            raise self.error


def until_blocked(alias: str) -> None:
    """Look until one session waits for a lock of another one."""
    texts = {
        "postgres": "SELECT count(*) FROM pg_locks WHERE NOT granted",
        "mariadb": "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'",
    }

    def blocked() -> bool:
        with connections[alias].cursor() as cursor:
            cursor.execute(texts[alias])
            return cursor.fetchone()[-1] not in (0, "0")

    def look() -> None:
        end = time.monotonic() + PATIENCE
        while not blocked():
            assert time.monotonic() < end, "nobody waits"

    elsewhere(look)


def read(alias: str, **values: int) -> list[int]:
    """Ask for the articles with these values, as the cache may answer."""
    return sorted(article.pk for article in Article.objects.using(alias).cache(timeout=300).filter(**values))


@contextmanager
def nothing_stale(cache: Cache, alias: str, places: list[int]) -> Iterator[None]:
    """Fill the lists of all values before, and compare them with the database after."""
    values = [*({"section": pk} for pk in places), *({"views": views} for views in range(9))]
    for each in values:
        read(alias, **each)
    yield
    for each in values:
        fresh = sorted(Article.objects.using(alias).filter(**each).values_list("pk", flat=True))
        assert (each, read(alias, **each)) == (each, fresh)


def matched(found: set[str]) -> set[str]:
    assert not {"article:model", "article:match"} & found, found
    return {name.removeprefix("article:match=") for name in found if "match=" in name}


@servers
@pytest.mark.parametrize("outcome", ["commit", "rollback", "savepoint"])
@pytest.mark.parametrize("second", ["autocommit", "atomic"])
def test_two_writers_of_one_row(
    alias: str, cache: Cache, rows: Rows, places: list[int], outcome: str, second: str
) -> None:
    """The second waits for the first, and then the row has the values that the first has left."""
    world, sport, money = places
    row = Article.objects.using(alias).filter(pk=rows.pks[0])

    def move() -> None:
        if second == "atomic":
            with transaction.atomic(using=alias):
                row.update(section=money)
        else:
            row.update(section=money)

    other = Other(alias, move)

    def first() -> None:
        row.update(section=sport)
        other.start()
        until_blocked(alias)

    with nothing_stale(cache, alias, places), watching(cache) as found:
        match outcome:
            case "commit":
                with transaction.atomic(using=alias):
                    first()
            case "rollback":
                with undone(alias):
                    first()
            case _:
                with transaction.atomic(using=alias), undone(alias):
                    row.update(section=sport)
                other.start()
        other.finish()

    left = {f"section={world}", f"section={money}", "views=0"}
    assert matched(found) == (left | {f"section={sport}"} if outcome == "commit" else left)


@servers
@pytest.mark.parametrize("kind", ["update", "delete"])
def test_what_is_filled_between_two_writers(
    alias: str, cache: Cache, rows: Rows, places: list[int], kind: str
) -> None:
    """The second writer came before the first was done; what is read between the two is what it ends."""
    _, sport, money = places
    row = Article.objects.using(alias).filter(pk=rows.pks[0])
    settled = threading.Event()
    table, key = (connections[alias].ops.quote_name(name) for name in ("news_article", "id"))

    def between(execute: Callable[..., object], *given: Any) -> object:
        result = execute(*given)
        if given[0].startswith(("UPDATE", "DELETE")):
            assert settled.wait(PATIENCE)
            assert elsewhere(lambda: read(alias, section=sport)) == rows.pks[:1]
        return result

    def second() -> None:
        with connections[alias].execute_wrapper(between):
            if kind == "update":
                row.update(section=money)
            else:
                sql(alias, f"DELETE FROM {table} WHERE {table}.{key} = %s", [rows.pks[0]])

    other = Other(alias, second)
    with nothing_stale(cache, alias, places):
        with transaction.atomic(using=alias):
            row.update(section=sport)
            other.start()
            until_blocked(alias)
        settled.set()
        other.finish()


@servers
def test_two_additions(alias: str, cache: Cache, rows: Rows, places: list[int]) -> None:
    row = Article.objects.using(alias).filter(pk=rows.pks[0])
    other = Other(alias, lambda: row.update(views=F("views") + 2))
    with nothing_stale(cache, alias, places), watching(cache) as found:
        with transaction.atomic(using=alias):
            row.update(views=F("views") + 3)
            other.start()
            until_blocked(alias)
        other.finish()
    assert matched(found) == {"views=0", "views=3", "views=5", f"section={places[0]}"}


@servers
def test_a_row_that_is_made_between_the_look_and_the_statement(
    alias: str, cache: Cache, rows: Rows, places: list[int]
) -> None:
    """At READ COMMITTED the statement sees it, and nobody has seen what it was."""
    pk = 4242

    def make() -> None:
        Article.objects.using(alias).create(pk=pk, title="n", section_id=places[1], author=rows.author)
        # And somebody reads it before it is moved.
        assert read(alias, section=places[1]) == [pk]

    def arrive(execute: Callable[..., object], *given: Any) -> object:
        elsewhere(make)
        return execute(*given)

    with (
        nothing_stale(cache, alias, places),
        watching(cache) as found,
        connections[alias].execute_wrapper(arrive),
    ):
        Article.objects.using(alias).filter(pk=pk).update(section=places[2])

    assert Article.objects.using(alias).get(pk=pk).section_id == places[2]
    assert "article:match" in found


@servers
def test_a_key_that_changes(alias: str, cache: Cache, rows: Rows, places: list[int]) -> None:
    first = Article.objects.using(alias).filter(pk=rows.pks[0])
    other = Other(alias, lambda: first.update(section=places[1]))
    with nothing_stale(cache, alias, places), watching(cache) as found:
        with transaction.atomic(using=alias):
            first.update(id=777)
            other.start()
            until_blocked(alias)
        other.finish()
    assert "article:model" in found


@servers
def test_two_inserts_and_a_deletion(alias: str, cache: Cache, rows: Rows, places: list[int]) -> None:
    def make(section: int) -> None:
        Article.objects.using(alias).create(title="n", section_id=section, author=rows.author, views=8)

    with nothing_stale(cache, alias, places), watching(cache) as found, transaction.atomic(using=alias):
        make(places[1])
        elsewhere(lambda: make(places[2]))
        elsewhere(rows.articles[2].delete)
    world, sport, money = places
    assert {f"section={world}", f"section={sport}", f"section={money}", "views=8"} <= {
        name.removeprefix("article:match=") for name in found
    }


@servers
def test_readers_of_the_values_bypass_while_the_outcome_is_open(
    alias: str, cache: Cache, rows: Rows, places: list[int]
) -> None:
    """The lease lies on the values, old and new; other values are served all the time."""
    world, sport, money = places
    outcomes: dict[int, tuple[list[int], str]] = {}
    for pk in places:
        read(alias, section=pk)

    kinds: list[str] = []
    stop = cache.engine.hub.subscribe(lambda event: kinds.append(getattr(event, "outcome", "")))

    def look() -> None:
        for pk in places:
            outcomes[pk] = (read(alias, section=pk), kinds[-1])

    cache.store.before(Settle, lambda: elsewhere(look))
    Article.objects.using(alias).filter(pk=rows.pks[0]).update(section=sport)
    stop()

    assert outcomes[world] == (rows.pks[1:], "bypass")
    assert outcomes[sport] == (rows.pks[:1], "bypass")
    assert outcomes[money] == ([], "hit")


@databases("default")
def test_sqlites_second_writer_waits_before_it_looks(
    alias: str, cache: Cache, rows: Rows, places: list[int]
) -> None:
    """A transaction that has read cannot wait for another writer: "database is locked" would be the answer."""
    _, sport, money = places
    row = Article.objects.using(alias).filter(pk=rows.pks[0])
    waiting = threading.Event()

    def move() -> None:
        connections[alias].ensure_connection()
        connections[alias].connection.set_trace_callback(
            lambda text: waiting.set() if text.startswith(("UPDATE", "SELECT +")) else None
        )
        row.update(section=money)

    other = Other(alias, move)
    with nothing_stale(cache, alias, places), watching(cache) as found:
        with transaction.atomic(using=alias):
            row.update(section=sport)
            other.start()
            assert waiting.wait(PATIENCE)
        other.finish()
    assert {f"section={pk}" for pk in places} <= matched(found)


@servers
def test_an_error_between_leaves_nothing(alias: str, cache: Cache, rows: Rows, places: list[int]) -> None:
    """The caller's own wrapper raises after our look: the transaction of ours is rolled back, the values stay."""

    def fail(execute: Callable[..., object], *given: Any) -> object:
        execute(*given)
        raise Undo

    row = Article.objects.using(alias).filter(pk=rows.pks[0])
    failing = connections[alias].execute_wrapper(fail)
    with nothing_stale(cache, alias, places), watching(cache) as found, failing, pytest.raises(Undo):
        row.update(section=places[1])

    assert Article.objects.using(alias).get(pk=rows.pks[0]).section_id == places[0]
    assert found == set()
    assert not connections[alias].in_atomic_block
