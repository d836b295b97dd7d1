"""Tenants as schemas of PostgreSQL: the same SQL, other rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar

import pytest
from asgiref.sync import sync_to_async
from django.db import connections, transaction

from genscache import cached, sessions, stats
from tests.site.news.models import Section
from tests.writes.actors import Cache, elsewhere, sql, unseen
from tests.writes.conftest import clock, install, memory
from tests.writes.spy import SpyStore

__all__ = ["clock", "install", "memory"]

pytestmark = pytest.mark.django_db(transaction=True, databases=["postgres"])

TENANTS = ("red", "blue")

tenant: ContextVar[str] = ContextVar("tenant", default="")


@cached(timeout=300)
def names() -> list[str]:
    """Discovered."""
    return list(Section.objects.using("postgres").order_by("pk").values_list("name", flat=True))


@cached(Section, timeout=300)
def declared() -> list[str]:
    """Declared."""
    return list(Section.objects.using("postgres").order_by("pk").values_list("name", flat=True))


@cached(timeout=300)
def one(pk: int) -> str:
    """One row."""
    return Section.objects.using("postgres").get(pk=pk).name


def queryset() -> list[str]:
    """Read through a cached queryset."""
    return [each.name for each in Section.objects.using("postgres").order_by("pk").cache(timeout=300)]


@pytest.fixture
def schemas(transactional_db: None) -> Iterator[None]:
    """Make a schema for each tenant, with one section whose primary key is the same in all."""
    for each in TENANTS:
        unseen("postgres", f"CREATE SCHEMA {each}")
        unseen("postgres", f"CREATE TABLE {each}.news_section (LIKE public.news_section INCLUDING ALL)")
        unseen("postgres", f"INSERT INTO {each}.news_section (id, name) VALUES (1, '{each}')")
    yield
    connections["postgres"].close()
    for each in TENANTS:
        unseen("postgres", f"DROP SCHEMA {each} CASCADE")


@pytest.fixture
def cache(schemas: None, install: Callable[..., Cache], memory: SpyStore) -> Cache:
    """Install an engine that tells tenants apart."""
    return install(memory, KEY_CONTEXT=tenant.get)


@pytest.fixture
def unaware(schemas: None, install: Callable[..., Cache], memory: SpyStore) -> Cache:
    """Install an engine that does not."""
    return install(memory)


@contextmanager
def request_of(name: str) -> Iterator[None]:
    """Do what a middleware does for each request."""
    token = tenant.set(name)
    sql("postgres", f"SET search_path TO {name}, public")
    yield
    tenant.reset(token)


@pytest.mark.parametrize("function", [names, declared, queryset])
def test_tenants_have_entries_of_their_own(cache: Cache, function: Callable[[], list[str]]) -> None:
    for _ in range(2):
        for each in TENANTS:
            with request_of(each):
                assert function() == [each]

    assert (stats()["fill"], stats()["hit"]) == (2, 2)


def test_one_primary_key_is_two_rows(cache: Cache) -> None:
    for each in (*TENANTS, *TENANTS):
        with request_of(each):
            assert one(1) == each
    assert stats()["hit"] == 2


@pytest.mark.parametrize("function", [names, declared, queryset])
def test_a_write_of_one_tenant_invalidates_the_others_too(
    cache: Cache, function: Callable[[], list[str]]
) -> None:
    """Generations are shared: that costs a miss, and nobody is served what is old."""
    for each in TENANTS:
        with request_of(each):
            function()

    with request_of("red"):
        Section.objects.using("postgres").filter(pk=1).update(name="crimson")
        assert function() == ["crimson"]
    with request_of("blue"):
        assert function() == ["blue"]

    assert "hit" not in stats()
    assert stats()["fill"] == 4


@pytest.mark.parametrize("function", [names, declared, queryset])
def test_without_a_context_nobody_is_served_another_ones_rows(
    unaware: Cache, function: Callable[[], list[str]]
) -> None:
    unseen("postgres", "INSERT INTO news_section (id, name) VALUES (1, 'nobody')")
    assert function() == function() == ["nobody"]

    for each in (*TENANTS, *TENANTS):
        sql("postgres", f"SET search_path TO {each}, public")
        assert function() == [each]

    assert stats()[f"bypass: {sessions.CHANGED}"] == 4
    connections["postgres"].close()
    assert function() == ["nobody"]
    assert (stats()["fill"], stats()["hit"]) == (1, 2)


@pytest.mark.parametrize("local", ["", "LOCAL"])
def test_a_connection_that_was_changed_in_another_context_is_changed(unaware: Cache, local: str) -> None:
    """A thread keeps its connection; what a request did in its own context is not heard of in the next one's."""
    unseen("postgres", "INSERT INTO news_section (id, name) VALUES (1, 'nobody')")
    assert names() == ["nobody"]
    with transaction.atomic(using="postgres"):
        Context().run(sql, "postgres", f"SET {local} search_path TO red, public")
        assert names() == ["red"]
    assert names() == (["nobody"] if local else ["red"])


def test_a_function_that_changes_the_path_itself_is_not_stored(unaware: Cache) -> None:
    @cached(timeout=300)
    def sections(schema: str) -> list[str]:
        sql("postgres", f"SET search_path TO {schema}, public")
        return list(Section.objects.using("postgres").values_list("name", flat=True))

    assert sections("red") == ["red"]
    assert stats()[f"miss: {sessions.CHANGED}"] == 1
    assert "fill" not in stats()


def test_a_function_that_changes_the_path_for_a_transaction_is_not_stored(unaware: Cache) -> None:
    @cached(timeout=300)
    def sections(schema: str) -> list[str]:
        with transaction.atomic("postgres"):
            sql("postgres", f"SET LOCAL search_path TO {schema}, public")
            return list(Section.objects.using("postgres").values_list("name", flat=True))

    assert sections("red") == ["red"]
    assert stats()[f"miss: {sessions.CHANGED}"] == 1
    assert "fill" not in stats()


@pytest.mark.parametrize(
    "text",
    [
        "SET LOCAL search_path TO red, public",
        "SELECT set_config('search_path', 'red, public', true)",
        "SET LOCAL app.tenant = 'red'",
        "SET LOCAL ROLE pg_read_all_data",
    ],
)
def test_what_ends_with_the_transaction_is_forgotten_with_it(unaware: Cache, text: str) -> None:
    names()
    with transaction.atomic("postgres"):
        sql("postgres", text)
        assert unaware.read(names).reason == sessions.CHANGED

    assert unaware.read(names).outcome == "hit"


@pytest.mark.parametrize(
    "text",
    [
        "SET app.tenant = 'red'",
        "SELECT set_config('app.tenant', 'red', false)",
        "SET ROLE pg_read_all_data",
        "SET SESSION AUTHORIZATION postgres",
        "SET row_security = on",
        "DISCARD ALL",
    ],
)
def test_what_a_policy_may_read_is_treated_alike(unaware: Cache, text: str) -> None:
    names()

    sql("postgres", text)

    assert unaware.read(names).reason == sessions.CHANGED
    connections["postgres"].close()
    assert unaware.read(names).outcome == "hit"


def test_a_row_level_policy_without_a_context(unaware: Cache, transactional_db: None) -> None:
    """A35: the leak that this prevents, with the table that a policy protects."""
    unseen("postgres", "CREATE ROLE member")
    unseen("postgres", "GRANT USAGE ON SCHEMA red TO member")
    unseen("postgres", "GRANT SELECT ON red.news_section TO member")
    unseen("postgres", "INSERT INTO red.news_section (id, name) VALUES (2, 'other')")
    unseen("postgres", "ALTER TABLE red.news_section ENABLE ROW LEVEL SECURITY")
    unseen(
        "postgres",
        "CREATE POLICY own ON red.news_section USING (name = current_setting('app.user', true))",
    )
    # What leads to the schema and role is the same for everybody.
    unseen("postgres", "SET search_path TO red, public")
    unseen("postgres", "SET ROLE member")

    try:
        for user in ("red", "other", "red"):
            sql("postgres", "SELECT set_config('app.user', %s, false)", [user])
            assert names() == [user]
        assert "fill" not in stats()
    finally:
        connections["postgres"].close()
        unseen("postgres", "DROP OWNED BY member")
        unseen("postgres", "DROP ROLE member")


def test_another_thread_is_not_concerned(unaware: Cache) -> None:
    sql("postgres", "SET search_path TO red, public")

    assert elsewhere(names) == []
    assert elsewhere(lambda: unaware.read(names).outcome) == "hit"


def test_a_coroutine_hears_of_the_thread_that_it_waits_for(unaware: Cache) -> None:
    """A middleware in a thread sets the path; the view is a coroutine, and has no connection of its own."""

    @cached(timeout=300)
    async def sections() -> list[str]:
        return await sync_to_async(
            lambda: list(Section.objects.using("postgres").values_list("name", flat=True))
        )()

    async def view(name: str) -> list[str]:
        await sync_to_async(sql)("postgres", f"SET search_path TO {name}, public")
        return await sections()

    async def both() -> list[list[str]]:
        try:
            return [await view(each) for each in TENANTS]
        finally:
            await sync_to_async(connections.close_all)()

    # The thread of the coroutine is not the one in which the queries run.
    assert asyncio.run(both()) == [["red"], ["blue"]]
    assert stats()[f"bypass: {sessions.CHANGED}"] == 2


def test_a_path_that_belongs_to_the_alias_changes_nothing(unaware: Cache) -> None:
    """``OPTIONS`` are the same for every connection of an alias."""
    settings = connections.settings["postgres"]
    before = settings["OPTIONS"]
    connections["postgres"].close()
    settings["OPTIONS"] = {**before, "options": "-c search_path=red,public"}
    try:
        assert names() == names() == ["red"]
        assert stats()["hit"] == 1
    finally:
        connections["postgres"].close()
        settings["OPTIONS"] = before
