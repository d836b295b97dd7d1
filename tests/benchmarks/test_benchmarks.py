"""What the benchmark counts is exact, so it is tested; what it times is not."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree  # noqa: ICN001 - said in full

import pytest
from django.db import transaction

from genscache import batch_invalidations, cached, invalidate_model, invalidate_obj, obj
from genscache.engine import Engine
from tests.benchmarks.charts import charts
from tests.benchmarks.measuring import Spread, turns
from tests.benchmarks.tables import TABLES, page, table
from tests.reads.conftest import Use
from tests.reads.wire import Wire
from tests.requirements import demand
from tests.servers import Postgres, Valkey
from tests.site.news.models import Article, Author, Section

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "performance.md"
RESULTS = PAGE.with_suffix(".json")


@pytest.fixture
def on_wire(use: Use, wire: Wire) -> Engine:
    return use(STORE=wire.url, MODELS={"news.*": {"cache": "all"}})


@pytest.fixture
def articles(on_wire: Engine) -> list[int]:
    section, author = Section.objects.create(name="World"), Author.objects.create(name="Ann")
    Article.objects.bulk_create(
        Article(title=f"t{each}", section=section, author=author) for each in range(30)
    )
    return list(Article.objects.nocache().values_list("pk", flat=True))  # type: ignore[attr-defined]


def trips(wire: Wire, action: Callable[[], object]) -> int:
    with wire.counting() as turns:
        action()
    return turns[0]


@cached(Article, Author)
def titles(number: int) -> list[str]:
    rows = Article.objects.nocache()  # type: ignore[attr-defined]
    return list(rows.order_by("pk").values_list("title", flat=True)[:number])


READS: dict[str, Callable[[int], object]] = {
    "get": lambda pk: Article.objects.get(pk=pk),
    "list": lambda pk: list(Article.objects.select_related("author").filter(views__gt=-pk)[:20]),
    "count": lambda pk: Article.objects.filter(views__gt=-pk).count(),
    "exists": lambda pk: Article.objects.filter(views__gt=-pk).exists(),
    "function": titles,
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", READS)
def test_a_hit_is_one_round_trip_and_a_miss_two(articles: list[int], wire: Wire, name: str) -> None:
    """A miss of what nobody has asked for yet, in a process that is at work; three where generations have changed."""
    read = READS[name]
    read(articles[0]), read(articles[0])
    assert trips(wire, lambda: read(articles[1])) == 2
    for _ in range(4):
        assert trips(wire, lambda: read(articles[1])) == 1
    invalidate_model(Article)
    assert trips(wire, lambda: read(articles[1])) == 3
    assert trips(wire, lambda: read(articles[1])) == 1


@pytest.mark.django_db(transaction=True, databases=["default", "postgres"])
def test_a_write_is_two_round_trips(on_wire: Engine, wire: Wire, postgres: None) -> None:
    rows = Section.objects.using("postgres")
    section = rows.create(name="World")
    section.save()
    assert trips(wire, section.save) == 2

    def in_transaction() -> None:
        with transaction.atomic(using="postgres"):
            for number in range(10):
                rows.filter(pk=section.pk).update(name=f"new {number}")

    assert trips(wire, in_transaction) == 2
    # The server is shown each step once.
    invalidate_model(Section)
    assert trips(wire, lambda: invalidate_model(Section)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_batch_of_ten_thousand_is_one_round_trip(on_wire: Engine, wire: Wire) -> None:
    def many() -> None:
        with batch_invalidations():
            for pk in range(10_000):
                invalidate_obj(obj(Article, pk))

    invalidate_model(Article)
    assert trips(wire, many) == 1


@pytest.mark.django_db(transaction=True)
def test_a_coroutine_takes_no_more(articles: list[int], wire: Wire, on_wire: Engine) -> None:
    async def main() -> None:
        for _ in range(3):
            await Article.objects.aget(pk=articles[0])
        with wire.counting() as turns:
            await Article.objects.aget(pk=articles[0])
        assert turns == [1]
        await on_wire.async_store.aclose()

    asyncio.run(main())


def run(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """Run the command in its shortest form; the numbers mean nothing."""
    for kind in (Valkey, Postgres):
        demand(kind)
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--short", "--json", str(results), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(results.read_text())
    assert found["format"] == 1
    return found


def test_no_round_trip_is_lost(tmp_path: Path) -> None:
    """A hit is one, with a copy or without; it asks for the counters, and whether the entry is still the same."""
    found = run(tmp_path, "--contestants", "genscache,none", "--only", "hits")
    ours = [row for row in found["hits"] if row["contestant"] == "genscache"]
    assert [(row["round_trips"], row["commands"]) for row in ours] == [(1, 2)] * 5
    assert max(row["bytes_received"] for row in ours) < 300


@pytest.mark.whole
@pytest.mark.timeout(600)
def test_the_command_measures_everything(tmp_path: Path) -> None:
    found = run(tmp_path)
    for part in TABLES:
        assert found[part], part
    assert len(charts(found)) == 6


@pytest.mark.skipif(not RESULTS.exists(), reason="the documentation is not beside the tests")
def test_the_page_shows_what_was_measured() -> None:
    found = json.loads(RESULTS.read_text())
    text = PAGE.read_text()
    assert page(text, found) == text, (
        "run: python -m tests.benchmarks.tables docs/explanation/performance.{json,md}"
    )
    drawn = charts(found)
    assert len(drawn) == 6
    for name, picture in drawn.items():
        assert (PAGE.parent / "pictures" / name).read_text() == picture
        assert f"pictures/{name}" in text
        assert "genscache" in "".join(ElementTree.fromstring(picture).itertext())  # noqa: S314 - our own


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no line"):
        page("# Words\n", {})


def test_turns_are_compared_round_by_round() -> None:
    measured = turns(lambda: sum(range(2_000)), lambda: sum(range(200)), rounds=5, seconds=0.002)
    assert measured.ratio.low <= measured.ratio.median <= measured.ratio.high
    assert measured.ratio.median > 2
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


def test_a_table() -> None:
    assert table(("a", "b"), [("long one", "1"), ("x", "22")]).splitlines() == [
        "| a        |  b |",
        "|----------|---:|",
        "| long one |  1 |",
        "| x        | 22 |",
    ]
