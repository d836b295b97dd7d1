"""The guard by position: a standby that is held back, with writes in every gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

import pytest
from django.db import DatabaseError, connections, transaction

from genscache import cached, invalidate, stats
from genscache.orm import positions, replicas
from genscache.orm.replicas import Guards
from genscache.recording import Recording, record
from genscache.stores.base import Ensure
from tests.replicas.conftest import alias_of
from tests.servers import Postgres
from tests.servers.processes import free_port
from tests.servers.standby import Standby
from tests.site.news.models import Article, Section
from tests.writes.actors import Cache, elsewhere, sql, unseen
from tests.writes.world import Rows, found_titles, title, titles

pytestmark = pytest.mark.django_db(transaction=True, databases=["postgres"])

BEHIND = f"{replicas.BEHIND} (less than 10 kB)"

place: ContextVar[str] = ContextVar("place", default="postgres")


@cached("poems", timeout=300)
def poems() -> list[str]:
    """Read wherever the caller is sent; depends on a name only."""
    return list(Article.objects.using(place.get()).order_by("pk").values_list("title", flat=True))


@cached(timeout=300)
def anywhere() -> list[str]:
    """Read wherever the caller is sent."""
    return list(Article.objects.using(place.get()).order_by("pk").values_list("title", flat=True))


def listed(alias: str) -> list[str]:
    """List through a cached queryset."""
    return [each.title for each in Article.objects.using(alias).order_by("pk").cache(timeout=300)]


def rename(rows: Rows, name: str) -> None:
    """Change the first title on the primary."""
    Article.objects.using("postgres").filter(pk=rows.pks[0]).update(title=name)


def warm(cache: Cache, standby: Standby, function: Callable[..., object], *args: object) -> object:
    """Read until the entry is there: the first position may lie behind bytes that are no commit's and not flushed."""
    cache.read(function, *args)
    standby.catch_up()
    return cache.warm(function, *args)


@contextmanager
def read_on(alias: str) -> Iterator[None]:
    """Send readers to a database."""
    token = place.set(alias)
    yield
    place.reset(token)


@pytest.mark.parametrize("function", [found_titles, titles], ids=["discovered", "declared"])
def test_what_is_read_behind_the_last_write_is_not_stored(
    replicated: Cache, standby: Standby, rows: Rows, function: Callable[..., object]
) -> None:
    assert warm(replicated, standby, function, "standby") == ["a0", "a1", "a2"]
    standby.hold()
    rename(rows, "b0")

    for _ in range(2):
        answer = replicated.read(function, "standby")
        assert (answer.value, answer.outcome, answer.reason) == (["a0", "a1", "a2"], "miss", BEHIND)

    standby.let_go()
    answer = replicated.read(function, "standby")
    assert (answer.value, answer.outcome, answer.reason) == (["b0", "a1", "a2"], "miss", "")
    assert replicated.read(function, "standby").outcome == "hit"


def test_an_object_is_not_stored_behind_its_last_write(
    replicated: Cache, standby: Standby, rows: Rows
) -> None:
    pk = rows.pks[0]
    assert warm(replicated, standby, title, "standby", pk) == "a0"
    standby.hold()
    article = Article.objects.using("postgres").get(pk=pk)
    article.title = "b0"
    article.save()

    assert replicated.read(title, "standby", pk).reason == BEHIND
    standby.let_go()
    assert warm(replicated, standby, title, "standby", pk) == "b0"


def test_a_cached_queryset_follows_the_same_rule(replicated: Cache, standby: Standby, rows: Rows) -> None:
    standby.hold()
    rename(rows, "b0")

    assert listed("standby") == listed("standby") == ["a0", "a1", "a2"]
    assert stats()[f"miss: {BEHIND}"] == 2
    assert "fill" not in stats()
    standby.let_go()
    assert listed("standby") == listed("standby") == ["b0", "a1", "a2"]
    assert stats()["fill"] == stats()["hit"] == 1


def test_a_generation_that_is_made_while_the_replica_lags(
    replicated: Cache, standby: Standby, rows: Rows
) -> None:
    """The write found no counter to bump: nothing but the position tells that it has happened."""
    standby.hold()
    rename(rows, "b0")

    assert replicated.read(found_titles, "standby").reason == BEHIND
    standby.let_go()
    assert warm(replicated, standby, found_titles, "standby") == ["b0", "a1", "a2"]


def test_a_commit_that_is_not_flushed_counts(replicated: Cache, standby: Standby, rows: Rows) -> None:
    standby.hold()
    unseen("postgres", "SET synchronous_commit = off")
    rename(rows, "b0")

    assert replicated.read(found_titles, "standby").reason == BEHIND


def test_a_write_between_the_generations_and_the_position(
    replicated: Cache, standby: Standby, rows: Rows
) -> None:
    """The position is younger than the generations: what is stored lies under a dead vector."""
    replicated.store.after(Ensure, lambda: elsewhere(lambda: rename(rows, "b0")))

    replicated.read(titles, "standby")
    standby.catch_up()

    assert warm(replicated, standby, titles, "standby") == ["b0", "a1", "a2"]


def test_a_write_between_the_generations_and_the_position_that_is_not_replayed(
    replicated: Cache, standby: Standby, rows: Rows
) -> None:
    standby.hold()
    replicated.store.after(Ensure, lambda: elsewhere(lambda: rename(rows, "b0")))

    assert replicated.read(titles, "standby").reason == BEHIND
    assert replicated.read(titles, "standby").reason == BEHIND
    standby.let_go()
    assert warm(replicated, standby, titles, "standby") == ["b0", "a1", "a2"]


def test_what_invalidates_by_name_counts(replicated: Cache, standby: Standby, rows: Rows) -> None:
    with read_on("standby"):
        assert warm(replicated, standby, poems) == ["a0", "a1", "a2"]
        standby.hold()
        unseen("postgres", "UPDATE news_article SET title = 'b0' WHERE title = 'a0'")
        invalidate("poems")

        assert replicated.read(poems).reason == BEHIND
        standby.let_go()
        assert warm(replicated, standby, poems) == ["b0", "a1", "a2"]


def test_an_entry_from_the_primary_serves_readers_of_the_replica(
    replicated: Cache, standby: Standby, rows: Rows
) -> None:
    standby.hold()
    rename(rows, "b0")
    replicated.warm(anywhere)

    with read_on("standby"):
        answer = replicated.read(anywhere)

    assert (answer.outcome, answer.value) == ("hit", ["b0", "a1", "a2"])


def test_a_snapshot_of_the_replica_is_not_stored(replicated: Cache, standby: Standby, rows: Rows) -> None:
    """The trap: within a snapshot, and within one statement, the position is younger than the rows beside it."""
    standby.hold()
    rename(rows, "b0")
    # The counters have to be older than the snapshot: else the read is a bypass.
    assert replicated.read(found_titles, "standby").reason == BEHIND
    reached = standby.of_primary("SELECT pg_current_wal_insert_lsn()::text")

    with transaction.atomic("standby"), connections["standby"].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT count(*) FROM news_section")
        standby.let_go()
        cursor.execute("SELECT pg_last_wal_replay_lsn() >= %s, min(title) FROM news_article", [reached])
        assert cursor.fetchone() == (True, "a0")
        answer = replicated.read(found_titles, "standby")

    assert (answer.value, answer.reason) == (["a0", "a1", "a2"], replicas.SNAPSHOT)
    assert warm(replicated, standby, found_titles, "standby") == ["b0", "a1", "a2"]


def test_a_transaction_of_the_replica_that_reads_what_is_committed_may_fill(
    replicated: Cache, standby: Standby, rows: Rows
) -> None:
    replicated.read(found_titles, "standby")
    standby.catch_up()
    with transaction.atomic("standby"):
        assert replicated.read(found_titles, "standby").reason == ""
        assert Section.objects.using("standby").count() == 1

    assert replicated.read(found_titles, "standby").outcome == "hit"


def test_a_primary_whose_transaction_is_open_is_asked_inside_it(
    replicated: Cache, standby: Standby, rows: Rows
) -> None:
    """``ATOMIC_REQUESTS``: nobody could be asked otherwise."""
    with transaction.atomic("postgres"):
        replicated.read(found_titles, "standby")
        standby.catch_up()
        assert replicated.read(found_titles, "standby").outcome in {"miss", "hit"}
        assert Section.objects.using("postgres").count() == 1

    assert replicated.read(found_titles, "standby").outcome == "hit"


def test_a_failed_transaction_of_the_primary_is_left_alone(replicated: Cache, rows: Rows) -> None:
    with transaction.atomic("postgres"):
        with suppress(DatabaseError):
            sql("postgres", "SELECT nothing")
        assert replicated.read(found_titles, "standby").outcome != "hit"
        transaction.set_rollback(True, using="postgres")


def test_a_primary_that_reads_a_snapshot_is_not_asked(replicated: Cache, rows: Rows) -> None:
    with transaction.atomic("postgres"):
        sql("postgres", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert Section.objects.using("postgres").count() == 1
        with record(Recording({}, discover=True)) as recording:
            list(Article.objects.using("standby").all())
    assert recording.flaw == replicas.BUSY


def test_a_primary_that_does_not_allow_it_keeps_its_transaction(
    replicated: Cache, standby: Standby, rows: Rows
) -> None:
    """The question fails, and the transaction in which it was asked goes on."""
    standby.of_primary("CREATE ROLE humble")
    unseen("postgres", "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    try:
        with transaction.atomic("postgres"):
            unseen("postgres", "SET LOCAL ROLE humble")
            answer = replicated.read(found_titles, "standby")
            assert (answer.value, answer.reason) == (["a0", "a1", "a2"], replicas.UNTOLD)
            sql("postgres", "SELECT 1")
    finally:
        unseen("postgres", "GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")
        standby.of_primary("DROP ROLE humble")
    assert stats()["survived: position unknown"] == 1


@contextmanager
def unreachable(alias: str) -> Iterator[None]:
    """Send an alias to a port where nobody listens."""
    port = connections.settings[alias]["PORT"]
    connections[alias].close()
    connections.settings[alias]["PORT"] = free_port()
    yield
    connections.settings[alias]["PORT"] = port


def test_without_its_primary_a_replica_fills_nothing(
    replicated: Cache, standby: Standby, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    guards = replicated.engine.part(Guards)
    with unreachable("postgres"):
        for _ in range(3):
            answer = replicated.read(found_titles, "standby")
            assert (answer.value, answer.reason) == (["a0", "a1", "a2"], replicas.UNTOLD)
        # It was asked once, and then left alone for a while.
        assert stats()["survived: position unknown"] == 1
        assert '"standby" or its primary "postgres"' in caplog.text

    before, guards.now = guards.now, lambda: before() + replicas.PAUSE
    assert warm(replicated, standby, found_titles, "standby") == ["a0", "a1", "a2"]


def test_the_primary_is_asked_once_for_a_generation(replicated: Cache, standby: Standby, rows: Rows) -> None:
    """So a replica that trails a busy primary gets there, and readers do not load the primary."""
    standby.hold()
    rename(rows, "b0")
    assert replicated.read(found_titles, "standby").reason == BEHIND
    standby.of_primary("SELECT pg_logical_emit_message(true, 'much', repeat('x', 20000))")

    # The distance is still the one to the invalidation.
    assert replicated.read(found_titles, "standby").reason == BEHIND
    standby.let_go()
    with unreachable("postgres"):
        assert replicated.warm(found_titles, "standby") == ["b0", "a1", "a2"]


def test_the_distance_is_told_in_steps(replicated: Cache, standby: Standby, rows: Rows) -> None:
    standby.hold()
    standby.of_primary("SELECT pg_logical_emit_message(true, 'much', repeat('x', 20000))")

    assert replicated.read(found_titles, "standby").reason == f"{replicas.BEHIND} (less than 1 MB)"


def test_a_server_that_is_no_standby_fills_nothing(
    replicated: Cache, standby: Standby, postgres: Postgres, rows: Rows
) -> None:
    with alias_of(postgres):
        assert replicated.read(found_titles, "standby").reason == replicas.NO_STANDBY


def test_a_promoted_standby_fills_nothing(replicated: Cache, postgres: Postgres, rows: Rows) -> None:
    with Standby(postgres) as promoted, alias_of(promoted):
        warm(replicated, promoted, found_titles, "standby")
        rename(rows, "b0")
        promoted.catch_up()
        promoted.promote()

        assert replicated.read(found_titles, "standby").reason == replicas.NO_STANDBY


def test_a_standby_of_another_cluster_fills_nothing(
    replicated: Cache, own_postgres: Postgres, rows: Rows
) -> None:
    stranger = Standby(own_postgres)
    stranger.of_primary("CREATE DATABASE test_genscache")
    with stranger, alias_of(stranger):
        answer = replicated.read(_one, "standby")

    assert answer.reason == replicas.NO_STANDBY


@cached("one", timeout=300)
def _one(alias: str) -> None:
    sql(alias, "SELECT 1")


def test_after_a_failover_a_standby_fills_when_it_is_known_to_follow(
    replicated: Cache, postgres: Postgres, standby: Standby, rows: Rows
) -> None:
    """One that stays on the old timeline may be ahead of the new one's log, without a row of it."""
    with Standby(postgres) as heir, Standby(postgres) as other, alias_of(other):
        for each in (heir, other):
            each.catch_up()
        warm(replicated, other, found_titles, "standby")
        heir.promote()
        with alias_of(heir, "postgres"):
            # Ahead, on the old timeline, of all that the heir writes now.
            other.of_primary("SELECT pg_logical_emit_message(true, 'lost', repeat('x', 100000))")
            other.catch_up()
            rename(rows, "b0")
            answer = replicated.read(found_titles, "standby")
            assert (answer.value, answer.reason) == (["a0", "a1", "a2"], replicas.NO_STANDBY)


def test_a_log_that_ends_with_a_page_is_replayed_to_its_end(
    replicated: Cache, standby: Standby, rows: Rows
) -> None:
    """The position of the next record lies behind a header that nobody has written yet."""
    remainder = "SELECT ((pg_current_wal_insert_lsn() - '0/0') % 8192)::int"
    message = "SELECT pg_logical_emit_message(true, '', repeat('x', {}))"
    for _ in range(50):
        # A message and its COMMIT take as much as its text and a little more, in steps of eight bytes.
        standby.of_primary(message.format(1))
        missing = 8192 - standby.of_primary(remainder)
        if missing < 300:
            continue
        overhead = _overhead(standby, message, remainder)
        missing = 8192 - standby.of_primary(remainder)
        if missing > overhead + 8:
            standby.of_primary(message.format(missing - overhead))
        if standby.of_primary(remainder) != 24:
            continue
        position = positions.of_primary(replicated.engine, connections["postgres"])
        # The background writer logs the running transactions on its own: a record of it may come in between.
        if standby.of_primary(remainder) == 24:
            break
    else:
        pytest.skip("the log was never brought to the end of a page")

    assert position.lsn % 8192 == 0


def _overhead(standby: Standby, message: str, remainder: str) -> int:
    """Return what a message takes besides its text."""
    before = standby.of_primary(remainder)
    standby.of_primary(message.format(64))
    return int((standby.of_primary(remainder) - before) % 8192) - 64
