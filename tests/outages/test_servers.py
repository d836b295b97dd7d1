"""Real servers in trouble: full, a replica, busy, with a new password, or with a disk that they cannot write to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.db import transaction
from redis import BusyLoadingError, Redis, ResponseError

from genscache import invalidate, stats
from genscache.exceptions import StoreUnavailable, WriteRefused
from tests.outages.conftest import paid
from tests.reads.conftest import Use, counted, use
from tests.requirements import demand
from tests.servers import Redis as RedisServer
from tests.servers import Valkey
from tests.site.news.models import Section

__all__ = ["use"]  # a fixture of the reads' tests

pytestmark = pytest.mark.django_db(transaction=True)
NOT_ASKED = "bypass: the store cannot be reached"
FAILED = "bypass: the store failed"
OWED = "bypass: bumps are owed to the store, so it is not trusted"


@pytest.fixture(params=[Valkey, RedisServer], ids=["valkey", "redis"])
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A server of this test's own, of each kind."""
    demand(request.param)
    with request.param(options=("--enable-protected-configs", "yes")) as server:
        yield server


@pytest.fixture
def admin(server: Any) -> Iterator[Redis]:
    with Redis.from_url(server.url) as client:
        yield client


@pytest.fixture
def names(server: Any, use: Use) -> Any:
    """A cached list of sections, warm; there is one."""
    use(STORE=server.url)
    Section.objects.create(name="old")
    names = counted(lambda: list(Section.objects.values_list("name", flat=True)), Section)
    assert names() == names() == ["old"]
    assert stats()["hit"] == 1
    return names


def test_a_full_server_takes_invalidations_and_no_entries(admin: Redis, names: Any) -> None:
    """Bumps, leases and settles are let through ``noeviction``: a full cache stops no write, and nothing is stale."""
    admin.config_set("maxmemory-policy", "noeviction")
    admin.config_set("maxmemory", "1mb")
    with pytest.raises(ResponseError, match=r"(?i)maxmemory"):
        admin.set("more", "x")

    assert names() == ["old"]
    assert stats()["hit"] == 2
    Section.objects.update(name="new")
    with transaction.atomic():
        Section.objects.create(name="another")
    assert names() == names() == ["new", "another"]
    invalidate("anything")

    assert stats()["hit"] == 2
    assert "survived: write refused" not in stats()
    assert "survived: bump delayed" not in stats()
    assert stats()["survived: store error"] >= 2
    assert "outage begun" not in stats()
    admin.config_set("maxmemory", "0")
    assert names() == names() == ["new", "another"]
    assert stats()["hit"] == 3


def test_a_primary_that_becomes_a_replica(admin: Redis, names: Any, use: Use) -> None:
    """It would go on answering reads with what it had."""
    engine = _engine()
    admin.replicaof("127.0.0.1", 1)
    with pytest.raises(WriteRefused):
        Section.objects.update(name="new")
    assert names() == ["old"]
    assert stats()[NOT_ASKED] == 1
    with pytest.raises(StoreUnavailable):
        invalidate("a name that nobody depends on")
    admin.replicaof("NO", "ONE")
    assert engine.breaker.hurry(10)
    Section.objects.update(name="new")
    assert names() == names() == ["new"]


def test_a_server_that_is_loading(server: Any, names: Any, admin: Redis) -> None:
    """A snapshot that takes its time, by the server's own setting for tests."""
    engine = _engine()
    for number in range(1000):
        admin.set(f"filler {number}", "x" * 100)
    admin.save()
    server.options = (
        *server.options,
        *("--key-load-delay", "1000"),
        *("--loading-process-events-interval-bytes", "1024"),
    )
    server.kill()
    server.restart()
    with pytest.raises(BusyLoadingError):
        admin.get("k")
    assert names() == ["old"]
    assert "loading" in engine.breaker.outage.error.lower()
    with pytest.raises(WriteRefused):
        Section.objects.update(name="new")
    with pytest.raises(StoreUnavailable):
        invalidate("names")
    assert names() == ["old"]
    assert stats()[NOT_ASKED] == 1
    assert engine.breaker.hurry(20)
    assert not engine.unsettled
    Section.objects.update(name="newer")
    assert names() == names() == ["newer"]


def test_a_server_that_is_busy_with_a_script(server: Any, admin: Redis, names: Any) -> None:
    engine = _engine()
    admin.config_set("lua-time-limit", "50")
    with endless_script(server):
        assert names() == ["old"]
        assert stats()["outage begun"] == 1
        with pytest.raises(WriteRefused):
            Section.objects.update(name="new")
        assert names() == ["old"]
        assert stats()[NOT_ASKED] == 1
    assert engine.breaker.hurry(10)
    Section.objects.update(name="new")
    assert names() == names() == ["new"]


def is_busy(client: Redis) -> bool:
    try:
        client.ping()
    except ResponseError as error:
        return str(error).startswith("BUSY")
    return False


@contextmanager
def endless_script(server: Any) -> Iterator[None]:
    """Keep the server busy; until it says so, it answers nobody."""

    def loop() -> None:
        with Redis.from_url(server.url) as client, suppress(ResponseError):
            client.eval("while true do end", 0)

    thread = threading.Thread(target=loop)
    thread.start()
    with Redis.from_url(server.url, socket_timeout=10) as client:
        while not is_busy(client):
            pass
        try:
            yield
        finally:
            client.script_kill()
            thread.join(10)


def test_a_password_that_is_changed_under_way(server: Any, admin: Redis, names: Any) -> None:
    """Connections that are there stay; new ones are refused, until the right password is given or it is taken back."""
    engine = _engine()
    admin.config_set("requirepass", "secret")
    for client in admin.client_list(_type="normal"):
        if client["id"] != str(admin.client_id()):
            admin.client_kill_filter(_id=client["id"])
    assert names() == ["old"]
    assert stats()["outage begun"] == 1
    with pytest.raises(WriteRefused):
        Section.objects.update(name="new")
    assert names() == ["old"]
    assert stats()[NOT_ASKED] == 1
    admin.config_set("requirepass", "")
    assert engine.breaker.hurry(10)
    Section.objects.update(name="new")
    assert names() == names() == ["new"]


@pytest.fixture
def full_disk(server: Any, admin: Redis) -> Iterator[None]:
    """A server whose snapshots fail, since their directory is gone, and which therefore takes no writes."""
    gone = server.directory / "gone"
    gone.mkdir()
    gone.chmod(0o777)
    admin.config_set("dir", str(gone))
    gone.rmdir()
    admin.config_set("save", "3600 1000000")
    admin.bgsave()
    while admin.info("persistence")["rdb_last_bgsave_status"] == "ok":
        pass
    with pytest.raises(ResponseError, match="MISCONF"):
        admin.set("k", "v")
    yield
    admin.config_set("save", "")  # a server that must save before it ends would not end


def test_a_disk_that_cannot_be_written_to(names: Any, full_disk: None, admin: Redis) -> None:
    """Reads go on; writes and invalidations are refused, and the bump arrives when the disk is writable again."""
    engine = _engine()
    assert names() == ["old"]
    assert stats()["hit"] == 2
    with pytest.raises(WriteRefused, match="MISCONF"):
        Section.objects.update(name="new")
    assert names() == ["old"]
    assert stats()["hit"] == 3
    assert "outage begun" not in stats()

    with pytest.raises(StoreUnavailable, match="MISCONF"):
        invalidate("names")
    assert names() == ["old"]
    assert stats()[OWED] == 1
    assert engine.unsettled
    admin.config_set("stop-writes-on-bgsave-error", "no")
    assert paid(engine)
    assert names() == ["old"]
    Section.objects.update(name="new")
    assert names() == names() == ["new"]


def test_a_write_that_proceeds_past_a_full_disk(server: Any, use: Use, admin: Redis, full_disk: None) -> None:
    engine = use(STORE=server.url, ON_OUTAGE="proceed")
    names = counted(lambda: list(Section.objects.values_list("name", flat=True)), Section)
    Section.objects.create(name="new")
    assert engine.unsettled
    assert names() == ["new"]
    assert stats()[OWED] == 1
    admin.config_set("stop-writes-on-bgsave-error", "no")
    assert paid(engine)
    assert names() == names() == ["new"]
    assert stats()["hit"] == 1


def _engine() -> Any:
    from genscache.engine import current_engine  # noqa: PLC0415

    return current_engine()
