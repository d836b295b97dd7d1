"""``GENSCACHE["MODELS"]``, ``.cache(ops=, timeout=)`` and ``.nocache()``: what is cached and for how long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Sum

from genscache.conf import Settings
from genscache.engine import Engine, current_engine
from genscache.events import Filled
from genscache.policies import OPS
from tests.querysets.reading import Site, is_hit, seen
from tests.reads.conftest import Use
from tests.site.news.models import Article, Section, Tag

pytestmark = pytest.mark.django_db(transaction=True)

READS: dict[str, Callable[[Any], object]] = {
    "get": lambda q: q.get(pk=1),
    "list": list,
    "count": lambda q: q.count(),
    "exists": lambda q: q.exists(),
    "aggregate": lambda q: q.aggregate(n=Sum("views")),
}


def cached_ops(queryset: Any) -> set[str]:
    """Return the operations that are cached on a queryset."""
    found = set()
    for op, read in READS.items():
        read(queryset.all())
        if seen(lambda: read(queryset.all())).counts.get("hit"):  # noqa: B023 - called at once
            found.add(op)
    return found


@pytest.mark.parametrize("op", OPS)
def test_one_operation_of_a_model(use: Use, site: Site, op: str) -> None:
    use(MODELS={"news.Article": {"cache": [op]}})

    assert cached_ops(Article.objects) == {op}
    assert cached_ops(Article.objects.filter(pk=1).nocache()) == set()
    assert not seen(lambda: list(Section.objects.all())).counts


@pytest.mark.parametrize("op", OPS)
def test_one_operation_of_a_queryset(engine: Engine, site: Site, op: str) -> None:
    assert cached_ops(Article.objects.cache(ops=op)) == {op}
    assert cached_ops(Article.objects.cache(ops=[op, "get"])) == {op, "get"}


def test_what_a_queryset_says_counts_alone(use: Use, site: Site) -> None:
    use(MODELS={"news.*": {"cache": "all"}})

    assert cached_ops(Article.objects.cache(ops=["count"])) == {"count"}
    assert cached_ops(Article.objects.nocache()) == set()
    assert cached_ops(Article.objects.nocache().cache()) == set(OPS)


def test_narrower_patterns_say_more() -> None:
    models = {
        "news.article": {"timeout": 5},
        "*": {"cache": "get", "timeout": timedelta(minutes=1), "match": [["b", "a"], ("c",)]},
        "news.*": {"cache": ["list", "count"], "lock": True},
    }
    settings = Settings.of({"MODELS": models})

    article, other = settings.policy("news.Article"), settings.policy("blog.Post")

    assert (article.ops, article.timeout, article.lock) == (frozenset({"list", "count"}), 5.0, True)
    assert article.match == other.match == (("a", "b"), ("c",))
    assert (other.ops, other.timeout, other.lock) == (frozenset({"get"}), 60.0, False)
    assert Settings.of({}).policy("blog.Post").ops == frozenset()


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (["news"], "must be a dict, got ['news']"),
        ({"news.*": "all"}, 'GENSCACHE["MODELS"]["news.*"] must be a dict, got \'all\'. Use {"cache": "all"'),
        ({"n": {"cahce": "all"}}, "['cahce'] is not known. Did you mean 'cache'?"),
        ({"n": {"cache": ["fetch"]}}, "there is no operation 'fetch'. Use 'list'."),
        ({"n": {"cache": ["cuont"]}}, "there is no operation 'cuont'. Use 'count'."),
        ({"n": {"cache": ["xyz"]}}, 'Known: get, list, count, exists, aggregate, or "all".'),
        ({"n": {"cache": 5}}, 'must be "all" or a list of operations, got 5'),
        ({"n": {"timeout": -1}}, 'GENSCACHE["MODELS"]["n"]["timeout"] must be between 0 and'),
        ({"n": {"lock": 1}}, '["lock"] must be True or False, got 1'),
        ({"n": {"match": ["category"]}}, "must hold lists of field names, got 'category'. Use ['category']."),
        ({"n": {"match": "category"}}, "must be a list of lists of field names, got 'category'"),
        ({"n": {"match": [[]]}}, "must hold lists of field names, got []"),
    ],
)
def test_nonsense_is_refused_with_the_cure(models: object, words: str) -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        Settings.of({"MODELS": models})

    assert words in str(error.value)


def test_nonsense_in_a_call(site: Site) -> None:
    with pytest.raises(ValueError, match=r"ops=: there is no operation 'first'\. Use 'list'\."):
        Article.objects.cache(ops=["first"])
    with pytest.raises(ValueError, match="timeout must be between 0 and 2592000 seconds, got -1"):
        Article.objects.cache(timeout=-1)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [({}, 40), ({"timeout": 7}, 7), ({"timeout": timedelta(hours=1)}, 3600), ({"timeout": None}, 30 * 86400)],
)
def test_timeouts(use: Use, site: Site, given: dict[str, Any], seconds: int) -> None:
    use(TIMEOUT=40)
    lives: list[int] = []
    current_engine().hub.subscribe(
        lambda event: lives.append(event.ttl) if isinstance(event, Filled) else None
    )

    list(Article.objects.cache(**given))

    assert lives == [seconds * 1000]


def test_the_policy_s_timeout_counts_where_the_call_says_nothing(use: Use, site: Site) -> None:
    engine = use(TIMEOUT=40, MODELS={"news.Article": {"timeout": 9, "cache": "list"}})
    lives: list[int] = []
    engine.hub.subscribe(lambda event: lives.append(event.ttl) if isinstance(event, Filled) else None)

    list(Article.objects.all())
    list(Article.objects.filter(pk=1).cache())
    list(Article.objects.filter(pk=2).cache(timeout=3))

    assert lives == [9000, 9000, 3000]


def test_a_timeout_of_0_stores_nothing(engine: Engine, site: Site) -> None:
    for _ in range(2):
        assert seen(lambda: list(Article.objects.cache(timeout=0))).counts == {
            "bypass": 1, "bypass: its timeout is 0": 1
        }  # fmt: skip


def test_prefetches_follow_their_queryset(use: Use, site: Site) -> None:
    def read(queryset: Any) -> list[list[Tag]]:
        return [list(each.tags.all()) for each in queryset.prefetch_related("tags")]

    engine = use()
    read(Article.objects.cache())
    assert is_hit(lambda: read(Article.objects.cache()))
    assert seen(lambda: read(Article.objects.all())).queries == 2
    engine = use(MODELS={"news.Tag": {"cache": "all"}})
    read(Article.objects.all())
    assert seen(lambda: read(Article.objects.all())).queries == 1
    assert seen(lambda: read(Article.objects.nocache())).queries == 2
    assert engine.settings.models


def test_lock_fills_once(engine: Engine, site: Site) -> None:
    assert [each.pk for each in Article.objects.cache(lock=True).order_by("pk")] == [1, 2, 3]
    assert is_hit(lambda: list(Article.objects.cache(lock=True).order_by("pk")))
    assert is_hit(lambda: list(Article.objects.cache(lock=False).order_by("pk")))
