"""Reads that may not be stored: each is answered from the database, and ``stats()`` says why."""

# ruff: noqa: PLW0108 - a lambda has a name of this module's own; the bound method that it calls has not

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.sessions.models import Session
from django.db import connection, transaction

from genscache import ainvalidate_model, cached, stats
from genscache.engine import Engine
from tests.reads.conftest import Make, Use, counted
from tests.reads.elsewhere import elsewhere
from tests.site.news.models import Article, Author, Section, SectionSummary

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "sqlite2"])

VIEW = (
    'it reads "news_sectionsummary", the table of an unmanaged model: if it is a view, '
    'say in GENSCACHE["DERIVED"] what it derives from'
)
UNKNOWN = (
    'it reads "stray", no table of an installed model: if it is a view, '
    'say in GENSCACHE["DERIVED"] what it derives from'
)
UNTRACKED = 'it reads "django_session", which is untracked (GENSCACHE["UNTRACKED"])'


@pytest.fixture
def stray() -> Any:
    """A table that no installed model has."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE stray (id integer)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE stray")


def read_stray() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM stray")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda: SectionSummary.objects.count(), VIEW),
        (lambda: Session.objects.count(), UNTRACKED),
        (lambda: Section.objects.count() + SectionSummary.objects.count(), VIEW),
    ],
    ids=["view", "untracked", "view beside a table"],
)
def test_what_nobody_tells_of_is_not_stored(
    engine: Engine, make: Make, body: Callable[[], int], reason: str
) -> None:
    count = make(body)

    assert count() == count() == 0

    assert count.count == 2
    assert stats()[f"miss: {reason}"] == 2
    assert "fill" not in stats()


def test_a_table_of_no_model_is_not_stored(engine: Engine, stray: None, make: Make) -> None:
    count = make(read_stray)

    assert count() == count() == 0
    assert count.count == 2
    assert stats()[f"miss: {UNKNOWN}"] == 2


def test_a_declared_view_is_cached_and_follows_its_sources(use: Use, make: Make) -> None:
    use(DERIVED={"news.SectionSummary": ["news.Section", "news.Article"]})
    summary = make(lambda: [str(each) for each in SectionSummary.objects.all()])

    assert summary() == summary() == []
    section = Section.objects.create(name="World")
    assert summary() == summary() == ["World: 0"]
    Article.objects.create(title="A", section=section, author=Author.objects.create(name="Ada"))
    assert summary() == ["World: 1"]
    assert summary.count == 3


def test_a_declared_dependency_that_is_untracked_is_a_bypass(engine: Engine, make: Make) -> None:
    count = make(lambda: 1, Session)

    assert count() == count() == 1
    assert count.count == 2
    assert stats()['bypass: it depends on "django_session", which is untracked (GENSCACHE["UNTRACKED"])'] == 2


def test_a_read_that_locks_rows_is_not_stored(engine: Engine, make: Make) -> None:
    """SQLite leaves FOR UPDATE out of the SQL that Django makes; a text with it shows what a server would see."""

    def body() -> int:
        with (
            connection.execute_wrapper(
                lambda execute, sql, *rest: execute(sql.removesuffix(" FOR UPDATE"), *rest)
            ),
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT COUNT(*) FROM news_section FOR UPDATE")
            return int(cursor.fetchone()[0])

    count = make(body)

    assert count() == count() == 0
    assert count.count == 2
    assert stats()["miss: it locks rows (SELECT ... FOR UPDATE)"] == 2


@pytest.mark.django_db(transaction=True, databases=["postgres"])
def test_select_for_update_on_postgresql_is_not_stored(engine: Engine) -> None:
    @cached
    def names() -> list[str]:
        with transaction.atomic("postgres"):
            return [each.name for each in Section.objects.using("postgres").select_for_update()]

    assert names() == names() == []
    assert stats()["miss: it locks rows (SELECT ... FOR UPDATE)"] == 2


def test_a_read_from_a_replica_is_not_stored(use: Use, make: Make) -> None:
    use(REPLICAS={"sqlite2": "default"})
    count = make(lambda alias: Section.objects.using(alias).count())

    assert count("sqlite2") == count("sqlite2") == 0
    assert count("default") == count("default") == 0

    assert count.runs == [("sqlite2",), ("sqlite2",), ("default",)]
    assert stats()["miss: it reads from a replica, which may lag behind the last invalidation"] == 2


def test_a_write_to_a_primary_reaches_what_is_declared(use: Use, make: Make) -> None:
    """A replica has no namespaces of its own: there is one model, wherever its rows are read."""
    engine = use(REPLICAS={"sqlite2": "default"})
    assert engine.catalog.primaries == ("default", "mariadb", "postgres")
    count = make(lambda: 1, Section)
    count()

    Section.objects.create(name="a")

    count()
    assert count.count == 2


def test_a_function_that_writes_is_not_stored_inside_its_transaction(engine: Engine, make: Make) -> None:
    def body() -> int:
        with transaction.atomic():
            Section.objects.create(name="a")
            return Section.objects.count()

    count = make(body)

    assert (count(), count()) == (1, 2)
    assert "fill" not in stats()


@pytest.mark.parametrize("declared", [(), (Section,)], ids=["discovered", "declared"])
def test_own_writes_are_seen_and_not_stored(engine: Engine, make: Make, declared: tuple[type, ...]) -> None:
    count = make(lambda: Section.objects.count(), *declared)
    assert count() == 0

    with transaction.atomic():
        Section.objects.create(name="a")
        assert count() == count() == 1
        transaction.set_rollback(True)

    assert count() == 0
    assert count.count == 3


@pytest.mark.parametrize("declared", [(), (Section,)], ids=["discovered", "declared"])
def test_a_snapshot_is_not_mixed_with_what_came_after_it(
    engine: Engine, make: Make, declared: tuple[type, ...]
) -> None:
    """SQLite: the first read of a transaction fixes what all later ones see, and what they may be served."""
    count = make(lambda: Section.objects.count(), *declared)

    with transaction.atomic():
        assert Author.objects.count() == 0
        elsewhere(lambda: Section.objects.create(name="later"))
        assert count() == count() == 0

    assert count() == 1


def test_an_invalidation_from_a_coroutine_is_repeated_at_commit(engine: Engine) -> None:
    """The coroutine runs in another thread than the transaction that waits for it."""
    runs = counted(lambda: 1, Section)
    runs()

    with transaction.atomic():
        async_to_sync(ainvalidate_model)(Section)
        elsewhere(runs)
        assert runs.count == 2
    runs()

    assert runs.count == 3
