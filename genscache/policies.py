"""``GENSCACHE["MODELS"]``: how querysets of a model are cached without being asked to."""

# ruff: noqa: TRY004 - whoever calls handles one kind of error

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final, Literal, TypeAlias, cast, get_args

Op: TypeAlias = Literal["get", "list", "count", "exists", "aggregate"]

OPS: Final[tuple[Op, ...]] = get_args(Op)
"""What a queryset can be asked, each of which may be cached or not."""

_COUSINS: Final = {
    "fetch": "list", "iterate": "list", "values": "list", "values_list": "list", "dates": "list", "in_bulk": "list",
    "first": "list", "last": "list", "earliest": "get", "latest": "get", "contains": "exists",
}  # fmt: skip
"""What users of other libraries, or of the method's name, may write, and what it is called here."""

_KEYS: Final = ("cache", "timeout", "lock", "match")


@dataclass(frozen=True, slots=True)
class ModelPolicy:
    """How querysets of one model are cached.

    Attributes:
        ops: What is cached without ``.cache()``.
        timeout: Life of an entry in seconds; ``None``: ``GENSCACHE["TIMEOUT"]``.
        lock: One process at a time fills an entry.
        match: Tuples of field names: a read filtered by equality of all of them depends only on rows with these values.
    """

    ops: frozenset[Op] = frozenset()
    timeout: float | None = None
    lock: bool = False
    match: tuple[tuple[str, ...], ...] = ()


def policy_of(models: Mapping[str, Mapping[str, object]], label: str) -> ModelPolicy:
    """Return the policy of a model: what the narrowest pattern that says something says, key by key.

    Args:
        models: Patterns with checked values, from ``checked``.
        label: The model's label.
    """
    policy = ModelPolicy()
    for pattern in fitting(models, label):
        policy = replace(policy, **models[pattern])  # type: ignore[arg-type]  # every value has passed its check
    return policy


def fitting(models: Mapping[str, Mapping[str, object]], label: str) -> list[str]:
    """Return the patterns that a model's label fits, the widest first."""
    name = label.casefold()
    return sorted((pattern for pattern in models if fnmatchcase(name, pattern.casefold())), key=_narrowness)


def checked(place: str, given: object, seconds: Callable[[str, object], float]) -> dict[str, object]:
    """Check what is said of one pattern.

    Args:
        place: What messages call it: ``GENSCACHE["MODELS"]["blog.*"]``.
        given: The value.
        seconds: Checks a duration and raises ``ValueError``.

    Returns:
        Fields of ``ModelPolicy`` by name.

    Raises:
        ValueError: Something is wrong; the message shows the value and the cure.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f'{place} must be a dict, got {given!r}. Use {{"cache": "all", "timeout": 600}}.')
    values: dict[str, object] = {}
    for key, value in given.items():
        match key:
            case "cache":
                values["ops"] = checked_ops(f'{place}["cache"]', value)
            case "timeout":
                values["timeout"] = seconds(f'{place}["timeout"]', value)
            case "lock":
                if not isinstance(value, bool):
                    raise ValueError(f'{place}["lock"] must be True or False, got {value!r}.')
                values["lock"] = value
            case "match":
                values["match"] = _fieldsets(f'{place}["match"]', value)
            case _:
                near = difflib.get_close_matches(str(key), _KEYS, n=1)
                cure = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(_KEYS)}."
                raise ValueError(f"{place}[{key!r}] is not known. {cure}")
    return values


def checked_ops(place: str, value: object) -> frozenset[Op]:
    """Return operations from ``"all"``, one name or several.

    Raises:
        ValueError: There is no such operation.
    """
    if value == "all":
        return frozenset(OPS)
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, list | tuple | set | frozenset):
        raise ValueError(
            f'{place} must be "all" or a list of operations, got {value!r}. Use ["get", "list"].'
        )
    for name in names:
        if name not in OPS:
            near = _COUSINS.get(str(name)) or next(iter(difflib.get_close_matches(str(name), OPS, n=1)), "")
            cure = f"Use {near!r}." if near else f'Known: {", ".join(OPS)}, or "all".'
            raise ValueError(f"{place}: there is no operation {name!r}. {cure}")
    return frozenset(cast("Iterable[Op]", names))


def _fieldsets(place: str, value: object) -> tuple[tuple[str, ...], ...]:
    """Check lists of field names; the order of names and of lists means nothing."""
    if not isinstance(value, list | tuple):
        raise ValueError(
            f'{place} must be a list of lists of field names, got {value!r}. Use [["category"]].'
        )
    found = set()
    for each in value:
        if not isinstance(each, list | tuple) or not each:
            raise ValueError(f"{place} must hold lists of field names, got {each!r}. Use [{each!r}].")
        if not all(isinstance(name, str) and name for name in each):
            raise ValueError(f"{place} must hold lists of field names, got {each!r}.")
        found.add(tuple(sorted(set(each))))
    return tuple(sorted(found))


def _narrowness(pattern: str) -> tuple[bool, int]:
    wild = any(character in pattern for character in "*?[")
    return not wild, len(pattern)
