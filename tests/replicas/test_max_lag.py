"""The guard by time: what this process has known for long enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import connections, transaction

from genscache import stats
from genscache.engine import Engine
from genscache.orm import replicas
from genscache.orm.replicas import Guards
from tests.site.news.models import Article, Section
from tests.writes.actors import Cache
from tests.writes.conftest import Clock
from tests.writes.spy import SpyStore
from tests.writes.world import found_titles, seed, titles

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "sqlite2"])

LAG = 5.0


class Watch:
    """The clock of the process, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def wait(self, seconds: float = LAG) -> None:
        self.seconds += seconds


@pytest.fixture
def cache(install: Callable[..., Cache], memory: SpyStore) -> Cache:
    """Take ``sqlite2`` for a replica of ``default``."""
    for alias in ("default", "sqlite2"):
        seed(alias)
    return install(memory, REPLICAS={"sqlite2": {"primary": "default", "max_lag": LAG}})


@pytest.fixture
def watch(cache: Cache) -> Watch:
    """Take the clock of the process in hand."""
    watch = Watch()
    cache.engine.part(Guards).now = watch
    return watch


@pytest.mark.parametrize("function", [found_titles, titles], ids=["discovered", "declared"])
def test_only_what_was_known_for_long_enough_is_stored(
    cache: Cache, watch: Watch, function: Callable[..., object]
) -> None:
    assert cache.read(function, "sqlite2").reason == replicas.TOO_YOUNG
    watch.wait(LAG - 0.001)
    assert cache.read(function, "sqlite2").reason == replicas.TOO_YOUNG
    watch.wait(0.001)
    assert cache.warm(function, "sqlite2") == ["a0", "a1", "a2"]

    Article.objects.filter(title="a0").update(title="b0")
    assert cache.read(function, "sqlite2").reason == replicas.TOO_YOUNG
    assert cache.read(function, "sqlite2").value == ["a0", "a1", "a2"]
    Article.objects.using("sqlite2").filter(title="a0").update(title="b0")
    watch.wait()
    cache.read(function, "sqlite2")
    watch.wait()
    assert cache.warm(function, "sqlite2") == ["b0", "a1", "a2"]


def test_the_clock_of_the_store_means_nothing(cache: Cache, watch: Watch, clock: Clock) -> None:
    """Were generations compared with the store's clock, one step forward would make a young one look old."""
    cache.read(found_titles, "sqlite2")
    clock.advance(3600)
    assert cache.read(found_titles, "sqlite2").reason == replicas.TOO_YOUNG


def test_a_counter_that_was_lost_is_as_good_as_just_bumped(cache: Cache, watch: Watch, clock: Clock) -> None:
    cache.read(found_titles, "sqlite2")
    watch.wait()
    cache.warm(found_titles, "sqlite2")

    clock.advance(61 * 24 * 3600)

    assert cache.read(found_titles, "sqlite2").reason == replicas.TOO_YOUNG


def test_a_snapshot_may_have_begun_too_early(cache: Cache, watch: Watch) -> None:
    cache.read(found_titles, "sqlite2")
    with transaction.atomic("sqlite2"):
        assert Section.objects.using("sqlite2").count() == 1
        watch.wait()
        assert cache.read(found_titles, "sqlite2").reason == replicas.SNAPSHOT


def test_a_write_to_the_alias_of_a_replica_invalidates(cache: Cache, watch: Watch) -> None:
    """Two aliases, one set of namespaces: whoever writes through the wrong one is heard, too."""
    cache.warm(found_titles, "default")

    Article.objects.using("sqlite2").filter(title="a0").update(title="b0")

    assert cache.read(found_titles, "default").outcome == "miss"


def test_only_postgresql_tells_positions(install: Callable[..., Cache], memory: SpyStore) -> None:
    cache = install(memory, REPLICAS={"sqlite2": {"primary": "default", "guard": "position"}})

    assert cache.read(found_titles, "sqlite2").reason == replicas.NO_POSITION
    assert "fill" not in stats()


@pytest.fixture
def mirrored() -> Iterator[Callable[[str], None]]:
    """Make ``sqlite2`` a mirror of ``default`` in the settings."""
    settings = connections.settings["sqlite2"]
    before = dict(settings)

    def mirror(name: str) -> None:
        settings.update(NAME=name, TEST={**settings["TEST"], "MIRROR": "default"})

    yield mirror
    settings.update(before)


def test_a_mirror_in_a_test_is_no_replica(
    install: Callable[..., Cache], memory: SpyStore, mirrored: Callable[[str], None]
) -> None:
    mirrored(connections.settings["default"]["NAME"])

    engine = install(memory, REPLICAS={"sqlite2": "default"}).engine

    assert engine.catalog.replica("sqlite2") is None
    assert engine.catalog.primary("sqlite2") == "default"


def test_a_mirror_elsewhere_is_a_replica(
    install: Callable[..., Cache], memory: SpyStore, mirrored: Callable[[str], None]
) -> None:
    """Its settings say so, whether or not ``REPLICAS`` does; what it shows may be old."""
    mirrored(connections.settings["sqlite2"]["NAME"])
    seed("default")

    cache = install(memory)

    assert cache.read(found_titles, "sqlite2").reason == replicas.REPLICA


def test_a_primary_by_another_name_is_the_primary(install: Callable[..., Cache], memory: SpyStore) -> None:
    """``twin`` and ``default`` are one database, so what follows ``twin`` shares the namespaces of ``default``."""
    connections.settings["twin"] = connections.settings["default"]
    try:
        engine: Engine = install(memory, REPLICAS={"sqlite2": "twin"}).engine
        assert engine.catalog.primary("sqlite2") == "default"
    finally:
        del connections.settings["twin"]
