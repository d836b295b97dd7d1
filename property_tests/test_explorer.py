"""The short form of ``python -m property_tests.explorer``: what holds, with exact counts, and bugs that are found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from property_tests.explorer.__main__ import main
from property_tests.explorer.asking import named
from property_tests.explorer.bugs import BUGS, Bug, tried
from property_tests.explorer.configurations import CONFIGURATIONS, SHORT
from property_tests.explorer.running import explore
from property_tests.explorer.search import Found

PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "exploration.md"

COUNTS = {
    "two writers": (381_837_258, 21_823),
    "cold": (112_318_734, 8_648),
    "two rows": (161_983_645_932, 200_161),
    "own writes": (98_102, 548),
}
"""Schedules and states. A change of the protocol's steps changes them: look at what it says now, and write it here."""


def counts(found: Found) -> tuple[int, int]:
    return found.schedules, found.states


@pytest.mark.parametrize("name", COUNTS)
def test_every_schedule_keeps_the_promise(name: str) -> None:
    report = explore(named(name))
    assert not report.timeline, report.timeline
    assert counts(report.found) == COUNTS[name]


@pytest.mark.parametrize("name", ["no leases", "snapshot, cold", "owed", "trigger, rolled back"])
def test_what_goes_wrong_breaks_nothing(name: str) -> None:
    report = explore(named(name))
    assert not report.timeline, report.timeline
    assert report.found.states > 10


@pytest.mark.parametrize("each", [each.name for each in CONFIGURATIONS if each.broken])
def test_where_the_promise_ends_the_search_says_so(each: str) -> None:
    report = explore(named(each))
    assert report.found.wrong
    assert report.timeline


@pytest.mark.parametrize("name", ["own writes", "restart", "no leases"])
def test_taking_readers_for_interchangeable_changes_nothing(name: str) -> None:
    alike, apart = explore(named(name)), explore(named(name), alike=False)
    assert alike.found.wrong == apart.found.wrong
    assert alike.found.depth == apart.found.depth
    assert alike.found.schedules == apart.found.schedules
    assert alike.found.states <= apart.found.states


@pytest.mark.parametrize("bug", [each for each in BUGS if each.short], ids=lambda bug: bug.name)
def test_a_bug_is_found(bug: Bug) -> None:
    for verdict in tried(bug):
        assert verdict.as_expected, (verdict.run, verdict.answer.timeline)


def test_a_late_look_at_the_entry_shows_a_snapshot_nothing_younger() -> None:
    """Found by the search: between vector and entry, another reader fills what was committed and is not settled."""
    bug = next(each for each in BUGS if each.name.startswith("an entry is fetched without its counters"))
    (verdict,) = tried(bug)
    assert "inside a snapshot" in verdict.answer.wrong


@pytest.mark.whole
@pytest.mark.timeout(0)
def test_every_configuration_and_every_bug() -> None:
    assert main([]) == 0
    assert main(["--bugs"]) == 0


def test_the_page_shows_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text()
    for name in ("restart", "no leases, level 2", "lost leases, level 2"):
        assert explore(named(name)).timeline in page
    for name, (schedules, states) in COUNTS.items():
        assert re.search(rf"^{name} +\d +{schedules:,} +{states:,} ", page, re.MULTILINE), name
    assert main(["--list"]) == 0
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("bug: "):
            assert line.removeprefix("bug: ") in page, f"the page does not show the bug {line!r}"


def test_the_short_form_names_configurations() -> None:
    assert set(SHORT) <= {each.name for each in CONFIGURATIONS}
