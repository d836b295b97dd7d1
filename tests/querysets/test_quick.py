"""Questions that need no query take a short way to the store; whatever the long way guards, the short one does, too."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ObjectDoesNotExist
from django.db import models, transaction

from genscache import batch_invalidations, bypass, cached
from genscache.engine import Engine
from genscache.querysets.adoption import adopt_queryset
from genscache.querysets.options import Caching
from genscache.querysets.quick import quick_job
from genscache.querysets.subjects import named
from tests.querysets.reading import Site, is_hit, seen, why
from tests.reads.conftest import Use
from tests.reads.wire import Wire
from tests.site.news.models import Article, Asset, Author, Country, PopularArticle, Section

pytestmark = pytest.mark.django_db(transaction=True)


def calls(read: Callable[[], object], *names: str) -> list[str]:
    """Return which functions of these names a read calls in this thread."""
    found: list[str] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name in names:
            found.append(frame.f_code.co_name)

    sys.setprofile(profile)
    try:
        read()
    finally:
        sys.setprofile(None)
    return found


def by_key(pk: object = 1) -> Any:
    """Take the short way."""
    return Article.objects.cache().get(pk=pk)


def count() -> Any:
    """Take it for a count."""
    return Article.objects.cache().count()


READS: dict[str, Callable[[], Any]] = {
    "get": lambda: by_key().title,
    "count": count,
    "aget": lambda: async_to_sync(Article.objects.cache().aget)(pk=1).title,
    "acount": lambda: async_to_sync(Article.objects.cache().acount)(),  # noqa: PLW0108 - another queryset each time
}


@pytest.mark.parametrize("name", READS)
def test_nothing_is_built_once_the_names_are_known(engine: Engine, site: Site, name: str) -> None:
    read = READS[name]
    steps = ("build_filter", "structure_of")
    first = read()
    assert is_hit(read)
    assert calls(read, *steps) == []
    assert read() == first
    long = calls(lambda: Article.objects.cache().filter(views__gt=-1).count(), *steps)
    assert {"build_filter", "structure_of"} <= set(long)


@pytest.mark.parametrize("name", READS)
def test_every_guard_of_the_long_way(use: Use, site: Site, name: str) -> None:
    use(TIMEOUT=60)
    read = READS[name]
    read()
    assert is_hit(read)
    with bypass():
        assert why(read) == "bypass() was asked for"
    with transaction.atomic():
        Article.objects.filter(pk=1).update(title="written")
        Article.objects.create(title="one more", section=site.sections[0], author=site.author)
        if not name.startswith("a"):
            assert read() == ("written" if name == "get" else 4)
            assert why(read) == "this transaction has written to what it depends on"
    assert read() == ("written" if "get" in name else 4)
    assert is_hit(read)
    with batch_invalidations():
        Article.objects.filter(pk=1).update(title="in a batch")
        Article.objects.filter(pk=3).delete()
        assert why(read) == "the open batch has invalidated what it depends on"
    assert read() == ("in a batch" if "get" in name else 3)
    use(ENABLED=False)
    assert why(read) == 'the cache is switched off (GENSCACHE["ENABLED"])'


def test_the_same_question_on_both_ways_has_one_entry(engine: Engine, site: Site) -> None:
    by_key()
    count()
    assert is_hit(lambda: Article.objects.cache().filter(pk=1).get())
    assert is_hit(lambda: Article.objects.cache().all().count())


NUMBERS = (0, 1, 7, 20, 21, 22, -1, -21, 2**15 - 1, 2**15, 2**31 - 1, 2**31, 2**40, 2**63 - 1)
KEYS: dict[type[models.Model], tuple[object, ...]] = {
    Article: (*NUMBERS, *map(str, NUMBERS)),
    Section: NUMBERS,
    Asset: tuple(UUID(int=number) for number in (0, 1, 21, 2**128 - 1)),
    Country: ("", "a", "A", "b ", "\u00e4", "21", "i15;"),
}


@pytest.mark.parametrize("model", KEYS)
@pytest.mark.parametrize("first", range(3))
def test_rows_are_named_after_one_another_as_if_each_were_the_first(
    engine: Engine, model: type[Any], first: int
) -> None:
    keys = (KEYS[model][first], *KEYS[model])
    walks = calls(lambda: [_named_quickly(engine, model, key) for key in keys], "structure_of")
    assert len(walks) < len(keys) - 1, "some of them are"
    for key in keys:
        rows = model.objects.cache().filter(pk=key).order_by()
        rows.query.set_limits(high=21)
        rows._genscache_op = "get"
        found = named(engine, rows._genscache_asked("get"), Caching())
        assert not isinstance(found, str)
        assert (found.subject, found.call) == _named_quickly(engine, model, key), key


def _named_quickly(engine: Engine, model: type[Any], key: object) -> object:
    found = quick_job(engine, model.objects.cache(), "get", {"pk": key}, Caching())
    assert found is not None
    return found.identity, found.call


def test_values_are_told_apart(engine: Engine, site: Site) -> None:
    for pk in (1, 2, "2", 3):
        for _ in range(3):
            assert by_key(pk).pk == int(pk)
    for _ in range(3):
        assert by_key(True).pk == 1
        with pytest.raises(Article.DoesNotExist, match=r"^Article matching query does not exist\.$"):
            by_key(99)
        with pytest.raises(ValueError, match="expected a number"):
            by_key("x")
        with pytest.raises(Article.DoesNotExist):
            by_key(10**30)
        assert Author.objects.cache().get(pk=site.author.pk).name == "Ada"
    Article.objects.create(pk=99, title="late", section=site.sections[0], author=site.author)
    assert by_key(99).title == "late"


def test_two_callers_share_nothing(engine: Engine, site: Site) -> None:
    by_key()
    first, second = by_key(), by_key()
    first.title = "changed by its caller"
    assert first is not second
    assert second.title == by_key().title == "Title 0"


def test_what_was_done_to_the_queryset_counts(engine: Engine, site: Site) -> None:
    for _ in range(2):
        by_key(2)
        count()
    rows = Article.objects.cache
    touched = rows()
    touched.query.set_limits(0, 2)
    assert touched.count() == 2
    touched = rows()
    touched.query.set_empty()
    assert touched.count() == 0
    assert rows().filter(views__gt=0).count() == 2
    assert rows().exclude(pk=1).count() == 2
    assert rows().none().count() == 0
    assert rows().order_by("pk")[:1].count() == 1
    with pytest.raises(ObjectDoesNotExist):
        rows().filter(views=0).get(pk=2)
    assert rows().values("pk").get(pk=2) == {"pk": 2}
    assert rows().only("pk").get(pk=2).get_deferred_fields()
    assert rows().annotate(n=models.F("views")).get(pk=2).n == 1
    assert "author" in rows().select_related("author").get(pk=2)._state.fields_cache
    held = rows().prefetch_related("tags").get(pk=2)
    assert [tag.name for tag in held.tags.all()] == ["blue"]
    assert site.sections[0].articles.cache().count() == 2
    with pytest.raises(ObjectDoesNotExist):
        site.sections[0].articles.cache().get(pk=2)
    PopularArticle.objects.cache().count()
    assert PopularArticle.objects.cache().count() == 0
    with transaction.atomic():
        assert why(lambda: rows().select_for_update().get(pk=2)) == "it locks rows (select_for_update)"


def test_a_queryset_that_its_caller_keeps_stays_as_it_is(engine: Engine, site: Site) -> None:
    rows = Article.objects.cache().order_by("-pk")
    for _ in range(3):
        assert rows.get(title="Title 1").pk == 2
        assert rows.get(pk=1).pk == 1
        assert [each.pk for each in rows.all()] == [3, 2, 1]
        assert rows.count() == 3
    kept = Article.objects.cache()
    kept.get(views=1)
    kept.filter(pk=1)
    assert kept.count() == 3
    assert {each.pk for each in kept} == {1, 2, 3}


def test_policies(use: Use, site: Site) -> None:
    use(MODELS={"news.Article": {"cache": ["get"]}})
    article = lambda: Article.objects.get(pk=1)
    article()  # type: ignore[no-untyped-call]  # a lambda has no types
    assert is_hit(article)
    assert seen(Article.objects.count).counts == {}
    assert seen(lambda: Article.objects.nocache().get(pk=1)).counts == {}
    count()
    assert is_hit(count)
    assert seen(lambda: Article.objects.cache(ops="list").get(pk=1)).counts == {}
    assert seen(lambda: Article.objects.cache(ops="get").count()).counts == {}


def test_tenants_are_told_apart(use: Use, site: Site) -> None:
    tenant = ["a"]
    use(KEY_CONTEXT=lambda: tenant[0])
    by_key()
    assert is_hit(by_key)
    tenant[0] = "b"
    assert not is_hit(by_key)


def test_a_function_around_it_depends_on_it(engine: Engine, site: Site) -> None:
    @cached
    def title() -> str:
        return str(by_key().title)

    by_key()
    assert title() == "Title 0"
    assert is_hit(title)
    Article.objects.filter(pk=1).update(title="new")
    assert title() == "new"


def test_another_database_is_another_question(engine: Engine, site: Site) -> None:
    by_key()
    assert not is_hit(lambda: Section.objects.cache().get(pk=site.sections[0].pk))
    assert is_hit(lambda: Article.objects.using("default").cache().get(pk=1))


def test_one_round_trip(use: Use, wire: Wire, site: Site) -> None:
    use(STORE=wire.url)

    async def asked(read: Callable[[], Awaitable[object]]) -> None:
        await read()
        await read()
        with wire.counting() as trips:
            await read()
        assert trips == [1]

    for read in (by_key, count):
        read()
        with wire.counting() as trips:
            read()
        assert trips == [1]
    async_to_sync(asked)(lambda: Article.objects.cache().aget(pk=1))
    async_to_sync(asked)(lambda: Article.objects.cache().acount())


class Either(models.QuerySet[Article]):
    """A class that asks for more than one thing at once."""

    def filter(self, *args: Any, **kwargs: Any) -> Either:
        """Take what fits, and what nobody has read."""
        return super().filter(*args, **kwargs) | super().filter(views=-1)


def test_a_class_that_filters_in_its_own_way(engine: Engine, site: Site) -> None:
    rows = adopt_queryset(Either(Article))
    for _ in range(3):
        assert rows.cache().get(title="Title 1").pk == 2
        assert rows.cache().get(pk=2).pk == 2


def test_reads_for_a_write(engine: Engine, site: Site) -> None:
    by_key()
    assert why(lambda: Article.objects.cache().get_or_create(pk=1)) == "it reads for a write"


def test_what_is_outside_of_a_question_tells_it_apart(use: Use, site: Site) -> None:
    tenant = ["a"]
    use(KEY_CONTEXT=lambda: tenant[0])
    read = lambda: list(Article.objects.cache().filter(views=1))
    read()  # type: ignore[no-untyped-call]  # the same
    assert is_hit(read)
    assert Article.objects.cache().filter(views=1).count() == 1
    tenant[0] = "b"
    assert not is_hit(read)


def test_an_instance_that_is_saved_later_is_another_dependency(engine: Engine, site: Site) -> None:
    late = Article(title="late", section=site.sections[0], author=site.author, pk=77)

    @cached(late)
    def title() -> str:
        return str(Article.objects.nocache().get(pk=late.pk).title)

    late.save()
    title()
    assert is_hit(title)
    late.pk = 1
    assert title() == "Title 0"
