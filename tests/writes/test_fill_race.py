"""A fill and a write that overlap: what was computed from old rows is never served after the write (A1, A3, A5, A6)."""

from __future__ import annotations

import pytest
from django.db import connections

from genscache import cached
from genscache.stores.base import Put
from tests.site.news.models import Article, Section
from tests.writes.actors import Cache, elsewhere, every_database
from tests.writes.world import Rows, both, found_titles, title, titles


def rename(alias: str, pk: int, name: str) -> None:
    """Write a row, each time in another way than by save()."""
    Article.objects.using(alias).filter(pk=pk).update(title=name)


@every_database
@pytest.mark.parametrize("reader", [titles, found_titles])
def test_a_write_between_the_query_and_the_fill(alias: str, cache: Cache, rows: Rows, reader: object) -> None:
    """The vector was read before the query: what is stored then lies under a vector that nobody asks for."""
    assert callable(reader)
    cache.store.before(Put, lambda: elsewhere(lambda: rename(alias, rows.pks[0], "new")))

    assert cache.read(reader, alias).value == ["a0", "a1", "a2"]

    assert cache.read(reader, alias).value == ["new", "a1", "a2"]
    assert cache.read(reader, alias).outcome == "hit"


@every_database
def test_a_fill_that_arrives_after_a_younger_one(alias: str, quick: Cache, rows: Rows) -> None:
    """The late fill of a dead vector neither is served nor takes the living entry's place (A3)."""

    def meanwhile() -> None:
        rename(alias, rows.pks[0], "new")
        assert quick.warm(titles, alias) == ["new", "a1", "a2"]

    quick.store.before(Put, lambda: elsewhere(meanwhile))

    assert quick.read(titles, alias).value == ["a0", "a1", "a2"]

    answer = quick.read(titles, alias)
    assert (answer.value, answer.outcome) == (["new", "a1", "a2"], "hit")


@every_database
def test_a_write_between_two_queries_of_one_function(alias: str, quick: Cache, rows: Rows) -> None:
    """The composite of an old and a new answer is stored under the older generations, hence not served (A5)."""

    @cached(timeout=60)
    def composite() -> tuple[list[str], list[str]]:
        first = list(Article.objects.using(alias).order_by("pk").values_list("title", flat=True))
        if not interrupted:
            interrupted.append(True)
            elsewhere(write_both)
        return first, list(Section.objects.using(alias).values_list("name", flat=True))

    def write_both() -> None:
        rename(alias, rows.pks[0], "new")
        Section.objects.using(alias).update(name="Sport")

    interrupted: list[bool] = []
    assert quick.read(composite).value == (["a0", "a1", "a2"], ["Sport"])

    assert quick.read(composite).value == (["new", "a1", "a2"], ["Sport"])
    assert quick.read(composite).outcome == "hit"


@every_database
def test_the_second_table_is_written_before_it_is_read(alias: str, quick: Cache, rows: Rows) -> None:
    """A generation that is read just before its own query is young enough: the composite is stored and right."""
    assert quick.warm(both, alias) == (["a0", "a1", "a2"], ["World"])

    elsewhere(lambda: Section.objects.using(alias).update(name="Sport"))

    assert quick.read(both, alias).value == (["a0", "a1", "a2"], ["Sport"])
    assert quick.read(both, alias).outcome == "hit"


@every_database
def test_an_iterator_that_is_opened_before_a_write_and_read_after_it(
    alias: str, quick: Cache, rows: Rows
) -> None:
    """A server-side cursor shows the rows as they were when it was declared, so the generations are older (A6)."""

    @cached(timeout=60)
    def slowly() -> list[str]:
        names = (
            Article.objects.using(alias).order_by("pk").values_list("title", flat=True).iterator(chunk_size=1)
        )
        found = [next(names)]
        if not interrupted:
            interrupted.append(True)
            elsewhere(lambda: rename(alias, rows.pks[2], "new"))
        return [*found, *names]

    interrupted: list[bool] = []
    quick.read(slowly)

    assert quick.read(slowly).value == ["a0", "a1", "new"]
    assert quick.read(slowly).value == ["a0", "a1", "new"]


@every_database
def test_an_object_that_is_born_between_the_query_and_the_fill(alias: str, cache: Cache, rows: Rows) -> None:
    """That a row does not exist is an answer, too."""
    pk = rows.pks[-1] + 1

    def create() -> None:
        made = Article.objects.using(alias).create(title="born", section=rows.section, author=rows.author)
        assert made.pk == pk

    cache.store.before(Put, lambda: elsewhere(create))

    assert cache.read(title, alias, pk).value is None

    assert cache.read(title, alias, pk).value == "born"
    connections[alias].close()
