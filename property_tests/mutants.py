"""Run the tests against deliberate bugs: each must be caught, or the tests prove less than they say.

    python -m property_tests.mutants              all of them
    python -m property_tests.mutants --quick      the short form
    python -m property_tests.mutants vector lease those whose names contain one of the words
    python -m property_tests.mutants --machine    let the machine look for each by chance, instead of the named test

Each bug is put into a copy of the package, which the tests then import in its place. First the same tests run on an
unchanged copy, where all must pass. The exit code is 1 if a bug survives, 2 if something could not be tried.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from property_tests.mutations import (
    MACHINE,
    QUERYSET_MACHINE,
    Edit,
    Mutation,
    querysets,
    reading,
    shortcuts,
    storing,
    texts,
    writing,
)

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("genscache", "tests", "property_tests", "conftest.py", "pyproject.toml")
LONGEST = 180.0
"""Seconds after which a run is ended; a test that hangs has noticed the bug, too, but that is not counted."""

MUTATIONS: tuple[Mutation, ...] = (
    *reading.MUTATIONS,
    *writing.MUTATIONS,
    *storing.MUTATIONS,
    *texts.MUTATIONS,
    *querysets.MUTATIONS,
    *shortcuts.MUTATIONS,
)
BY_CHANCE = (
    f"{MACHINE}::test_nobody_goes_back_in_time",
    f"{MACHINE}::test_no_stale_read_survives_without_leases",
)
QUERYSETS_BY_CHANCE = (f"{QUERYSET_MACHINE}::test_querysets_say_what_the_database_says",)


class Broken(Exception):
    """A mutant cannot be made, or its test not be run."""


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant."""

    mutation: Mutation
    word: str
    seconds: float
    detail: str = ""
    files: tuple[str, ...] = ()
    example: str = ""


def apply(edits: Sequence[Edit], package: Path) -> tuple[str, ...]:
    """Put a bug into a copy of the package, wherever its texts are now; return the files.

    Raises:
        Broken: A text is not in the package exactly once, or the result is no Python.
    """
    changed: dict[str, None] = {}
    for edit in edits:
        path = _place(edit.old, package)
        file = path.relative_to(package).as_posix()
        changed[file] = None
        path.write_text(path.read_text().replace(edit.old, edit.new))
        if path.suffix != ".py":
            continue
        try:
            compile(path.read_text(), file, "exec")
        except SyntaxError as error:
            raise Broken(f"{file} is no Python any more: {error}") from error
    return tuple(changed)


def _place(old: str, package: Path) -> Path:
    """Return the one file that holds a text once."""
    files = sorted([*package.rglob("*.py"), *package.rglob("*.lua")])
    found = {path: path.read_text().count(old) for path in files}
    holders = [path for path, count in found.items() if count]
    if len(holders) != 1 or found[holders[0]] != 1:
        places = ", ".join(f"{path.relative_to(package)} ({found[path]} times)" for path in holders)
        raise Broken(f"The package must hold this once; it is in {places or 'no file'}:\n{old}")
    return holders[0]


def copy(to: Path) -> None:
    """Copy what the tests need."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, to / part, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
        else:
            shutil.copy(source, to / part)


def pytest(home: Path, nodes: Sequence[str]) -> tuple[int, str]:
    """Run tests in a copy and return the exit code and what was printed.

    Raises:
        Broken: They did not run, or not on the copy.
    """
    # Otherwise the run inside would take this run's servers for its own.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("GENSCACHE_", "PYTEST_"))
    }
    environment |= {"PYTHONPATH": str(home), "HYPOTHESIS_PROFILE": "mutants", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        "--tb=line",
        "-s",
        *nodes,
    ]
    try:
        done = subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        raise Broken(f"{', '.join(nodes)} took longer than {LONGEST:.0f} seconds") from None
    output = done.stdout + done.stderr
    if "from pytest-timeout" in output:
        raise Broken(f"{', '.join(nodes)} took longer than pytest allows: nothing was found by then")
    if done.returncode not in {0, 1} or f"genscache: {home}" not in output:
        raise Broken(
            f"{', '.join(nodes)} did not run on the copy (exit code {done.returncode}):\n{output[-2000:]}"
        )
    return done.returncode, output


def try_one(mutation: Mutation, nodes: Sequence[str]) -> Verdict:
    """Make one mutant and see whether one of the tests fails."""
    began = time.monotonic()
    files: tuple[str, ...] = ()
    with tempfile.TemporaryDirectory(prefix="genscache-mutant-") as directory:
        home = Path(directory).resolve()
        try:
            copy(home)
            files = apply(mutation.edits, home / "genscache")
            code, output = pytest(home, nodes)
        except Broken as error:
            return Verdict(mutation, "BROKEN", time.monotonic() - began, str(error), files)
    word = "caught" if code else "SURVIVED"
    found = re.search(r"found by example (\d+)", output)
    return Verdict(
        mutation,
        word,
        time.monotonic() - began,
        _reason(output) if code else "",
        files,
        found[1] if found else "",
    )


def _reason(output: str) -> str:
    """Return the first failure's own words."""
    found = re.search(r"(?:AssertionError|Failed|Error): (.*)", output)
    return found[1][:150] if found else ""


def control(nodes: Sequence[str]) -> None:
    """Run all tests that are used on an unchanged copy.

    Raises:
        Broken: One of them fails there, so that its failing on a mutant would mean nothing.
    """
    with tempfile.TemporaryDirectory(prefix="genscache-mutant-") as directory:
        home = Path(directory).resolve()
        copy(home)
        code, output = pytest(home, nodes)
    if code:
        raise Broken(f"the tests fail on the unchanged package:\n{output[-2000:]}")


def chosen(arguments: argparse.Namespace) -> list[Mutation]:
    """Return the mutants that were asked for."""
    words: list[str] = arguments.words
    named = [each for each in MUTATIONS if not words or any(word in each.name for word in words)]
    return [each for each in named if each.quick or not arguments.quick]


def table(verdicts: Sequence[Verdict], nodes: Sequence[Sequence[str]]) -> str:
    """Return what happened, a line a mutant."""
    rows = [("mutant", "file", "caught by", "example", "seconds", "")]
    rows += [
        (
            each.mutation.name,
            ", ".join(each.files),
            node[0].rpartition("::")[2],
            each.example,
            f"{each.seconds:.1f}",
            each.word,
        )
        for each, node in zip(verdicts, nodes, strict=True)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def say(text: object) -> None:
    """Show progress at once, also through a pipe."""
    print(text, flush=True)  # noqa: T201 - a command


def main() -> int:
    """Try all mutants that were asked for, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m property_tests.mutants", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("words", nargs="*", help="words of names")
    parser.add_argument("--quick", action="store_true", help="the short form")
    parser.add_argument("--machine", action="store_true", help="let the machine look for each by chance")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    arguments = parser.parse_args()
    mutations = chosen(arguments)
    chance = {False: BY_CHANCE, True: QUERYSETS_BY_CHANCE}
    nodes = [chance[each.machine] if arguments.machine else (each.caught_by,) for each in mutations]
    began = time.monotonic()
    say(f"{len(mutations)} mutants; first their tests on the unchanged package")
    with ThreadPoolExecutor(arguments.jobs) as pool:
        unchanged = pool.submit(control, list(dict.fromkeys(node for each in nodes for node in each)))
        runs = [pool.submit(try_one, each, node) for each, node in zip(mutations, nodes, strict=True)]
        try:
            unchanged.result()
        except Broken as error:
            pool.shutdown(wait=True, cancel_futures=True)
            say(error)
            return 2
        verdicts = []
        for number, run in enumerate(runs, start=1):
            verdict = run.result()
            verdicts.append(verdict)
            say(f"[{number}/{len(runs)}] {verdict.word:8} {verdict.seconds:5.1f} s  {verdict.mutation.name}")
            if verdict.detail:
                say(f"      {verdict.detail}")
    say(f"\n{table(verdicts, nodes)}\n")
    survivors = sum(each.word == "SURVIVED" for each in verdicts)
    broken = sum(each.word == "BROKEN" for each in verdicts)
    say(
        f"{len(verdicts) - survivors - broken} caught, {survivors} survived, {broken} could not be tried; "
        f"{time.monotonic() - began:.0f} seconds"
    )
    return 1 if survivors else 2 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
