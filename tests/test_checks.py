"""``manage.py check``: what is configured, and in words what the store cannot promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.db import connections
from pytest_django import Settings

from genscache.checks import check_engine

REDIS = {"STORE": "redis://127.0.0.1:1/0"}


def found(settings: Settings, **options: object) -> dict[str, CheckMessage]:
    settings.GENSCACHE = options
    return {str(message.id): message for message in checked()}


def checked() -> list[CheckMessage]:
    """Check, and leave out what is always said of the model ``Hoard``."""
    return [message for message in check_engine() if message.id != "genscache.W008"]


def test_a_server_has_nothing_to_say_and_is_not_asked(settings: Settings) -> None:
    """Port 1 answers nobody: the checks run before anything is up."""
    assert found(settings, **REDIS) == {}


def test_django_runs_them(settings: Settings) -> None:
    settings.GENSCACHE = {"STORE": "memory://", "SIGN": False}

    ids = {message.id for message in run_checks()}

    assert {"genscache.W001", "genscache.W005"} <= ids


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"TIMOUT": 5}, 'Did you mean "TIMEOUT"?'),
        ({"STORE": "mysql://h"}, "is not the URL of a store"),
        ({"STORE": "django://nowhere"}, "names the cache 'nowhere', which cannot be used"),
        ({"SERIALIZER": "nowhere.Json"}, "cannot be imported"),
    ],
)
def test_e001_what_cannot_work(settings: Settings, options: dict[str, Any], words: str) -> None:
    message = found(settings, **options)["genscache.E001"]

    assert words in message.msg
    assert message.is_serious()


def test_w001_a_store_of_one_process(settings: Settings) -> None:
    message = found(settings, STORE="memory://")["genscache.W001"]

    assert "memory:// belongs to one process: an invalidation does not reach the others" in message.msg
    assert message.hint is not None
    assert "redis://" in message.hint


def test_locmem_says_all_that_it_cannot_do(settings: Settings) -> None:
    messages = found(settings, STORE="django://default")

    assert set(messages) == {"genscache.W001", "genscache.W002", "genscache.W003"}
    assert not any(message.is_serious() for message in messages.values())
    assert "django://default has no write leases" in messages["genscache.W002"].msg
    assert "killed between COMMIT and its invalidation" in messages["genscache.W002"].msg
    assert "keeps no common clock" in messages["genscache.W003"].msg


def test_w002_is_answered_by_switching_leases_off(settings: Settings) -> None:
    assert "genscache.W002" not in found(settings, STORE="django://default", LEASE=0)


def test_a_shared_django_cache_has_no_w001(settings: Settings, tmp_path: Path) -> None:
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": str(tmp_path)}}

    assert set(found(settings)) == {"genscache.W002", "genscache.W003"}


def test_w004_a_label_in_derived_that_no_model_has(settings: Settings) -> None:
    derived = {"news.SectionSummry": ["news.Section", "news.Artikel"], "plain_table": ["other_table"]}
    settings.GENSCACHE = {**REDIS, "DERIVED": derived}

    messages = checked()

    assert [message.id for message in messages] == ["genscache.W004"] * 2
    assert "Did you mean 'news.SectionSummary'?" in messages[0].msg
    assert "Did you mean 'news.Article'?" in messages[1].msg
    assert messages[0].msg.startswith('GENSCACHE["DERIVED"]["news.SectionSummry"]: ')


def test_no_w004_for_what_there_is(settings: Settings) -> None:
    derived = {"news.SectionSummary": ["news.Section", "news_article"], "monthly()": ["news.Article"]}

    assert found(settings, **REDIS, DERIVED=derived) == {}


def test_w005_entries_that_are_not_signed(settings: Settings) -> None:
    message = found(settings, **REDIS, SIGN=False)["genscache.W005"]

    assert "whoever can write to the store can forge results" in message.msg


def test_w007_a_pattern_that_fits_nothing(settings: Settings) -> None:
    settings.GENSCACHE = {**REDIS, "MODELS": {"news.Artcle": {"cache": "all"}, "news.*": {}, "x.y": {}}}

    messages = [message for message in check_engine() if message.id == "genscache.W007"]

    assert [message.hint for message in messages] == [
        'Did you mean "news.Article"?',
        'Write "app.Model", "app.*" or "*".',
    ]
    assert 'GENSCACHE["MODELS"]["news.Artcle"] fits no installed model' in messages[0].msg


def test_w008_a_manager_that_has_the_word(settings: Settings) -> None:
    settings.GENSCACHE = REDIS

    [message] = [message for message in check_engine() if message.id == "genscache.W008"]

    assert "The manager 'objects' of news.Hoard has an attribute of its own named 'cache'" in message.msg
    assert message.hint == "Write Hoard.objects.all().cache(), or rename the attribute."


def test_w009_a_position_that_nobody_tells(settings: Settings) -> None:
    guard = {"primary": "default", "guard": "position"}

    message = found(settings, **REDIS, REPLICAS={"postgres": guard})["genscache.W009"]

    assert (
        '"postgres"]["guard"] is "position", which only PostgreSQL tells, and this is postgresql and sqlite'
        in (message.msg)
    )
    assert message.hint == 'Write {"primary": "default", "max_lag": 30}.'
    assert found(settings, **REDIS, REPLICAS={"postgres": {"primary": "default", "max_lag": 5}}) == {}


def test_w010_tenants_whose_schema_nobody_sees(settings: Settings) -> None:
    engine = connections.settings["postgres"]["ENGINE"]
    connections.settings["postgres"]["ENGINE"] = "django_tenants.postgresql_backend"
    try:
        message = found(settings, **REDIS)["genscache.W010"]
        assert 'The database "postgres" changes its schema with each tenant' in message.msg
        assert found(settings, **REDIS, KEY_CONTEXT=str) == {}
    finally:
        connections.settings["postgres"]["ENGINE"] = engine
