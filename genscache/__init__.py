"""A versioned-namespace cache for Django: generation counters, no key scanning, no stale read after an invalidation.

Importing this reads no setting and opens no connection.
"""

from __future__ import annotations

from genscache.decorators import cached
from genscache.dependencies import obj
from genscache.explaining import aexplain, explain
from genscache.guards import bypass
from genscache.invalidation import (
    ainvalidate,
    ainvalidate_all,
    ainvalidate_model,
    ainvalidate_obj,
    batch_invalidations,
    invalidate,
    invalidate_all,
    invalidate_model,
    invalidate_obj,
    invalidate_tables,
)
from genscache.querysets.manager import CachedManager
from genscache.querysets.queryset import CachedQuerySet
from genscache.snapshots import snapshot
from genscache.statistics import stats

__all__ = [
    "CachedManager",
    "CachedQuerySet",
    "aexplain",
    "ainvalidate",
    "ainvalidate_all",
    "ainvalidate_model",
    "ainvalidate_obj",
    "batch_invalidations",
    "bypass",
    "cached",
    "explain",
    "invalidate",
    "invalidate_all",
    "invalidate_model",
    "invalidate_obj",
    "invalidate_tables",
    "obj",
    "snapshot",
    "stats",
]

__version__ = "0.1.0"
