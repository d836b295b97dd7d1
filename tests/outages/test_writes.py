"""The requests of a database write meet each fault: it is refused, or what it did is seen by everybody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import transaction

from genscache.exceptions import WriteRefused
from tests.outages.conftest import World
from tests.outages.proxy import Fault, FaultProxy, answers, cut
from tests.outages.test_faults import FAULTS, OFTEN, OUTAGES, REFUSALS
from tests.reads.conftest import counted
from tests.site.news.models import Section

pytestmark = pytest.mark.django_db(transaction=True)

ALL = {
    **FAULTS,
    **{f"cut at byte {end}": cut(end) for end in range(4)},
    **{name: answers(line) for name, line in {**OUTAGES, **REFUSALS}.items()},
}
FAULT_PARAMS = [
    pytest.param(fault, id=name, marks=pytest.mark.whole if name in {*OUTAGES, *REFUSALS} - OFTEN else ())
    for name, fault in ALL.items()
]


@pytest.fixture(params=["refuse", "proceed"])
def either(
    request: pytest.FixtureRequest, proxy: FaultProxy, valkey_url: str, *, hangs: bool
) -> Iterator[World]:
    world = World(proxy, valkey_url, hangs=hangs, ON_OUTAGE=request.param, LEASE=0.5)
    yield world
    world.close()


def rename(name: str, *, block: bool) -> bool:
    """Return whether the write was done."""
    try:
        if block:
            with transaction.atomic():
                Section.objects.update(name=name)
        else:
            Section.objects.update(name=name)
    except WriteRefused:
        return False
    return True


@pytest.mark.parametrize(
    "block",
    [pytest.param(True, id="atomic"), pytest.param(False, id="autocommit", marks=pytest.mark.whole)],
)
@pytest.mark.parametrize("request_name", ["lease", "settle"])
@pytest.mark.parametrize("fault", FAULT_PARAMS)
def test_a_write_whose_request_fails(either: World, fault: Fault, request_name: str, *, block: bool) -> None:
    refuses = either.engine.settings.on_outage == "refuse"
    Section.objects.create(name="old")
    names = counted(lambda: list(Section.objects.values_list("name", flat=True)), Section)
    assert names() == names() == ["old"]
    with either.as_peer():
        assert names() == ["old"]

    with either.proxy.during(fault, [request_name]) as rule:
        done = rename("new", block=block)
        assert rule.met
        assert done is not (refuses and request_name == "lease")
        truth = list(Section.objects.values_list("name", flat=True))
        assert truth == (["new"] if done else ["old"])
        assert names() == truth
        if done and (refuses or not either.engine.unsettled):
            with either.as_peer():
                assert names() == truth
        assert done or either.counts("survived: write refused") == 1
        if request_name == "settle":
            assert either.counts("survived: bump delayed") == 1

    assert either.recovered()
    with either.as_peer():
        assert names() == names() == truth
    assert rename("newest", block=block)
    assert names() == names() == ["newest"]
    with either.as_peer():
        assert names() == ["newest"]
