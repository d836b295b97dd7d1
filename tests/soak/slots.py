"""What has a version: a slot is a row, or the tags of a row; versions rise by one, in the order of commits."""

from __future__ import annotations

import uuid
from typing import Final

ARTICLES: Final = 12
ASSETS: Final = 4
AUTHORS: Final = 4
COUNTRIES: Final = 3
SECTIONS: Final = 3

TAGS_AT: Final = ARTICLES
ASSETS_AT: Final = 2 * ARTICLES
AUTHORS_AT: Final = ASSETS_AT + ASSETS
COUNTRIES_AT: Final = AUTHORS_AT + AUTHORS
SLOTS: Final = COUNTRIES_AT + COUNTRIES

ONE_LEVEL: Final = frozenset(range(AUTHORS_AT, SLOTS))
"""Written in a batch or behind Django's back: promised from the end of the block or call on, and not before."""

GONE: Final = -1
"""The version of what should be there, and was not."""


def asset_key(index: int) -> uuid.UUID:
    """Return the primary key of an asset."""
    return uuid.UUID(int=index + 1)


def country_key(index: int) -> str:
    """Return the primary key of a country."""
    return f"c{index}"


def name_of(slot: int) -> str:
    """Return what a person calls a slot."""
    for start, name in (
        (COUNTRIES_AT, "country"),
        (AUTHORS_AT, "author"),
        (ASSETS_AT, "asset"),
        (TAGS_AT, "tags of article"),
        (0, "article"),
    ):
        if slot >= start:
            return f"{name} {slot - start + 1}"
    return str(slot)
