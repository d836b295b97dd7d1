"""Inside an actor: the scripts that write, each in another way. A version is 1 or 2; 0 is what the test began with."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connections, transaction
from django.db.models.signals import post_save

from genscache import batch_invalidations, invalidate_model
from tests.races.actor import here, script
from tests.races.blocks import no_autocommit
from tests.races.readers import READS
from tests.races.world import TITLES
from tests.site.news.models import Article


def _changed(alias: str, pk: int, version: int) -> Article:
    article = Article.objects.using(alias).get(pk=pk)
    article.title, article.views = TITLES[version], version
    return article


def _update(alias: str, pk: int, version: int) -> None:
    Article.objects.using(alias).filter(pk=pk).update(title=TITLES[version], views=version)


def _sql(alias: str, pk: int, version: int) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "UPDATE news_article SET title = %s, views = %s WHERE id = %s", [TITLES[version], version, pk]
        )


# -- one row, in autocommit


@script
def save(alias: str, pk: int, version: int) -> None:
    _changed(alias, pk, version).save(using=alias)


@script
def update(alias: str, pk: int, version: int) -> None:
    _update(alias, pk, version)


@script
def sql(alias: str, pk: int, version: int) -> None:
    _sql(alias, pk, version)


@script
def sql_many(alias: str, pk: int, version: int) -> None:
    with connections[alias].cursor() as cursor:
        cursor.executemany(
            "UPDATE news_article SET title = %s, views = %s WHERE id = %s", [(TITLES[version], version, pk)]
        )


# -- one row, in a transaction


@script
def save_atomic(alias: str, pk: int, version: int) -> None:
    with transaction.atomic(using=alias):
        _changed(alias, pk, version).save(using=alias)
        here("written")


@script
def update_atomic(alias: str, pk: int, version: int) -> None:
    with transaction.atomic(using=alias):
        _update(alias, pk, version)
        here("written")


@script
def sql_atomic(alias: str, pk: int, version: int) -> None:
    with transaction.atomic(using=alias):
        _sql(alias, pk, version)
        here("written")


@script
def bulk_update(alias: str, pk: int, version: int) -> None:
    with transaction.atomic(using=alias):
        Article.objects.using(alias).bulk_update([_changed(alias, pk, version)], ["title", "views"])
        here("written")


@script
def locked_save(alias: str, pk: int, version: int) -> None:
    with transaction.atomic(using=alias):
        article = Article.objects.using(alias).select_for_update().get(pk=pk)
        article.title, article.views = TITLES[version], version
        article.save(using=alias)
        here("written")


@script
def sql_begin(alias: str, pk: int, version: int) -> None:
    """BEGIN and COMMIT as text, behind Django's back."""
    with connections[alias].cursor() as cursor:
        cursor.execute("BEGIN")
        _sql(alias, pk, version)
        here("written")
        cursor.execute("COMMIT")


@script
def without_autocommit(alias: str, pk: int, version: int) -> None:
    """on_commit() refuses here."""
    with no_autocommit(alias):
        _update(alias, pk, version)
        here("written")
        transaction.commit(using=alias)
        here("committed")


@script
def in_batch(alias: str, pk: int, version: int) -> None:
    with batch_invalidations():
        _update(alias, pk, version)
        here("written in the batch")


@script
def nested(alias: str, pk: int, version: int) -> None:
    """A savepoint that is released."""
    with transaction.atomic(using=alias):
        with transaction.atomic(using=alias):
            _update(alias, pk, version)
        here("written")


# -- transactions with a story


class Undo(Exception):
    """Makes a block roll back."""


def _undone(alias: str, block: Callable[[], None]) -> None:
    with transaction.atomic(using=alias):
        block()
        transaction.set_rollback(True, using=alias)


@script
def rolled_back(alias: str, pk: int, name: str, *args: object) -> object:
    """Write, read what was written, and roll back."""
    found: list[object] = []

    def block() -> None:
        _update(alias, pk, 1)
        found.append(READS[name](alias, *args))
        here("written")

    _undone(alias, block)
    return found[0]


@script
def own_writes(alias: str, pk: int, name: str, *args: object) -> object:
    """Write, read what was written, and commit."""
    with transaction.atomic(using=alias):
        _update(alias, pk, 1)
        found: object = READS[name](alias, *args)
        here("written")
    return found


@script
def inner_rolled_back(alias: str, outer: int, inner: int) -> None:
    """Write one row, and another in a savepoint that is rolled back."""
    with transaction.atomic(using=alias):
        _update(alias, outer, 1)
        here("outer written")
        _undone(alias, lambda: _in_savepoint(alias, inner))
        here("savepoint rolled back")


def _in_savepoint(alias: str, pk: int) -> None:
    _update(alias, pk, 1)
    here("inner written")


@script
def inner_read_back(alias: str, pk: int, name: str, *args: object) -> object:
    """Write in a savepoint, roll it back, read in what is left of the transaction, and commit."""
    with transaction.atomic(using=alias):
        _undone(alias, lambda: _in_savepoint(alias, pk))
        here("savepoint rolled back")
        return READS[name](alias, *args)


@script
def with_hook(alias: str, pk: int, version: int) -> None:
    """A hook of the user's own, registered before anything was written."""
    with transaction.atomic(using=alias):
        transaction.on_commit(lambda: here("in the hook"), using=alias)
        _update(alias, pk, version)


@script
def with_failing_hook(alias: str, pk: int, version: int) -> None:
    """A hook that raises before any later one can run."""

    def fail() -> None:
        here("in the hook")
        raise Undo

    with transaction.atomic(using=alias):
        transaction.on_commit(fail, using=alias)
        _update(alias, pk, version)


@script
def with_receiver(alias: str, pk: int, version: int) -> None:
    """A signal's receiver runs after the statement, and before COMMIT."""

    def receive(**_: object) -> None:
        here("in the receiver")

    post_save.connect(receive, sender=Article)
    try:
        with transaction.atomic(using=alias):
            _changed(alias, pk, version).save(using=alias)
    finally:
        post_save.disconnect(receive, sender=Article)


@script
def refused_commit(alias: str, pk: int) -> None:
    """A deferred constraint makes COMMIT fail."""
    with transaction.atomic(using=alias):
        Article.objects.using(alias).filter(pk=pk).update(title=TITLES[1], views=1, section=999_999)
        here("written")


@script
def told(alias: str, pk: int, version: int) -> None:
    """Write by the driver's own cursor, which nobody watches, and tell of it."""
    connections[alias].ensure_connection()
    cursor = connections[alias].connection.cursor()
    cursor.execute(
        "UPDATE news_article SET title = %s, views = %s WHERE id = %s", (TITLES[version], version, pk)
    )
    cursor.close()
    if alias == "mariadb":
        connections[alias].connection.commit()
    here("written")
    invalidate_model(Article)


@script
def upsert(alias: str, pk: int, version: int) -> None:
    """INSERT ... ON CONFLICT DO UPDATE of a row that is there."""
    article = _changed(alias, pk, version)
    Article.objects.using(alias).bulk_create(
        [article], update_conflicts=True, unique_fields=["id"], update_fields=["title", "views"]
    )
