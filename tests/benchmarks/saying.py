"""Two streams: results go to one, and what is being done to the other."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Tell of progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def tell(text: str) -> None:
    """Tell a result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
