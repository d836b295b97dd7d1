"""What writes bump, in short names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote

from genscache.matching import CHOSEN, SLOTS
from tests.writes.actors import Cache
from tests.writes.spy import bumped


@contextmanager
def watching(cache: Cache) -> Iterator[set[str]]:
    """Collect what is bumped: ``"article:rows"``, ``"article:object=5"``, ``"article:match=section=1"``.

    The slots that guard ``match`` are told as one: ``"article:slots"``.
    """
    found: set[str] = set()
    with cache.store.watch() as seen:
        yield found
    slots: dict[str, int] = {}
    for counter in bumped(seen):
        owner, _, kind = counter.partition("{")[2].partition("}:")
        table = owner.partition(".")[2].removeprefix("news_")
        if kind.startswith("match=") and kind.removeprefix("match=").isdigit():
            slots[table] = slots.get(table, 0) + 1
        else:
            found.add(f"{table}:{unquote(kind)}")
    assert set(slots.values()) <= {SLOTS - CHOSEN}
    found.update(f"{table}:slots" for table in slots)


def reached(cache: Cache, write: Callable[[], object]) -> set[str]:
    """Return what a write bumps, without the lists and their guards, which every write of known rows bumps."""
    with watching(cache) as found:
        write()
    plain = {name.partition(":")[0] for name in found if name.endswith(":rows")}
    for table in plain:
        # Known rows without known values guard themselves against readers of another release.
        assert (f"{table}:match" in found) != (f"{table}:slots" in found), found
    return {name for name in found if not name.endswith((":rows", ":match", ":slots"))}
