"""A store that is down, dies in the middle or hangs: reads are the database's answers, logged and counted."""

# ruff: noqa: PLW0108 - a lambda has a name of this module's own; the bound method that it calls has not

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from genscache import invalidate, stats
from genscache.exceptions import StoreUnavailable
from tests.reads.conftest import Make, Use, counted, survived
from tests.site.news.models import Section

NOBODY = "redis://127.0.0.1:1/0"
FAILED = "bypass: the store failed"
NOT_ASKED = "bypass: the store cannot be reached"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("declared", [(), ("names",)], ids=["discovered", "declared"])
def test_with_a_store_that_is_down(
    use: Use, make: Make, declared: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    use(STORE=NOBODY)
    count = make(lambda: Section.objects.count(), *declared)

    assert count() == count() == count.refresh() == 0

    assert count.count == 3
    assert (stats()[FAILED], stats()[NOT_ASKED]) == (1, 2)
    assert survived(stats(), "store unavailable") >= 1
    assert "redis://127.0.0.1:1" in caplog.text
    assert {record.levelno for record in caplog.records if record.name == "genscache"} == {logging.WARNING}


def test_a_store_that_dies_in_the_middle(use: Use, own_valkey: Any, make: Make) -> None:
    engine = use(STORE=own_valkey.url)

    def body() -> int:
        if dying:
            dying.pop()
            own_valkey.kill()
        return 7

    dying = [1]
    one = make(body, "names")

    assert one() == 7
    assert survived(stats(), "store unavailable") == 1
    assert one() == 7
    assert stats()[NOT_ASKED] == 1
    own_valkey.restart()
    assert engine.breaker.hurry(10)
    assert one() == one() == 7
    assert one.count == 3


def test_what_the_function_raises_has_nothing_to_do_with_the_store(
    use: Use, own_valkey: Any, make: Make
) -> None:
    """Nobody is told "during handling of the above exception" of a store that was lived without."""
    use(STORE=own_valkey.url)
    broken = False

    def body() -> int:
        if broken:
            raise LookupError("nothing there")
        return 7

    one = make(body, "names")
    assert one() == one() == 7
    own_valkey.kill()
    broken = True
    with pytest.raises(LookupError) as caught:
        one()
    assert stats()[FAILED] == 1
    assert caught.value.__context__ is None


@pytest.mark.django_db(transaction=True)
def test_discovery_goes_on_where_the_store_dies_between_two_queries(
    use: Use, own_valkey: Any, make: Make
) -> None:
    use(STORE=own_valkey.url)

    def body() -> int:
        own_valkey.kill()
        return Section.objects.count()

    assert make(body)() == 0
    assert survived(stats(), "store unavailable") >= 1
    assert "fill" not in stats()


def test_a_store_that_hangs_costs_no_more_than_its_timeout(use: Use, own_valkey: Any, make: Make) -> None:
    use(STORE=f"{own_valkey.url}?socket_timeout=0.2")
    one = make(lambda: 7, "names")
    one()
    own_valkey.pause()

    begun = time.monotonic()
    assert one() == 7
    assert time.monotonic() - begun < 2

    own_valkey.resume()
    assert stats()[FAILED] == 1


def test_a_lock_that_cannot_be_had_is_done_without(use: Use, make: Make) -> None:
    use(STORE=NOBODY)
    one = make(lambda: 7, "names", lock=True)

    assert one() == one() == 7
    assert one.count == 2


def test_an_invalidation_that_reaches_nobody_is_said_kept_and_sent_again(use: Use, own_valkey: Any) -> None:
    use(STORE=own_valkey.url)
    one = counted(lambda: 7, "names")
    one()
    own_valkey.pause()
    engine = use(STORE=f"{own_valkey.url}?socket_timeout=0.2")

    with pytest.raises(StoreUnavailable, match=r"has not reached the store .* It is kept and sent again"):
        invalidate("names")
    assert one() == 7
    assert stats()[NOT_ASKED] == 1

    own_valkey.resume()
    assert engine.breaker.hurry(10)
    assert not engine.unsettled
    one(), one()
    assert one.count == 3
    assert stats()["hit"] == 1
