"""How far a long step is: one line that rewrites itself on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import time
from typing import Final, TextIO

PAUSE: Final = 0.1
"""Seconds between two looks of the rewritten line."""

MANY: Final = 20_000
"""Fewer than these are done before a plain line in between would be read."""


class Progress:
    """Says how far one step is.

    Args:
        stream: Where to.
        what: What is counted, such as ``"articles"``.
        total: How many there will be.
    """

    def __init__(self, stream: TextIO, what: str, total: int) -> None:
        self._stream = stream
        self._what = what
        self._total = total
        self._rewrites = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._began = time.monotonic()
        self._shown = 0.0
        self._quarter = 0
        self._width = 0

    def at(self, done: int) -> None:
        """Say that ``done`` of them are done."""
        if self._rewrites:
            if time.monotonic() - self._shown >= PAUSE or done >= self._total:
                self._shown = time.monotonic()
                self._rewrite(self._text(done))
        elif self._total >= MANY and done < self._total and done * 4 // self._total > self._quarter:
            self._quarter = done * 4 // self._total
            self._stream.write(f"{self._text(done)}\n")
            self._stream.flush()

    def end(self) -> None:
        """Leave the line with what came out."""
        seconds = time.monotonic() - self._began
        text = f"  {self._what}: {spaced(self._total)} in {seconds:.1f} s"
        if self._rewrites:
            self._rewrite(text)
            self._stream.write("\n")
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()

    def _text(self, done: int) -> str:
        share = 100 * done // self._total
        return f"  {self._what}: {spaced(done)} of {spaced(self._total)} ({share} %)"

    def _rewrite(self, text: str) -> None:
        self._stream.write(f"\r{text.ljust(self._width)}")
        self._stream.flush()
        self._width = len(text)


def spaced(number: int) -> str:
    """Return a number with a space between thousands, in ASCII: any terminal can show it."""
    return f"{number:,}".replace(",", " ")
