"""The chapters as text for people or as one JSON document for programs."""

from __future__ import annotations

import json
import platform
import sqlite3
import textwrap
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Final, TextIO

import django

import genscache
from genscache.demo.chapters import batch, invalidation, race, reads, unseen
from genscache.demo.progress import spaced
from genscache.demo.seed import seed
from genscache.demo.stage import Stage
from genscache.demo.tables import WIDTH, Chapter, heading, table
from genscache.statistics import stats

CHAPTERS: Final[Mapping[str, Callable[[Stage], Chapter]]] = {
    "A cached page": reads.show,
    "Invalidating a model, with few entries in the store and with very many": invalidation.show,
    "Raw SQL": unseen.show,
    "Very many writes": batch.show,
    "A race: the reader is slower than the writer": race.show,
}

NEXT: Final = (
    "What to read next: README.md has a quick start that works as pasted; docs/tutorial/demo.md explains these "
    "tables; docs/examples/news is a project to run and change; docs/explanation says what is promised and where "
    "it ends."
)


def tell(stage: Stage, out: TextIO) -> bool:
    """Play every chapter and print it when it has ended; return whether what was promised came true."""
    began = perf_counter()
    _write(out, _heading(stage))
    seed(stage)
    kept = True
    for number, (title, show) in enumerate(CHAPTERS.items(), 1):
        _write(out, heading(f"{number}. {title}"))
        chapter = show(stage)
        kept = kept and chapter.kept
        _write(out, chapter.body)
        if not chapter.kept:
            _write(out, ["", "  THIS IS NOT WHAT IS PROMISED. Please report it with the output above."])
    _write(out, _summary(perf_counter() - began))
    return kept


def tell_json(stage: Stage, out: TextIO) -> bool:
    """Play every chapter and print one JSON document; return whether what was promised came true."""
    began = perf_counter()
    seed(stage)
    chapters = [show(stage) for show in CHAPTERS.values()]
    kept = all(chapter.kept for chapter in chapters)
    document: dict[str, object] = {**_facts(stage), "articles": stage.articles}
    document |= {chapter.name: chapter.data for chapter in chapters}
    document |= {"stats": stats(), "kept": kept, "seconds": round(perf_counter() - began, 2)}
    out.write(json.dumps(document, indent=2) + "\n")
    out.flush()
    return kept


def _facts(stage: Stage) -> dict[str, str]:
    return {
        "genscache": genscache.__version__,
        "python": platform.python_version(),
        "django": django.__version__,
        "database": f"SQLite {sqlite3.sqlite_version}",
        "store": stage.store.capabilities.name,
    }


def _heading(stage: Stage) -> list[str]:
    facts = _facts(stage)
    return [
        f"genscache {facts['genscache']}, Python {facts['python']}, Django {facts['django']}, {facts['database']}",
        f"store: {facts['store']}",
        f"A news site with {spaced(stage.articles)} articles. Every number below is measured now, on this machine.",
    ]


def _summary(seconds: float) -> list[str]:
    counts = [(name, spaced(count)) for name, count in sorted(stats().items())]
    return [
        *heading("What stats() says of this run"),
        *table(("what", "times"), counts),
        "",
        f"Done in {seconds:.1f} s. The database file and every key of this run are removed.",
        *textwrap.wrap(NEXT, WIDTH),
    ]


def _write(out: TextIO, lines: Iterable[str]) -> None:
    out.write("\n".join(lines) + "\n")
    out.flush()
