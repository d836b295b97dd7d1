"""Every kind of write; each is a function without arguments that leaves no transaction open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.db import connections
from django.db.models import F, Value
from django.db.models.functions import Concat

from tests.matrix import deeds
from tests.matrix.extras.models import Book, Comment, Profile, Tally, Video, Weather
from tests.matrix.rows import RED_ASSET, day
from tests.site.news.models import (
    Article,
    Asset,
    Author,
    Club,
    Column,
    Country,
    Membership,
    PopularArticle,
    Reader,
    Section,
    Tag,
    Topic,
)  # fmt: skip

Write = Callable[[], object]

FIXTURE: Final = Path(__file__).parent / "fixtures" / "changed.json"

WRITES: Final[Mapping[str, Write]] = {
    "save new": lambda: deeds.article().save(),
    "save new with a pk": lambda: deeds.article(99).save(),
    "create with a unique value": lambda: Tag.objects.create(name="new"),
    "save existing": lambda: deeds.saving(Article, 1, title="Changed", views=41, section_id=2),
    "save another": lambda: deeds.saving(Article, 3, title="Changed", views=777),
    "save over pk change": deeds.renamed_key,
    "save update_fields": lambda: deeds.saving(Article, 1, fields=["views"], views=42),
    "save of a related row": lambda: deeds.saving(Author, 1, name="Lovelace"),
    "save of a section": lambda: deeds.saving(Section, 1, name="house"),
    "save of a tag": lambda: deeds.saving(Tag, 1, name="purple"),
    "save a child": lambda: deeds.saving(Column, 4, title="Changed", series="Tuesday"),
    "save a child's parent": lambda: deeds.saving(Article, 4, title="Changed", views=50),
    "save a proxy": lambda: deeds.saving(PopularArticle, 4, views=99),
    "save UUID pk": lambda: deeds.saving(Asset, RED_ASSET, path="/scarlet", article_id=None),
    "save text pk": lambda: deeds.saving(Country, "nl", name="Holland"),
    "update() by text pk, in other letters": lambda: Country.objects.filter(pk__in=["NL", "De"]).update(name="here"),
    "delete by text pk, padded": lambda: Country.objects.filter(pk="nl ").delete(),
    "save one-to-one": lambda: deeds.saving(Profile, 1, text="likes coffee"),
    "create one-to-one": lambda: Profile.objects.create(author_id=3, text="likes water"),
    "save of a parent in a tree": lambda: deeds.saving(Topic, 2, name="bough"),
    "update() of the same key": lambda: Tally.objects.filter(pk=1).update(articles=50),
    "save self FK": lambda: deeds.saving(Topic, 3, parent_id=1),
    "save through another alias": deeds.mirrored,
    "create a child": lambda: Column.objects.create(
        title="Second", section_id=1, author_id=1, published=day(16), views=60, series="Monday"
    ),
    "create a child of a parent": lambda: Column(article_ptr_id=2, series="Friday").save_base(raw=True),
    "update() all": lambda: Article.objects.update(views=55),
    "update() by pk": lambda: Article.objects.filter(pk=1).update(title="Updated"),
    "update() with F": lambda: Article.objects.filter(pk__in=[1, 2]).update(views=F("views") + 100),
    "update() over a join": lambda: Article.objects.filter(author__name="Ada").update(section=2),
    "update() of an expression": lambda: Author.objects.update(name=Concat("name", Value("!"))),
    "update() of a child": lambda: Column.objects.filter(pk=4).update(title="Updated", series="Sunday"),
    "update() ordering": lambda: Book.objects.filter(pk=1).update(title="0"),
    "bulk_create": lambda: Article.objects.bulk_create([deeds.article(), deeds.article(title="Newer")]),
    "bulk_create with pks": lambda: Article.objects.bulk_create([deeds.article(98), deeds.article(99)]),
    "bulk_create ignore_conflicts": lambda: Tag.objects.bulk_create(
        [Tag(name="blue"), Tag(name="new")], ignore_conflicts=True
    ),
    "bulk_create update_conflicts": deeds.upsert,
    "bulk_update": deeds.bulk_update,
    "get_or_create, found": lambda: Tag.objects.get_or_create(name="blue"),
    "get_or_create, created": lambda: Tag.objects.get_or_create(name="new"),
    "update_or_create": lambda: Article.objects.update_or_create(pk=1, defaults={"title": "Again", "score": 9}),
    "delete an instance": lambda: Article._base_manager.get(pk=3).delete(),
    "delete, SET_NULL": lambda: Article._base_manager.get(pk=1).delete(),
    "delete, cascade": lambda: Author.objects.get(pk=1).delete(),
    "delete, cascade over self FK": lambda: Topic.objects.get(pk=1).delete(),
    "delete by queryset": lambda: Article.objects.filter(views__lt=25).delete(),
    "delete a child": lambda: Column.objects.get(pk=4).delete(),
    "delete a child, keep its parent": lambda: Column.objects.get(pk=4).delete(keep_parents=True),
    "delete, fast": lambda: Profile.objects.filter(pk=1).delete(),
    "_raw_delete": deeds.raw_delete,
    "delete and create again": deeds.recreated,
    "m2m add": lambda: Article.objects.get(pk=3).tags.add(1),
    "m2m remove": lambda: Article.objects.get(pk=1).tags.remove(1),
    "m2m set": lambda: Article.objects.get(pk=1).tags.set([3]),
    "m2m clear": lambda: Article.objects.get(pk=1).tags.clear(),  # noqa: PLW0108 - fetched when it is done
    "m2m create": lambda: Article.objects.get(pk=3).tags.create(name="new"),
    "reverse m2m add": lambda: Tag.objects.get(pk=1).articles.add(3),
    "reverse m2m remove": lambda: Tag.objects.get(pk=1).articles.remove(1, 2),
    "reverse m2m set": lambda: Tag.objects.get(pk=1).articles.set([3, 4]),
    "reverse m2m clear": lambda: Tag.objects.get(pk=1).articles.clear(),  # noqa: PLW0108 - fetched when it is done
    "m2m to self add": lambda: Reader.objects.get(pk=1).friends.add(3),
    "m2m with a model between, create": lambda: Membership.objects.create(club_id=1, reader_id=3),
    "m2m with a model between, add": lambda: Club.objects.get(pk=2).members.add(1),
    "m2m with a model between, remove": lambda: Reader.objects.get(pk=2).clubs.clear(),  # noqa: PLW0108 - fetched when it is done
    "reverse FK create": lambda: Author.objects.get(pk=3).articles.create(title="New", section_id=1, published=day(15)),
    "reverse FK add": lambda: Author.objects.get(pk=3).articles.add(Article.objects.get(pk=1)),
    "reverse FK set": lambda: Article.objects.get(pk=2).assets.set(Asset.objects.filter(path__in=["/red", "/loose"])),
    "generic relation create": lambda: Video.objects.get(pk=2).comments.create(text="boring"),
    "generic relation update": lambda: Comment.objects.filter(pk=1).update(text="superb", object_id=3),
    "save a video": lambda: deeds.saving(Video, 1, minutes=1, hidden=True),
    "delete, generic cascade": lambda: Video.objects.get(pk=1).delete(),
    "raw UPDATE": lambda: deeds.sql("UPDATE news_article SET views = views + 1, section_id = 2 WHERE id = %s", 1),
    "raw UPDATE, the key as text": lambda: deeds.sql("UPDATE news_article SET title = 'Raw' WHERE id = %s", "1"),
    "raw INSERT": lambda: deeds.sql("INSERT INTO news_tag (name) VALUES (%s)", "new"),
    "raw DELETE": lambda: deeds.sql("DELETE FROM news_article_tags WHERE tag_id = %s", 1),
    "raw, with a comment and a subquery": lambda: deeds.sql(
        "/* x */ UPDATE news_author SET name = 'Raw' WHERE id IN (SELECT author_id FROM news_article WHERE views < 15)"
    ),
    "executemany": deeds.executemany,
    "TRUNCATE": deeds.truncate,
    "flush": lambda: call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True),
    "loaddata": lambda: call_command("loaddata", str(FIXTURE), verbosity=0),
    "committed": deeds.committed,
    "inner committed": deeds.inner_committed,
    "inner rolled back": deeds.inner_rolled_back,
    "rolled back": deeds.rolled_back,
    "select_for_update": deeds.locked,
    "on_commit": deeds.on_commit,
    "asave": lambda: async_to_sync(deeds.article(99).asave)(),  # noqa: PLW0108 - fetched when it is done
    "aupdate": lambda: async_to_sync(Article.objects.filter(author=1).aupdate)(score=8),
    "trigger": lambda: deeds.sql("UPDATE news_article SET section_id = 3 WHERE id = 2"),
    "batch": deeds.batch,
    "invalidate_model": lambda: deeds.own("invalidate_model", "news.Article"),
    "invalidate_obj": lambda: deeds.own("invalidate_obj", Article._base_manager.get(pk=1)),
    "invalidate_tables": lambda: deeds.own("invalidate_tables", "news_tag"),
    "invalidate_all": lambda: deeds.own("invalidate_all"),
    "an unrelated table": lambda: Weather.objects.create(degrees=21),
}  # fmt: skip

TOUCHED: Final[Mapping[str, frozenset[str]]] = {
    "rolled back": frozenset(),
    "inner rolled back": frozenset({"news_section"}),
    "invalidate_model": frozenset({"news_article", "news_article_tags"}),
    "invalidate_obj": frozenset({"news_article"}),
    "invalidate_tables": frozenset({"news_tag"}),
}
"""The tables that a write touches, where that is not what its SQL and its effect say."""

EVERYTHING: Final = frozenset({"invalidate_all"})
"""What is meant to leave nothing."""

OWN: Final = frozenset({"batch", "invalidate_model", "invalidate_obj", "invalidate_tables", "invalidate_all"})
"""What only genscache has."""


def opened() -> bool:
    """Tell whether a write has left a transaction open."""
    return any(each.in_atomic_block for each in connections.all(initialized_only=True))
