"""A short soak finds nothing stale in genscache; and the checker finds what is stale elsewhere."""

from __future__ import annotations

import pytest

from tests.requirements import demand
from tests.servers import Postgres, Valkey
from tests.soak.faults import KINDS
from tests.soak.orders import Orders
from tests.soak.run import Soak

CAP = 30.0
"""Seconds within which an error must be found; it takes one or two."""


@pytest.fixture(autouse=True)
def servers() -> None:
    for kind in (Postgres, Valkey):
        demand(kind)


def test_genscache_is_not_stale_whatever_fails() -> None:
    outcome = Soak(Orders(seed=1), tuple(KINDS), every=0.3).run(7, hits=100)
    assert not outcome.stale, "\n".join(outcome.timelines)
    assert all(outcome.faults.values()), outcome.faults
    assert outcome.counts["checked"] > 1000
    assert outcome.counts["writes"] > 20
    assert outcome.counts["hit"] >= 100


@pytest.mark.parametrize(
    ("orders", "kinds"),
    [
        pytest.param(Orders(library="naive"), (), id="by hand"),
        pytest.param(Orders(bug="lost-bumps"), (), id="lost bumps"),
        pytest.param(Orders(bug="no-fence"), ("restart-older",), id="no fence"),
    ],
)
def test_what_is_stale_is_found(orders: Orders, kinds: tuple[str, ...]) -> None:
    outcome = Soak(orders, kinds, every=1.0).run(CAP, first=True)
    assert outcome.stale[1]
    assert outcome.timelines
    # The story of the row tells of the write that the read has missed.
    assert "returned" in outcome.timelines[0]


@pytest.mark.whole
def test_without_leases_somebody_goes_back_in_time() -> None:
    outcome = Soak(Orders(lease=0), ("stop-commit",), every=0.05).run(CAP, first=True, level=2)
    assert outcome.stale[2]
    assert not outcome.stale[1], "\n".join(outcome.timelines)
