"""What a model's words are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Templates for querysets of one model.

    Attributes:
        model: Its name in the text.
        conditions: Arguments of ``filter()`` and ``exclude()``.
        orders: Arguments of ``order_by()``; each leaves no two rows undecided.
        derived: Calls that add columns, or conditions on what is not returned.
        shapes: Calls that say what a row looks like; no row is there twice.
        many: The same where rows may be there twice, or are not those of the table; so their order is not told.
        sums: Arguments of ``aggregate()``.
        others: Querysets of the same columns, for ``union()`` and its kind.
        late: Arguments of ``latest()``.
    """

    model: str
    conditions: Sequence[str]
    orders: Sequence[str] = ("'pk'", "'-pk'", "'name', 'pk'", "'-name', 'pk'")
    derived: Sequence[str] = ()
    shapes: Sequence[str] = (
        ".only('pk')",
        ".defer('name')",
        ".values('pk', 'name')",
        ".values('name', 'pk')",
    )
    many: Sequence[str] = (".values('name')", ".values_list('name', flat=True)")
    sums: Sequence[str] = ("n=Count('pk')", "m=Count('pk')", "n=Max('name')")
    others: Sequence[str] = ()
    late: Sequence[str] = ("'name', 'pk'",)
