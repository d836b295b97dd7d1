"""How long an entry lives, and which results are not stored at all."""

# ruff: noqa: ARG005 - a stub takes what its callers give

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from redis import Redis

from genscache import cached, stats
from genscache.conf import LONGEST_TIMEOUT
from genscache.engine import Engine
from tests.reads.conftest import Make, Use, counted, survived


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        (60, 60),
        (2.5, 2.5),
        (dt.timedelta(minutes=2), 120),
        (None, LONGEST_TIMEOUT),
        (LONGEST_TIMEOUT, LONGEST_TIMEOUT),
    ],
)
def test_an_entry_lives_as_long_as_it_was_said(
    on_valkey: Engine, raw: Redis, make: Make, timeout: Any, seconds: float
) -> None:
    function = make(lambda: 1, timeout=timeout)
    function()

    assert seconds * 1000 - 20_000 < life(raw, on_valkey) <= seconds * 1000


def life(raw: Redis, engine: Engine) -> int:
    (entry,) = raw.scan_iter(match=f"{engine.settings.prefix}*:e:*")
    return int(raw.pttl(entry))


def test_the_setting_counts_where_nothing_is_said(use: Use, valkey_url: str, raw: Redis) -> None:
    engine = use(STORE=valkey_url, TIMEOUT=77)
    counted(lambda: 1)()

    assert 57_000 < life(raw, engine) <= 77_000


@pytest.mark.parametrize("timeout", [0, 0.0, dt.timedelta(0), 0.0001])
def test_nothing_is_stored_for_no_time(every_store: Engine, make: Make, timeout: Any) -> None:
    function = make(lambda: 1, timeout=timeout)

    assert function() == function() == 1
    assert function.refresh() == 1

    assert function.count == 3
    assert "fill" not in stats()
    assert sum(count for what, count in stats().items() if "timeout is 0" in what) == 3


def test_a_setting_of_zero_stores_nothing(use: Use) -> None:
    use(TIMEOUT=0)
    function = counted(lambda: 1)

    function(), function()
    assert function.count == 2


@pytest.mark.parametrize(
    "timeout", [-1, -0.001, dt.timedelta(seconds=-1), LONGEST_TIMEOUT + 1, float("inf"), float("nan")]
)
def test_a_life_that_cannot_be_is_refused(timeout: Any) -> None:
    with pytest.raises(
        ValueError, match=r"timeout must be between 0 and 2592000 seconds, got .*\. Use None for the"
    ):
        cached(timeout=timeout)


@pytest.mark.parametrize("timeout", ["5m", True, [60], object()])
def test_what_is_no_duration_is_refused(timeout: Any) -> None:
    with pytest.raises(
        ValueError, match=r"timeout must be a number of seconds or a timedelta, got .*\. Use 300\."
    ):
        cached(timeout=timeout)


def test_a_large_result_is_returned_and_not_stored(
    use: Use, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    use(MAX_ENTRY_BYTES=2000)
    # Every byte once in random order, so that compressing does not help.
    big = make(lambda size: [(number * 7919) % 65_521 for number in range(size)])

    assert len(big(5000)) == len(big(5000)) == 5000
    assert len(big(10)) == len(big(10)) == 10

    assert big.runs == [(5000,), (5000,), (10,)]
    assert survived(stats(), "not stored") == 2
    assert 'larger than GENSCACHE["MAX_ENTRY_BYTES"]' in caplog.text


def test_a_result_that_cannot_be_stored_is_returned_logged_and_counted(
    engine: Engine, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def numbers() -> dict[str, Iterator[int]]:
        return {"rows": (number for number in range(3))}

    function = make(numbers)

    assert list(function()["rows"]) == list(function()["rows"]) == [0, 1, 2]
    assert "cannot pickle 'generator' object" in caplog.text
    assert "numbers()" in caplog.text
    assert survived(stats(), "not stored") == 2
    assert "fill" not in stats()


def test_generators_are_refused_when_they_are_decorated() -> None:
    def rows() -> Iterator[int]:
        yield 1

    async def arows() -> Any:
        yield 1

    for function in (rows, arows):
        with pytest.raises(
            TypeError, match=r"rows\(\) is a generator; its result can be read once\. Return a list\."
        ):
            cached(timeout=3)(function)
        with pytest.raises(TypeError, match="Return a list"):
            cached(function)


class Callable:
    def __call__(self) -> int:
        return 1


@pytest.mark.parametrize(
    "wrong",
    [
        int,
        5,
        None,
        property(lambda self: 1),
        Callable(),
        Callable().__call__,
        partial(max, 1),
    ],
    ids=lambda wrong: type(wrong).__name__,
)
def test_only_functions_are_decorated(wrong: Any) -> None:
    with pytest.raises(
        TypeError, match=r"@cached decorates functions written with def, got .*Decorate a method where"
    ):
        cached(timeout=3)(wrong)
