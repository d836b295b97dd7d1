"""What genscache raises.

    GenscacheError
    ├── StoreError               the store could not do what was asked
    │   └── StoreUnavailable     it cannot be reached, or answers too late
    ├── WriteRefused             a database write was not done, because no lease could be had for it
    ├── UncacheableArgument      an argument that cannot become part of a key (also a TypeError)
    ├── UncacheableValue         a result that cannot become a payload (also a TypeError)
    └── InvalidNamespace         something that cannot be invalidated or depended on (also a ValueError)

Settings that are wrong raise Django's ``ImproperlyConfigured``.
"""

from __future__ import annotations


class GenscacheError(Exception):
    """Base of everything that genscache raises on its own account."""


class StoreError(GenscacheError):
    """The store answered with an error."""


class StoreUnavailable(StoreError):
    """The store cannot be reached, or did not answer within its timeout."""


class WriteRefused(GenscacheError):
    """No lease can be had for a write, or none that lasts until its COMMIT, so the write was not done."""


class UncacheableArgument(GenscacheError, TypeError):
    """An argument of a cached function has no canonical form."""


class UncacheableValue(GenscacheError, TypeError):
    """The result of a cached function cannot be turned into a payload."""


class InvalidNamespace(GenscacheError, ValueError):
    """What was named is not a model, an object, a table or a name."""
