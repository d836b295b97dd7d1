"""Servers and databases as fixtures, for tests and property tests alike.

Each test process (each xdist worker) has servers of its own, started when the first test needs them. So a test may
kill or freeze a shared server as long as it brings it back; one that wants it all to itself takes an ``own_…``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import django
import pytest
from django.conf import settings
from django.db import connections
from django.test.utils import setup_databases
from pytest_django import DjangoDbBlocker

from tests.requirements import demand, required
from tests.servers import MariaDB, Postgres, Redis, Server, Valkey
from tests.site.news.derived import create_view

ALIASES: dict[str, type[Server]] = {"postgres": Postgres, "mariadb": MariaDB}
ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a run that would lie about what it tests."""
    required()
    set_up_django()
    import genscache  # noqa: PLC0415 - the path is settled only now

    found = Path(str(genscache.__file__)).resolve()
    if (
        os.environ.get("GENSCACHE_TEST_INSTALLED")
        and found.is_relative_to(ROOT)
        and "site-packages" not in found.parts
    ):
        raise pytest.UsageError(
            f"The installed package was to be tested, and genscache was imported from {found}."
        )


def set_up_django() -> None:
    """Load the settings.

    The variable must not be there any longer when xdist starts its workers: pytest-django would import the settings
    that it names before the root is on ``sys.path``.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_report_header() -> str:
    """Show which genscache is tested, and with what."""
    import genscache  # noqa: PLC0415 - the path is settled only now

    found = [kind.name for kind in (Valkey, Redis, Postgres, MariaDB) if kind.binary()]
    return f"genscache: {genscache.__file__}; Django {django.__version__}; servers: {', '.join(found)}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long and repeats, with other words, what is tested anyhow."""
    if os.environ.get("GENSCACHE_TEST_WHOLE"):
        return
    left_out = [item for item in items if item.get_closest_marker("whole")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("whole")]


def aliases_of(item: pytest.Item) -> frozenset[str]:
    """Return the databases that a test asks for with ``@pytest.mark.django_db(databases=[…])``."""
    marker = item.get_closest_marker("django_db")
    if marker is None:
        return frozenset()
    databases = marker.kwargs.get("databases") or ["default"]
    return frozenset(settings.DATABASES if databases == "__all__" else databases)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test whose database server is missing, before anything is set up for it."""
    for alias in sorted(aliases_of(item) & ALIASES.keys()):
        demand(ALIASES[alias])


def running(kind: type[Server]) -> Iterator[Server]:
    """Start a server for a fixture, and stop it afterwards."""
    demand(kind)
    with kind() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[Server]:
    """Run a Valkey server for this test process."""
    yield from running(Valkey)


@pytest.fixture(scope="session")
def redis() -> Iterator[Server]:
    """Run a Redis server for this test process."""
    yield from running(Redis)


@pytest.fixture(scope="session")
def valkey_url(valkey: Valkey) -> str:
    """Return the address of this test process's Valkey."""
    return valkey.url


@pytest.fixture(scope="session")
def redis_url(redis: Redis) -> str:
    """Return the address of this test process's Redis."""
    return redis.url


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Run a PostgreSQL server for this test process; the alias ``postgres`` points at it."""
    yield from running(Postgres)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """Run a MariaDB server for this test process; the alias ``mariadb`` points at it."""
    yield from running(MariaDB)


@pytest.fixture
def own_valkey() -> Iterator[Server]:
    """Run a Valkey server for one test."""
    yield from running(Valkey)


@pytest.fixture
def own_redis() -> Iterator[Server]:
    """Run a Redis server for one test."""
    yield from running(Redis)


@pytest.fixture
def own_postgres() -> Iterator[Server]:
    """Run a PostgreSQL server for one test; no alias points at it."""
    yield from running(Postgres)


@pytest.fixture
def own_mariadb() -> Iterator[Server]:
    """Run a MariaDB server for one test; no alias points at it."""
    yield from running(MariaDB)


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """Make the databases that the collected tests ask for; those of missing servers are left out.

    Nothing is dropped at the end: the servers and the directory go as a whole.
    """
    wanted = frozenset[str]().union(*map(aliases_of, request.session.items)) | {"default"}
    aliases = {alias for alias in wanted if alias not in ALIASES or ALIASES[alias].binary()}
    for alias in sorted(aliases & ALIASES.keys()):
        server: Postgres | MariaDB = request.getfixturevalue(alias)
        connections.settings[alias].update(server.settings)
        os.environ[f"GENSCACHE_TEST_{alias.upper()}_PORT"] = str(server.port)
        os.environ[f"GENSCACHE_TEST_{alias.upper()}_NAME"] = "test_genscache"
    os.environ["GENSCACHE_TEST_DIRECTORY"] = str(settings.RUN_DIRECTORY)
    settings.RUN_DIRECTORY.mkdir(mode=0o700, exist_ok=True)
    with django_db_blocker.unblock():
        setup_databases(verbosity=0, interactive=False, aliases=dict.fromkeys(aliases), serialized_aliases=[])
        for alias in sorted(aliases):
            create_view(connections[alias])
    yield
    with django_db_blocker.unblock():
        connections.close_all()
    shutil.rmtree(settings.RUN_DIRECTORY, ignore_errors=True)
