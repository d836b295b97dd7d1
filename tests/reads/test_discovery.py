"""Nothing declared: the tables that the function's queries read are found while it runs."""

# ruff: noqa: PLW0108 - a lambda has a name of this module's own; the bound method that it calls has not

from __future__ import annotations

import pytest
from django.db import connection, models

from genscache import cached, invalidate_model, invalidate_obj, invalidate_tables, obj, stats
from genscache.engine import Engine
from tests.reads.conftest import Make, Use, counted
from tests.reads.elsewhere import elsewhere
from tests.site.news.models import Article, Author, Column, Section, Tag, Topic

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "sqlite2"])


def write(number: int) -> Article:
    section = Section.objects.create(name=f"Section {number}")
    author = Author.objects.create(name=f"Author {number}")
    return Article.objects.create(title=f"Title {number}", section=section, author=author)


def test_a_write_to_what_was_read_invalidates(every_store: Engine, make: Make) -> None:
    names = make(lambda: list(Section.objects.values_list("name", flat=True)))
    assert names() == names() == []

    section = Section.objects.create(name="a")
    assert names() == names() == ["a"]
    Section.objects.filter(pk=section.pk).update(name="b")
    assert names() == names() == ["b"]
    Section.objects.bulk_create([Section(name="c")])
    assert names() == names() == ["b", "c"]
    with connection.cursor() as cursor:
        cursor.execute("delete from news_section where name = %s", ["b"])
    assert names() == names() == ["c"]
    assert names.count == 5


def test_a_write_to_something_else_does_not(every_store: Engine, make: Make) -> None:
    count = make(lambda: Section.objects.count())
    count()

    Author.objects.create(name="Ada")
    invalidate_tables("news_tag")

    assert count() == 0
    assert count.count == 1


def test_joined_prefetched_and_nested_tables_are_found(engine: Engine) -> None:
    article = write(1)
    article.tags.add(Tag.objects.create(name="blue"))

    @cached
    def page() -> list[tuple[str, list[str]]]:
        found = Article.objects.select_related("author").prefetch_related("tags")
        found = found.filter(section__in=Section.objects.filter(name__startswith="S"))
        return [(each.author.name, [tag.name for tag in each.tags.all()]) for each in found]

    assert page() == page() == [("Author 1", ["blue"])]
    Author.objects.update(name="Ada")
    assert page() == [("Ada", ["blue"])]
    Tag.objects.update(name="red")
    assert page() == [("Ada", ["red"])]
    article.tags.clear()
    assert page() == [("Ada", [])]
    Section.objects.update(name="renamed")
    assert page() == []
    assert stats()["hit"] == 1


def test_every_row_of_an_inherited_model_is_in_two_tables(engine: Engine) -> None:
    article = write(1)
    Column.objects.create(title="One", series="A", section=article.section, author=article.author)
    series = counted(lambda: [str(column) for column in Column.objects.all()])

    assert series() == ["A: One"]
    Article.objects.update(title="Two")
    assert series() == ["A: Two"]
    Column.objects.update(series="B")
    assert series() == ["B: Two"]


def test_raw_sql_is_read_too(engine: Engine) -> None:
    def body() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute('/* all */ WITH s AS (SELECT name FROM "news_section") SELECT name FROM s')
            names = [name for (name,) in cursor.fetchall()]
        return names + [tag.name for tag in Tag.objects.raw("select * from news_tag")]

    names = counted(body)
    assert names() == names() == []
    Section.objects.create(name="a")
    Tag.objects.create(name="b")
    assert names() == ["a", "b"]


def test_a_table_that_is_read_for_the_first_time_on_another_branch(every_store: Engine, make: Make) -> None:
    """What was remembered of earlier runs is no longer enough: this run's reads are what counts."""

    def body() -> str:
        topic = Topic.objects.first()
        if topic is not None and topic.name == "tags":
            return ",".join(Tag.objects.order_by("name").values_list("name", flat=True))
        return "none"

    names = make(body)
    assert names() == names() == "none"

    Topic.objects.create(name="tags")
    assert names() == names() == ""
    Tag.objects.create(name="a")
    assert names() == names() == "a"

    Topic.objects.update(name="other")
    assert names() == names() == "none"
    count = names.count
    Tag.objects.create(name="b")
    assert names() == "none"
    assert names.count == count, "tags are not read on this branch"


def test_each_call_has_tables_of_its_own(engine: Engine) -> None:
    kinds: dict[str, type[models.Model]] = {"section": Section, "author": Author}
    count = counted(lambda kind: kinds[kind]._default_manager.count())
    count("section"), count("author")

    invalidate_model(Section)
    count("section"), count("author")

    assert count.runs == [("section",), ("author",), ("section",)]


def test_databases_are_told_apart(engine: Engine) -> None:
    count = counted(lambda alias: Section.objects.using(alias).count())
    count("default"), count("sqlite2")

    Section.objects.using("sqlite2").create(name="a")

    assert (count("default"), count("sqlite2")) == (0, 1)
    assert count.runs == [("default",), ("sqlite2",), ("sqlite2",)]


def test_a_function_that_reads_no_table_lives_until_it_is_told(engine: Engine, make: Make) -> None:
    constant = make(lambda: 7)
    constant(), constant()

    invalidate_model(Section, Article, Author)
    invalidate_obj(obj(Topic, 1))
    constant()
    assert constant.count == 1

    constant.invalidate()
    constant()
    assert constant.count == 2


def test_an_object_that_was_not_there_is_noticed_when_it_is_born(engine: Engine, make: Make) -> None:
    find = make(lambda pk: getattr(Topic.objects.filter(pk=pk).first(), "name", None))
    assert find(41) is None

    Topic.objects.create(pk=41, name="born")

    assert find(41) == "born"


def test_a_vector_is_read_before_the_query(every_store: Engine, make: Make) -> None:
    """A1: what was read before a write is never stored under the generations after it."""
    writes = ["new"]

    def body() -> list[str]:
        found = list(Section.objects.values_list("name", flat=True))
        if writes:
            name = writes.pop()
            elsewhere(lambda: Section.objects.create(name=name))
        return found

    names = make(body)

    assert names() == []
    assert names() == ["new"]
    assert names() == ["new"]
    assert names.count == 2


@pytest.mark.parametrize("known", [False, True], ids=["first run", "tables known"])
def test_a_composite_is_stored_under_the_oldest_of_its_reads(
    every_store: Engine,
    make: Make,
    known: bool,  # noqa: FBT001
) -> None:
    """A5: a write to both tables between the two queries; the mixture is never served."""
    writes: list[str] = []

    def write_both(name: str) -> None:
        Section.objects.create(name=name)
        Author.objects.create(name=name)

    def body() -> tuple[int, int]:
        sections = Section.objects.count()
        if writes:
            name = writes.pop()
            elsewhere(lambda: write_both(name))
        return sections, Author.objects.count()

    both = make(body)
    if known:
        assert both() == (0, 0)
        both.invalidate()
    writes.append("new")

    assert both() == (0, 1)
    assert both() == (1, 1)
    assert both() == (1, 1)


def test_the_oldest_read_of_a_table_read_twice_counts(every_store: Engine, make: Make) -> None:
    writes = ["new"]

    def body() -> tuple[int, int]:
        first = Section.objects.count()
        if writes:
            name = writes.pop()
            elsewhere(lambda: Section.objects.create(name=name))
        return first, Section.objects.count()

    twice = make(body)

    assert twice() == (0, 1)
    assert twice() == (1, 1)


def test_discovery_may_be_switched_off_for_all(use: Use) -> None:
    use(ENABLED=False)
    count = counted(lambda: Section.objects.count())

    assert count() == count() == 0
    assert count.count == 2
    assert stats() == {"bypass": 2, 'bypass: the cache is switched off (GENSCACHE["ENABLED"])': 2}
