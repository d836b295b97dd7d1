"""A write that no library can see, and one that needs no help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import connection

from genscache.demo.newsroom import pages
from genscache.demo.newsroom.models import Article
from genscache.demo.stage import Stage
from genscache.demo.tables import Chapter, prose, table
from genscache.invalidation import invalidate_model

READ: Final = "SELECT title FROM newsroom_article WHERE id = ?"
UPDATE: Final = "UPDATE newsroom_article SET title = ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Look:
    """What the cache and the database said after a step."""

    step: str
    cached: str
    stored: str

    @property
    def verdict(self) -> str:
        """Say whether they agree."""
        return "fresh" if self.cached == self.stored else "STALE"


def show(stage: Stage) -> Chapter:
    """Write behind the cache's back, tell it, and then write where it can see."""
    pk = stage.articles // 3 + 1
    looks = [_look("nothing", pk)]
    _execute(UPDATE, "Written unseen", pk)
    looks.append(_look("raw SQL through the driver's own cursor", pk))
    invalidate_model(Article)
    looks.append(_look("invalidate_model(Article)", pk))
    with connection.cursor() as cursor:
        cursor.execute(UPDATE.replace("?", "%s"), ["Written in sight", pk])
    looks.append(_look("raw SQL through Django's cursor", pk))
    rows = [(look.step, look.cached, look.stored, look.verdict) for look in looks]
    note = (
        "No library hears of what goes past Django: the driver's own cursor, another service, psql, a trigger. "
        "invalidate_model() is for these. A write through Django is seen by itself, raw SQL included."
    )
    body = (*table(("after", "the cache says", "the database says", ""), rows, left=4), *prose(note))
    data = [
        {"after": look.step, "cached": look.cached, "database": look.stored, "verdict": look.verdict}
        for look in looks
    ]
    # That nobody sees the first write is a fact and no promise: a store that evicts may serve it by chance.
    kept = all(look.verdict == "fresh" for look in (looks[0], *looks[2:]))
    return Chapter("raw_sql", body, {"looks": data}, kept=kept)


def _look(step: str, pk: int) -> Look:
    return Look(step, pages.headline(pk), str(_execute(READ, pk)[0][0]))


def _execute(sql: str, *arguments: object) -> list[tuple[object, ...]]:
    """Execute through the driver's own cursor, of which Django knows nothing."""
    connection.ensure_connection()
    cursor = connection.connection.cursor()
    try:
        cursor.execute(sql, arguments)
        rows: list[tuple[object, ...]] = cursor.fetchall()
        return rows
    finally:
        cursor.close()
