"""The report of ``manage.py genscache stats`` as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from genscache.management.audits import Findings
from genscache.management.reports import Report

VERDICTS = ("right", "violation", "inconclusive", "no hit")

ELSEWHERE = (
    "Counts belong to a process; this command's own has read nothing. In your program: genscache.stats(), or a "
    "listener for its events."
)


def written(report: Report) -> str:
    """Return the report as lines."""
    return "\n".join(_lines(report))


def findings(found: Findings) -> str:
    """Return what an audit has found as lines."""
    width = max(map(len, found.verdicts), default=10)
    lines = [f"{'':<{width}}  {'  '.join(f'{verdict:>12}' for verdict in VERDICTS)}"]
    for name, counts in sorted(found.verdicts.items()):
        lines.append(f"{name:<{width}}  {'  '.join(f'{counts[verdict]:>12}' for verdict in VERDICTS)}")
    lines.append(found.text)
    lines += [f"inconclusive, {count} times: {reason}" for reason, count in found.reasons.most_common()]
    lines += [f"{name} raised {error}" for name, error in sorted(found.errors.items())]
    for each in found.unseen:
        doubt = f"; {each.rolled_back} transactions were rolled back meanwhile" if each.rolled_back else ""
        lines.append(
            f'{each.database}: "{each.table}" was written by somebody who told nobody: {each.rows} rows by '
            f"PostgreSQL's statistics, and no generation moved (a hint, no proof{doubt})"
        )
    if found.silent:
        lines.append(
            f"Writers that tell nobody are not looked for on {', '.join(found.silent)}: no PostgreSQL."
        )
    return "\n".join(lines)


def _lines(report: Report) -> Iterator[str]:
    for title in ("store", "settings", "models"):
        yield title.capitalize()
        for name, value in cast("Report", report[title]).items():
            if value is not None:
                yield from _row(name, value)
    process = cast("Report", report["process"])
    counts = cast("Mapping[str, int]", process["counts"])
    yield "This process"
    if not process["reads"]:
        yield f"  {ELSEWHERE}"
    else:
        yield from _row("hit_ratio", process["hit_ratio"])
    for name, value in sorted(counts.items()):
        yield from _row(name, value)


def _row(name: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield f"  {name}"
        for key, each in value.items():
            yield f"    {key:<24} {_text(each)}"
    else:
        yield f"  {name:<26} {_text(value)}"


def _text(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(_text(each) for each in value) or "-"
        case Mapping():
            return "; ".join(f"{key}: {_text(each)}" for key, each in value.items()) or "-"
        case _:
            return str(value)
