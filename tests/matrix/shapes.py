"""Every kind of query: what is asked of articles, authors, sections, tags and of the odd kinds of model.

A shape is a function of ``q``, which makes the queryset of a model or manager that is cached or not, as the run wants
it; what it returns is compared.
"""

from __future__ import annotations

from typing import Final

from tests.matrix.asking import Read
from tests.matrix.lists import LISTS, RAW
from tests.matrix.relations import ATTRIBUTES, RELATIONS
from tests.matrix.singles import SINGLE

ASKED: Final[dict[str, Read]] = {**SINGLE, **LISTS, **RAW, **RELATIONS}
AUTOMATIC: Final[dict[str, Read]] = {**SINGLE, **LISTS, **RELATIONS, **ATTRIBUTES}
