"""Every manager of an installed model has ``.cache()``, and remains in all else what it was."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import models
from django.db.migrations.state import ModelState, ProjectState

from genscache import CachedManager, CachedQuerySet
from genscache.engine import Engine
from genscache.querysets.adoption import Adoption
from tests.querysets.reading import Site, is_hit, seen
from tests.site.news.models import Article, Hoard, PopularArticle, PopularManager, Section, Tag

pytestmark = pytest.mark.django_db(transaction=True)


class Shout(models.QuerySet[Any]):
    """A queryset with a method of its own."""

    def loud(self) -> Any:
        """Find what shouts."""
        return self.filter(name__endswith="!")

    def count(self) -> int:
        """Count in a way of its own."""
        return super().count() + 100


class FromQuerySet(models.Manager.from_queryset(Shout)):  # type: ignore[misc]
    """A manager made from it, used in migrations."""

    use_in_migrations = True

    def __init__(self, volume: int = 1) -> None:
        super().__init__()
        self.volume = volume


class CountingQuerySet(models.QuerySet[Any]):
    """A queryset whose author had the word ``cache`` first."""

    def cache(self) -> str:
        """Be what it was."""
        return "the queryset's own"


def managed(manager: models.Manager[Any]) -> Any:
    """Let a manager belong to ``Section``, and adopt it."""
    manager.model = Section
    manager.name = "objects"
    Adoption().adopt(manager)
    return manager


@pytest.mark.parametrize("model", apps.get_models(include_auto_created=True))
def test_each_manager_of_each_model(model: type[models.Model]) -> None:
    managers = [
        *model._meta.managers,
        model._default_manager,
        model._base_manager,
        *model._meta.local_managers,
    ]

    for manager in managers:
        assert isinstance(manager.get_queryset(), CachedQuerySet)
        assert isinstance(copy.copy(manager).get_queryset(), CachedQuerySet)
        if model is not Hoard or manager is model._base_manager:
            assert isinstance(manager.cache(), CachedQuerySet)
            assert isinstance(manager.nocache(), CachedQuerySet)


def test_a_word_that_was_taken_stays(site: Site) -> None:
    assert Hoard.objects.cache() == "the manager's own"
    assert isinstance(Hoard.objects.all().cache(), CachedQuerySet)

    manager = managed(CountingQuerySet.as_manager())
    assert manager.cache() == "the queryset's own"
    assert manager.all().cache() == "the queryset's own"
    assert isinstance(manager.nocache(), CachedQuerySet)


def test_methods_of_a_custom_queryset(engine: Engine) -> None:
    manager = managed(FromQuerySet(3))
    Section.objects.create(name="home!")
    Section.objects.create(name="world")

    assert [each.name for each in manager.cache().loud()] == ["home!"]
    assert is_hit(lambda: manager.cache().loud()[:])
    assert is_hit(lambda: list(manager.loud().cache()))
    assert manager.cache().count() == manager.count() == 102
    assert is_hit(lambda: manager.cache().count())
    assert (manager.volume, copy.copy(manager).volume) == (3, 3)


def test_a_class_that_is_derived_from_a_made_one() -> None:
    """A project that finds a manager's class at run time makes its own of it, with another queryset."""
    made: Any = type(managed(models.Manager()))

    manager = managed(made.from_queryset(Shout)())
    chosen = managed(type("Chosen", (made,), {"_queryset_class": CountingQuerySet})())

    assert isinstance(manager.get_queryset(), CachedQuerySet)
    assert isinstance(manager.cache().loud(), CachedQuerySet)
    assert isinstance(chosen.get_queryset().nocache(), CachedQuerySet)
    assert chosen.all().cache() == "the queryset's own"


def test_filters_of_a_custom_manager_stay(engine: Engine, site: Site) -> None:
    assert isinstance(PopularArticle.objects, PopularManager)
    assert list(PopularArticle.objects.cache()) == []
    Article.objects.filter(pk=1).update(views=100)
    assert [each.pk for each in PopularArticle.objects.cache()] == [1]


def test_names_show_what_the_project_wrote() -> None:
    assert type(PopularArticle.objects).__name__ == "PopularManager"
    assert type(PopularArticle.objects).__module__ == "tests.site.news.models"
    assert repr(Article.objects).startswith("<django.db.models.manager.Manager object at")
    assert str(Article.objects) == "news.Article.objects"
    assert repr(Article.objects.none()) == "<QuerySet []>"


def test_managers_in_migrations_are_the_project_s() -> None:
    manager = managed(FromQuerySet(3))
    _, path, _, args, kwargs = manager.deconstruct()
    assert (path, args, kwargs) == (f"{__name__}.FromQuerySet", (3,), {})
    assert Article.objects.deconstruct()[1] == "django.db.models.manager.Manager"

    assert type(Session.objects).__name__ == "SessionManager"
    state = ModelState.from_model(Session)
    historical = ProjectState({("sessions", "session"): state}).apps.get_model("sessions", "Session")
    assert [name for name, _ in state.managers] == ["objects"]
    assert historical._meta.label == "sessions.Session"


def test_makemigrations_finds_nothing_to_change() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_a_migration_s_models_are_not_cached(use: Any, site: Site) -> None:
    use(MODELS={"*": {"cache": "all"}})
    state = ModelState.from_model(Section)
    state.managers = [("objects", managed(FromQuerySet()))]
    historical = ProjectState({("news", "section"): state}).apps.get_model("news", "Section")

    for _ in range(2):
        assert seen(historical.objects.count).counts == {}
        assert seen(lambda: list(historical.objects.all())).queries == 1


def test_querysets_are_pickled_with_what_they_were_told(site: Site) -> None:
    queryset = Article.objects.cache(timeout=7).filter(views__gt=0).order_by("pk")

    again = pickle.loads(pickle.dumps(queryset))

    assert isinstance(again, CachedQuerySet)
    assert type(again) is type(queryset)
    assert again._genscache_caching == queryset._genscache_caching
    assert list(again) == list(queryset)
    assert list(again.all()) == list(queryset)
    lazy = Article.objects.all()
    lazy.query = pickle.loads(pickle.dumps(queryset.query))
    assert list(lazy) == list(queryset)


def test_managers_are_pickled_and_copied(site: Site) -> None:
    again = pickle.loads(pickle.dumps(Article.objects))

    assert again == Article.objects
    assert list(again.cache()) == list(Article.objects.cache())
    assert (
        copy.deepcopy(Article.objects.cache(timeout=7))._genscache_caching
        == Article.objects.cache(timeout=7)._genscache_caching
    )
    assert Article.objects == Article._meta.managers_map["objects"]


def test_a_pickled_queryset_is_read_by_another_process(site: Site) -> None:
    data = pickle.dumps(Article.objects.cache(timeout=7).order_by("pk"))
    code = (
        "import django, pickle, sys; django.setup();"
        "found = pickle.loads(sys.stdin.buffer.read());"
        "print([each.pk for each in found], found._genscache_caching.timeout)"
    )

    found = subprocess.run(
        [sys.executable, "-c", code], input=data, capture_output=True, env=environment(), check=True
    )

    assert found.stdout.decode().strip() == "[1, 2, 3] 7.0"


def environment() -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": os.pathsep.join(sys.path)}


def test_related_managers_that_were_derived_before(site: Site) -> None:
    descriptor = vars(Tag)["articles"]
    plain: models.Manager[Any] = models.Manager()
    plain.model = Article
    descriptor.__dict__["related_manager_cls"] = type(plain)

    Adoption().adopt_model(Tag)

    assert "related_manager_cls" not in descriptor.__dict__
    assert isinstance(site.tag.articles.cache(), CachedQuerySet)


def test_a_model_that_comes_later() -> None:
    meta = type("Meta", (), {"app_label": "news"})
    later: Any = type("Later", (models.Model,), {"__module__": __name__, "Meta": meta})
    try:
        assert isinstance(later.objects.cache(), CachedQuerySet)
        assert isinstance(Article.objects.cache(), CachedQuerySet)
    finally:
        del apps.all_models["news"]["later"]
        apps.clear_cache()
        apps.get_app_config("genscache").adoption.adopt_models()


def test_explicit_classes(engine: Engine, site: Site) -> None:
    manager: Any = CachedManager()
    manager.model = Section
    assert isinstance(manager.cache(), CachedQuerySet)
    assert manager.filter(name="home").cache().count() == 1

    class Own(CachedQuerySet[Section]):
        def named(self, name: str) -> Own:
            return self.filter(name=name)

    own: Any = CachedManager.from_queryset(Own)()
    own.model = Section
    assert [each.name for each in own.cache().named("home")] == ["home"]
    assert is_hit(lambda: list(own.named("home").cache()))
    assert isinstance(Own.as_manager(), models.Manager)


def test_nothing_of_django_is_patched() -> None:
    """The classes that Django has made are the ones that it made: only objects have changed their class."""
    code = """if True:
        import django
        from django.db import models
        from django.db.models.query import QuerySet, RawQuerySet
        kinds = (models.Manager, models.manager.BaseManager, QuerySet, RawQuerySet, models.Model)
        # The first is Django's own count of managers, the second Python's memory of slots.
        changing = {"creation_counter", "__slotnames__"}
        before = [{name: vars(kind)[name] for name in vars(kind).keys() - changing} for kind in kinds]
        django.setup()
        assert before == [{name: vars(kind)[name] for name in vars(kind).keys() - changing} for kind in kinds]
        print("same")
    """

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment(), check=True)

    assert found.stdout.decode().strip() == "same"
