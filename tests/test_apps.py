"""A test that hides or changes the installed apps changes neither what is heard of nor what is promised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.signals import setting_changed
from django.db import IntegrityError, connection, connections
from django.test import modify_settings, override_settings
from django.test.utils import CaptureQueriesContext

from genscache.engine import current_engine
from tests.querysets.reading import Site, is_hit, make_site
from tests.site.news.models import Article

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site() -> Site:
    """Write rows."""
    return make_site()


@contextmanager
def available(names: list[str]) -> Iterator[None]:
    """Do what ``TransactionTestCase.available_apps`` does."""
    said: dict[str, Any] = {"sender": type(settings), "setting": "INSTALLED_APPS"}
    apps.set_available_apps(names)
    setting_changed.send(**said, value=names, enter=True)
    try:
        yield
    finally:
        apps.unset_available_apps()
        setting_changed.send(**said, value=settings.INSTALLED_APPS, enter=False)


HIDING: dict[str, Any] = {
    "available_apps": lambda: available(["tests.site.news"]),
    "modify_settings": lambda: modify_settings(INSTALLED_APPS={"remove": ["genscache"]}),
    "a second configuration": lambda: override_settings(
        INSTALLED_APPS=[*settings.INSTALLED_APPS, "django.contrib.messages"]
    ),
}


def titles() -> list[str]:
    """Ask through the cache."""
    return list(Article.objects.cache().order_by("pk").values_list("title", flat=True))  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", HIDING)
def test_a_write_is_heard_of(site: Site, how: str) -> None:
    titles()
    assert is_hit(titles)

    with HIDING[how]():
        Article.objects.filter(pk=1).update(title="written meanwhile")
        assert titles()[0] == "written meanwhile"
        Article.objects.filter(pk=2).update(title="and again")
        assert titles()[1] == "and again"

    assert titles()[:2] == ["written meanwhile", "and again"]
    Article.objects.filter(pk=1).update(title="afterwards")
    assert titles()[0] == "afterwards"
    titles()
    assert is_hit(titles)


def test_readers_and_watchers_have_one_engine(site: Site) -> None:
    with HIDING["a second configuration"]():
        engine = current_engine()
        assert connection.genscache_engine() is engine  # type: ignore[attr-defined]
    assert connection.genscache_engine() is current_engine()  # type: ignore[attr-defined]


def test_a_key_that_points_nowhere_is_django_s_error(site: Site) -> None:
    """In autocommit SQLite says so when the last row of ``INSERT … RETURNING`` is fetched, which is our doing."""
    with pytest.raises(IntegrityError):
        Article.objects.create(title="x", section=site.sections[0], author_id=4711)


@pytest.mark.parametrize("op", ["count", "exists"])
def test_links_are_counted_without_a_join(site: Site, op: str) -> None:
    """As in Django, where a plain manager asks the table between alone."""
    with CaptureQueriesContext(connection) as queries:
        assert getattr(site.articles[0].tags, op)() == 1

    assert "JOIN" not in queries[0]["sql"]


def test_prefetched_links_are_counted_without_a_query(site: Site) -> None:
    (article,) = Article.objects.filter(pk=1).prefetch_related("tags")

    with CaptureQueriesContext(connection) as queries:
        assert (article.tags.count(), article.tags.exists()) == (1, True)

    assert len(queries) == 0


def test_a_connection_prints_as_django_s() -> None:
    assert repr(connections["default"]).startswith("<DatabaseWrapper vendor='sqlite'")
