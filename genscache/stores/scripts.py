"""The atomic steps that Redis runs: one Lua file a step, read once from the package."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib import resources
from typing import Final, Self

_FIRST: Final = {
    "ensure": ("plain_ensure", "counter", "quarantine"),
    "fence": ("counter", "quarantine"),
    "lease": ("plain_lease", "counter"),
    "settle": ("plain_settle", "counter"),
}
"""What stands in front of a step: its plain case, and the words that steps share."""


def digest(text: str) -> str:
    """Return the name that Redis gives to a script: SHA-1, and nothing relies on it being hard to collide."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Script:
    """A step's text and the digest under which the server remembers it."""

    name: str
    text: str = field(repr=False)
    sha: str

    @classmethod
    def load(cls, name: str) -> Self:
        """Read the step ``name`` from the package, with what stands in front of it."""
        folder = resources.files("genscache.stores") / "lua"
        parts = (*_FIRST.get(name, ("counter",)), name)
        text = "".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in parts)
        return cls(name, text, digest(text))


@dataclass(frozen=True, slots=True)
class Scripts:
    """Every step that an operation runs."""

    ensure: Script
    bump: Script
    lease: Script
    settle: Script
    acquire: Script
    release: Script

    @classmethod
    def load(cls) -> Self:
        """Read every step from the package."""
        return cls(*(Script.load(name) for name in cls.__slots__))
