"""What values are called, which fields can take part, and how lists of fields are told apart."""

from __future__ import annotations

import datetime as dt
import enum
import itertools
import uuid
from typing import Any

import pytest
from django.core.checks import Error
from django.db import models
from django.utils.safestring import SafeString

from genscache.checks import check_engine
from genscache.keys import KeySpace, Kind, Namespace
from genscache.match_settings import refusals
from genscache.matching import (
    CHOSEN,
    SLOTS,
    MatchField,
    Matching,
    detail_of,
    has_names,
    match_field,
    value_text,
)
from genscache.namespaces import Catalog
from tests.site.news.models import Article, Asset, Column
from tests.writes.actors import Cache, Configure
from tests.writes.spy import SpyStore

ONE = uuid.UUID(int=1)


class Status(models.TextChoices):
    """What Django's users filter by."""

    DRAFT = "draft"


class Plain(str, enum.Enum):  # noqa: UP042 - the older form
    """What they filtered by before."""

    DRAFT = "draft"


class Level(models.IntegerChoices):
    """The same with numbers."""

    LOW = 3


class OwnInteger(models.IntegerField):  # type: ignore[type-arg]  # not generic when it runs
    """Somebody's own field: nobody knows what it makes of values."""


def catalog(configure: Configure, store: SpyStore, **match: list[list[str]]) -> Catalog:
    """Return the catalog of a project with these lists of fields."""
    given = {label.replace("_", "."): {"match": lists} for label, lists in match.items()}
    return configure(store, MODELS=given).engine.catalog


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        (models.IntegerField(), 5, "5"),
        (models.IntegerField(), True, "1"),
        (models.IntegerField(), Level.LOW, "3"),
        (models.IntegerField(), "5", None),
        (models.IntegerField(), 5.0, None),
        (models.BigAutoField(), -1, "-1"),
        (models.UUIDField(), ONE, str(ONE)),
        (models.UUIDField(), ONE.hex, str(ONE)),
        (models.UUIDField(), "no uuid", None),
        (models.BooleanField(), True, "1"),
        (models.BooleanField(), 0, "0"),
        (models.BooleanField(), 2, None),
        (models.BooleanField(), "1", None),
        (models.DateField(), dt.date(2024, 2, 29), "2024-02-29"),
        (models.DateField(), "2024-02-29", "2024-02-29"),
        (models.DateField(), "20240229", None),
        (models.DateField(), "2024-02-29 00:00:00", None),
        (models.DateField(), "2024-13-01", None),
        (models.DateField(), dt.datetime(2024, 2, 29), None),  # noqa: DTZ001 - a time is no date
        (models.CharField(), "a,b=c%", "a%2Cb=c%25"),
        (models.CharField(), SafeString("a"), "a"),
        (models.CharField(), Status.DRAFT, "draft"),
        (models.CharField(), Plain.DRAFT, "draft"),
        (models.CharField(), "", ""),
        (models.CharField(), 5, None),
        (models.SlugField(), "a-b", "a-b"),
        (models.IntegerField(), None, None),
        (models.CharField(), None, None),
        (OwnInteger(), 5, None),
        (models.DecimalField(), 5, None),
        (models.FloatField(), 5.0, None),
        (models.DateTimeField(), dt.datetime(2024, 2, 29), None),  # noqa: DTZ001 - the point
        (models.TextField(), "a", None),
        (models.CharField(db_collation="nocase"), "a", None),
    ],
)
def test_a_value_has_one_name_or_none(field: models.Field[Any, Any], value: object, text: str | None) -> None:
    assert value_text(field, "postgresql", value) == text
    assert value_text(field, "sqlite", value) == text
    assert value_text(field, "oracle", value) is None
    assert value_text(field, "mysql", value) == (None if isinstance(field, models.CharField) else text)


def test_no_two_tuples_share_a_name() -> None:
    fields = [MatchField(name, name, models.CharField()) for name in ("a", "b")]
    texts = ["", ",", "=", "%", "a", "b=", ",b=", "a,b=", "%2C", "x" * 300, "x" * 300 + "y", "é", "\udc80"]
    pairs = list(itertools.product(texts, texts))
    names = {detail_of(fields, "sqlite", pair) for pair in pairs}
    assert len(names) == len(pairs)
    keys = KeySpace("gc")
    counters = {keys.counter(Namespace(Kind.MATCH, "default.t", str(name))) for name in names}
    assert len(counters) == len(pairs)
    assert max(map(len, counters)) < 240
    one = [fields[:1], fields[1:], fields]
    assert len({detail_of(each, "sqlite", ["v"] * len(each)) for each in one}) == 3


def field(model: type[models.Model], name: str) -> Any:
    """Return a model's field."""
    return model._meta.get_field(name)


def test_a_foreign_key_has_the_name_of_what_it_leads_to() -> None:
    found = match_field(field(Article, "section"))
    assert found is not None
    assert (found.name, found.column, type(found.value)) == ("section", "section_id", models.BigAutoField)
    link = match_field(field(Column, "article_ptr"))
    assert link is not None
    assert isinstance(link.value, models.BigAutoField)
    assert match_field(field(Article, "published")) is None
    assert has_names(field(Asset, "id"), "mysql")


def lists(*names: str) -> list[Matching]:
    """Return every list of single fields among ``names``."""
    fields = [MatchField(name, name, models.IntegerField()) for name in names]
    return [
        Matching(tuple((field,) for field in chosen))
        for size in range(1, len(fields) + 1)
        for chosen in itertools.combinations(fields, size)
    ]


def test_a_writer_with_another_list_hits_every_reader() -> None:
    every = lists(*"abcdefgh")
    for reader, writer in itertools.product(every, every):
        bumped = writer.written("default.t", "sqlite", [])
        assert bumped is not None
        hit = bumped & set(reader.guards("default.t"))
        assert bool(hit) == (reader is not writer)
        assert len(reader.slots) == CHOSEN
        assert len(bumped) == SLOTS - CHOSEN


def test_a_list_is_known_by_columns_and_types_too() -> None:
    number: Any = models.IntegerField()
    word: Any = models.CharField()
    forms: list[tuple[str, str, Any]] = [
        ("a", "a", number),
        ("a", "a", word),
        ("a", "a_id", number),
        ("b", "a", number),
    ]
    assert len({Matching(((MatchField(*form),),)).slots for form in forms}) == len(forms)
    # It is the same in every process: this is what other releases compute.
    assert sorted(Matching(((MatchField("a", "a", number),),)).slots) == PINNED


PINNED = [2, 4, 6, 7, 9, 11, 12, 14, 16, 20, 21, 23]


def test_lists_of_fields(install: Configure, memory: SpyStore) -> None:
    found = catalog(
        install,
        memory,
        news_Article=[["section_id", "views"], ["title"], ["section"], ["published"], ["section_id"]],
    )
    assert found.match_fields("news_article") == (("section",), ("section", "views"), ("title",))
    assert found.match_fields("news_section") == ()
    assert found.match_guards("default", "news_section") == ()
    name = found.match_namespace("default", "news_article", ("section", "views"), [3, 4])
    assert name == Namespace(Kind.MATCH, "default.news_article", "section=3,views=4")
    assert found.match_namespace("mariadb", "news_article", ("title",), ["a"]) is None
    assert found.match_namespace("default", "news_article", ("title",), [None]) is None
    assert found.match_namespace("default", "news_article", ("views",), [4]) is None
    assert found.match_namespace("default", "news_section", ("name",), ["a"]) is None
    assert len(found.match_guards("default", "news_article")) == 1 + CHOSEN


def test_a_pattern_means_the_models_that_have_the_fields(install: Configure, memory: SpyStore) -> None:
    cache = install(memory, MODELS={"news.*": {"match": [["name"], ["article", "tag"]]}})
    found = cache.engine.catalog
    assert found.match_fields("news_section") == found.match_fields("news_tag") == (("name",),)
    assert found.match_fields("news_article_tags") == (("article", "tag"),)
    assert found.match_fields("news_sectionsummary") == ()
    assert list(refusals(cache.engine.settings)) == []


def test_an_untracked_table_has_none(install: Configure, memory: SpyStore) -> None:
    given = {"news.Section": {"match": [["name"]]}}
    cache = install(memory, MODELS=given, UNTRACKED=["news.Section"])
    assert cache.engine.catalog.match_fields("news_section") == ()


@pytest.mark.parametrize(
    ("label", "fields", "message"),
    [
        ("news.Article", ["sektion"], 'news.Article has no field "sektion". Did you mean "section"?'),
        ("news.Section", ["zzz"], 'news.Section has no field "zzz". It has: id, name.'),
        ("news.Article", ["published"], '"published" of news.Article is a DateTimeField, of which one value'),
        ("news.Article", ["score", "views"], '"score" of news.Article is a DecimalField'),
        (
            "news.Column",
            ["section"],
            '"section" of news.Column is in the table of news.Article. Say it under',
        ),
        ("news.SectionSummary", ["views"], "news.SectionSummary is not managed"),
        ("news.*", ["published"], '"published" of news.Article is a DateTimeField'),
        ("*", ["zzz"], 'has no field "zzz"'),
    ],
)
def test_what_cannot_be_used_is_refused(
    install: Configure, memory: SpyStore, label: str, fields: list[str], message: str
) -> None:
    cache: Cache = install(memory, MODELS={label: {"match": [fields]}})
    (found,) = refusals(cache.engine.settings)
    assert found.startswith(f'GENSCACHE["MODELS"]["{label}"]["match"]: {sorted(fields)!r} cannot be used. ')
    assert message in found
    errors = [each for each in check_engine() if isinstance(each, Error)]
    assert [(each.id, each.msg) for each in errors] == [("genscache.E002", found)]
