"""``match``: the namespaces of rows with certain values, for models that opt in.

A read filtered by equality of some fields depends on the namespace of these values, and not on all rows. That is
right only if every write to such a row bumps it, so:

- only fields take part whose values have one name: what the database holds equal must be written alike here;
- a writer that knows which rows it writes, but not their values, bumps the table's ``PLAIN`` namespace, on which every
  such read depends. That is what a process of another release does that has no ``match`` for the model;
- a process of another release may have another list of fields. Each list has a code, twelve of 24 slots: a read depends
  on the slots of its list's code, a writer bumps all that are not in its own list's. Of two codes of one size none
  contains the other, so a writer with another list always hits a slot of the reader.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import Final

from django.db import models

from genscache.keys import Kind, Namespace
from genscache.tables import exact_text, is_exact, is_exact_text, target

PLAIN: Final = ""
"""The detail of the namespace that a writer bumps who knows the rows and not their values."""

SLOTS: Final = 24
CHOSEN: Final = 12
"""A list's code: 2.7 million of them, so that two lists of one project share one as good as never.

A read fetches ``CHOSEN`` counters, a write leases and bumps the others, which costs more.
"""

VENDORS: Final = ("postgresql", "sqlite", "mysql")
"""Databases whose equality of the fields that take part is known."""


@dataclass(frozen=True, slots=True)
class MatchField:
    """A field that takes part: its name, its column, and the field that a foreign key leads to, or itself."""

    name: str
    column: str
    value: models.Field[object, object]


@dataclass(frozen=True)
class Matching:
    """What one table's models opt in to.

    Attributes:
        fieldsets: The lists of fields, each in the order of names.
    """

    fieldsets: tuple[tuple[MatchField, ...], ...]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values are asked for before and after a write."""
        return tuple(dict.fromkeys(field.column for fields in self.fieldsets for field in fields))

    @cached_property
    def slots(self) -> frozenset[int]:
        """The code of the list: of fields, columns and types, since a value's name depends on the type."""
        text = "\n".join(
            ",".join(f"{field.name}:{field.column}:{type(field.value).__name__}" for field in fields)
            for fields in self.fieldsets
        )
        number = int.from_bytes(hashlib.blake2b(f"2\n{text}".encode(), digest_size=16).digest(), "big")
        return _combination(number % comb(SLOTS, CHOSEN))

    def fieldset(self, names: Sequence[str]) -> tuple[MatchField, ...] | None:
        """Return the list of fields with these names, in this order."""
        return next((each for each in self.fieldsets if [field.name for field in each] == list(names)), None)

    def guards(self, owner: str) -> tuple[Namespace, ...]:
        """Return what a read that depends on values depends on as well."""
        details = (PLAIN, *(str(slot) for slot in sorted(self.slots)))
        return tuple(Namespace(Kind.MATCH, owner, detail) for detail in details)

    def written(self, owner: str, vendor: str, rows: Iterable[Sequence[object]]) -> set[Namespace] | None:
        """Return what a write bumps that knows the values of its rows, ``None`` where one of them has no name.

        Args:
            owner: The table's.
            vendor: The database's.
            rows: Values of ``columns``, before the write and after it.
        """
        found = {Namespace(Kind.MATCH, owner, str(slot)) for slot in range(SLOTS) if slot not in self.slots}
        fieldsets = [each for each in self.fieldsets if all(has_names(field.value, vendor) for field in each)]
        for row in rows:
            values = dict(zip(self.columns, row, strict=True))
            for fields in fieldsets:
                given = [values[field.column] for field in fields]
                if None in given:
                    # No read depends on the name of a NULL: such reads depend on all rows.
                    continue
                detail = detail_of(fields, vendor, given)
                if detail is None:
                    return None
                found.add(Namespace(Kind.MATCH, owner, detail))
        return found


def plain(owner: str) -> Namespace:
    """Return what a writer bumps who knows the rows and not their values."""
    return Namespace(Kind.MATCH, owner, PLAIN)


def detail_of(fields: Sequence[MatchField], vendor: str, values: Sequence[object]) -> str | None:
    """Return the name of values of fields: ``"author=3,status=draft"``; ``None`` where one of them has not one name."""
    texts = [value_text(field.value, vendor, value) for field, value in zip(fields, values, strict=True)]
    # Field names are identifiers, and a text's own commas are escaped: the name can be read in one way only.
    parts = [f"{field.name}={text}" for field, text in zip(fields, texts, strict=True) if text is not None]
    return ",".join(parts) if len(parts) == len(fields) else None


def value_text(field: models.Field[object, object], vendor: str, value: object) -> str | None:
    """Return the one name of a value as a reader gives it or as the driver returns it; ``None`` if it has not one."""
    if not has_names(field, vendor):
        return None
    if isinstance(field, models.CharField):
        text = str.__str__(value) if isinstance(value, str) else None
        return None if text is None else text.replace("%", "%25").replace(",", "%2C")
    if isinstance(field, models.BooleanField):
        # A 2 that somebody else has written is true, and not equal to 1.
        return str(int(value)) if isinstance(value, int) and value in (0, 1) else None
    if isinstance(field, models.DateField):
        return _date_text(value)
    return exact_text(field, value)


def has_names(field: models.Field[object, object], vendor: str) -> bool:
    """Tell whether each value of a field has one name on a database: what is equal there is written alike here."""
    if vendor not in VENDORS:
        return False
    return (
        is_exact(field)
        or type(field) in (models.BooleanField, models.DateField)
        or is_exact_text(field, vendor)
    )


def match_field(field: models.Field[object, object]) -> MatchField | None:
    """Return what a model's field is for ``match``, ``None`` where its values have not one name on any database."""
    value = target(field)
    plain_link = value is field or type(field) in (models.ForeignKey, models.OneToOneField)
    if field.column is None or not plain_link or not any(has_names(value, vendor) for vendor in VENDORS):
        return None
    return MatchField(field.name, field.column, value)


def _date_text(value: object) -> str | None:
    if type(value) is dt.date:
        return value.isoformat()
    if not isinstance(value, str):
        return None
    try:
        return value if dt.date.fromisoformat(value).isoformat() == value else None
    except ValueError:
        return None


def _combination(number: int) -> frozenset[int]:
    """Return the ``number``-th set of ``CHOSEN`` slots (combinatorial number system)."""
    slots = set()
    for size in range(CHOSEN, 0, -1):
        slot = max(each for each in range(SLOTS) if comb(each, size) <= number)
        number -= comb(slot, size)
        slots.add(slot)
    return frozenset(slots)
