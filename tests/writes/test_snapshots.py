"""Transactions that read an old snapshot: they poison nothing, and a hit is what their snapshot shows (design 3.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from django.db import connections, transaction

from tests.site.news.models import Article, Section
from tests.writes.actors import Cache, databases, elsewhere, sql
from tests.writes.world import Rows, both, found_titles, sections, title, titles

OLD = ["a0", "a1", "a2"]
NEW = ["new", "a1", "a2"]

Block = Callable[[str], AbstractContextManager[None]]


@contextmanager
def reconnected(alias: str) -> Iterator[None]:
    """Make the next statements use a new connection, and the ones after the block another one."""
    connections[alias].close()
    try:
        yield
    finally:
        connections[alias].close()


@contextmanager
def option(alias: str, level: object, *, key: str = "isolation_level") -> Iterator[None]:
    """Run an atomic block with an isolation level in OPTIONS."""
    wrapper = connections[alias]
    options = wrapper.settings_dict["OPTIONS"]
    before = dict(options)
    options[key] = level
    wrapper.__dict__.pop("isolation_level", None)
    try:
        with reconnected(alias), transaction.atomic(using=alias):
            yield
    finally:
        options.clear()
        options.update(before)
        wrapper.__dict__.pop("isolation_level", None)
        if alias == "mariadb":
            wrapper.isolation_level = "read committed"


@contextmanager
def by_options_repeatable(alias: str) -> Iterator[None]:
    """OPTIONS["isolation_level"] on PostgreSQL."""
    from psycopg import IsolationLevel  # noqa: PLC0415 - a driver of one database

    with option(alias, IsolationLevel.REPEATABLE_READ):
        yield


@contextmanager
def by_options_serializable(alias: str) -> Iterator[None]:
    """The same, stricter."""
    from psycopg import IsolationLevel  # noqa: PLC0415 - a driver of one database

    with option(alias, IsolationLevel.SERIALIZABLE):
        yield


@contextmanager
def by_role(alias: str) -> Iterator[None]:
    """A default of the role: no client setting shows it."""
    sql(alias, "ALTER ROLE postgres SET default_transaction_isolation = 'repeatable read'")
    try:
        with reconnected(alias), transaction.atomic(using=alias):
            yield
    finally:
        sql(alias, "ALTER ROLE postgres RESET default_transaction_isolation")


@contextmanager
def by_connection_options(alias: str) -> Iterator[None]:
    """A default of the session, from the connection's options."""
    with option(alias, "-c default_transaction_isolation=serializable", key="options"):
        yield


@contextmanager
def by_set_transaction(alias: str) -> Iterator[None]:
    """SET TRANSACTION as the first statement."""
    with transaction.atomic(using=alias):
        sql(alias, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


@contextmanager
def by_session(alias: str) -> Iterator[None]:
    """SET SESSION CHARACTERISTICS on a connection whose level was asked for before."""
    with transaction.atomic(using=alias):
        sections(alias)
    sql(alias, "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE")
    try:
        with transaction.atomic(using=alias):
            yield
    finally:
        connections[alias].close()


@contextmanager
def by_set_config(alias: str) -> Iterator[None]:
    """A function that sets it."""
    sql(alias, "SELECT set_config('default_transaction_isolation', 'repeatable read', false)")
    try:
        with transaction.atomic(using=alias):
            yield
    finally:
        connections[alias].close()


@contextmanager
def by_begin(alias: str) -> Iterator[None]:
    """BEGIN as text, behind Django's back."""
    sql(alias, "BEGIN ISOLATION LEVEL REPEATABLE READ")
    try:
        yield
    finally:
        sql(alias, "COMMIT")


@contextmanager
def by_server_default(alias: str) -> Iterator[None]:
    """MariaDB's own level, which Django leaves alone with ``None``."""
    with option(alias, None):
        yield


@contextmanager
def by_options_mariadb(alias: str) -> Iterator[None]:
    """OPTIONS["isolation_level"] on MariaDB."""
    with option(alias, "repeatable read"):
        yield


@contextmanager
def with_consistent_snapshot(alias: str) -> Iterator[None]:
    """START TRANSACTION WITH CONSISTENT SNAPSHOT takes its snapshot at once."""
    sql(alias, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    sql(alias, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
    try:
        yield
    finally:
        sql(alias, "COMMIT")
        connections[alias].close()


@contextmanager
def plain(alias: str) -> Iterator[None]:
    """SQLite's deferred transaction: the snapshot is taken by the first SELECT."""
    with transaction.atomic(using=alias):
        yield


@contextmanager
def by_begin_sqlite(alias: str) -> Iterator[None]:
    """BEGIN as text on SQLite."""
    sql(alias, "BEGIN DEFERRED")
    try:
        yield
    finally:
        sql(alias, "COMMIT")


BLOCKS: list[tuple[str, Block]] = [
    ("postgres", by_options_repeatable),
    ("postgres", by_options_serializable),
    ("postgres", by_role),
    ("postgres", by_connection_options),
    ("postgres", by_set_transaction),
    ("postgres", by_session),
    ("postgres", by_set_config),
    ("postgres", by_begin),
    ("mariadb", by_server_default),
    ("mariadb", by_options_mariadb),
    ("mariadb", with_consistent_snapshot),
    ("default", plain),
    ("default", by_begin_sqlite),
]
every_snapshot = pytest.mark.parametrize(
    ("alias", "block"),
    [
        pytest.param(
            alias, block, marks=pytest.mark.django_db(transaction=True, databases=[alias]), id=block.__name__
        )
        for alias, block in BLOCKS
    ],
)


def rename(alias: str, pk: int, name: str) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=name)


@every_snapshot
@pytest.mark.parametrize("reader", [titles, found_titles])
def test_an_old_snapshot_poisons_nothing(
    alias: str, quick: Cache, rows: Rows, block: Block, reader: object
) -> None:
    """The fill would put old rows under the new generation: served to everybody, and no later check could tell."""
    assert callable(reader)
    quick.warm(reader, alias)
    with block(alias):
        assert Section.objects.using(alias).count() == 1
        elsewhere(lambda: rename(alias, rows.pks[0], "new"))
        assert quick.read(reader, alias).value == OLD, "the snapshot is older than the write"
        assert quick.read(reader, alias).value == OLD

    answer = elsewhere(lambda: quick.read(reader, alias))
    assert answer.value == NEW
    assert elsewhere(lambda: quick.read(reader, alias).value) == NEW


@every_snapshot
def test_a_hit_is_what_the_snapshot_shows(alias: str, quick: Cache, rows: Rows, block: Block) -> None:
    """Somebody else has filled the new value meanwhile: it is not for a reader who lives in the past."""
    quick.warm(titles, alias)

    def meanwhile() -> None:
        rename(alias, rows.pks[0], "new")
        assert quick.warm(titles, alias) == NEW

    with block(alias):
        Section.objects.using(alias).count()
        elsewhere(meanwhile)
        answer = quick.read(titles, alias)
        assert (answer.value, answer.outcome) == (OLD, "bypass")

    assert quick.read(titles, alias).value == NEW


@every_snapshot
def test_what_is_older_than_the_snapshot_is_used(alias: str, quick: Cache, rows: Rows, block: Block) -> None:
    """Hits and fills go on for everything that was not written since: a bypass of everything would be too easy."""
    quick.warm(sections, alias)
    quick.warm(title, alias, rows.pks[1])
    quick.read(titles, alias)
    rename(alias, rows.pks[0], "newer")

    with block(alias):
        assert Section.objects.using(alias).count() == 1
        elsewhere(lambda: rename(alias, rows.pks[0], "new"))
        assert quick.read(sections, alias).outcome == "hit"
        assert quick.read(title, alias, rows.pks[1]).outcome == "hit"
        assert quick.read(both, alias).value == (["newer", "a1", "a2"], ["World"])

    assert quick.read(both, alias).value == (NEW, ["World"])


@every_snapshot
def test_a_fill_in_a_snapshot_serves_others(alias: str, quick: Cache, rows: Rows, block: Block) -> None:
    quick.read(titles, alias)
    rename(alias, rows.pks[0], "new")
    elsewhere(lambda: quick.read(sections, alias))

    with block(alias):
        assert quick.read(titles, alias).value == NEW
        assert elsewhere(lambda: quick.read(titles, alias).value) == NEW

    assert quick.read(titles, alias).value == NEW


@databases("postgres", "mariadb")
def test_read_committed_sees_each_write(alias: str, cache: Cache, rows: Rows) -> None:
    """A statement's snapshot is younger than its vector: hits and fills as in autocommit."""
    cache.warm(titles, alias)

    with transaction.atomic(using=alias):
        assert cache.read(titles, alias).outcome == "hit"
        elsewhere(lambda: rename(alias, rows.pks[0], "new"))
        first, second = cache.read(titles, alias), cache.read(titles, alias)
        assert (first.value, first.outcome) == (NEW, "miss")
        assert second.outcome == "hit"

    assert elsewhere(lambda: cache.read(titles, alias).outcome) == "hit"


@databases("postgres")
def test_a_level_that_changes_in_the_middle_is_not_trusted(alias: str, quick: Cache, rows: Rows) -> None:
    """The cache was used at READ COMMITTED; then the transaction, which has read no row yet, becomes strict."""
    quick.warm(titles, alias)

    with transaction.atomic(using=alias):
        assert quick.read(titles, alias).outcome == "hit"
        sql(alias, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        assert Section.objects.using(alias).count() == 1
        elsewhere(lambda: rename(alias, rows.pks[0], "new"))
        assert quick.read(titles, alias).value == OLD

    assert quick.read(titles, alias).value == NEW
