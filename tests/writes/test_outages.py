"""The store is down at start, or dies in the middle: reads get the database's answer, writes follow the setting."""

from __future__ import annotations

import time

import pytest
from django.db import transaction

from genscache import batch_invalidations, invalidate_model, unsettled
from genscache.exceptions import StoreUnavailable, WriteRefused
from genscache.stores.base import Lease, Put, Settle
from genscache.stores.opening import open_stores
from tests.servers import Valkey
from tests.site.news.models import Article
from tests.writes.actors import Cache, Configure, databases, elsewhere, every_database, sql
from tests.writes.spy import SpyStore, bumped, written
from tests.writes.world import Rows, database_titles, title, titles

OLD = ["a0", "a1", "a2"]
NEW = ["new", "a1", "a2"]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try to deliver again without waiting."""
    monkeypatch.setattr(unsettled, "RETRY_AFTER", 0.0)


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


@every_database
def test_reads_when_the_store_is_down_from_the_start(alias: str, cache: Cache, rows: Rows) -> None:
    cache.store.down = True

    for _ in range(2):
        answer = cache.read(titles, alias)
        assert (answer.value, answer.outcome) == (OLD, "bypass")
    with transaction.atomic(using=alias):
        assert cache.read(titles, alias).value == OLD

    assert cache.engine.hub.counts()["survived: store unavailable"] >= 2


@every_database
def test_a_read_whose_fill_is_refused(alias: str, cache: Cache, rows: Rows) -> None:
    def fall() -> None:
        cache.store.down = True

    cache.store.before(Put, fall)

    assert cache.read(titles, alias).value == OLD
    cache.store.down = False
    assert cache.read(titles, alias).value == OLD


@every_database
@pytest.mark.parametrize("form", ["autocommit", "atomic", "create", "raw", "nested", "commit by hand"])
def test_a_write_is_refused(alias: str, cache: Cache, rows: Rows, form: str) -> None:
    """No lease, no write: the row is unchanged, the connection usable, and the message says what to do."""
    cache.warm(titles, alias)
    cache.store.down = True

    with pytest.raises(WriteRefused, match=r'was not done.*GENSCACHE\["ON_OUTAGE"\] = "proceed"'):
        write(alias, rows, form)

    assert database_titles(alias) == OLD
    assert cache.engine.hub.counts()["survived: write refused"] >= 1
    cache.store.down = False
    answer = cache.read(titles, alias)
    assert (answer.value, answer.outcome) == (OLD, "hit")
    rename(alias, rows.pks[0], "new")
    assert cache.read(titles, alias).value == NEW


def write(alias: str, rows: Rows, form: str) -> None:
    match form:
        case "autocommit":
            rename(alias, rows.pks[0], "new")
        case "create":
            Article.objects.using(alias).create(title="x", section=rows.section, author=rows.author)
        case "raw":
            sql(alias, "UPDATE news_article SET title = 'new'")
        case "nested":
            with transaction.atomic(using=alias), transaction.atomic(using=alias):
                rename(alias, rows.pks[0], "new")
        case "commit by hand":
            transaction.set_autocommit(False, using=alias)
            try:
                rename(alias, rows.pks[0], "new")
                transaction.commit(using=alias)
            finally:
                transaction.set_autocommit(True, using=alias)
        case _:
            with transaction.atomic(using=alias):
                rename(alias, rows.pks[0], "new")


@every_database
def test_a_store_that_dies_between_lease_and_settle(alias: str, cache: Cache, rows: Rows) -> None:
    """The write is done and nobody could be told: the bump is owed, this process trusts nothing until it is paid."""
    cache.warm(titles, alias)
    cache.warm(title, alias, rows.pks[2])

    def fall() -> None:
        cache.store.down = True

    cache.store.before(Settle, fall)
    with transaction.atomic(using=alias):
        rename(alias, rows.pks[0], "new")

    assert cache.engine.unsettled.all()
    assert cache.engine.hub.counts()["survived: bump delayed"] == 1
    assert cache.read(titles, alias).value == NEW
    assert cache.read(title, alias, rows.pks[2]).outcome == "bypass"

    cache.store.down = False
    with cache.store.watch() as seen:
        cache.read(title, alias, rows.pks[2])
    assert written(seen) == ["Bump"]
    assert not cache.engine.unsettled.all()
    assert cache.read(titles, alias).value == NEW


@every_database
@pytest.mark.parametrize("form", ["autocommit", "atomic"])
def test_a_write_that_proceeds(
    alias: str, install: Configure, store: SpyStore, rows: Rows, form: str
) -> None:
    cache = install(store, ON_OUTAGE="proceed")
    cache.warm(titles, alias)
    store.down = True

    write(alias, rows, form)
    assert database_titles(alias) == NEW
    answer = cache.read(titles, alias)
    assert (answer.value, answer.outcome) == (NEW, "bypass")

    store.down = False
    assert cache.read(titles, alias).value == NEW
    assert not cache.engine.unsettled.all()
    assert elsewhere(lambda: cache.read(titles, alias)).value == NEW
    assert cache.read(titles, alias).outcome == "hit"


@every_database
@pytest.mark.parametrize("batch", [False, True], ids=["alone", "batch"])
def test_an_invalidation_by_hand_that_cannot_be_delivered(
    alias: str,
    cache: Cache,
    rows: Rows,
    batch: bool,  # noqa: FBT001
) -> None:
    cache.warm(titles, alias)
    cache.store.down = True

    def announce() -> None:
        invalidate_model(Article)

    call = batch_invalidations(announce) if batch else announce
    with pytest.raises(StoreUnavailable, match=r"kept and sent again.*Bring the store back"):
        call()

    assert cache.read(titles, alias).outcome == "bypass"
    cache.store.down = False
    assert cache.read(titles, alias).outcome == "miss"
    assert cache.read(titles, alias).outcome == "hit"


@every_database
def test_an_invalidation_by_hand_that_proceeds(
    alias: str, install: Configure, store: SpyStore, rows: Rows
) -> None:
    cache = install(store, ON_OUTAGE="proceed")
    cache.warm(titles, alias)
    store.down = True

    invalidate_model(Article)

    store.down = False
    assert cache.read(titles, alias).outcome == "miss"


@every_database
def test_an_answer_that_is_lost(alias: str, cache: Cache, rows: Rows) -> None:
    """Leasing, bumping and settling twice is harmless, so an operation without an answer is repeated (A18)."""
    cache.warm(titles, alias)

    def lose() -> None:
        raise StoreUnavailable("the answer is lost")

    cache.store.after(Lease, lose)
    cache.store.after(Settle, lose)
    with cache.store.watch() as seen:
        rename(alias, rows.pks[0], "new")

    assert written(seen) == ["Lease", "Lease", "Settle", "Settle"]
    assert len(bumped(seen)) == 3  # the object, its list, and what guards values
    assert cache.warm(titles, alias) == NEW


@databases("default")
def test_a_server_that_is_killed_and_comes_back(
    alias: str, install: Configure, own_valkey: Valkey, rows: Rows
) -> None:
    """The real thing: a connection that is reset, a port that refuses, and a server that has forgotten everything."""
    store = SpyStore(open_stores(own_valkey.url, prefix="gc").sync)
    cache = install(store)
    cache.warm(titles, alias)
    own_valkey.kill()

    assert cache.read(titles, alias).value == OLD
    with pytest.raises(WriteRefused):
        write(alias, rows, "atomic")
    assert database_titles(alias) == OLD
    with pytest.raises(StoreUnavailable):
        invalidate_model(Article)

    own_valkey.restart()
    assert cache.read(titles, alias).value == OLD
    write(alias, rows, "atomic")
    assert cache.warm(titles, alias) == NEW
    store.close()


@databases("default")
def test_a_server_that_hangs(alias: str, install: Configure, own_valkey: Valkey, rows: Rows) -> None:
    """A read waits for the timeout of the URL and no longer; the write is refused."""
    url = f"{own_valkey.url}?socket_timeout=0.2&socket_connect_timeout=0.2"
    store = SpyStore(open_stores(url, prefix="gc").sync)
    cache = install(store)
    cache.warm(titles, alias)
    own_valkey.pause()
    try:
        start = time.monotonic()
        assert cache.read(titles, alias).value == OLD
        assert time.monotonic() - start < 5
        with pytest.raises(WriteRefused):
            write(alias, rows, "autocommit")
        assert database_titles(alias) == OLD
    finally:
        own_valkey.resume()
    store.close()
