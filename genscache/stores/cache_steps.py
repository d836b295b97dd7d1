"""Operations done with the methods of a Django cache; why this is safe stands in ``django.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, cast

from django.core.cache.backends.dummy import DummyCache

from genscache.exceptions import StoreUnavailable
from genscache.stores.base import (
    Acquire,
    Answer,
    Bump,
    Ensure,
    Fetch,
    Lease,
    Operation,
    Put,
    ReadClock,
    Release,
    Settle,
    TimeLeft,
)
from genscache.stores.limits import CHUNK, COUNTER_TTL, lives, unknown
from genscache.types import NO_GENERATION, CounterState, Fetched, Generation

if TYPE_CHECKING:
    from django.core.cache.backends.base import BaseCache

PROBE: Final = "genscache:probe"
PROBE_SECONDS: Final = 60


class CacheSteps:
    """One cache, for one operation.

    Args:
        cache: What ``caches[alias]`` returned in this thread.
        unique: Returns a generation that was never returned before.
    """

    def __init__(self, cache: BaseCache, unique: Callable[[], Generation]) -> None:
        """Hold the cache."""
        self._cache = cache
        self._unique = unique

    def execute(self, operation: Operation[Answer]) -> Answer:
        """Do one operation."""
        return cast("Answer", self._do(operation))

    def _do(self, operation: object) -> object:  # noqa: C901, PLR0911  one case an operation
        match operation:
            case Fetch(counters=counters, entry=entry):
                return self._fetch(counters, entry)
            case Ensure():
                return self._ensure(operation)
            case Bump(counters=counters):
                return self._bump(counters)
            case Lease():
                pass
            case Settle(bump=bump):
                self._bump(bump)
            case Put():
                self._put(operation)
            case ReadClock():
                return NO_GENERATION
            case TimeLeft():
                return None
            case Acquire(key=key, token=token, duration=duration):
                # The same token again succeeds: its first answer may have been lost.
                return bool(self._cache.add(key, token, _seconds(duration))) or self._cache.get(key) == token
            case Release(key=key, token=token):
                self._release(key, token)
            case _:
                raise unknown(operation)
        return None

    def _fetch(self, counters: tuple[str, ...], entry: str | None) -> Fetched:
        keys = counters if entry is None else (*counters, entry)
        found = self._read(keys)
        value = None if entry is None else found.get(entry)
        generations = _generations(counters, found)
        states = tuple(
            CounterState(generations[key], leased=False) if key in generations else None for key in counters
        )
        return Fetched(states, bytes(value) if isinstance(value, bytes | memoryview) else None)

    def _ensure(self, operation: Ensure) -> tuple[CounterState, ...]:
        counters = operation.counters
        life = dict(zip(counters, lives(operation), strict=True))
        found = self._read(counters)
        known = _generations(counters, found)
        missing = [key for key in dict.fromkeys(counters) if key not in known]
        for key in missing:
            if key in found:
                # Something foreign is in the way of ``add``; a set is as good, as no bump can have written it.
                self._cache.set(key, self._unique(), _seconds(life[key]))
            else:
                self._cache.add(key, self._unique(), _seconds(life[key]))
        if missing:
            known |= _generations(missing, self._read(missing))
        # What the cache did not keep (a dummy, a full one) gets a number that no entry will be found under.
        return tuple(CounterState(known.get(key) or self._unique(), leased=False) for key in counters)

    def _bump(self, counters: tuple[str, ...]) -> tuple[Generation, ...]:
        before = self._existing(counters)
        new = {key: self._unique() for key in before}
        for part in _parts(new):
            self._cache.set_many({key: new[key] for key in part}, _seconds(COUNTER_TTL))
        after = _generations(tuple(new), self._read(new))
        kept = [key for key in before if after.get(key) == before[key]]
        if kept:
            message = (
                f"The cache did not store a new generation for {kept[0]!r} and {len(kept) - 1} more, and raised no "
                f"error. Check its server, and turn off options that swallow errors."
            )
            raise StoreUnavailable(message)
        return tuple(after.get(key, NO_GENERATION) if key in new else NO_GENERATION for key in counters)

    def _existing(self, counters: Iterable[str]) -> dict[str, Generation]:
        keys = tuple(dict.fromkeys(counters))
        found = _generations(keys, self._read(keys))
        if not found and keys and self._keeps_values():
            # A cache that swallows its errors answers an outage with "nothing there", which would pass for "nobody
            # depends on it". It is alive now, so what it says now counts.
            found = _generations(keys, self._read(keys))
        return found

    def _keeps_values(self) -> bool:
        if isinstance(self._cache, DummyCache):
            return False
        value = self._unique()
        self._cache.set(PROBE, value, PROBE_SECONDS)
        if self._cache.get(PROBE) is None:
            message = "The cache keeps nothing and raises no error. Check its server, and options that swallow errors."
            raise StoreUnavailable(message)
        return True

    def _put(self, operation: Put) -> None:
        # The superseded keys go first, so that a key in both lists ends up stored.
        if operation.unlink:
            self._cache.delete_many(operation.unlink)
        if operation.items:
            self._cache.set_many(dict(operation.items), _seconds(operation.ttl))

    def _release(self, key: str, token: str) -> None:
        # Between the look and the delete the lock may run out and be taken by another: then two may fill one key, which
        # costs work and nothing else.
        if self._cache.get(key) == token:
            self._cache.delete(key)

    def _read(self, keys: Iterable[str]) -> dict[str, object]:
        found: dict[str, object] = {}
        for part in _parts(keys):
            found |= self._cache.get_many(part)
        return found


def _generations(keys: Iterable[str], found: dict[str, object]) -> dict[str, Generation]:
    return {key: value for key in keys if type(value := found.get(key)) is int and value > NO_GENERATION}


def _seconds(milliseconds: int) -> int:
    # Rounded up: 0 would mean "expired already".
    return -(-milliseconds // 1000)


def _parts(keys: Iterable[str]) -> list[list[str]]:
    # Databases bound the number of parameters of one statement.
    every = list(keys)
    return [every[at : at + CHUNK] for at in range(0, len(every), CHUNK)]
