"""The cache in a test's own transaction: absent and never stale by itself, and as in production with ``live_cache``."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from asgiref.sync import sync_to_async
from django.db import Error, connection, connections, transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase

from genscache import batch_invalidations, cached, invalidate, invalidate_model, stats
from genscache.engine import Engine, current_engine
from genscache.exceptions import StoreUnavailable, WriteRefused
from genscache.stores.base import Answer, Lease, Operation, Store
from genscache.testing import (
    CacheProbe,
    assert_bypasses,
    assert_hits,
    assert_misses,
    live_cache,
    override_genscache,
)
from tests.site.news.models import Article, Author, Section, Tag

articles: Any = Article.objects


@cached(timeout=60)
def titles() -> list[str]:
    return sorted(Article.objects.values_list("title", flat=True))


@cached(timeout=60)
async def atitles() -> list[str]:
    return await sync_to_async(lambda: sorted(Article.objects.values_list("title", flat=True)))()


def write(title: str) -> Article:
    author, _ = Author.objects.get_or_create(name="Ada")
    section, _ = Section.objects.get_or_create(name="home")
    return Article.objects.create(title=title, author=author, section=section)


class UnchangedTest(TestCase):
    """Without anything: right, and nothing is stored of what is rolled back."""

    kept: ClassVar[Article]

    @classmethod
    def setUpTestData(cls) -> None:
        cls.kept = write("kept")

    def test_one_sees_its_own_row_and_stores_nothing(self) -> None:
        self.check("one")

    def test_two_does_not_see_the_other_ones(self) -> None:
        self.check("two")

    def check(self, title: str) -> None:
        before = stats().get("fill", 0)
        assert titles() == ["kept"]
        write(title)
        assert titles() == titles() == sorted(["kept", title])
        with transaction.atomic():
            self.kept.title = f"kept by {title}"
            self.kept.save()
        assert titles() == sorted([f"kept by {title}", title])
        assert list(articles.cache().order_by("title").values_list("title", flat=True)) == titles()
        assert stats().get("fill", 0) == before


class ReadOnlyTest(TestCase):
    def test_what_is_committed_may_be_served(self) -> None:
        assert titles() == titles() == []


class CommittedTest(TransactionTestCase):
    def test_a_transaction_test_case_needs_nothing(self) -> None:
        with override_genscache() as cache:
            write("one")
            assert titles() == titles() == ["one"]
            assert (cache.misses, cache.hits) == (1, 1)


@live_cache()
class LiveTest(TestCase):
    """A class decorator: each test has an empty cache, also beside rows of the class."""

    @classmethod
    def setUpTestData(cls) -> None:
        write("kept")

    def test_the_second_read_is_a_hit(self) -> None:
        with assert_misses(1, of=titles):
            assert titles() == ["kept"]
        with assert_hits(1, of=titles):
            assert titles() == ["kept"]
        write("new")
        with assert_misses(1), assert_hits(1):
            assert titles() == titles() == ["kept", "new"]

    def test_each_test_begins_with_an_empty_cache(self) -> None:
        with assert_misses(1), assert_hits(0):
            assert titles() == ["kept"]

    async def test_coroutines_too(self) -> None:
        with assert_misses(1), assert_hits(1):
            assert await atitles() == await atitles() == ["kept"]
        await sync_to_async(write)("new")
        assert await atitles() == ["kept", "new"]

    def test_a_block_that_is_rolled_back_leaves_nothing(self) -> None:
        titles()
        with pytest.raises(ZeroDivisionError), transaction.atomic():  # noqa: PT012 - the block is what raises
            write("undone")
            with assert_bypasses(1, reason="this transaction has written"):
                assert titles() == ["kept", "undone"]
            _ = 1 / 0
        with assert_hits(1):
            assert titles() == ["kept"]

    def test_a_block_invalidates_when_it_ends(self) -> None:
        titles()
        with transaction.atomic():
            with transaction.atomic():
                write("done")
            with assert_bypasses(1):
                titles()
        with assert_misses(1):
            assert titles() == ["done", "kept"]


class AfterwardsTest(TestCase):
    def test_what_was_written_in_the_block_is_not_stored_after_it(self) -> None:
        """The cache outside the block outlives the test's transaction."""
        with live_cache():
            write("one")
            assert titles() == ["one"]
        before = stats().get("fill", 0)
        assert titles() == titles() == ["one"]
        assert stats().get("fill", 0) == before

    def test_the_other_engine_is_back_with_what_it_had(self) -> None:
        engine = current_engine()
        titles()
        with override_genscache(TIMEOUT=5) as cache:
            assert current_engine() is not engine
            assert current_engine().settings.timeout == 5
            with assert_bypasses(1, reason="the store's clock before it is not known"):
                assert titles() == []
            assert cache.bypasses == 1
        assert current_engine() is engine

    def test_a_wrong_setting_is_refused_and_nothing_has_changed(self) -> None:
        engine = current_engine()
        with pytest.raises(Exception, match='Did you mean "TIMEOUT"'), live_cache(TIMOUT=5):
            pytest.fail("not reached")
        assert current_engine() is engine


pytestmark_db = pytest.mark.django_db(transaction=True)


@contextmanager
def alive() -> Iterator[CacheProbe]:
    """What a test in a ``TestCase`` has: a transaction, one inside it, and the cache alive in that."""
    with transaction.atomic(), transaction.atomic():
        with live_cache() as cache:
            yield cache
        transaction.set_rollback(True)


@contextmanager
def committed() -> Iterator[CacheProbe]:
    """The same in autocommit, with what it leaves removed."""
    with override_genscache() as cache:
        yield cache
    Author.objects.all().delete()
    Section.objects.all().delete()
    Tag.objects.all().delete()


class Stop(Exception):
    pass


class Play:
    """A random scene of writes, blocks and reads; it tells what each read returned and what it was."""

    def __init__(self, seed: int, cache: CacheProbe, *, flat: bool) -> None:
        self._chance = random.Random(seed)
        self._flat = flat
        self._cache = cache
        self.seen: list[tuple[object, list[tuple[str, str]]]] = []

    def run(self, length: int, depth: int = 0) -> None:
        steps: list[Callable[[int], None]] = [
            self.read, self.read, self.read, self.create, self.update, self.delete, self.bulk, self.tag,
            self.raw, self.announce, self.block, self.flat, self.batch, self.failing,
        ]  # fmt: skip
        for _ in range(length):
            self._chance.choice(steps)(depth)

    def read(self, _depth: int) -> None:
        for reading in (
            titles,
            lambda: articles.cache().count(),
            lambda: sorted(articles.cache().filter(tags__name="t").values_list("title", flat=True)),
        ):
            before = len(self._cache.reads)
            found = reading()
            self.seen.append((found, [(each.outcome, each.reason) for each in self._cache.reads[before:]]))
        truth = sorted(articles.nocache().values_list("title", flat=True))
        assert titles() == truth
        assert articles.cache().count() == len(truth)

    def create(self, _depth: int) -> None:
        write(f"t{self._chance.randrange(5)}")

    def update(self, _depth: int) -> None:
        title = f"t{self._chance.randrange(5)}"
        Article.objects.filter(title=title).update(title=f"{title}+")

    def delete(self, _depth: int) -> None:
        Article.objects.filter(title=f"t{self._chance.randrange(5)}").delete()

    def bulk(self, _depth: int) -> None:
        one = write("bulk")
        rows = [Article(title=f"b{number}", author=one.author, section=one.section) for number in range(2)]
        Article.objects.bulk_create(rows)

    def tag(self, _depth: int) -> None:
        tag, _ = Tag.objects.get_or_create(name="t")
        found = Article.objects.order_by("title").first()
        if found is not None:
            found.tags.add(tag)

    def raw(self, _depth: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE news_article SET title = title || '!' WHERE title LIKE 't1%%'", [])

    def announce(self, _depth: int) -> None:
        invalidate_model(Article)

    def block(self, depth: int) -> None:
        if depth < 3:
            with transaction.atomic():
                self.run(4, depth + 1)

    def flat(self, depth: int) -> None:
        if depth < 3 and self._flat:
            with transaction.atomic(savepoint=False):
                self.run(2, depth + 1)

    def batch(self, depth: int) -> None:
        if depth < 3:
            with batch_invalidations():
                self.run(3, depth + 1)

    def failing(self, depth: int) -> None:
        if depth < 3:
            with pytest.raises(Stop), transaction.atomic():  # noqa: PT012 - the block is what raises
                self.run(3, depth + 1)
                raise Stop


@pytestmark_db
@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("flat", [False, True])
def test_the_cache_lives_as_in_production(engine: Engine, seed: int, flat: bool) -> None:  # noqa: FBT001
    """Each read returns the same and for the same reason; a block without a savepoint is none in a TestCase."""
    with committed() as cache:
        real = Play(seed, cache, flat=flat)
        real.run(12)
    with alive() as cache:
        rehearsed = Play(seed, cache, flat=flat)
        rehearsed.run(12)
    assert [found for found, _ in rehearsed.seen] == [found for found, _ in real.seen]
    if not flat:
        assert rehearsed.seen == real.seen


@pytestmark_db
@pytest.mark.django_db(transaction=True, databases=["default", "postgres", "mariadb"])
@pytest.mark.parametrize("alias", ["default", "postgres", "mariadb"])
def test_going_back_behind_what_was_settled_is_never_stale(engine: Engine, alias: str) -> None:
    """Savepoints that a test sets by hand, and those from before the block: production has nothing like them."""

    @cached
    def names() -> list[str]:
        return sorted(Author.objects.using(alias).values_list("name", flat=True))

    def add(name: str) -> None:
        Author.objects.using(alias).create(name=name)

    with transaction.atomic(using=alias):
        before = transaction.get_connection(alias).savepoint()
        with live_cache():
            add("one")
            assert names() == names() == ["one"]
            sid = transaction.get_connection(alias).savepoint()
            add("two")
            assert names() == names() == ["one", "two"]
            transaction.savepoint_rollback(sid, using=alias)
            assert names() == names() == ["one"]
            add("three")
            assert names() == ["one", "three"]
            transaction.savepoint_commit(sid, using=alias)
            assert names() == names() == ["one", "three"]
            raw = transaction.get_connection(alias)
            with raw.cursor() as cursor:
                cursor.execute("SAVEPOINT own")
                add("four")
                assert names() == names() == ["four", "one", "three"]
                cursor.execute("ROLLBACK TO SAVEPOINT own")
            assert names() == names() == ["one", "three"]
            transaction.savepoint_rollback(before, using=alias)
            assert names() == names() == []
        transaction.set_rollback(True, using=alias)


@pytestmark_db
def test_a_connection_that_is_closed_in_the_block_is_never_stale(engine: Engine) -> None:
    """As the end of a test class closes it, when the block was begun for the class."""
    cache = live_cache()
    with pytest.raises(Error), transaction.atomic():  # noqa: PT012 - the block is what raises
        cache.enable()
        write("one")
        assert titles() == ["one"]
        connection.close()
        Article.objects.count()
    assert titles() == titles() == []
    cache.disable()
    assert titles() == titles() == []
    with assert_hits(1):
        titles()


@pytestmark_db
def test_django_rolls_back_in_the_class_and_the_cache_lives_on(engine: Engine) -> None:
    """What ``enterClassContext`` leads to: the class's transaction ends before the block does."""
    cache = live_cache()
    with transaction.atomic():
        write("one")
        cache.enable()
        assert titles() == ["one"]
        transaction.set_rollback(True)
    assert titles() == []
    cache.disable()
    assert titles() == []
    with transaction.atomic(), assert_hits(1):
        assert titles() == []


@pytestmark_db
@pytest.mark.django_db(transaction=True, databases=["default", "postgres"])
def test_what_a_block_has_set_for_the_session_outlives_it_here(engine: Engine) -> None:
    """SET LOCAL ends with the test's transaction, not with the block: what is read until then is not told apart."""

    @cached
    def names() -> list[str]:
        return list(Author.objects.using("postgres").values_list("name", flat=True))

    with transaction.atomic("postgres"), live_cache():
        with transaction.atomic("postgres"), transaction.get_connection("postgres").cursor() as cursor:
            cursor.execute("SET LOCAL search_path = public")
        with assert_bypasses(1, reason="SQL text has changed what a connection sees"):
            names()
        transaction.set_rollback(True, using="postgres")


@pytestmark_db
@pytest.mark.django_db(transaction=True, databases=["default", "postgres"])
def test_another_store_does_not_make_a_transaction_forget_what_it_has_written(engine: Engine) -> None:
    @cached
    def names() -> list[str]:
        return list(Author.objects.using("postgres").values_list("name", flat=True))

    def elsewhere() -> list[str]:
        try:
            return names()
        finally:
            connections.close_all()

    with transaction.atomic("postgres"):
        Author.objects.using("postgres").create(name="one")
        with override_genscache() as cache, ThreadPoolExecutor(1) as pool:
            assert pool.submit(elsewhere).result() == []
            assert names() == ["one"]
            assert (cache.misses, cache.bypasses) == (1, 1)


@pytestmark_db
def test_a_block_on_sqlite_takes_its_clock_where_it_begins(engine: Engine) -> None:
    @cached("prices")
    def price() -> int:
        return 1

    with alive():
        assert price() == price() == 1
        with transaction.atomic(), ThreadPoolExecutor(1) as pool:
            pool.submit(invalidate, "prices").result()
            with assert_bypasses(1, reason="invalidated after this transaction's snapshot began"):
                price()


@pytestmark_db
def test_the_cache_outside_is_not_given_what_was_written_in_the_block(engine: Engine) -> None:
    """Also where its counters were there before the transaction, so that nothing else forbids to fill."""
    assert titles() == []
    with transaction.atomic():
        with live_cache():
            write("undone")
        with assert_bypasses(2):
            assert titles() == titles() == ["undone"]
        transaction.set_rollback(True)
    with assert_hits(1):
        assert titles() == []


class NoLeases(Store):
    """Grants no lease while ``refuse`` is set."""

    def __init__(self, store: Store) -> None:
        self.capabilities = store.capabilities
        self._store = store
        self.refuse = False

    def execute(self, operation: Operation[Answer]) -> Answer:
        if self.refuse and isinstance(operation, Lease):
            raise StoreUnavailable("no")
        return self._store.execute(operation)

    def close(self) -> None: ...


@pytestmark_db
def test_a_block_that_gets_no_lease_is_rolled_back_alone(engine: Engine) -> None:
    with alive():
        inner = current_engine()
        store = inner._store = NoLeases(inner.store)
        write("before")
        with pytest.raises(WriteRefused), transaction.atomic():  # noqa: PT012 - the block is what raises
            write("refused")
            store.refuse = True
        store.refuse = False
        assert titles() == titles() == ["before"]


def test_a_message_lists_what_happened(engine: Engine) -> None:
    @cached("prices")
    def price(number: int) -> int:
        return number

    with pytest.raises(AssertionError) as caught, assert_hits(2, of=price):  # noqa: PT012 - the block is what raises
        price(1)
        price(1)
    assert str(caught.value).splitlines() == [
        f"Expected 2 hits of {price.__module__}.{price.__qualname__}, got 1.",
        "What happened:",
        f"  miss    {price.__module__}.{price.__qualname__}",
        f"  hit     {price.__module__}.{price.__qualname__}",
    ]
    with pytest.raises(AssertionError, match="Nothing was read through the cache"), assert_misses():
        pass
    with pytest.raises(AssertionError, match=r"Expected 0 hits, got 1"), assert_hits(0):
        price(1)
    with pytest.raises(TypeError, match="of= must be"), assert_hits(0, of=5):  # type: ignore[arg-type]
        price(1)
    with pytest.raises(ZeroDivisionError), assert_hits(5):
        _ = 1 / 0


class MessageTest(TestCase):
    def test_in_a_test_case_the_message_says_what_to_do(self) -> None:
        write("one")
        with pytest.raises(AssertionError, match=r"live_cache\(\)"), assert_hits():
            titles()


@pytestmark_db
def test_a_model_and_a_label_name_its_querysets(engine: Engine) -> None:
    with assert_misses(1, of=Article), assert_misses(1, of="news.Article.list"), assert_misses(0, of=Author):
        list(articles.cache())
    with override_genscache() as cache:
        list(articles.cache())
        list(articles.cache())
        assert repr(cache) == "<CacheProbe: 1 hits, 1 misses, 0 bypasses>"
        cache.clear()
        list(articles.cache())
        assert (cache.hits, cache.misses) == (0, 1)


class SimpleTest(SimpleTestCase):
    @override_genscache()
    def test_no_database_is_needed(self) -> None:
        @cached("prices")
        def price() -> int:
            return 1

        with assert_misses(1), assert_hits(1):
            assert price() == price()
