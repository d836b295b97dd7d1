"""Take every order of steps of several readers and writers, and every fault, on the real code.

    python -m property_tests.explorer                    what holds, and what the promise does not reach
    python -m property_tests.explorer --full             larger configurations, too (minutes, some gigabytes)
    python -m property_tests.explorer --short            a few seconds' worth
    python -m property_tests.explorer "two rows" cold    configurations by name
    python -m property_tests.explorer --bugs             deliberate bugs, each of which must be found
    python -m property_tests.explorer --bug "no lease"   those whose names contain a text, with their timelines
    python -m property_tests.explorer --page             write both into docs/explanation/exploration.md
    python -m property_tests.explorer --list             names

The exit code is 1 if anything is not as it must be.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from property_tests.explorer.asking import Answer
    from property_tests.explorer.bugs import Bug
    from property_tests.explorer.configurations import Configuration

EVERY = 5.0
"""Seconds between two lines of progress."""

COLUMNS = f"{'configuration':29} {'level':>5} {'schedules':>26} {'states':>12} {'steps':>5} {'seconds':>8}  the promise"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for."""
    prepare()
    asked = _parser().parse_args(arguments)
    from property_tests.explorer.asking import search  # noqa: PLC0415 - needs Django
    from property_tests.explorer.bugs import BUGS  # noqa: PLC0415
    from property_tests.explorer.configurations import CONFIGURATIONS  # noqa: PLC0415

    if asked.list:
        for each in CONFIGURATIONS:
            say(f"{each.name:29} level {each.level}: {each.words}{' (--full)' if each.full else ''}")
        for bug in BUGS:
            say(f"bug: {bug.name}")
        return 0
    if asked.bugs or asked.bug:
        bugs = [each for each in BUGS if not asked.bug or asked.bug in each.name]
        return _bugs(bugs, asked.jobs, show=bool(asked.bug))
    unknown = set(asked.names) - {each.name for each in CONFIGURATIONS}
    if unknown:
        say(f"There is no configuration {min(unknown)!r}. Ask for --list.")
        return 2
    if asked.json:
        say(search(asked.names[0], asked.level, _progress(asked.names[0])))
        return 0
    if asked.page:
        return _page(_chosen(asked), BUGS, asked.jobs)
    return _configurations(_chosen(asked), asked.level, asked.jobs)


def prepare() -> None:
    """Set up Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()


def say(text: str) -> None:
    """Show progress at once, also through a pipe."""
    print(text, flush=True)  # noqa: T201 - a command


def line(configuration: Configuration, level: int, answer: Answer) -> str:
    """Return a line of the table."""
    word = "broken" if answer.wrong else "holds"
    schedules = "" if answer.wrong else f"{answer.schedules:,}"
    return (
        f"{configuration.name:29} {level:>5} {schedules:>26} {answer.states:>12,} {answer.steps:>5}"
        f" {answer.seconds:>8.1f}  {word}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m property_tests.explorer", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("names", nargs="*", help="configurations")
    parser.add_argument("--short", action="store_true", help="a few seconds' worth")
    parser.add_argument("--full", action="store_true", help="larger configurations, too")
    parser.add_argument("--bugs", action="store_true", help="find every deliberate bug")
    parser.add_argument("--bug", metavar="TEXT", help="find those whose names contain TEXT, and show how")
    parser.add_argument("--page", action="store_true", help="write what is found into the documentation")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument(
        "--level", type=int, choices=(1, 2), help="of the promise, instead of the configuration's"
    )
    parser.add_argument("--jobs", type=int, default=2, help="how many searches at a time (2)")
    parser.add_argument("--json", action="store_true", help="one configuration, for a program")
    return parser


def _chosen(asked: argparse.Namespace) -> list[Configuration]:
    from property_tests.explorer.configurations import CONFIGURATIONS, SHORT  # noqa: PLC0415 - needs Django

    if asked.names:
        return [each for each in CONFIGURATIONS if each.name in asked.names]
    if asked.short:
        return [each for each in CONFIGURATIONS if each.name in SHORT]
    return [each for each in CONFIGURATIONS if asked.full or not each.full]


class _progress:  # noqa: N801 - used as a function
    """Tells of a long search now and then."""

    def __init__(self, name: str) -> None:
        self._name, self._last = name, time.monotonic()

    def __call__(self, steps: int, states: int, seconds: float) -> None:
        """Tell, unless it was told a moment ago."""
        if time.monotonic() - self._last > EVERY:
            self._last = time.monotonic()
            text = f"... {self._name}: {steps} steps, {states:,} states, {seconds:.0f} s"
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - a command


def _configurations(chosen: Sequence[Configuration], level: int | None, jobs: int) -> int:
    from property_tests.explorer.asking import ask  # noqa: PLC0415 - needs Django

    began = time.monotonic()
    say(COLUMNS)
    answers, unexpected = [], []
    with ThreadPoolExecutor(jobs) as pool:
        for each, answer in zip(chosen, pool.map(lambda one: ask(one.name, level), chosen), strict=True):
            answers.append(answer)
            say(line(each, level or each.level, answer))
            if bool(answer.wrong) is not each.broken:
                unexpected.append(each.name)
    for each, answer in zip(chosen, answers, strict=True):
        if answer.wrong:
            say(f"\n{each.name}: {each.words}. A read {answer.wrong}.\n\n{answer.timeline}")
    schedules, states = sum(each.schedules for each in answers), sum(each.states for each in answers)
    say(f"\n{schedules:,} schedules, {states:,} states, {time.monotonic() - began:.0f} seconds")
    say(f"NOT AS IT MUST BE: {', '.join(unexpected)}" if unexpected else "All as it must be.")
    return 1 if unexpected else 0


def _page(chosen: Sequence[Configuration], bugs: Sequence[Bug], jobs: int) -> int:
    from property_tests.explorer.asking import ask  # noqa: PLC0415 - needs Django
    from property_tests.explorer.bugs import tried  # noqa: PLC0415
    from property_tests.explorer.page import rewrite  # noqa: PLC0415

    with ThreadPoolExecutor(jobs) as pool:
        # The bugs first: one that cannot be put in any more is known at once.
        verdicts = [verdict for found in pool.map(tried, bugs) for verdict in found]
        answers = list(pool.map(lambda each: ask(each.name, None), chosen))
    explored = list(zip(chosen, answers, strict=True))
    table = "\n".join([COLUMNS, *(line(each, each.level, answer) for each, answer in explored)])
    rewrite(table, explored, verdicts)
    good = all(bool(answer.wrong) is each.broken for each, answer in explored)
    return 0 if good and all(verdict.as_expected for verdict in verdicts) else 1


def _bugs(bugs: Sequence[Bug], jobs: int, *, show: bool) -> int:
    from property_tests.explorer.bugs import Broken, tried  # noqa: PLC0415 - needs Django

    began, wrong = time.monotonic(), 0
    with ThreadPoolExecutor(jobs) as pool:
        runs = [pool.submit(tried, bug) for bug in bugs]
        for bug, run in zip(bugs, runs, strict=True):
            try:
                verdicts = run.result()
            except Broken as error:
                wrong += 1
                say(f"{bug.name:64} COULD NOT BE TRIED: {error}")
                continue
            for verdict in verdicts:
                wrong += not verdict.as_expected
                answer, where = verdict.answer, f"{verdict.run.configuration} ({verdict.run.level})"
                mark = "" if verdict.as_expected else "  NOT AS IT MUST BE"
                say(
                    f"{bug.name:64} {where:26} {'found' if answer.wrong else 'not found'}, {answer.states:,} states, "
                    f"{answer.seconds:.1f} s{mark}"
                )
                if show and answer.wrong:
                    say(f"\nA read {answer.wrong}.\n\n{answer.timeline}\n")
    say(f"{len(bugs)} bugs, {wrong} not as they must be, {time.monotonic() - began:.0f} seconds")
    return 1 if wrong or not bugs else 0


if __name__ == "__main__":
    # genscache logs what it survives, which is a great deal here.
    logging.getLogger("genscache").setLevel(logging.CRITICAL + 1)
    sys.exit(main())
