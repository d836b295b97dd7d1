"""A process that writes and stops at an exact point, to be killed there; started by ``test_kills``.

Arguments: the database alias, the store's URL and prefix, where to stop, the primary key to write.
"""

from __future__ import annotations

import sys

import django


def main(alias: str, url: str, prefix: str, point: str, pk: str) -> None:
    """Write one row, and say "here" at the point; nobody ever answers."""
    django.setup()
    from django.apps import apps  # noqa: PLC0415 - Django is set up now
    from django.db import transaction  # noqa: PLC0415

    from genscache import batch_invalidations  # noqa: PLC0415
    from genscache.conf import Settings  # noqa: PLC0415
    from genscache.engine import Engine  # noqa: PLC0415
    from genscache.stores.base import Lease, Settle  # noqa: PLC0415
    from genscache.stores.opening import open_stores  # noqa: PLC0415
    from tests.site.news.models import Article  # noqa: PLC0415
    from tests.writes.spy import SpyStore  # noqa: PLC0415

    def stop() -> None:
        sys.stdout.write("here\n")
        sys.stdout.flush()
        sys.stdin.read()

    store = SpyStore(open_stores(url, prefix=prefix).sync)
    settings = Settings.of({"STORE": url, "PREFIX": prefix, "LEASE": 1.0})
    apps.get_app_config("genscache").engine = Engine(settings, store=store)
    if point == "leased":
        store.after(Lease, stop)
    else:
        store.before(Settle, stop)
    rows = Article.objects.using(alias).filter(pk=pk)
    if point == "autocommit":
        rows.update(title="new")
    elif point == "batch":
        with batch_invalidations():
            rows.update(title="new")
    else:
        with transaction.atomic(using=alias):
            rows.update(title="new")


if __name__ == "__main__":
    main(*sys.argv[1:])
