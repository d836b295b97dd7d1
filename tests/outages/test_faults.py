"""Each request meets each fault: nothing is stale, nothing is lost silently, and all is well afterwards."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync

from genscache.exceptions import StoreUnavailable
from tests.outages.conftest import World, announce, tell
from tests.outages.proxy import (
    DROP_AFTER,
    DROP_BEFORE,
    HANG_AFTER,
    HANG_BEFORE,
    RESET_AFTER,
    Fault,
    answers,
    cut,
)

both_kinds = pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
REQUESTS = ("mget", "ensure", "set", "bump")


def play(world: World, key: str, *, sync: bool) -> bool:
    """Miss, hit and invalidate one key, and compare every answer; return whether the invalidation was promised."""
    read = world.reader(sync=sync)
    for _ in range(3):
        assert read(key) == world.answer(key)
    with world.as_peer():
        assert read(key) == read(key) == world.answer(key)
    world.truth[key] = world.truth.get(key, 0) + 1
    promised = told(key, sync=sync)
    assert read(key) == world.answer(key)
    if promised:
        with world.as_peer():
            assert read(key) == world.answer(key)
    return promised


def told(key: str, *, sync: bool) -> bool:
    """Invalidate; return whether that has reached everybody."""
    try:
        tell(key) if sync else async_to_sync(announce)(key)
    except StoreUnavailable:
        return False
    return True


def calm(world: World, key: str, *, sync: bool) -> None:
    """Everything is as it should be: what was owed has arrived, and the key is cached again for both."""
    assert world.recovered()
    read = world.reader(sync=sync)
    with world.as_peer():
        assert read(key) == world.answer(key)
    assert read(key) == world.answer(key)
    hits = world.counts("hit")
    assert read(key) == world.answer(key)
    assert world.counts("hit") == hits + 1


@pytest.mark.parametrize(
    ("sync", "times", "stride"),
    [
        pytest.param(True, 2, 1, id="sync, every byte"),
        pytest.param(True, 1, 9, id="sync, once"),
        pytest.param(False, 2, 9, id="async"),
        pytest.param(True, 1, 1, id="sync, once, every byte", marks=pytest.mark.whole),
        pytest.param(False, 2, 1, id="async, every byte", marks=pytest.mark.whole),
        pytest.param(False, 1, 1, id="async, once, every byte", marks=pytest.mark.whole),
    ],
)
@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_reply_that_is_cut_at_any_byte(
    world: World, request_name: str, *, sync: bool, times: int, stride: int
) -> None:
    """Once: the driver's second try gets through. Twice: an outage begins, which the first probe ends."""
    assert play(world, "before", sync=sync)
    length = max(len(reply) for name, reply in world.proxy.seen if name == request_name)
    assert length > 4
    broken = 0
    for end in range(0, length, stride):
        key = f"{request_name} {end}"
        with world.proxy.during(cut(end), [request_name], times) as rule:
            broken += not play(world, key, sync=sync)
        assert rule.met == times
        calm(world, key, sync=sync)
    assert world.counts("outage begun") == world.counts("outage ended")
    assert bool(world.counts("outage begun")) is (times == 2)
    assert world.counts("survived: bump delayed") == broken
    assert broken >= (times == 2 and request_name == "bump")


@both_kinds
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_the_fence_s_reply_is_cut_at_any_byte(world: World, times: int, *, sync: bool) -> None:
    """A connection that has not passed is not used; the driver's second try gets through, or an outage begins."""
    assert play(world, "before", sync=sync)
    length = len(world.proxy.last("fence"))
    assert length > 4
    for end in range(length):
        key = f"fence {end}"
        world.engine.close()
        with world.proxy.during(cut(end), ["fence"], times) as rule:
            play(world, key, sync=sync)
        assert rule.met == times
        calm(world, key, sync=sync)
    assert world.counts("outage begun") == world.counts("outage ended")
    assert bool(world.counts("outage begun")) is (times == 2)
    assert not world.counts("quarantine")


FAULTS = {
    "drop before": DROP_BEFORE,
    "drop after": DROP_AFTER,
    "reset": RESET_AFTER,
    "reset in the middle": cut(3, "reset"),
    "hang before": HANG_BEFORE,
    "hang after": HANG_AFTER,
    "hang in the middle": cut(3, "hang"),
}


@both_kinds
@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_connection_that_fails(world: World, fault: Fault, request_name: str, *, sync: bool) -> None:
    with world.proxy.during(fault, [request_name]) as rule:
        promised = play(world, "key", sync=sync)
        assert rule.met
        assert not (promised and request_name == "bump")
        assert world.counts("outage begun") >= 1
    calm(world, "key", sync=sync)
    assert world.counts("outage ended") == world.counts("outage begun")


OUTAGES = {
    "READONLY": "READONLY You can't write against a read only replica.",
    "LOADING": "LOADING Redis is loading the dataset in memory",
    "BUSY": "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "NOAUTH": "NOAUTH Authentication required.",
    "WRONGPASS": "WRONGPASS invalid username-password pair or user is disabled.",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN": "CLUSTERDOWN The cluster is down",
    "NOREPLICAS": "NOREPLICAS Not enough good replicas to write.",
    "full of clients": "ERR max number of clients reached",
}
REFUSALS = {
    "OOM": "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF": "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "EXECABORT": "EXECABORT Transaction discarded because of previous errors.",
    "NOPERM": "NOPERM User genscache has no permissions to run the 'evalsha' command",
    "ERR": "ERR something that nobody has foreseen",
}


OFTEN = frozenset({"READONLY", "LOADING", "OOM"})
"""The errors that each run tries in every place; the rest are tried in one."""


@pytest.mark.parametrize(
    ("error", "sync"),
    [
        pytest.param(
            error, sync, id=f"{error}-{kind}", marks=() if sync or error in OFTEN else pytest.mark.whole
        )
        for error in (*OUTAGES, *REFUSALS)
        for kind, sync in (("sync", True), ("async", False))
    ],
)
def test_a_server_that_answers_everything_with_an_error(world: World, error: str, *, sync: bool) -> None:
    """An error that says "not now" is an outage; any other is met by each request for itself."""
    with world.proxy.during(answers({**OUTAGES, **REFUSALS}[error])):
        assert not play(world, "key", sync=sync)
        assert world.counts("survived: bump delayed") == 1
        assert world.engine.unsettled
        assert world.counts("outage begun") == (error in OUTAGES)
    calm(world, "key", sync=sync)
    assert world.counts("outage ended") == world.counts("outage begun")


@both_kinds
@pytest.mark.parametrize("request_name", REQUESTS)
def test_one_request_that_is_refused(world: World, request_name: str, *, sync: bool) -> None:
    with world.proxy.during(answers(REFUSALS["OOM"]), [request_name]) as rule:
        assert play(world, "key", sync=sync) is (request_name != "bump")
        assert rule.met
    calm(world, "key", sync=sync)
    assert world.counts("outage begun") == 0


@both_kinds
@pytest.mark.parametrize("request_name", ["ensure", "bump"])
def test_a_step_that_the_server_has_forgotten_is_told_again(
    world: World, request_name: str, *, sync: bool
) -> None:
    with world.proxy.during(answers("NOSCRIPT No matching script."), [request_name], 1) as rule:
        assert play(world, "key", sync=sync)
        assert rule.met == 1
    calm(world, "key", sync=sync)
    assert world.counts("outage begun") == 0
