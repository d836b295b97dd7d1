"""What the writes do that is more than one call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, models, transaction

from tests.matrix.extras.models import Weather
from tests.matrix.rows import day
from tests.site.news.models import Article, Author, Country, Membership, Section, Tag


def article(pk: int | None = None, **values: object) -> Article:
    """Return an article that is not saved yet."""
    return Article(
        pk=pk,
        **{"title": "New", "section_id": 1, "author_id": 1, "published": day(15), "views": 45, **values},
    )


def saving(
    model: type[models.Model], pk: object, *, fields: list[str] | None = None, **values: object
) -> None:
    """Load an object past the cache, change it and save it."""
    instance = model._base_manager.get(pk=pk)
    for name, value in values.items():
        setattr(instance, name, value)
    instance.save(update_fields=fields)


def sql(text: str, *params: str | int) -> None:
    """Run SQL."""
    with connection.cursor() as cursor:
        cursor.execute(text, params)


@contextmanager
def undone() -> Iterator[None]:
    """Roll back what is done in this block."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def mirrored() -> None:
    Article.objects.using("mirror").get(pk=1).save(update_fields=["title"])
    Article.objects.using("mirror").filter(pk=1).update(title="Mirrored")


def executemany() -> None:
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE news_article SET views = %s WHERE id = %s", [(51, 1), (52, 3)])


def committed() -> None:
    with transaction.atomic():
        saving(Article, 1, title="In a transaction", views=46)
        Author.objects.filter(pk=2).update(name="Grace")


def inner_rolled_back() -> None:
    with transaction.atomic():
        Section.objects.filter(pk=1).update(name="house")
        with undone():
            Tag.objects.filter(pk=1).update(name="purple")


def inner_committed() -> None:
    with transaction.atomic(), transaction.atomic():
        Tag.objects.filter(pk=1).update(name="purple")


def rolled_back() -> None:
    with undone():
        Article.objects.update(title="Never")
        assert Article.objects.filter(title="Never").exists()


def locked() -> None:
    with transaction.atomic():
        found = Article.objects.select_for_update().get(pk=1)
        found.views = 47
        found.save()


def on_commit() -> None:
    with transaction.atomic():
        transaction.on_commit(lambda: Article.objects.filter(pk=1).update(title="After COMMIT"))
        Weather.objects.update(degrees=5)


def recreated() -> None:
    Article.objects.filter(pk=3).delete()
    article(3, section_id=2).save(force_insert=True)


def renamed_key() -> None:
    """Change a primary key: the row stays and another one comes; then the old one goes."""
    saving(Country, "nl", code="be", name="Belgium")
    Country.objects.filter(pk="nl").delete()


def upsert() -> None:
    countries = [Country(code="nl", name="Holland"), Country(code="be", name="Belgium")]
    # MySQL takes whatever is unique.
    unique = ["code"] if connection.features.supports_update_conflicts_with_target else None
    Country.objects.bulk_create(
        countries, update_conflicts=True, update_fields=["name"], unique_fields=unique
    )


def bulk_update() -> None:
    found = list(Article._base_manager.order_by("pk"))
    for each in found:
        each.views += 7
    Article.objects.bulk_update(found, ["views"])


def raw_delete() -> None:
    queryset = Membership.objects.filter(reader=2)
    queryset._raw_delete(queryset.db)


def truncate() -> None:
    sql(
        "DELETE FROM news_article_tags"
        if connection.vendor == "sqlite"
        else "TRUNCATE TABLE news_article_tags"
    )


def batch() -> None:
    from genscache import batch_invalidations  # noqa: PLC0415 - as above

    with batch_invalidations():
        saving(Article, 1, title="In a batch")
        Tag.objects.create(name="new")
        with transaction.atomic():
            Author.objects.filter(pk=1).update(name="Lovelace")


def own(name: str, *args: object) -> None:
    """Call one of genscache's functions, which other libraries do not have."""
    import genscache  # noqa: PLC0415 - not installed where another library is looked at

    getattr(genscache, name)(*args)
