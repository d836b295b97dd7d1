"""Unpickling without trust: for entries that are not signed, where whoever writes to the store writes the pickle.

A pickle is a program. Here it is first read as text: every opcode must be one that this package's own pickler writes,
so there are no persistent ids, extension codes, ``INST``, ``OBJ`` or ``NEWOBJ``, no memo index that makes the memo
allocate gigabytes, and no tuple that takes for ever to hash. Then it runs with a handful of names. No class that
Python code could change is ever among them: instances are made by ``revive``, which takes the class's name as text
and looks at a list, so a pickle cannot get hold of a class, call its methods or set its attributes.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import MappingProxyType, NoneType
from typing import Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from genscache.opcodes import check_opcodes

PLAIN_TYPES: Final[frozenset[type]] = frozenset(
    {complex, range, date, datetime, time, timedelta, timezone, Decimal}
)
"""Types that a pickle may name and call: written in C, immutable, and cheap whatever they are called with."""

REVIVED_TYPES: Final[Mapping[type, tuple[type, ...]]] = MappingProxyType(
    {
        # Only from ints: Fraction("1e999999999") computes the power.
        Fraction: (int,),
        # Never of slices: from Python 3.12 on they can be hashed, and nested ones would take for ever.
        slice: (int, NoneType),
        UUID: (),
        ZoneInfo: (str,),
        # Never from a range or another iterator: a few bytes would fill the memory.
        deque: (tuple, int, NoneType),
        OrderedDict: (),
        Counter: (dict,),
        **dict.fromkeys((PurePosixPath, PureWindowsPath, PosixPath, WindowsPath), (str,)),
        **dict.fromkeys(
            (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network), (str, int)
        ),
    }
)
"""Types that ``revive`` makes, with the types that their arguments may have."""

REVIVED_NAMES: Final[Mapping[str, tuple[type, ...]]] = MappingProxyType(
    {"django.db.models.base:ModelState": (), "django.utils.safestring:SafeString": (str,)}
)
"""The same for types that need not be installed."""

MODEL_UNPICKLE: Final = ("django.db.models.base", "model_unpickle")


class ForbiddenClass(pickle.UnpicklingError):
    """A pickle names something that is not on the list."""


class _Guarded:
    """A function as a pickle may see it: it can be called, and neither ``BUILD`` nor anything else changes it."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., object]) -> None:
        self._make = make

    def __call__(self, *args: object) -> object:
        return self._make(*args)

    def __setstate__(self, state: object) -> None:
        raise ForbiddenClass("a pickle tries to change what it is given")


def class_path(kind: type) -> str:
    """Return ``"module:Qual.name"``."""
    return f"{kind.__module__}:{kind.__qualname__}"


def find_loaded(path: str) -> type | None:
    """Return the class at ``"module:Qual.name"`` if its module is loaded and the class calls itself so."""
    module, _, qualname = path.partition(":")
    found: object = sys.modules.get(module)
    for name in qualname.split("."):
        found = vars(found).get(name) if hasattr(found, "__dict__") else None
    # A module's imports are reachable through it, too; they are on no list under that name.
    return found if isinstance(found, type) and class_path(found) == path else None


def is_allowed(path: str, allowed: frozenset[str]) -> bool:
    """Tell whether a list of ``"module.Qual.name"`` and ``"module.*"`` names the class at ``path``."""
    module, _, qualname = path.partition(":")
    return f"{module}.{qualname}" in allowed or f"{module}.*" in allowed


def fits(path: str, args: Iterable[object]) -> bool:
    """Tell whether a class may be revived from ``args``; one of the project's own list from anything."""
    kind = _REVIVED_PATHS.get(path)
    types = REVIVED_NAMES.get(path) if kind is None else REVIVED_TYPES[kind]
    return types is None or all(type(arg) in types for arg in args)


def revive(path: str, how: str, *args: object) -> object:
    """Stand, in an unsigned pickle, for the function that makes an instance of a listed class."""
    raise ForbiddenClass(
        f"{path} can only be revived by a RestrictedUnpickler ({how}, {len(args)} arguments)"
    )


class RestrictedUnpickler(pickle.Unpickler):
    """Read what ``RestrictedPickler`` wrote and nothing else.

    Args:
        body: The pickle.
        allowed: Names of further classes, ``"module.Qual.name"`` or ``"module.*"``.
        models: Paths of model classes whose definitions have been compared, and the classes.
    """

    def __init__(self, body: bytes, *, allowed: frozenset[str], models: Mapping[str, type]) -> None:
        """Check the opcodes; see the class."""
        check_opcodes(body)
        super().__init__(io.BytesIO(body))
        self._allowed = allowed
        self._models = models
        self._names: dict[tuple[str, str], object] = {
            **_PLAIN_NAMES,
            (__name__, revive.__qualname__): _Guarded(self._revive),
            MODEL_UNPICKLE: _Guarded(self._revive_model),
        }

    def find_class(self, module: str, name: str) -> object:
        """Return one of the few things that a pickle may name; nothing is looked up or imported.

        Raises:
            ForbiddenClass: It is none of them.
        """
        try:
            return self._names[module, name]
        except KeyError:
            raise ForbiddenClass(f"{module}.{name} is not on the list") from None

    def _revive(self, path: str, how: str, *args: object) -> object:
        if type(path) is not str:
            raise ForbiddenClass(f"a class must be named by a text, got {type(path).__qualname__}")
        if path in self._models:
            # Not by a call, which would send the model's signals.
            return self._models[path].__new__(self._models[path], *args)
        kind = self._class_at(path)
        if not fits(path, args):
            # By type only: a few bytes make a list whose repr would never end.
            kinds = ", ".join(type(arg).__qualname__ for arg in args[:5])
            raise ForbiddenClass(f"{path} may not be called with {len(args)} arguments ({kinds})")
        return kind(*args) if how == "call" else kind.__new__(kind, *args)

    def _class_at(self, path: str) -> type:
        kind = _REVIVED_PATHS.get(path)
        if kind is not None:
            return kind
        if path not in REVIVED_NAMES and not is_allowed(path, self._allowed):
            raise ForbiddenClass(f"{path} is not on the list")
        # Only a module that is on the list, so that a pickle cannot have any other imported.
        importlib.import_module(path.partition(":")[0])
        kind = find_loaded(path)
        if kind is None:
            raise ForbiddenClass(f"{path} is no class")
        return kind

    def _revive_model(self, *args: object) -> object:
        match args:
            case ((str() as app, str() as name),):
                make = cast(
                    "Callable[[object], object]", vars(sys.modules[MODEL_UNPICKLE[0]])[MODEL_UNPICKLE[1]]
                )
                instance = make((app, name))
            case _:
                raise ForbiddenClass("a model must be named by its app and its name")
        if type(instance) not in self._models.values():
            raise ForbiddenClass(f"{type(instance).__qualname__} is not among the entry's models")
        return instance


_PLAIN_NAMES: Final[Mapping[tuple[str, str], object]] = MappingProxyType(
    {(kind.__module__, kind.__qualname__): kind for kind in PLAIN_TYPES}
)
_REVIVED_PATHS: Final[Mapping[str, type]] = MappingProxyType(
    {class_path(kind): kind for kind in REVIVED_TYPES}
)
