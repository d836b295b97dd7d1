"""A search in a process of its own, which gives its memory back, and may import another copy of the package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import genscache
from property_tests.explorer.configurations import CONFIGURATIONS, Configuration
from property_tests.explorer.running import Progress, explore
from property_tests.mutants import ROOT, Broken

PATIENCE = 1800.0
"""Seconds."""


@dataclass(frozen=True)
class Answer:
    """What a search has found; the schedules count only where the promise holds.

    Attributes:
        home: The folder of the package that was searched.
        steps: Of the longest schedule, or of the shortest that breaks the promise.
    """

    home: str
    schedules: int
    states: int
    steps: int
    seconds: float
    wrong: str
    timeline: str


def named(name: str, level: int | None = None) -> Configuration:
    """Return a configuration, with another level of the promise if one is given."""
    configuration = next(each for each in CONFIGURATIONS if each.name == name)
    return replace(configuration, level=level) if level else configuration


def search(name: str, level: int | None, progress: Progress) -> str:
    """Search here, and return the answer as text for a program."""
    report = explore(named(name, level), progress)
    found, home = report.found, str(Path(genscache.__file__).parent.parent)
    answer = Answer(
        home, found.schedules, found.states, found.depth, found.seconds, found.wrong, report.timeline
    )
    return json.dumps(asdict(answer))


def ask(name: str, level: int | None, home: Path = ROOT) -> Answer:
    """Let another process search the package in the folder ``home``.

    Raises:
        Broken: It could not.
    """
    command = [sys.executable, "-m", "property_tests.explorer", "--json", name]
    command += ["--level", str(level)] if level else []
    environment = os.environ | {"PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command,
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=None if home == ROOT else subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    try:
        return Answer(**json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        raise Broken(f"{' '.join(command)} failed in {home}:\n{(done.stderr or '')[-2000:]}") from None
