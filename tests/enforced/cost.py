"""What enforcing leases costs a transaction, measured in pairs on a PostgreSQL and a Valkey of its own.

python -m tests.enforced.cost [pairs]
"""

from __future__ import annotations

import os
import statistics
import sys
import time

import django

from tests.servers import Postgres, Valkey


def main(pairs: int) -> None:
    """Write one row in a transaction, by turns without and with enforcement, and print the difference."""
    with Postgres() as postgres, Valkey() as valkey:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="tests.settings",
            GENSCACHE_TEST_POSTGRES_PORT=str(postgres.port),
            GENSCACHE_TEST_POSTGRES_NAME="postgres",
        )
        django.setup()
        _measure(pairs, valkey.url)


def _measure(pairs: int, url: str) -> None:
    from django.apps import apps  # noqa: PLC0415 - Django is set up now
    from django.db import connections, transaction  # noqa: PLC0415

    from genscache.conf import Settings  # noqa: PLC0415
    from genscache.engine import Engine  # noqa: PLC0415
    from tests.site.news.models import Section  # noqa: PLC0415

    config = apps.get_app_config("genscache")
    engines = [Engine(Settings.of({"STORE": url, "ENFORCE_LEASES": each})) for each in (False, True)]
    connection = connections["postgres"]
    with connection.schema_editor() as editor:
        editor.create_model(Section)
    pk = Section.objects.using("postgres").create(name="0").pk
    took: list[list[float]] = [[], []]
    for number in range(pairs + 50):
        for which in (0, 1) if number % 2 else (1, 0):
            config.engine = engines[which]  # type: ignore[attr-defined]  # GenscacheConfig's
            began = time.perf_counter()
            with transaction.atomic(using="postgres"):
                Section.objects.using("postgres").filter(pk=pk).update(name=str(number))
            took[which].append(time.perf_counter() - began)
    without, enforced = (each[50:] for each in took)
    differences = [(after - before) * 1e6 for before, after in zip(without, enforced, strict=True)]
    print(f"{pairs} pairs of transactions with one UPDATE each")  # noqa: T201 - a command
    for name, values in (("without", without), ("enforced", enforced)):
        print(f"  {name:<9} {statistics.median(values) * 1e6:7.0f} µs (median)")  # noqa: T201
    print(f"  difference {statistics.median(differences):6.0f} µs (median of the pairs)")  # noqa: T201
    connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
