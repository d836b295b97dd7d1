"""Fingerprints of queries, from their structure."""

from __future__ import annotations

from genscache.fingerprints.literals import written
from genscache.fingerprints.sql import apart, compiled, compiled_in_place
from genscache.fingerprints.structure import Structure, structure_of
from genscache.fingerprints.walk import UncacheableQuery

__all__ = [
    "Structure",
    "UncacheableQuery",
    "apart",
    "compiled",
    "compiled_in_place",
    "structure_of",
    "written",
]
