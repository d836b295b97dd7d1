"""The half of docs/explanation/exploration.md that the command writes: counts, and timelines of what is broken."""

from __future__ import annotations

from collections.abc import Sequence

from property_tests.explorer.asking import Answer
from property_tests.explorer.bugs import Verdict
from property_tests.explorer.configurations import Configuration
from property_tests.mutants import ROOT

PAGE = ROOT / "docs" / "explanation" / "exploration.md"
MARK = "<!-- What follows is written by: python -m property_tests.explorer --page -->"


def rewrite(table: str, explored: Sequence[tuple[Configuration, Answer]], bugs: Sequence[Verdict]) -> None:
    """Replace everything below the mark on the page."""
    text = PAGE.read_text()
    above, found, _ = text.partition(MARK)
    if not found:
        raise ValueError(f"{PAGE} has lost its mark. Put this line where the generated half begins: {MARK}")
    PAGE.write_text("\n".join([above + MARK, "", *_counts(table, explored), *_ends(explored), *_bugs(bugs)]))


def _counts(table: str, explored: Sequence[tuple[Configuration, Answer]]) -> list[str]:
    return [
        "## What was explored",
        "",
        *(f"- **{each.name}**: {each.words}" for each, _ in explored),
        "",
        "```text",
        table,
        "```",
        "",
    ]


def _ends(explored: Sequence[tuple[Configuration, Answer]]) -> list[str]:
    lines = ["## Where the promise ends", ""]
    for each, answer in explored:
        if answer.wrong:
            lines += [
                f"### {each.name.capitalize()}",
                "",
                f"{each.words.capitalize()}. A read {answer.wrong}.",
                "",
            ]
            lines += ["```text", answer.timeline, "```", ""]
    return lines


def _bugs(verdicts: Sequence[Verdict]) -> list[str]:
    lines = [
        "## Deliberate bugs",
        "",
        "| bug | configuration | level | | states | steps |",
        "|---|---|---|---|---|---|",
    ]
    for each in verdicts:
        word = "found" if each.answer.wrong else "not broken"
        steps = str(each.answer.steps) if each.answer.wrong else ""
        cells = (
            each.bug.name,
            each.run.configuration,
            str(each.run.level),
            word,
            f"{each.answer.states:,}",
            steps,
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    shown: set[str] = set()
    for each in verdicts:
        if each.answer.wrong and each.bug.name not in shown:
            shown.add(each.bug.name)
            title = each.bug.name[0].upper() + each.bug.name[1:]
            lines += [f"### {title}", "", f"A read {each.answer.wrong} (level {each.run.level}).", ""]
            lines += ["```text", each.answer.timeline, "```", ""]
    return lines
