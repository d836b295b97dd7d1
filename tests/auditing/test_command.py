"""``manage.py genscache audit``, and writers that told nobody, on a real PostgreSQL."""

from __future__ import annotations

import json
from io import StringIO
from typing import TYPE_CHECKING

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction

from genscache import cached
from genscache.management.unseen import Suspicion, TableStatistics
from tests.reads.conftest import Use
from tests.site.news.models import Article
from tests.writes.actors import databases, elsewhere, undone, unseen
from tests.writes.world import Rows

if TYPE_CHECKING:
    from genscache.engine import Engine

HERE = "tests.auditing.test_command"

everywhere = pytest.mark.parametrize(
    "alias", [pytest.param("default", marks=pytest.mark.django_db(transaction=True, databases="__all__"))]
)
"""The command looks at the statistics of every database."""


@cached(timeout=300)
def first(limit: int, *, prefix: str = "") -> list[str]:
    rows = Article.objects.filter(title__startswith=prefix).order_by("pk")
    return list(rows.values_list("title", flat=True)[:limit])


@cached(timeout=300)
def around() -> list[str]:
    return first(1)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("genscache", "audit", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


@everywhere
def test_everything_is_right(alias: str, use: Use, rows: Rows) -> None:
    use()
    shown = run()
    assert "100 % of" in shown
    assert "(0 proven violations, 0 inconclusive)" in shown
    found = json.loads(
        run("news.Article", f"news.Article:{rows.pks[0]}", f"{HERE}.first(2, prefix='a')", "--json")
    )
    assert found["verdicts"] == {
        "news.Article.count": {"right": 1},
        "news.Article.get": {"right": 3},
        f"news.Article:{rows.pks[0]}": {"right": 1},
        f"{HERE}.first(2, prefix='a')": {"right": 1},
    }
    assert found["counts"] == {"audit: right": 6}
    assert found["unseen"] == []


@everywhere
def test_a_violation_is_the_end_with_1(alias: str, use: Use, rows: Rows) -> None:
    """The entry was there before the command came: what another process is served is what is compared."""
    use()
    run(f"{HERE}.first(1)")
    unseen(alias, "UPDATE news_article SET title = 'spoilt'")
    with pytest.raises(CommandError, match=r"^1 proven violations") as caught:
        run(f"{HERE}.first(1)")
    assert caught.value.returncode == 1


@everywhere
def test_what_is_a_hit_inside_is_not_taken_for_what_was_asked(alias: str, use: Use, rows: Rows) -> None:
    """The first read fills, and an inner hit is audited on the way; the second one is the audit of what was named."""
    use()
    run(f"{HERE}.first(1)")
    found = json.loads(run(f"{HERE}.around", "--json"))
    assert found["verdicts"] == {f"{HERE}.around": {"right": 2}}


@databases("default")
@pytest.mark.parametrize("what", ["news.Artcle", f"{HERE}.first(", f"{HERE}.nobody()", f"{HERE}.first(1"])
def test_what_does_not_exist_is_refused(alias: str, use: Use, what: str) -> None:
    use()
    with pytest.raises(CommandError):
        run(what)


def psql(alias: str, text: str) -> None:
    """Write as another program: with a connection that Django knows nothing of."""
    settings = connections[alias].settings_dict
    with psycopg.connect(
        host=settings["HOST"],
        port=settings["PORT"],
        user=settings["USER"],
        dbname=settings["NAME"],
        autocommit=True,
    ) as other:
        other.execute(text)
        other.execute("SELECT pg_stat_force_next_flush()")


def reported(alias: str) -> None:
    """Let this session report its statistics now; the next transaction's end does so."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")


class Time:
    """Seconds, moved by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def statistics(alias: str, use: Use, rows: Rows) -> tuple[TableStatistics, Time]:
    """Look at tables that nobody has written for a long time."""
    engine: Engine = use()
    reported(alias)
    time = Time()
    found = TableStatistics(engine, now=time)
    found.databases, found.silent = [alias], []
    assert found.look() == []
    time.seconds += 60
    return found, time


def looks(statistics: TableStatistics) -> list[Suspicion]:
    return [*statistics.look(), *statistics.look(), *statistics.look()]


@databases("postgres")
def test_a_writer_that_told_nobody_is_noticed_once(
    alias: str, statistics: tuple[TableStatistics, Time]
) -> None:
    found, _ = statistics
    assert looks(found) == []
    psql(alias, "UPDATE news_article SET title = 'behind'")
    (suspicion,) = looks(found)
    assert (suspicion.database, suspicion.table, suspicion.rows) == (alias, "news_article", 3)
    assert looks(found) == []
    psql(alias, "DELETE FROM news_article_tags")
    psql(alias, "INSERT INTO news_section (name) VALUES ('behind')")
    assert [each.table for each in looks(found)] == ["news_section"]


@databases("postgres")
def test_writes_of_ours_are_not(alias: str, statistics: tuple[TableStatistics, Time], rows: Rows) -> None:
    """Autocommit, a transaction, SQL; and what is reported only after the bump was seen."""
    found, time = statistics
    Article.objects.using(alias).filter(pk=rows.pks[0]).update(title="told")
    with transaction.atomic(using=alias):
        Article.objects.using(alias).filter(pk=rows.pks[1]).update(title="told")
    with connections[alias].cursor() as cursor:
        cursor.execute("UPDATE news_article SET title = 'told'")
    assert found.look() == []
    reported(alias)
    assert looks(found) == []
    time.seconds += 60
    assert looks(found) == []


@databases("postgres")
def test_what_was_rolled_back_comes_with_a_doubt(
    alias: str, statistics: tuple[TableStatistics, Time], rows: Rows
) -> None:
    """Statistics count rows that never were; nobody bumps for them."""
    found, _ = statistics

    def undo() -> None:
        with undone(alias):
            Article.objects.using(alias).update(title="never")
        reported(alias)

    elsewhere(undo)
    (suspicion,) = looks(found)
    assert suspicion.rolled_back >= 1


@databases("postgres")
def test_the_command_tells_of_it(alias: str, use: Use, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer comes between two looks, and the command says what it is: a hint."""
    use()
    reported(alias)
    written: list[str] = []

    @cached("nothing")
    def intruder() -> str:
        if not written:
            written.append("now")
            psql(alias, "UPDATE news_article SET title = 'behind'")
        return "done"

    monkeypatch.setattr(f"{HERE}.intruder", intruder, raising=False)
    shown = run(f"{HERE}.intruder", "--settling", "0")
    assert f'{alias}: "news_article" was written by somebody who told nobody: 3 rows' in shown
