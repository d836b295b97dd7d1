"""The short form of ``python -m property_tests.spin``."""

from __future__ import annotations

import pytest

from property_tests.spin.__main__ import VARIANTS, Variant, check, missing

SHORT = ("no lease", "snapshot, entry in a second round trip")

pytestmark = pytest.mark.skipif(
    bool(missing()), reason=f"not installed: {', '.join(missing())} (apt-get install spin gcc)"
)


@pytest.mark.parametrize(
    "variant", [each for each in VARIANTS if each.name in SHORT], ids=lambda each: each.name
)
def test_spin_finds_what_it_must(variant: Variant) -> None:
    assert [level for level in (1, 2) if check(variant, level).holds] == list(variant.holds)


@pytest.mark.whole
@pytest.mark.timeout(0)
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda each: each.name)
def test_spin_finds_all_that_it_must(variant: Variant) -> None:
    assert [level for level in (1, 2) if check(variant, level).holds] == list(variant.holds)
