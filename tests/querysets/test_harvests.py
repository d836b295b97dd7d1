"""A miss asks with SQL that it knows and makes instances from what it stores, else Django does, with one outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, models
from django.db.models import Q
from django.db.models.base import ModelBase
from django.db.models.expressions import Window
from django.db.models.functions import RowNumber
from django.db.models.lookups import GreaterThan
from django.db.models.query_utils import DeferredAttribute
from django.db.models.signals import post_init, pre_init
from django.test.utils import CaptureQueriesContext, isolate_apps

from genscache import bypass, cached
from genscache.auditing import every_hit
from genscache.engine import Engine
from genscache.exceptions import StoreUnavailable
from genscache.querysets.harvests import is_made_by_django
from tests.querysets.reading import Site, is_hit, seen
from tests.querysets.test_quick import calls
from tests.site.news.models import Article, Asset, Author, Column, Country, PopularArticle, Section, Topic

pytestmark = pytest.mark.django_db(transaction=True)

NEVER = count(1)
"""Values that nobody has asked for yet."""

SHAPES: dict[str, Callable[[int], Any]] = {
    "plain": lambda asked: Article.objects.filter(views__gt=-asked).order_by("pk"),
    "related": lambda asked: Article.objects.select_related("author", "section").filter(views__gt=-asked),
    "sliced": lambda asked: Article.objects.filter(views__gt=-asked).order_by("-title", "pk")[1:6],
    "missing relations": lambda asked: Topic.objects.select_related("parent__parent").filter(pk__gt=-asked),
    "a child": lambda asked: Column.objects.filter(views__gt=-asked),
    "a proxy": lambda asked: PopularArticle.objects.filter(views__gt=-asked),
    "keys that are no numbers": lambda asked: Asset.objects.select_related("article").exclude(
        path=str(asked)
    ),
}
"""Querysets of one shape each, whatever number they are given; all rows fit."""


@pytest.fixture
def rows(site: Site) -> Site:
    """Write some more rows, with and without relations."""
    for number in range(4, 14):
        kind = Column if number % 2 else Article
        kind.objects.create(
            pk=number,
            title=f"More {number}",
            section=site.sections[0],
            author=site.author,
            views=100 + number,
        )
        Topic.objects.create(pk=number, name=f"topic {number}", parent_id=number - 2 if number > 6 else None)
        Asset.objects.create(path=f"/{number}", article_id=number if number % 3 else None)
    return site


def by_django(asked: Callable[[], Any]) -> list[str]:
    """Return what Django does on a miss that could be left out."""
    return sorted(set(calls(lambda: list(asked().cache()), "from_db", "get_select", "get_default_columns")))


def known(rows: Callable[[int], Any]) -> None:
    """Ask for a shape until it is known."""
    for _ in range(3):
        list(rows(next(NEVER)).cache())


def contents(result: list[Any], depth: int = 3) -> list[object]:
    """Return all attributes of instances, and of what is loaded with them."""
    return [
        (
            type(each),
            {name: (type(value), value) for name, value in vars(each).items() if name != "_state"},
            each._state.db,
            each._state.adding,
            getattr(each._state, "fetch_mode", None),
            {
                name: depth and other and contents([other], depth - 1)
                for name, other in each._state.fields_cache.items()
            },
        )
        for each in result
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_that_is_known_is_compiled_and_made_without_django(
    engine: Engine, rows: Site, shape: str
) -> None:
    asked = SHAPES[shape]
    assert by_django(lambda: asked(next(NEVER))) == ["from_db", "get_default_columns", "get_select"]
    assert by_django(lambda: asked(next(NEVER))) == ["from_db", "get_default_columns", "get_select"]
    assert by_django(lambda: asked(next(NEVER))) == ["from_db"]
    assert by_django(lambda: asked(next(NEVER))) == []
    number = next(NEVER)
    plain = asked(number)
    made = asked(number).cache()
    with CaptureQueriesContext(connection) as queries:
        assert len(plain) > 3
        assert contents(list(made)) == contents(list(plain))
    first, second = queries.captured_queries
    assert first["sql"] == second["sql"]
    hit = asked(number).cache()
    assert is_hit(lambda: contents(list(hit)))
    assert contents(list(hit)) == contents(list(plain))


def test_a_coroutine_does_the_same(engine: Engine, rows: Site) -> None:
    async def ask() -> list[Any]:
        return [each async for each in SHAPES["related"](next(NEVER)).cache()]

    for _ in range(3):
        async_to_sync(ask)()
    harvested = calls_in_threads(async_to_sync(ask))
    assert contents(harvested) == contents(list(SHAPES["related"](next(NEVER)).nocache()))


def calls_in_threads(read: Callable[[], list[Any]]) -> list[Any]:
    """Read, and see to it that Django makes no instance in any thread."""
    heard: list[type] = []

    class Heard(DeferredAttribute):
        def __set__(self, instance: Any, value: object) -> None:
            heard.append(type(instance))
            vars(instance)[self.field.attname] = value

    field = Article._meta.get_field("title")
    original = vars(Article)["title"]
    Article.title = Heard(field)  # type: ignore[assignment]
    try:
        found = read()
    finally:
        Article.title = original
    assert heard == []
    return found


def test_a_child_process_learns_anew(engine: Engine, rows: Site) -> None:
    """A thread of the parent may hold a lock while it forks."""
    asked = SHAPES["plain"]
    known(asked)
    assert by_django(lambda: asked(next(NEVER))) == []
    engine.forget()
    assert by_django(lambda: asked(next(NEVER))) == ["from_db", "get_default_columns", "get_select"]


def test_what_nobody_stores_is_made_by_django(engine: Engine, rows: Site) -> None:
    asked = SHAPES["plain"]
    known(asked)
    everything = ["from_db", "get_default_columns", "get_select"]
    with bypass():
        assert by_django(lambda: asked(next(NEVER))) == everything
    number = next(NEVER)
    list(asked(number).cache())
    # An audit compares with what Django says.
    with every_hit():
        assert by_django(lambda: asked(number)) == everything


def test_nobody_shares_what_a_miss_has_made(engine: Engine, rows: Site) -> None:
    asked = SHAPES["related"]
    known(asked)
    number = next(NEVER)
    [first, *_] = asked(number).cache()
    first.title, first.author.name = "changed", "changed"
    [again, *_] = asked(number).cache()
    assert again.title != "changed"
    assert again.author.name == "Ada"


def test_inside_a_cached_function(engine: Engine, rows: Site) -> None:
    asked = SHAPES["related"]
    known(asked)

    @cached
    def listed(number: int) -> list[Any]:
        found = list(asked(number).cache())
        found[0].title = "as the function has it"
        return found

    number = next(NEVER)
    first = contents(listed(number))
    assert contents(listed(number)) == first
    Article.objects.update(views=7)
    assert [each.views for each in listed(number)] == [7] * len(first)


@pytest.mark.parametrize("signal", [pre_init, post_init], ids=["pre_init", "post_init"])
@pytest.mark.parametrize("model", [Article, Section], ids=["rows", "relations"])
def test_receivers_hear_of_every_instance(engine: Engine, rows: Site, signal: Any, model: type[Any]) -> None:
    asked = SHAPES["related"]
    known(asked)
    heard: list[object] = []

    def receive(**_: object) -> None:
        heard.append(1)

    signal.connect(receive, sender=model)
    try:
        found = list(asked(next(NEVER)).cache())
        assert len(heard) == len(found)
    finally:
        signal.disconnect(receive, sender=model)
    assert by_django(lambda: asked(next(NEVER))) == []


def test_a_receiver_that_was_there_first_is_not_forgotten(engine: Engine, rows: Site) -> None:
    asked = SHAPES["plain"]

    def receive(instance: Any, **_: object) -> None:
        instance.heard = True

    post_init.connect(receive, sender=Article)
    try:
        for _ in range(5):
            assert all(each.heard for each in asked(next(NEVER)).cache())
    finally:
        post_init.disconnect(receive, sender=Article)


def test_values_that_can_be_changed_are_djangos(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def from_database(value: str, *_: object) -> list[str]:
        made.append([value])
        return made[-1]  # type: ignore[return-value]

    monkeypatch.setattr(Country._meta.get_field("name"), "from_db_value", from_database, raising=False)
    for letter in "abcde":
        Country.objects.create(code=letter, name=letter)
    for _ in range(5):
        rows = Country.objects.cache().exclude(name=str(next(NEVER))).order_by("code")
        assert [each.name for each in rows] == [[letter] for letter in "abcde"]
        assert all(any(each.name is one for one in made) for each in rows)
        again = rows.all()
        assert is_hit(lambda: list(again))  # noqa: B023 - called at once


def test_few_rows_are_djangos(engine: Engine, rows: Site) -> None:
    def few(asked: int) -> Any:
        return Article.objects.filter(pk__lt=4, views__gt=-asked)

    for _ in range(4):
        assert "from_db" in by_django(lambda: few(next(NEVER)))
    assert "get_select" not in by_django(lambda: few(next(NEVER)))
    none = Article.objects.filter(pk__lt=0, views__gt=-next(NEVER)).cache()
    assert list(none) == []


MORE: dict[str, Callable[[int], Any]] = {
    "None": lambda asked: Topic.objects.filter(Q(parent=None) | Q(pk__gt=-asked)),
    "nothing, now and then": lambda asked: Article.objects.filter(
        pk__in=[] if asked % 2 else [1, 2, 3, 4, 5, asked]
    ),
    "never anything": lambda asked: Article.objects.filter(views__gt=-asked).filter(pk__in=[]),
    "larger than any column": lambda asked: Article.objects.filter(views__lt=2**70 + asked),
    "a query in a condition": lambda asked: Article.objects.filter(
        author__in=Author.objects.filter(pk__gt=-asked)
    ),
    "EXISTS": lambda asked: Article.objects.filter(
        models.Exists(Author.objects.filter(pk=models.OuterRef("author"), pk__gt=-asked))
    ),
    "a split exclude": lambda asked: Article.objects.exclude(tags__name=str(asked)),
    "ordering that joins": lambda asked: Article.objects.filter(views__gt=-asked).order_by(
        "author__name", "section", "pk"
    ),
    "ordering by what is loaded": lambda asked: (
        Topic.objects.select_related("parent").filter(pk__gt=-asked).order_by("-parent__name", "pk")
    ),
    "reversed": lambda asked: Article.objects.filter(views__gt=-asked).order_by("pk").reverse(),
    "other slices": lambda asked: Article.objects.filter(views__gt=-asked).order_by("pk")[
        asked % 3 : asked % 3 + 5
    ],
    "joins that filters need first": lambda asked: Article.objects.filter(
        author__name__gt="", views__gt=-asked
    ).select_related("section", "author"),
    "a path of relations": lambda asked: Asset.objects.select_related(
        "article__author", "article__section"
    ).exclude(path=str(asked)),
    "a child with relations": lambda asked: Column.objects.select_related("author").filter(views__gt=-asked),
    "expressions": lambda asked: Article.objects.filter(views__gt=models.F("pk") - asked - 1000),
    "days": lambda asked: Article.objects.filter(published__date__gt=f"19{asked % 90 + 10}-01-01"),
    "a related manager": lambda asked: Author.objects.all()[0].articles.filter(views__gt=-asked),
}


@pytest.mark.parametrize("name", MORE)
def test_every_miss_answers_as_django_does(engine: Engine, rows: Site, name: str) -> None:
    for number in islice(NEVER, 6):
        plain = contents(list(MORE[name](number)))
        assert contents(list(MORE[name](number).cache())) == plain
        assert contents(list(MORE[name](number).cache())) == plain


def test_threads_share_what_is_known(engine: Engine, rows: Site) -> None:
    asked = SHAPES["related"]

    def ask() -> list[bool]:
        try:
            return [
                contents(list(asked(number).cache())) == contents(list(asked(number)))
                for number in islice(NEVER, 20)
            ]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        found = [thread.result() for thread in [threads.submit(ask) for _ in range(4)]]
    assert found == [[True] * 20] * 4


@pytest.mark.parametrize("name", ["FETCH_ONE", "FETCH_PEERS", "FETCH_RAISE"])
@pytest.mark.parametrize("shape", ["plain", "related"])
def test_fetch_modes(engine: Engine, rows: Site, name: str, shape: str) -> None:
    mode = getattr(models, name, None)
    if mode is None:
        pytest.skip("fetch modes came with Django 6.1")
    for number in islice(NEVER, 6):
        mine, plain = (
            [*SHAPES[shape](number).fetch_mode(mode).cache()],
            [*SHAPES[shape](number).fetch_mode(mode)],
        )
        assert contents(mine) == contents(plain)
        assert [len(getattr(each._state, "peers", ())) for each in mine] == [
            len(getattr(each._state, "peers", ())) for each in plain
        ]


OTHERS: dict[str, Callable[[int], Any]] = {
    "annotations": lambda asked: Article.objects.annotate(more=models.F("views") + asked),
    "a window in a condition": lambda asked: Article.objects.filter(
        GreaterThan(Window(RowNumber(), order_by="pk"), -asked)
    ),
    "distinct": lambda asked: Article.objects.filter(views__gt=-asked).distinct(),
    "groups": lambda asked: Section.objects.annotate(n=models.Count("articles")).filter(n__gt=-asked),
    "ordering by an expression": lambda asked: Article.objects.filter(views__gt=-asked).order_by(
        models.F("title").desc()
    ),
    "extra": lambda asked: Article.objects.extra(select={"more": "%s"}, select_params=[asked]),
    "unions": lambda asked: Article.objects.filter(views=asked).union(
        Article.objects.filter(views__gt=-asked)
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_where_values_may_be_anywhere_django_compiles(engine: Engine, rows: Site, name: str) -> None:
    for _ in range(4):
        assert "get_select" in by_django(lambda: OTHERS[name](next(NEVER)))
    number = next(NEVER)
    assert contents(list(OTHERS[name](number).cache())) == contents(list(OTHERS[name](number)))


LOADED: dict[str, Callable[[int], Any]] = {
    "some attributes": lambda asked: Article.objects.only("title", "views").filter(views__gt=-asked),
    "some attributes of a relation": lambda asked: (
        Article.objects.select_related("author").only("title", "author__name").filter(views__gt=-asked)
    ),
    "the other end": lambda asked: Article.objects.select_related("column").filter(views__gt=-asked),
    "dicts": lambda asked: Article.objects.filter(views__gt=-asked).values(),
    "tuples": lambda asked: Article.objects.filter(views__gt=-asked).values_list("pk", "title"),
    "single values": lambda asked: Article.objects.filter(views__gt=-asked).values_list("pk", flat=True),
}


@pytest.mark.parametrize("name", LOADED)
def test_other_rows_are_made_by_django(engine: Engine, rows: Site, name: str) -> None:
    asked = LOADED[name]
    known(asked)
    number = next(NEVER)
    read = calls(lambda: list(asked(number).cache()), "get_select", "execute_sql")
    assert "get_select" not in read
    assert "execute_sql" in read
    made, plain = list(asked(number).cache()), list(asked(number))
    if isinstance(plain[0], models.Model):
        made, plain = contents(made), contents(plain)
    assert made == plain


def test_a_store_that_fails_on_the_way(engine: Engine, rows: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = SHAPES["related"]
    known(asked)
    store = engine.store

    class Deaf:
        capabilities = store.capabilities

        def execute(self, operation: Any) -> Any:
            if type(operation).__name__ == "Put":
                raise StoreUnavailable("gone")
            return store.execute(operation)

        def close(self) -> None:
            store.close()

    monkeypatch.setattr(engine, "_store", Deaf())
    number = next(NEVER)
    found = seen(lambda: list(asked(number).cache()))
    assert contents(cast("list[Any]", found.result)) == contents(list(asked(number)))
    assert found.counts["miss"] == 1


def own_init(self: Any, *args: Any, **kwargs: Any) -> None:
    """Do as Django does."""
    models.Model.__init__(self, *args, **kwargs)


def own_from_db(cls: Any, *args: Any, **kwargs: Any) -> Any:
    """Do as Django does."""
    return models.Model.from_db.__func__(cls, *args, **kwargs)


class Loud(models.CharField):  # type: ignore[type-arg]
    """A field that has a say in how its values are set."""

    descriptor_class = type("Descriptor", (DeferredAttribute,), {"__set__": lambda *_: None})


@pytest.fixture
def made() -> Iterator[Callable[..., Any]]:
    """Return what makes model classes that nobody else sees."""
    with isolate_apps("tests.site.news"):

        def make(*after: type, metaclass: type = ModelBase, **attributes: Any) -> Any:
            space = {"__module__": __name__, "name": models.CharField(max_length=10), **attributes}
            space["Meta"] = type("Meta", (), {"app_label": "news"})
            return metaclass(f"Made{next(NEVER)}", (models.Model, *after), space)

        yield make


def test_classes_that_have_a_say_in_how_they_are_made(made: Callable[..., Any]) -> None:
    assert is_made_by_django(made())
    assert is_made_by_django(made(type("Mixin", (), {})))
    assert not is_made_by_django(made(__init__=own_init))
    assert not is_made_by_django(made(from_db=classmethod(own_from_db)))
    assert not is_made_by_django(made(__setattr__=object.__setattr__.__get__))
    assert not is_made_by_django(made(name=Loud(max_length=10)))
    assert not is_made_by_django(made(type("Mixin", (), {"__init__": lambda _: None})))
    assert not is_made_by_django(made(metaclass=type("Meta", (ModelBase,), {})))
