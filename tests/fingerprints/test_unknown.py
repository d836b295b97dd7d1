"""What the structure does not say all of: classes of users, odd values, models that are not installed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.migrations.state import ProjectState
from django.db.models import Exists, ExpressionWrapper, F, Func, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Lower
from django.db.models.lookups import Exact

from genscache.exceptions import UncacheableArgument
from genscache.fingerprints import Structure, UncacheableQuery, compiled, structure_of
from tests.fingerprints.describing import describe
from tests.site.news.models import Article, Asset, Author

Rows = QuerySet[Any]
EVERY = Article.objects.all()

pytestmark = pytest.mark.filterwarnings("ignore:Calling select_related")  # without arguments, in Django 6.1


class Shout(Func):
    """A function of a user."""

    function = "UPPER"
    output_field = models.TextField()

    def __init__(self, *expressions: Any, converter: object = None, **extra: Any) -> None:
        super().__init__(*expressions, **extra)
        self.converter = converter


class Loud(Shout):
    """Another one, with the same SQL."""


class Sounds(Exact):
    """A lookup of a user."""

    lookup_name = "exact"


class Money:
    """A value without canonical form."""

    def __init__(self, cents: int) -> None:
        self.cents = cents


class MoneyField(models.IntegerField):  # type: ignore[type-arg]
    """A field of a user, which knows what to do with it."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: Any = None) -> Any:
        """Return the cents."""
        return value.cents if isinstance(value, Money) else value


class Nothing:
    """A value that not even a field makes a parameter of."""


def structure(rows: Rows) -> Structure:
    """Return the fingerprint of a queryset."""
    return structure_of(rows.query, "default", describe)


def money(cents: int) -> Rows:
    """Return articles with a value that has no canonical form."""
    return EVERY.annotate(x=Value(Money(cents), output_field=MoneyField()))


def test_a_function_of_a_user_is_known_by_its_sql_too(monkeypatch: pytest.MonkeyPatch) -> None:
    before = structure(EVERY.annotate(x=Shout("title")))
    assert before == structure(EVERY.annotate(x=Shout("title")))
    assert before.raw
    assert before.zoned
    monkeypatch.setattr(Shout, "function", "LOWER")
    after = structure(EVERY.annotate(x=Shout("title")))
    assert after.content != before.content
    assert after.shape != before.shape


def test_a_function_deep_inside_is_found() -> None:
    inside = Exists(Asset.objects.filter(article=OuterRef("pk"), path=Shout(Value("x"))))
    assert structure(EVERY.filter(Q(pk=1) | Q(inside))).raw
    assert structure(EVERY.order_by(Lower(Shout("title")))).raw


def test_two_functions_with_the_same_sql_differ() -> None:
    contents = [
        structure(EVERY.annotate(x=made)).content
        for made in (
            Shout("title"),
            Loud("title"),
            Shout("title", converter=1),
            Shout("title", output_field=models.CharField()),
        )
    ]  # fmt: skip
    assert len(set(contents)) == 4


def test_an_attribute_that_says_nothing_is_refused() -> None:
    with pytest.raises(UncacheableQuery, match="cannot be told from others"):
        structure(EVERY.annotate(x=Shout("title", converter=lambda value: value)))


def test_a_class_that_no_other_process_finds_is_refused() -> None:
    class Local(Func):
        function = "UPPER"

    with pytest.raises(UncacheableQuery, match="Local"):
        structure(EVERY.annotate(x=Local("title", output_field=models.TextField())))


def test_a_lookup_of_a_user_is_known_by_its_sql_too() -> None:
    rows = EVERY.filter(Sounds(F("title"), "x"))
    assert structure(rows).raw
    assert structure(rows).content == structure(EVERY.filter(Sounds(F("title"), "x"))).content
    assert structure(rows).content != structure(EVERY.filter(Sounds(F("title"), "y"))).content
    assert structure(rows).shape == structure(EVERY.filter(Sounds(F("title"), "y"))).shape


def test_a_value_without_canonical_form_is_known_by_its_parameter() -> None:
    assert structure(money(1)) == structure(money(1))
    assert structure(money(1)).content != structure(money(2)).content
    assert structure(money(1)).shape == structure(money(2)).shape


def test_a_parameter_without_canonical_form_is_refused() -> None:
    rows = EVERY.annotate(x=Value(Nothing(), output_field=models.Field()))
    with pytest.raises(UncacheableQuery, match="parameter 0 is a Nothing") as caught:
        structure(rows)
    assert isinstance(caught.value, UncacheableArgument)


def test_a_field_of_a_user_decides_on_sql() -> None:
    assert structure(EVERY.annotate(x=Cast("title", MoneyField()))).raw


def test_a_model_of_a_migration_is_refused() -> None:
    state = ProjectState.from_apps(apps)
    model = state.apps.get_model("news", "article")
    with pytest.raises(UncacheableQuery, match="not the installed model"):
        structure(model._base_manager.all())


@pytest.mark.parametrize(
    "build",
    [
        EVERY.all,
        lambda: Author.objects.filter(articles__title="x"),
        lambda: Asset.objects.select_related("article"),
        Asset.objects.select_related,
        lambda: Asset.objects.order_by("article__title"),
        lambda: Asset.objects.order_by(F("article__title").desc()),
        lambda: Author.objects.filter(Exists(Article.objects.filter(author=OuterRef("pk")))),
        lambda: Author.objects.union(Article.objects.values("pk", "title")),
    ],
)
def test_another_definition_of_any_model_is_another_query(build: Callable[[], Rows]) -> None:
    def migrated(kind: type) -> str | None:
        return "migrated" if kind is Article else describe(kind)

    assert structure(build()).content != structure_of(build().query, "default", migrated).content


def test_another_default_order_is_another_query(monkeypatch: pytest.MonkeyPatch) -> None:
    def contents() -> list[bytes]:
        return [
            structure(rows.all()).content
            for rows in (EVERY, Asset.objects.order_by("article"), EVERY.order_by("title"), EVERY.order_by())
        ]

    before = contents()
    monkeypatch.setattr(Article._meta, "ordering", ["-title"])
    after = contents()
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, False, True, True]


def test_a_query_that_asks_nothing_compiles_to_nothing() -> None:
    assert compiled(EVERY.none().query, "default") is None
    assert compiled(EVERY.filter(pk__in=[]).query, "default") is None
    assert compiled(EVERY.filter(~Q(pk__in=[])).query, "default") is not None
    assert structure(EVERY.none()).tables == {"news_article"}


def test_a_copy_of_a_models_field_is_not_that_field() -> None:
    field = Article._meta.get_field("score")
    longer = copy.copy(field)
    longer.decimal_places = 3
    contents = {
        structure(EVERY.annotate(x=ExpressionWrapper(F("views") * 1, output_field=kind))).content
        for kind in (field, copy.copy(field), longer)
    }
    assert len(contents) == 3
