"""What stands in fenced blocks of a page, and what is to be done with each.

A block of ``python`` whose first line is a comment with a path is a file (``# blog/models.py``), appended to the one
that is there (``# settings.py``); any other is run. ``pycon`` is a session whose output is compared. In ``console``,
each ``$ python manage.py …`` is run. A line ``% not run: <why>`` before a block keeps it from all that.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"

_BLOCK = re.compile(
    r"^(?P<note>% not run: [^\n]+\n\n?)?```(?P<kind>\w+)\n(?P<source>.*?)^```$", re.MULTILINE | re.DOTALL
)
_PATH = re.compile(r"# (?P<path>[\w/]+\.(?:py|html))\b")
_COMMAND = re.compile(r"^\$ python (?P<command>manage\.py .*)\n(?P<output>(?:(?!\$).*\n)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Attributes:
        kind: ``python``, ``pycon``, ``console`` or another language, which is only shown.
        source: The text between the fences.
        line: Where the text begins in its page.
        runs: False if the page says why not.
    """

    kind: str
    source: str
    line: int
    runs: bool

    @property
    def path(self) -> str | None:
        """The file that the block is, ``None`` where it is to be run."""
        found = _PATH.match(self.source) if self.kind == "python" else None
        return found and found["path"]

    @property
    def is_session(self) -> bool:
        """Tell whether the block is to be run, with those before and after it."""
        return self.kind in {"python", "pycon"} and self.path is None and self.runs

    @property
    def commands(self) -> Iterator[tuple[list[str], list[str]]]:
        """The commands of a ``console`` block, as arguments for Python, each with lines that it prints."""
        if self.kind == "console" and self.runs:
            for found in _COMMAND.finditer(self.source):
                yield shlex.split(found["command"]), found["output"].splitlines()


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found["kind"], found["source"], text.count("\n", 0, found.start("source")) + 1, not found["note"]
        )
        for found in _BLOCK.finditer(text)
    ]
