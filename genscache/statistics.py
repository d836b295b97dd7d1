"""``stats()``: what has happened in this process."""

from __future__ import annotations

from genscache.engine import current_engine


def stats() -> dict[str, int]:
    """Return how often each thing has happened in this process since it started.

    Returns:
        Counts by name: ``"hit"``, ``"miss"``, ``"bypass"``, each bypass and unstored miss once more with its reason
        (``"bypass: bypass() was asked for"``), ``"fill"``, ``"bytes filled"``, ``"invalidation"`` (round trips),
        ``"namespaces invalidated"``, and ``"survived: ..."`` for what went wrong and was lived with.
    """
    return current_engine().hub.counts()
