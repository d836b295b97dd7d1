"""Operations as Redis commands, and replies as answers: pure, so that the sync and the async store only send.

A dialogue is a generator that yields batches of commands (each batch is one round trip) and is sent their replies
in the same order; a reply that is an error is sent as the exception. It returns the operation's answer.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, cast

from redis.exceptions import NoScriptError

from genscache.exceptions import StoreError
from genscache.stores.base import (
    MARK,
    Acquire,
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
from genscache.stores.limits import CHUNK, COUNTER_TTL, GENERATION_LIMIT, check, lives, unknown
from genscache.types import NO_GENERATION, CounterState, Fetched, Generation

if TYPE_CHECKING:
    from genscache.stores.gate import Gate
    from genscache.stores.scripts import Script, Scripts

Word: TypeAlias = str | bytes | int
Command: TypeAlias = tuple[Word, ...]
Reply: TypeAlias = object
Answer = TypeVar("Answer")
Item = TypeVar("Item")
Dialogue: TypeAlias = Generator[list[Command], list[Reply], Answer]

_COUNTER: Final = re.compile(rb"(0|[1-9][0-9]{0,15})((?: [A-Za-z0-9_.-]+@(?:0|[1-9][0-9]{0,15}))*)")
_NUMBERS: Final = re.compile(rb"(?:-?[0-9]{1,16} ?)+")
_DEADLINE: Final = re.compile(rb"@([0-9]+)")

MOST_DIGITS: Final = 16
"""Characters of the longest generation."""

NO_FENCE: Final = -1
"""Given to a step in place of a lease's length, where the store has no fence."""

DONE: Final = [1]
"""The replies to a lease or a settle that was one step."""

FENCE_TOKEN: Final = b" fence-"
"""What stands before a lease of the fence's, in a counter's text."""


def parse_counter(raw: object) -> CounterState | None:
    """Read a counter's text; ``None`` for what is absent and for what no step of ours could have written.

    The grammar is the one of ``lua/counter.lua``: both sides must call the same bytes unreadable, or a reader would
    wait for a counter that the server never recreates.
    """
    if not isinstance(raw, bytes):
        return None
    return _remembered(raw) if len(raw) <= MOST_DIGITS else _parsed(raw)


def _parsed(raw: bytes) -> CounterState | None:
    match = _COUNTER.fullmatch(raw)
    if match is None:
        return None
    generation = int(match[1])
    leases = match[2]
    if generation >= GENERATION_LIMIT or (generation == NO_GENERATION and not leases):
        return None
    if leases and any(int(deadline) >= GENERATION_LIMIT for deadline in _DEADLINE.findall(leases)):
        return None
    return CounterState(generation, leased=bool(leases), quarantined=FENCE_TOKEN in leases)


_remembered: Final = lru_cache(20_000)(_parsed)
"""The same for texts without leases, which are the same in one read after another."""


def parse_clock(raw: object) -> Generation:
    """Read the clock's text; ``NO_GENERATION`` for what is absent or unreadable."""
    if isinstance(raw, bytes) and re.fullmatch(rb"[1-9][0-9]{0,15}", raw) and int(raw) < GENERATION_LIMIT:
        return int(raw)
    return NO_GENERATION


@dataclass(frozen=True, slots=True)
class Commands:
    """How one store's operations are said.

    Attributes:
        clock_key: Where the bump clock is kept.
        scripts: The atomic steps.
        gate: The way through the store's fence; ``None``: it has none.
    """

    clock_key: str
    scripts: Scripts
    gate: Gate | None = None

    def dialogue(self, operation: Operation[Answer]) -> Dialogue[Answer]:
        """Return the dialogue that does ``operation``."""
        check(operation)
        return cast("Dialogue[Answer]", self._dialogue(operation))

    def _dialogue(self, operation: object) -> Dialogue[object]:  # noqa: C901, PLR0911  one return an operation
        match operation:
            case Fetch():
                return _fetch(operation)
            case Ensure():
                return self._ensure(operation)
            case Bump(counters=counters):
                return self._bump(counters)
            case Lease():
                return self._lease(operation)
            case Settle():
                return self._settle(operation)
            case Put():
                return _put(operation, [] if self.gate is None else self.gate.refresh())
            case ReadClock():
                return self._read_clock()
            case TimeLeft(key=key):
                return _time_left(key)
            case Acquire(key=key, token=token, duration=duration):
                return self._acquire(key, token, duration)
            case Release(key=key, token=token):
                return self._release(key, token)
            case _:
                raise unknown(operation)

    def _ensure(self, operation: Ensure) -> Dialogue[tuple[CounterState, ...]]:
        gate = self.gate
        fence, life = ((), (NO_FENCE, 0)) if gate is None else (gate.keys, (gate.lease, COUNTER_TTL))
        parts = list(_chunks(operation.counters))
        calls = [
            Call(self.scripts.ensure, (self.clock_key, *fence, *part), (*life, *times))
            for part, times in zip(parts, _chunks(lives(operation)), strict=True)
        ]
        states: list[CounterState] = []
        for part, reply in zip(parts, (yield from run_calls(calls)), strict=True):
            *numbers, quarantine = _words(reply, 2 * len(part) + 1)
            if gate is not None and quarantine >= 0:
                gate.flushed(quarantine)
            states += map(_state, numbers[::2], numbers[1::2])
        return tuple(states)

    def _bump(self, counters: tuple[str, ...]) -> Dialogue[tuple[Generation, ...]]:
        calls = [
            Call(self.scripts.bump, (self.clock_key, *part), (COUNTER_TTL,)) for part in _chunks(counters)
        ]
        return tuple(_numbers((yield from run_calls(calls)), len(counters)))

    def _lease(self, operation: Lease) -> Dialogue[None]:
        yield from run_calls([self._leasing(operation, part) for part in _chunks(operation.counters)])

    def _settle(self, operation: Settle) -> Dialogue[None]:
        one = self.single(operation)
        if one is not None:
            yield from run_calls([one])
            return
        # Bumps go first: a counter in both lists has lost its token by the time the release meets it.
        token = operation.token
        calls = [self._settling(token, part, len(part)) for part in _chunks(operation.bump)]
        yield from run_calls(calls + [self._settling(token, part, 0) for part in _chunks(operation.release)])

    def single(self, operation: Operation[Answer]) -> Call | None:
        """Return the one step that most writes' operations are, ``None`` for others; it answers ``DONE``."""
        if type(operation) is Lease and 0 < len(operation.counters) <= CHUNK:
            check(operation)
            return self._leasing(operation, operation.counters)
        if type(operation) is Settle and 0 < len(operation.bump) + len(operation.release) <= CHUNK:
            counters = (*operation.bump, *operation.release)
            return self._settling(operation.token, counters, len(operation.bump))
        return None

    def _leasing(self, operation: Lease, counters: tuple[str, ...]) -> Call:
        return Call(self.scripts.lease, counters, (operation.token, operation.duration, COUNTER_TTL))

    def _settling(self, token: str, counters: tuple[str, ...], bumped: int) -> Call:
        return Call(self.scripts.settle, (self.clock_key, *counters), (token, bumped, COUNTER_TTL))

    def _read_clock(self) -> Dialogue[Generation]:
        (reply,) = _checked((yield [("GET", self.clock_key)]))
        return parse_clock(reply)

    def _acquire(self, key: str, token: str, duration: int) -> Dialogue[bool]:
        (reply,) = yield from run_calls([Call(self.scripts.acquire, (key,), (token, duration))])
        return reply == 1

    def _release(self, key: str, token: str) -> Dialogue[None]:
        yield from run_calls([Call(self.scripts.release, (key,), (token,))])


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a step."""

    script: Script
    keys: tuple[str, ...]
    arguments: tuple[Word, ...]

    def by_sha(self) -> Command:
        """Return the command that names the script by its digest."""
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.arguments)

    def by_text(self) -> Command:
        """Return the command that brings the script along."""
        return ("EVAL", self.script.text, len(self.keys), *self.keys, *self.arguments)


def fetching(operation: Fetch) -> list[Command]:
    """Return what a fetch says: an ``MGET``; where there is a copy, and an entry's mark, that goes first."""
    counters, entry = operation.counters, operation.entry
    if operation.marked:
        look: Command = ("GETRANGE", str(entry), MARK.start, MARK.stop - 1)
        return [look, ("MGET", *counters)] if counters else [look]
    keys = counters if entry is None else (*counters, entry)
    return [("MGET", *keys)] if keys else []


def _fetch(operation: Fetch) -> Dialogue[Fetched]:
    commands = fetching(operation)
    return fetched(operation, (yield commands) if commands else [])


def fetched(operation: Fetch, replies: Sequence[Reply]) -> Fetched:
    """Return the answer that the replies to a fetch amount to."""
    marked = operation.marked
    for place, each in enumerate(replies):
        # What is no text counts as absent, as for MGET.
        foreign = marked and place == 0 and str(each).startswith("WRONGTYPE")
        if isinstance(each, Exception) and not foreign:
            raise each
    same = marked and replies[0] == operation.mark
    lists = replies[1:] if marked else replies
    found = lists[0] if lists else []
    expected = len(operation.counters) + (operation.entry is not None and not marked)
    if not isinstance(found, list) or len(found) != expected:
        raise unexpected(found)
    entry = None if operation.entry is None or marked else found[-1]
    states = tuple(parse_counter(raw) for raw in found[: len(operation.counters)])
    return Fetched(states, entry if isinstance(entry, bytes) else None, same)


FRESH: Final = 4
"""What a step adds to "leased" for a counter that it has made or bumped."""


def _state(generation: Generation, told: int) -> CounterState:
    leased = told % FRESH
    return CounterState(generation, leased=leased > 0, quarantined=leased > 1, fresh=told >= FRESH)


def _time_left(key: str) -> Dialogue[int | None]:
    (reply,) = _checked((yield [("PTTL", key)]))
    # Negative: there is no such key, or it never ends.
    return reply if isinstance(reply, int) and reply >= 0 else None


def _put(operation: Put, more: list[Command]) -> Dialogue[None]:
    # The superseded keys go first, so that a key in both lists ends up stored.
    commands: list[Command] = [("UNLINK", *operation.unlink)] if operation.unlink else []
    commands += [("SET", key, value, "PX", operation.ttl) for key, value in operation.items]
    if commands:
        _checked((yield commands + more))


def run_calls(calls: Sequence[Call]) -> Dialogue[list[Reply]]:
    """Run steps by digest in one round trip; only those that the server does not know are sent again as text."""
    if not calls:
        return []
    replies = yield [call.by_sha() for call in calls]
    unknown = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        again = yield [calls[at].by_text() for at in unknown]
        for at, reply in zip(unknown, again, strict=True):
            replies[at] = reply
    return _checked(replies)


def _checked(replies: list[Reply]) -> list[Reply]:
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


def _numbers(replies: list[Reply], expected: int) -> list[int]:
    numbers: list[int] = []
    for reply in replies:
        if not isinstance(reply, list) or not all(isinstance(number, int) for number in reply):
            raise unexpected(reply)
        numbers += reply
    if len(numbers) != expected:
        raise unexpected(replies)
    return numbers


def _words(reply: Reply, expected: int) -> list[int]:
    """Return so many numbers of a text."""
    if not isinstance(reply, bytes):
        raise unexpected(reply)
    words = reply.split(b" ")
    if len(words) != expected or not _NUMBERS.fullmatch(reply):
        raise unexpected(reply)
    return [*map(int, words)]


def unexpected(reply: object) -> StoreError:
    """Return the error for an answer that no step of ours gives; it tells no values."""
    return StoreError(
        f"The server's answer makes no sense here: {_form(reply)}. Is it Redis 6.2+ or Valkey 7.2+?"
    )


def _form(reply: object) -> str:
    """Return what an answer looks like, without the values in it."""
    if reply is None or isinstance(reply, int):
        return repr(reply)
    kind = type(reply).__qualname__
    return f"{kind} of {len(reply)}" if isinstance(reply, list | bytes | str) else kind


def _chunks(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    rest = iter(items)
    while chunk := tuple(islice(rest, CHUNK)):
        yield chunk
