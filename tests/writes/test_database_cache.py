"""Django's database cache as the store, in the very database whose rows are cached."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from pytest_django import Settings

from genscache import cached, invalidate_model, stats
from genscache.engine import Engine, current_engine
from tests.site.news.models import Author

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """The engine on a table of the default database."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache_table"}
    }
    settings.GENSCACHE = {"STORE": "django://default", "PREFIX": "dbcache"}
    call_command("createcachetable", verbosity=0)
    yield current_engine()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE cache_table")


def test_hits_and_invalidations(engine: Engine) -> None:
    runs = []

    @cached
    def count() -> int:
        runs.append(1)
        return Author.objects.count()

    assert [count(), count()] == [0, 0]
    Author.objects.create(name="Ada")
    assert [count(), count()] == [1, 1]
    with transaction.atomic():
        Author.objects.create(name="Bea")
        assert count() == 2
        invalidate_model(Author)
    assert not engine.unsettled
    assert [count(), count()] == [2, 2]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM news_author")
    assert [count(), count()] == [0, 0]
    # Five states were read. A first look at a table may have to be made twice: the store itself uses transactions.
    assert 5 <= len(runs) <= 6, stats()
    assert "survived: bump delayed" not in stats()
