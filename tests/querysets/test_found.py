"""What an attack by fresh eyes has found: each of these was stale, wrong, or broke what works without a cache."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import models
from django.db.models import DateTimeField, Func, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast
from django.db.models.query import ModelIterable, RawQuerySet
from django.db.models.signals import post_init
from django.test.utils import isolate_apps

from genscache.engine import Engine
from genscache.fingerprints import structure_of
from genscache.querysets.adoption import Adoption
from genscache.querysets.plans import Planner
from tests.querysets.reading import Site, is_hit, why
from tests.site.news.models import Article, PopularArticle, Section

pytestmark = pytest.mark.django_db(transaction=True)


def managed(manager: Any, model: type[models.Model] = Section) -> Any:
    """Let a manager belong to a model, and adopt it."""
    manager.model = model
    manager.name = "objects"
    Adoption().adopt(manager)
    return manager


# -- stale


def test_other_rows_of_the_same_table_are_read_while_a_row_is_made(engine: Engine, site: Site) -> None:
    """``post_init`` reads the first article while the second is loaded by its key: it depends on both."""

    def neighbour(instance: Article, **_: object) -> None:
        if instance.pk == 2:
            instance.neighbour = Article.objects.nocache().values_list("title", flat=True).get(pk=1)

    def read() -> object:
        return Article.objects.cache().get(pk=2).neighbour

    post_init.connect(neighbour, sender=Article)
    try:
        assert read() == "Title 0"
        assert is_hit(read)
        Article.objects.filter(pk=1).update(title="New")
        assert read() == "New"
    finally:
        post_init.disconnect(neighbour, sender=Article)


@isolate_apps("tests.site.news")
def test_a_second_model_over_a_table_with_another_key(engine: Engine) -> None:
    """Writers name rows by the key of the table's own model, so nothing that this one pins would be hit."""

    class ByTitle(models.Model):
        title = models.CharField(max_length=200, primary_key=True)

        class Meta:
            app_label = "news"
            db_table = "news_article"
            managed = False

        def __str__(self) -> str:
            return self.title

    planner = Planner(engine)

    assert planner._tells_rows(Article)
    assert planner._tells_rows(PopularArticle)
    assert not planner._tells_rows(ByTitle)


# -- projects that never call .cache()


def test_a_manager_equals_itself_before_it_was_adopted() -> None:
    """Else ``makemigrations`` finds changed managers for ever."""

    class Own(models.Manager[Any]):
        use_in_migrations = True

        def __init__(self, volume: int = 1) -> None:
            super().__init__()

    plain, adopted = Own(1), managed(Own(1))

    assert plain == adopted
    assert adopted == plain
    assert managed(Own(1)) == adopted
    assert plain != managed(Own(2))
    assert models.Manager[Any]() != adopted
    assert len({adopted, adopted}) == 1


class Hot(models.QuerySet[Any]):
    """A queryset with a method of its own."""

    def hot(self) -> str:
        """Be there."""
        return "hot"


def test_a_manager_from_a_base_manager_keeps_its_queryset() -> None:
    manager = managed(models.manager.BaseManager.from_queryset(Hot)())

    assert manager.hot() == "hot"
    assert manager.all().hot() == "hot"
    assert manager.all().cache() is not None


class Parameters(models.QuerySet[Any]):
    """Methods that take more, or less, than Django's, and names that this package uses inside."""

    def count(self, *, approximate: bool = False) -> int:
        """Guess, if that will do."""
        return 1000 if approximate else super().count()

    def exists(self, *, sure: bool = True) -> bool:
        """Be sure."""
        return sure and super().exists()

    def iterator(self) -> Iterator[Any]:  # type: ignore[override]
        """Iterate."""
        return super().iterator(chunk_size=1)

    def _clone(self, **more: object) -> Any:
        clone = super()._clone()  # type: ignore[misc]
        clone.__dict__.update(more)
        return clone

    def _run(self) -> str:
        return "run"

    def _rows(self, number: int) -> int:
        return number

    def _caching(self) -> str:
        return "caching"

    def private(self) -> tuple[object, ...]:
        """Call them."""
        return self._run(), self._rows(3), self._caching()


class Taking(models.Manager[Any]):
    """Its ``get_queryset`` takes an argument."""

    def get_queryset(self, *, everything: bool = False) -> Any:
        """Leave some out."""
        rows = Parameters(self.model)
        return rows if everything else rows.filter(pk__gt=1)


def test_signatures_and_private_names_are_the_project_s_own(engine: Engine, site: Site) -> None:
    manager = managed(Taking(), Article)

    assert manager.get_queryset(everything=True).count() == 3
    assert manager.count() == 2
    assert manager.all().count(approximate=True) == 1000
    assert manager.all().exists(sure=False) is False
    assert len(list(manager.all().iterator())) == 2
    assert manager.all()._clone(mark=7).mark == 7
    assert manager.all().private() == ("run", 3, "caching")
    assert manager.all().cache().private() == ("run", 3, "caching")
    assert manager.all().cache().count() == 2


class OwnRaw(RawQuerySet):  # type: ignore[type-arg]
    """SQL with a method of its own."""

    def own(self) -> str:
        """Be there."""
        return "own"


class WithRaw(models.QuerySet[Any]):
    """Makes such SQL."""

    def raw(self, sql: str, *, tag: str) -> Any:  # type: ignore[override]
        """Make it."""
        return OwnRaw(f"/* {tag} */ {sql}", model=self.model)


def test_raw_querysets_of_a_project_s_own_class(site: Site) -> None:
    made = (
        managed(models.Manager.from_queryset(WithRaw)(), Article)
        .all()
        .raw("select * from news_article", tag="x")
    )

    assert type(made) is OwnRaw
    assert (made.own(), len(list(made))) == ("own", 3)


def test_a_manager_that_gives_no_queryset() -> None:
    class Listing(models.Manager[Any]):
        def get_queryset(self) -> Any:
            return ["not", "a", "queryset"]

    assert managed(Listing()).get_queryset() == ["not", "a", "queryset"]


class Backwards(models.QuerySet[Any]):
    """Iterates and counts in coroutines in a way of its own."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        for each in reversed([each async for each in super().__aiter__()]):
            yield each

    async def acount(self) -> int:
        """Count a thousand more."""
        return 1000 + await super().acount()


def test_coroutines_of_a_project_s_own(engine: Engine, site: Site) -> None:
    rows = managed(models.Manager.from_queryset(Backwards)(), Article).order_by("pk").cache()

    async def read() -> list[int]:
        return [each.pk async for each in rows.all()]

    assert async_to_sync(read)() == [3, 2, 1]
    assert async_to_sync(rows.acount)() == 1003


class Slotted(models.Manager[Any]):
    """Keeps a lock, which cannot be pickled, in a slot."""

    __slots__ = ("lock", "mark")

    def __init__(self) -> None:
        super().__init__()
        self.lock: Any = threading.Lock()
        self.mark = 7

    def __getstate__(self) -> object:
        return self.__dict__, {"mark": self.mark}

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state[0])
        self.mark = state[1]["mark"]
        self.lock = None


def test_a_manager_s_slots_and_its_way_to_be_pickled() -> None:
    manager = managed(Slotted())

    assert copy.copy(manager).lock is manager.lock
    assert manager.db_manager("sqlite2").mark == 7
    found = pickle.loads(pickle.dumps(manager))
    assert (found.mark, found.lock) == (7, None)
    assert copy.deepcopy(manager).mark == 7


# -- wrong rows


class Translated(ModelIterable):  # type: ignore[type-arg]
    """Makes rows in the language that the queryset was told."""

    def __iter__(self) -> Iterator[Any]:
        for each in super().__iter__():
            each.title = f"{self.queryset._language}: {each.title}"
            yield each


class Languages(models.QuerySet[Any]):
    """Is told a language."""

    _language = "en"

    def lang(self, language: str) -> Any:
        """Choose one."""
        clone = self._clone()
        clone._language = language
        clone._iterable_class = Translated
        return clone

    def _clone(self) -> Any:
        clone = super()._clone()  # type: ignore[misc]
        clone._language = self._language
        return clone


class Eager(models.QuerySet[Any]):
    """Fetches in a way of its own."""

    def _fetch_all(self) -> None:
        super()._fetch_all()


def test_what_a_queryset_s_own_class_may_depend_on(engine: Engine, site: Site) -> None:
    rows = managed(models.Manager.from_queryset(Languages)(), Article)

    for language in ("en", "de", "en"):
        assert rows.cache().lang(language).get(pk=1).title == f"{language}: Title 0"
    assert "_language" in why(lambda: list(rows.cache().lang("de")))
    eager = managed(models.Manager.from_queryset(Eager)(), Article)
    assert "Eager fetches" in why(lambda: list(eager.cache()))


class Labelled(models.CharField):  # type: ignore[type-arg]
    """A column whose values are made into labels."""

    def from_db_value(self, value: Any, *_: object) -> Any:
        """Look it up."""
        return dict(self.flatchoices).get(value, value)


def test_choices_of_a_project_s_own_field(engine: Engine, site: Site) -> None:
    def read(label: str) -> list[Any]:
        field: Any = Labelled(max_length=9, choices=[("Title 0", label)])
        rows = Article.objects.cache().filter(pk=1)
        return list(rows.annotate(x=Cast("title", field)).values_list("x", flat=True))

    assert read("zero") == ["zero"]
    assert read("null") == ["null"]


# -- what must not be kept

MOMENTS: dict[str, Any] = {
    "a word for now": lambda: RawSQL("datetime('now')", ()),
    "a lock": lambda: Func(Value(1), function="pg_try_advisory_lock", output_field=models.IntegerField()),
    "a notification": lambda: RawSQL("pg_notify('a', 'b')", ()),
    "Cast of a word": lambda: Cast(Value("now"), DateTimeField()),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_what_depends_on_the_moment_or_does_something(engine: Engine, name: str) -> None:
    query = Article.objects.annotate(x=MOMENTS[name]()).query

    structure = structure_of(query, "default", engine.catalog.describe)
    plan = Planner(engine).plan(query, "list", "default", structure)

    assert "depends on the moment" in plan.forbidden
