"""What the machine would find by chance in some thousand examples: one short story for each kind of mistake."""

from __future__ import annotations

import pytest

from property_tests.grounds import MemoryGround
from property_tests.orm import stage
from property_tests.orm.questions import Question


def q(start: str = "Article.objects", *, model: str = "Article", **slots: object) -> Question:
    return Question(start, model, **slots)  # type: ignore[arg-type]


APART = {
    "slices": (
        q(order="'pk'", cut="[:1]"),
        q(order="'pk'", cut="[:2]"),
        q(order="'pk'", cut="[1:3]"),
        q(order="'pk'"),
    ),
    "orders": (
        q(order="'pk'"),
        q(order="'-pk'"),
        q(order="'-views', 'pk'"),
        q(order="F('views').desc(), 'pk'"),
    ),
    "distinct": (
        q("Article.objects.filter(section__articles__views__gte=0)"),
        q("Article.objects.filter(section__articles__views__gte=0)", distinct=True),
    ),
    "deferred fields": (
        q(shape=".only('title')"),
        q(shape=".only('views')"),
        q(shape=".defer('views')"),
        q(),
    ),
    "names of annotations": (
        q(derived=".annotate(n=Value(1))"),
        q(derived=".annotate(m=Value(1))"),
        q(derived=".alias(n=Value(1))"),
    ),
    "names of aggregates": (q(end="$.aggregate(n=Count('pk'))"), q(end="$.aggregate(m=Count('pk'))")),
    "time zones": tuple(
        q(derived=".annotate(n=ExtractHour('published'))", zone=zone) for zone in ("UTC", "Asia/Tokyo")
    ),
    "forms of rows": tuple(
        q(shape=shape)
        for shape in (
            ".values('pk', 'title')",
            ".values_list('pk', 'title')",
            ".values_list('pk', 'title', named=True)",
            ".values('title', 'pk')",
        )
    ),
    "operations": tuple(
        q(end=end) for end in ("$.count()", "$.exists()", "list($)", "$.aggregate(n=Count('pk'))")
    ),
    "select_related": (q(shape=".select_related('author')"), q(shape=".select_related('section')"), q()),
    "types of values": (
        q("Tag.objects.filter(name='1')", model="Tag"),
        q("Tag.objects.annotate(n=Value(1))", model="Tag"),
        q("Tag.objects.annotate(n=Value('1'))", model="Tag"),
        q("Tag.objects.annotate(n=Value(True))", model="Tag"),
    ),
    "filter and exclude": (
        q("Article.objects.filter(pk=1)"),
        q("Article.objects.exclude(pk=1)"),
        q("Article.objects.filter(pk=2)"),
    ),
    "combinations": tuple(
        q(f"Article.objects.filter(pk__in=[1, 2]).{name}(Article.objects.filter(pk__in=[2, 3]))")
        for name in ("union", "intersection", "difference")
    ),
    "a condition on a related manager's own join": (q("of(Tag, 1, 'articles').filter(tags__name='b')"),),
    "an aggregate named like an annotation": (
        q(shape=".values('pk', n=F('views'))", end="$.aggregate(n=Max('tags__name'))"),
    ),
    "known related objects": (
        q("of(Author, 2, 'articles')"),
        q("Article.objects.filter(author=2)"),
        q("of(Author, 2, 'articles').select_related('author')"),
    ),
}
"""Questions none of which may be given another's answer."""

SINCE = {
    "one of several keys": (
        q("Article.objects.filter(pk__in=[1, 2])"),
        "Article.objects.filter(pk=2).update(title='x')",
    ),
    "all but one": (q("Article.objects.exclude(pk=1)"), "Article.objects.filter(pk=2).update(title='x')"),
    "one or the other": (
        q("Article.objects.filter(Q(pk=1) | Q(views=1))"),
        "Article.objects.filter(pk=2).update(title='x')",
    ),
    "a key that the database computes": (
        q("Article.objects.filter(pk=F('views'))"),
        "Article.objects.filter(pk=2).update(views=2)",
    ),
    "the same table under another name": (
        q("Article.objects.filter(pk=2, section__articles__title='c')"),
        "Article.objects.filter(pk=3).update(title='x')",
    ),
    "the same table in a subquery": (
        q("Article.objects.filter(pk=1, views__in=Article.objects.filter(title='b').values('views'))"),
        "Article.objects.filter(pk=2).update(views=0)",
    ),
    "a joined table": (
        q("Article.objects.filter(section__name='a')"),
        "Section.objects.filter(pk=1).update(name='x')",
    ),
    "a table that is selected": (
        q("Article.objects.filter(pk=1)", shape=".select_related('author')"),
        "Author.objects.filter(pk=2).update(name='x')",
    ),
    "a table that is ordered by": (
        q(order="'section__name', 'pk'"),
        "Section.objects.filter(pk=1).update(name='x')",
    ),
    "a table in an aggregate": (
        q(end="$.aggregate(n=Max('section__name'))"),
        "Section.objects.filter(pk=2).update(name='x')",
    ),
    "a row that gets a value": (
        q("Article.objects.filter(views=7)"),
        "Article.objects.filter(pk=2).update(views=7)",
    ),
    "a row that loses a value": (
        q("Article.objects.filter(views=1)"),
        "Article.objects.filter(pk=2).update(views=7)",
    ),
    "a row that changes otherwise": (
        q("Article.objects.filter(views=1)"),
        "Article.objects.filter(pk=2).update(title='x')",
    ),
    "a deleted row": (q("Article.objects.filter(section=2)"), "Article.objects.get(pk=1).delete()"),
    "a row that is saved": (
        q("Article.objects.filter(section=1)"),
        "changed(Article.objects.get(pk=1), section_id=1).save()",
    ),
    "many rows": (
        q("Article.objects.filter(views=1)"),
        "Article.objects.bulk_update([changed(Article.objects.get(pk=2), views=7)], ['views'])",
    ),
    "a parent's column": (
        q("Column.objects.filter(pk=3)", model="Column"),
        "Article.objects.filter(pk=3).update(title='x')",
    ),
    "a child's row": (q(shape=".select_related('column')"), "Column.objects.filter(pk=3).update(series='x')"),
    "a new relation": (q("of(Article, 2, 'tags')", model="Tag"), "Article(pk=2).tags.add(1)"),
    "a relation from its other end": (q("Article.objects.filter(tags=1)"), "Tag(pk=1).articles.remove(1)"),
    "relations that are set": (q("Article.objects.filter(tags__name='b')"), "Article(pk=3).tags.set([2])"),
    "relations that are prefetched": (q(shape=".prefetch_related('tags')"), "Article(pk=2).tags.add(1)"),
    "cascades": (q("Asset.objects.all()", model="Asset"), "Author(pk=2).delete()"),
    "a cycle in one table": (
        q("Topic.objects.filter(parent__name='a')", model="Topic"),
        "Topic.objects.filter(pk=1).update(name='x')",
    ),
    "a key that moves": (
        q("Country.objects.filter(pk='aa')", model="Country"),
        "Country.objects.update(code='bb')",
    ),
}
"""A question and a write after which its answer is another one."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", APART)
def test_no_question_is_given_anothers_answer(name: str) -> None:
    world = stage.make_world(MemoryGround(), "none")
    try:
        for _ in range(2):
            stage.ask_all(world, APART[name])
    finally:
        world.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("policy", ["none", "match"])
@pytest.mark.parametrize("name", SINCE)
def test_an_answer_goes_with_what_it_was_made_of(name: str, policy: str) -> None:
    question, text = SINCE[name]
    world = stage.make_world(MemoryGround(), policy)
    try:
        stage.ask_all(world, [question, question])
        before = world.sessions[1].actor.result
        stage.write(world, world.sessions[1], text)
        stage.ask_all(world, [question])
        assert world.sessions[1].actor.result != before, "the write changed nothing that was asked for"
    finally:
        world.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "text",
    [
        "Tag.objects.cache().get_or_create(name='c', defaults=dict(pk=8))",
        "Tag.objects.cache().update_or_create(name='c', create_defaults=dict(pk=8))",
    ],
)
def test_what_is_read_for_a_write_comes_from_the_database(text: str) -> None:
    """Nobody has told of the row, so the cache does not know it."""
    world = stage.make_world(MemoryGround(), "all")
    writer, reader = world.sessions[:2]
    try:
        stage.ask_all(world, [q("Tag.objects", model="Tag", end="$.get(name='c')")])
        stage.write(
            world, reader, "untold('INSERT INTO news_tag (id, name) VALUES (7, ''c'')')".replace("''", '"')
        )
        stage.write(world, writer, f"assert {text}[1] is False")
        assert writer.actor.error is None
    finally:
        world.close()
