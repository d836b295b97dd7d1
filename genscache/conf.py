"""The settings: one frozen object, read from ``settings.GENSCACHE`` in one place."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Literal, TypeAlias, cast

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from genscache.keys import KeySpace
from genscache.policies import ModelPolicy, checked, policy_of
from genscache.replication import Replica

LONGEST_TIMEOUT = 30 * 24 * 3600
"""The longest life of an entry in seconds: half of a counter's, so that a counter outlives what depends on it."""

SHORTEST_LEASE = 0.001
"""Seconds: a store counts leases in milliseconds."""

OnOutage: TypeAlias = Literal["refuse", "proceed"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``GENSCACHE`` says, checked, with every default in sight.

    Attributes:
        store: The store's URL, or ``None`` for ``CACHES["default"]``.
        timeout: Default life of an entry in seconds.
        prefix: First part of every key.
        untracked: Model label patterns whose tables are neither cached nor invalidated.
        derived: What derives from what: a view, trigger target or ``procedure()`` and the tables it stands for.
        lease: Length of a write lease in seconds; 0 switches leases off.
        enforce_leases: The database refuses a COMMIT that comes when its lease has run out, where it can.
        fence: Notice that a server has restarted, was restored or flushed, and quarantine what it holds.
        on_outage: What a write does while no lease can be had.
        replicas: Database alias of a replica -> whose it is, and when what is read from it may be stored.
        key_context: Called for each read; its text separates entries (tenants).
        serializer: Dotted path of an object with ``dumps`` and ``loads``, or ``"pickle"``.
        sign: Sign entries with a key derived from ``SECRET_KEY``.
        allowed_classes: Unsigned pickles may hold these classes besides the safe ones.
        max_entry_bytes: Larger payloads are returned and not stored.
        local_bytes: Room for copies of entries in each process, which are served once the store has confirmed them.
        enabled: False: every read bypasses; writes still invalidate.
        audit: Share of hits, 0 to 1, that are compared with the database.
        audit_except: Patterns of what is never audited.
        models: How querysets of models are cached by themselves, by label pattern.
    """

    store: str | None = field(default=None, repr=False)
    timeout: float = 300.0
    prefix: str = "gc"
    untracked: tuple[str, ...] = ("sessions.*", "admin.LogEntry", "migrations.*")
    derived: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lease: float = 10.0
    enforce_leases: bool = False
    fence: bool = True
    on_outage: OnOutage = "refuse"
    replicas: Mapping[str, Replica] = field(default_factory=dict)
    key_context: Callable[[], str] | None = None
    serializer: str = "pickle"
    sign: bool = True
    allowed_classes: tuple[str, ...] = ()
    max_entry_bytes: int = 1_048_576
    local_bytes: int = 16 * 1_048_576
    enabled: bool = True
    audit: float = 0.0
    audit_except: tuple[str, ...] = ()
    models: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @classmethod
    def load(cls) -> Settings:
        """Read ``settings.GENSCACHE``.

        Raises:
            ImproperlyConfigured: A key is unknown or a value is wrong; the message shows the value and the cure.
        """
        given: object = getattr(django_settings, "GENSCACHE", {})
        if not isinstance(given, Mapping):
            raise ImproperlyConfigured(
                f"GENSCACHE must be a dict, got {given!r}. Write GENSCACHE = {{}} for the defaults."
            )
        return cls.of(given)

    def policy(self, label: str) -> ModelPolicy:
        """Return how querysets of the model ``label`` are cached."""
        return policy_of(self.models, label)

    @classmethod
    def of(cls, given: Mapping[str, object]) -> Settings:
        """Check a mapping of settings; see ``load``."""
        names = {item.name.upper(): item.name for item in fields(cls)}
        values: dict[str, object] = {}
        for key, value in given.items():
            if key not in names:
                raise ImproperlyConfigured(_unknown(key, names))
            values[names[key]] = _CHECKS[key](f'GENSCACHE["{key}"]', value)
        return cls(**values)  # type: ignore[arg-type]  # every value has passed the check of its key


def given() -> Mapping[str, object]:
    """Return ``settings.GENSCACHE`` as it stands."""
    return cast("Mapping[str, object]", getattr(django_settings, "GENSCACHE", {}))


def secret_keys() -> tuple[bytes, ...]:
    """Return the signing keys, derived from ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS``; the first one signs."""
    secrets = [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]
    return tuple(
        hashlib.blake2b(
            secret if isinstance(secret, bytes) else secret.encode(), digest_size=32, person=b"genscache.sign"
        ).digest()
        for secret in secrets
    )


def caches() -> Mapping[str, Mapping[str, object]]:
    """Return ``settings.CACHES``."""
    return cast("Mapping[str, Mapping[str, object]]", django_settings.CACHES)


def cache_tables() -> tuple[str, ...]:
    """Return the tables of Django's database caches, in lower case: what is written there is no data of a model."""
    return tuple(
        str(cache.get("LOCATION", "")).casefold()
        for cache in caches().values()
        if str(cache.get("BACKEND", "")).endswith("DatabaseCache")
    )


def database_mirrors() -> dict[str, str]:
    """Return test mirrors: alias -> alias of the database that it mirrors."""
    databases = cast("Mapping[str, Mapping[str, Mapping[str, str | None]]]", django_settings.DATABASES)
    mirrors = {alias: database.get("TEST", {}).get("MIRROR") for alias, database in databases.items()}
    return {alias: mirror for alias, mirror in mirrors.items() if mirror}


def seconds(
    name: str,
    value: object,
    *,
    longest: float = LONGEST_TIMEOUT,
    cure: str = "Use None for the longest, 0 to store nothing.",
) -> float:
    """Check a duration.

    Args:
        name: What the message calls it.
        value: A number of seconds or a ``timedelta``; ``None`` means as long as possible.
        longest: The largest value allowed, in seconds.
        cure: What the message for a value out of bounds advises.

    Raises:
        ValueError: It is no duration, negative, or longer than ``longest``.
    """
    if value is None:
        return longest
    total = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(total, bool) or not isinstance(total, int | float):
        raise ValueError(  # noqa: TRY004 - callers handle one kind of error
            f"{name} must be a number of seconds or a timedelta, got {value!r}. Use 300."
        )
    if not 0 <= total <= longest:
        raise ValueError(f"{name} must be between 0 and {longest:.0f} seconds, got {value!r}. {cure}")
    return float(total)


def _unknown(key: object, names: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(str(key).upper(), names, n=1, cutoff=0.5)
    cure = f'Did you mean "{near[0]}"?' if near else f"Known: {', '.join(sorted(names))}."
    return f'GENSCACHE["{key}"] is not a setting of genscache. {cure}'


def _duration(name: str, value: object) -> float:
    try:
        return seconds(name, value)
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from None


def _lease(name: str, value: object) -> float:
    if value is None or value is False:
        return 0.0
    cure = "Use 10, or 0 for no leases."
    try:
        length = seconds(name, value, cure=cure)
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from None
    if 0 < length < SHORTEST_LEASE:
        raise ImproperlyConfigured(
            f"{name} must be 0 or at least {SHORTEST_LEASE} seconds, got {value!r}. {cure}"
        )
    return length


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ImproperlyConfigured(f"{name} must be a text, got {value!r}.")
    return value


def _store(name: str, value: object) -> str | None:
    if value is None:
        return None
    url = _text(name, value)
    if "://" not in url:
        # What stands before the last "@" is a password, most likely.
        shown = f"***@{url.rpartition('@')[2]}" if "@" in url else url
        raise ImproperlyConfigured(
            f'{name} must be a URL, got {shown!r}. Use "redis://127.0.0.1:6379/0", "memory://" or "django://default".'
        )
    return url


def _prefix(name: str, value: object) -> str:
    try:
        return KeySpace(_text(name, value)).prefix
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from None


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ImproperlyConfigured(f"{name} must be True or False, got {value!r}.")
    return value


def _size(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ImproperlyConfigured(f"{name} must be a number of bytes above 0, got {value!r}. Use 1048576.")
    return value


def _room(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ImproperlyConfigured(
            f"{name} must be a number of bytes, got {value!r}. Use 16777216, or 0 for none."
        )
    return value


def _share(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ImproperlyConfigured(f"{name} must be a number from 0 to 1, got {value!r}. Use 0.001.")
    return float(value)


def _names(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple | set | frozenset):
        raise ImproperlyConfigured(f"{name} must be a list of texts, got {value!r}. Use [{value!r}].")
    return tuple(_text(f"{name}[{index}]", item) for index, item in enumerate(value))


def _mapping(name: str, value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise ImproperlyConfigured(f"{name} must be a dict, got {value!r}.")
    return {_text(f"a key of {name}", key): item for key, item in value.items()}


def _derived(name: str, value: object) -> dict[str, tuple[str, ...]]:
    return {key: _names(f'{name}["{key}"]', item) for key, item in _mapping(name, value).items()}


def _replicas(name: str, value: object) -> dict[str, Replica]:
    try:
        replicas = {key: Replica.of(f'{name}["{key}"]', item) for key, item in _mapping(name, value).items()}
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from None
    for alias, replica in replicas.items():
        for named in (alias, replica.primary):
            if named not in django_settings.DATABASES:
                known = ", ".join(sorted(django_settings.DATABASES))
                raise ImproperlyConfigured(
                    f"{name} names the database {named!r}, which is not in DATABASES: {known}."
                )
        if replica.primary in replicas:
            raise ImproperlyConfigured(
                f'{name}["{alias}"] is {replica.primary!r}, itself a replica. Name the primary.'
            )
    return replicas


def _models(name: str, value: object) -> dict[str, dict[str, object]]:
    try:
        return {
            pattern: checked(f'{name}["{pattern}"]', given, seconds)
            for pattern, given in _mapping(name, value).items()
        }
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from None


def _choice(name: str, value: object) -> OnOutage:
    if value != "refuse" and value != "proceed":  # noqa: PLR1714 - this form narrows the type
        raise ImproperlyConfigured(f'{name} must be "refuse" or "proceed", got {value!r}.')
    return value


def _callable(name: str, value: object) -> Callable[[], str] | None:
    if value is None or callable(value):
        return cast("Callable[[], str] | None", value)
    try:
        found = import_string(_text(name, value))
    except ImportError as error:
        raise ImproperlyConfigured(
            f"{name} must be a function or its dotted path, got {value!r}: {error}"
        ) from error
    return cast("Callable[[], str]", found)


_CHECKS: Mapping[str, Callable[[str, object], object]] = {
    "STORE": _store,
    "TIMEOUT": _duration,
    "PREFIX": _prefix,
    "UNTRACKED": _names,
    "DERIVED": _derived,
    "LEASE": _lease,
    "ENFORCE_LEASES": _flag,
    "FENCE": _flag,
    "ON_OUTAGE": _choice,
    "REPLICAS": _replicas,
    "KEY_CONTEXT": _callable,
    "SERIALIZER": _text,
    "SIGN": _flag,
    "ALLOWED_CLASSES": _names,
    "MAX_ENTRY_BYTES": _size,
    "LOCAL_BYTES": _room,
    "ENABLED": _flag,
    "AUDIT": _share,
    "AUDIT_EXCEPT": _names,
    "MODELS": _models,
}
