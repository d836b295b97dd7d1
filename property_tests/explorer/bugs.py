"""Deliberate bugs of the real code, and the configurations in which the search must find them, or must not.

Most are mutants of ``property_tests.mutants``, by name; the others are variants of the protocol that the design
dismisses. Each is put into a copy of the package, and the search is run on the copy.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from property_tests.explorer.asking import Answer, ask
from property_tests.mutants import MUTATIONS, Broken, apply, copy
from property_tests.mutations import Edit


@dataclass(frozen=True)
class Run:
    """A configuration, a level of the promise, and whether the bug breaks it there."""

    configuration: str
    level: int
    broken: bool = True


@dataclass(frozen=True)
class Bug:
    """One.

    Attributes:
        name: Of the mutant, or of the variant.
        runs: Where the search must find it, and where it must not.
        edits: How the right code becomes wrong; none: the mutant's.
        short: Part of the short form.
    """

    name: str
    runs: tuple[Run, ...]
    edits: tuple[Edit, ...] = ()
    short: bool = False

    def __post_init__(self) -> None:
        """Refuse a name that no mutant has."""
        if not self.edits and all(each.name != self.name for each in MUTATIONS):
            raise ValueError(f"No mutant of property_tests.mutants is called {self.name!r}. Give its edits.")

    @property
    def change(self) -> tuple[Edit, ...]:
        """Return how the right code becomes wrong."""
        return self.edits or next(each.edits for each in MUTATIONS if each.name == self.name)


@dataclass(frozen=True)
class Verdict:
    """What the search said in one run on a bug."""

    bug: Bug
    run: Run
    answer: Answer

    @property
    def as_expected(self) -> bool:
        """Tell whether it was found where it must be, and only there."""
        return bool(self.answer.wrong) is self.run.broken


BUGS: tuple[Bug, ...] = (
    Bug(
        "the vector is read again when the result is stored",
        (Run("two writers", 1), Run("two writers", 2)),
        short=True,
    ),
    Bug(
        "the generations of a discovered table are read after the query",
        (Run("discovered", 1), Run("discovered", 2)),
    ),
    Bug(
        "readers serve and fill while a lease is on",
        (Run("two writers", 2), Run("two writers", 1, broken=False)),
        short=True,
    ),
    Bug(
        "a snapshot uses generations that are younger than itself",
        (Run("snapshot, cold", 2), Run("snapshot, others", 1, broken=False)),
        short=True,
    ),
    Bug(
        "nothing asks whether a generation is younger than the snapshot",
        (Run("snapshot, others", 1), Run("snapshot, cold", 2)),
        (
            Edit(
                "    if not_after is not None and any(generation > not_after for generation in vector):\n"
                "        return Bypass(NEWER)\n",
                "",
            ),
            Edit(
                "    if not_after is not None and expected.newest > not_after:\n        return Bypass(NEWER)\n",
                "",
            ),
            Edit(
                '    return NEWER if any(recording.used.get(each, clock + 1) > clock for each in namespaces) else ""\n',
                '    return ""\n',
            ),
        ),
    ),
    Bug("the clock of a snapshot is taken after its first statement", (Run("snapshot", 2),)),
    Bug(
        "an entry is fetched without its counters inside a snapshot",
        (Run("snapshot, cold", 2),),
        (Edit("exact=not_after is not None", "exact=False"),),
    ),
    Bug("a transaction that has written fills", (Run("trigger, rolled back", 2),)),
    Bug("a transaction is served what it has changed itself", (Run("own writes", 2),), short=True),
    Bug("reads trust the store while bumps are owed to it", (Run("owed", 1),), short=True),
    Bug("the bump comes before COMMIT and not after it", (Run("two writers", 1), Run("two writers", 2))),
    Bug(
        "the lease is settled before COMMIT, and a bump follows",
        (Run("two writers", 2), Run("two writers", 1, broken=False)),
    ),
    Bug(
        "a bump before COMMIT and one after it, no lease",
        (Run("no leases, level 2", 2), Run("no leases", 1, broken=False)),
        (
            Edit(
                "    try:\n        yield\n    except BaseException as error:\n        after_failure(",
                "    ticket.settle(pending)\n"
                "    try:\n        yield\n    except BaseException as error:\n        after_failure(",
            ),
        ),
    ),
    Bug("no lease before COMMIT", (Run("two writers", 2), Run("two writers", 1, broken=False))),
    Bug("the lease is released when the answer of COMMIT is lost", (Run("any fault", 2),)),
    Bug("a bump whose answer is lost is not sent again", (Run("no leases", 1),)),
    Bug("a counter that is missing starts at 1", (Run("any fault", 1), Run("any fault", 2))),
    Bug(
        "a counter that is missing gets the clock's last reading again",
        (Run("any fault", 1), Run("any fault", 2)),
    ),
    Bug(
        "a lease that has run out is dropped without a bump",
        (Run("any fault", 2), Run("fence", 2)),
        short=True,
    ),
    Bug("one lease a counter instead of a set of tokens", (Run("two writers", 2),)),
    Bug(
        "a copy is served whatever the store says of its generations",
        (Run("copies", 1), Run("copies, snapshot", 2)),
        short=True,
    ),
    Bug("a lease on a counter that does not exist leaves no mark", (Run("cold", 2),)),
    Bug("a bump ends all leases", (Run("two writers", 2),)),
)


def tried(bug: Bug) -> list[Verdict]:
    """Search a copy of the package that has a bug.

    Raises:
        Broken: The bug cannot be put in, or the search not be run.
    """
    with tempfile.TemporaryDirectory(prefix="genscache-explorer-") as directory:
        home = Path(directory).resolve()
        copy(home)
        apply(bug.change, home / "genscache")
        answers = [ask(run.configuration, run.level, home) for run in bug.runs]
    elsewhere = {answer.home for answer in answers} - {str(home)}
    if elsewhere:
        raise Broken(f"{bug.name}: the search ran on {min(elsewhere)}, not on the copy in {home}")
    return [Verdict(bug, run, answer) for run, answer in zip(bug.runs, answers, strict=True)]
