"""Inside an actor: the scripts that write other rows than the one that most races are about, and relations."""

from __future__ import annotations

from django.db import connections, transaction
from django.db.models.signals import m2m_changed

from tests.races.actor import here, script
from tests.races.world import TITLES
from tests.site.news.models import Article, Asset, Author, Column, Section, Tag

# -- other rows


@script
def create(alias: str, section: int, author: int, titles: list[str], pk: int | None = None) -> None:
    """Create one article in autocommit."""
    for title in titles:
        Article.objects.using(alias).create(pk=pk, title=title, section_id=section, author_id=author)


@script
def bulk_create(alias: str, section: int, author: int, titles: list[str]) -> None:
    with transaction.atomic(using=alias):
        Article.objects.using(alias).bulk_create(
            [Article(title=title, section_id=section, author_id=author) for title in titles]
        )
        here("written")


@script
def delete(alias: str, pk: int) -> None:
    Article.objects.using(alias).get(pk=pk).delete()


@script
def delete_rows(alias: str, pk: int) -> None:
    Article.objects.using(alias).filter(pk=pk).delete()


@script
def delete_section(alias: str, pk: int) -> None:
    """Cascades to articles."""
    Section.objects.using(alias).get(pk=pk).delete()


@script
def rename_both(alias: str, section: int, pk: int) -> None:
    """Write two tables in one transaction."""
    with transaction.atomic(using=alias):
        Section.objects.using(alias).filter(pk=section).update(name="New")
        Article.objects.using(alias).filter(pk=pk).update(title=TITLES[1], views=1)
        here("written")


@script
def rename_section(alias: str, section: int, name: str) -> None:
    Section.objects.using(alias).filter(pk=section).update(name=name)


@script
def rename_asset(alias: str, pk: str, path: str) -> None:
    with transaction.atomic(using=alias):
        Asset.objects.using(alias).filter(pk=pk).update(path=path)
        here("written")


@script
def move(alias: str, pk: int, author: int) -> None:
    """Give an article to another author: it leaves one filter and enters another."""
    with transaction.atomic(using=alias):
        article = Article.objects.using(alias).get(pk=pk)
        article.author = Author.objects.using(alias).get(pk=author)
        article.save(using=alias)
        here("written")


@script
def move_rows(alias: str, pk: int, author: int) -> None:
    Article.objects.using(alias).filter(pk=pk).update(author=author)


@script
def move_any(alias: str, source: int, author: int) -> None:
    """Give all articles of one author to another, by a condition on the column that is written."""
    Article.objects.using(alias).filter(author=source).update(author=author)


# -- many to many


@script
def tags(alias: str, pk: int, action: str, names: list[str]) -> None:
    """Change an article's tags; a receiver stands before and after each statement."""

    def receive(action: str, **_: object) -> None:
        here(f"in the receiver of {action}")

    m2m_changed.connect(receive, sender=Article.tags.through)
    try:
        article = Article.objects.using(alias).get(pk=pk)
        chosen = [Tag.objects.using(alias).get(name=name) for name in names]
        match action:
            case "clear":
                article.tags.clear()
            case "set":
                article.tags.set(chosen)
            case _:
                getattr(article.tags, action)(*chosen)
    finally:
        m2m_changed.disconnect(receive, sender=Article.tags.through)


@script
def tags_from_the_other_side(alias: str, pk: int, name: str) -> None:
    """Take an article away from a tag."""
    Tag.objects.using(alias).get(name=name).articles.remove(Article.objects.using(alias).get(pk=pk))


@script
def tag_sql(alias: str, pk: int, name: str) -> None:
    """Delete a relation by SQL in a transaction."""
    tag = Tag.objects.using(alias).get(name=name).pk
    with transaction.atomic(using=alias):
        with connections[alias].cursor() as cursor:
            cursor.execute("DELETE FROM news_article_tags WHERE article_id = %s AND tag_id = %s", [pk, tag])
        here("written")


@script
def make_tag(alias: str, name: str) -> None:
    Tag.objects.using(alias).create(name=name)


@script
def make_asset(alias: str, path: str) -> str:
    return str(Asset.objects.using(alias).create(path=path).pk)


@script
def make_author(alias: str, name: str) -> int:
    return Author.objects.using(alias).create(name=name).pk


@script
def move_in_transaction(alias: str, pk: int, author: int) -> None:
    with transaction.atomic(using=alias):
        Article.objects.using(alias).filter(pk=pk).update(author=author)
        here("written")


@script
def move_sql(alias: str, pk: int, author: int) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("UPDATE news_article SET author_id = %s WHERE id + 0 = %s", [author, pk])


@script
def renumber(alias: str, pk: int, new: int) -> None:
    """Give a row another key."""
    Article.objects.using(alias).filter(pk=pk).update(id=new)


@script
def renumber_sql(alias: str, pk: int, new: int) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("UPDATE news_article SET id = %s WHERE id = %s", [new, pk])


@script
def make_column(alias: str, section: int, author: int) -> int:
    """Create a child whose row is in two tables."""
    made = Column.objects.using(alias).create(title="old", series="old", section_id=section, author_id=author)
    return made.pk


@script
def rename_parent(alias: str, pk: int) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title="new")


@script
def rename_child(alias: str, pk: int) -> None:
    """Write both tables, of which only the parent's row changes."""
    column = Column.objects.using(alias).get(pk=pk)
    column.title = "new"
    column.save(using=alias)


@script
def delete_article(alias: str, pk: int) -> None:
    """Delete an article that assets point at: their rows are updated, not deleted."""
    Article.objects.using(alias).get(pk=pk).delete()


@script
def make_asset_of(alias: str, article: int) -> str:
    return str(Asset.objects.using(alias).create(path="path", article_id=article).pk)
