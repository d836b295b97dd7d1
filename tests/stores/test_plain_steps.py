"""Steps have a plain case in front of them, which leaves and answers what the step itself would."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from importlib import resources
from itertools import product
from typing import Any, Final, TypeAlias

import pytest
from redis import Redis

from genscache.stores.limits import COUNTER_TTL
from genscache.stores.scripts import Scripts

OLD: Final = 1_700_000_000_000_000
"""A generation of 2023."""
FAR: Final = 8_999_999_999_999_999
"""The greatest that begins with an 8: the clock was ahead."""
DEADLINE: Final = 1_700_000_000_500_000
LATER: Final = 4_000_000_000_000_000
MINE, OTHERS = "mine.1", "mine.11"
TOKENS: Final = f" {MINE}@{DEADLINE}", f" {OTHERS}@{LATER}"

STATES: Final[tuple[str | None, ...]] = (
    None,
    f"{OLD}",
    f"{FAR}",
    f"{OLD}{TOKENS[0]}",
    f"{OLD}{TOKENS[1]}",
    f"{OLD}{TOKENS[0]}{TOKENS[1]}",
    f"{OLD}{TOKENS[1]}{TOKENS[0]}",
    f"0{TOKENS[0]}",
    f"0{TOKENS[1]}",
    f"0{TOKENS[0]}{TOKENS[1]}",
    "7",
    f"7{TOKENS[0]}",
    "0",
    f"{2**53 - 1}",
    f"{2**53}",
    f"0{OLD}",
    "foreign",
    f"{OLD} {MINE}@{DEADLINE} ",
    f"{OLD} {MINE}@12x",
    f"{OLD}{TOKENS[0]}@",
    "list",
)
"""Texts of a counter: plain ones, leased ones, and what no step of ours writes."""

CLOCKS: Final = (f"{OLD}", f"{FAR}", None, "7")

Case: TypeAlias = tuple[Sequence[str | None], Sequence[int], Sequence[str | int]]
"""What keys hold, which of them are given to a step, and its arguments."""


def whole(step: str) -> tuple[str, str]:
    """Return a step as it runs, and without its plain case."""
    text = getattr(Scripts.load(), step).text
    plain = (resources.files("genscache.stores") / "lua" / f"plain_{step}.lua").read_text()
    assert text.startswith(plain)
    return text, text.removeprefix(plain)


class Ground:
    """Keys on a server, written as a test says, and read again as what can be compared."""

    def __init__(self, raw: Redis, name: str) -> None:
        self._raw = raw
        self._name = f"gc-{secrets.token_hex(8)}:{name}"

    def key(self, number: int) -> str:
        """Return a key."""
        return f"{self._name}:{number}"

    def after(
        self,
        script: str,
        states: Sequence[str | None],
        numbers: Sequence[int],
        arguments: Sequence[str | int],
    ) -> object:
        """Run a script on keys that hold ``states``, and return what they hold then, and the answer."""
        write = self._raw.pipeline(transaction=False)
        write.delete(*map(self.key, range(len(states))))
        for number, text in enumerate(states):
            if text == "list":
                write.rpush(self.key(number), "x")
            elif text is not None:
                write.set(self.key(number), text, px=50_000_000)
        began = self._raw.time()
        now = began[0] * 1_000_000 + began[1]
        write.execute()
        try:
            answer: Any = self._raw.evalsha(script, len(numbers), *map(self.key, numbers), *arguments)
        except Exception as error:  # noqa: BLE001 - compared
            answer = type(error).__name__
        read = self._raw.pipeline(transaction=False)
        for number in range(len(states)):
            (read.lindex(self.key(number), 0) if states[number] == "list" else read.get(self.key(number)))
            read.pttl(self.key(number))
        held = read.execute(raise_on_error=False)
        return (
            [_seen(text, now) for text in held[::2]],
            [_life(ttl) for ttl in held[1::2]],
            _seen(answer, now),
        )


def _seen(text: object, now: int) -> object:
    """Replace times that a step has given by how far they lie in the future."""
    if not isinstance(text, bytes):
        return text if not isinstance(text, Exception) else type(text).__name__

    def told(match: re.Match[str]) -> str:
        ahead = int(match[0]) - now
        # Give or take three seconds, in which this process may have been asleep.
        return f"+{(ahead + 2_000_000) // 5_000_000}" if 0 <= ahead < 100_000_000 else match[0]

    return re.sub("[0-9]{16}", told, text.decode())


def _life(milliseconds: int) -> str:
    """Return how long a key lives, not to the millisecond."""
    if milliseconds < 0:
        return str(milliseconds)
    return next(
        name
        for name, least in (("counter", 60_000_000), ("before", 30_000_000), ("brief", 0))
        if milliseconds >= least
    )


@pytest.fixture
def grounds(raw: Redis) -> tuple[Ground, Ground]:
    """Two places with keys."""
    return Ground(raw, "a"), Ground(raw, "b")


def same(
    raw: Redis,
    grounds: tuple[Ground, Ground],
    step: str,
    cases: Sequence[Case],
) -> set[object]:
    """Run cases both ways, compare, and return what came of them."""
    found: set[object] = set()
    scripts = [raw.script_load(text) for text in whole(step)]
    for states, numbers, arguments in cases:
        quick, slow = (
            ground.after(script, states, numbers, arguments)
            for ground, script in zip(grounds, scripts, strict=True)
        )
        assert quick == slow, (states, numbers, arguments)
        found.add(repr(quick))
    return found


def test_a_lease(raw: Redis, grounds: tuple[Ground, Ground]) -> None:
    asked: Sequence[str | int] = [MINE, 10_000, COUNTER_TTL]
    cases: list[Case] = [(states, [0, 1], asked) for states in product(STATES, STATES)]
    cases += [((state,), [0, 0], asked) for state in STATES]
    assert len(same(raw, grounds, "lease", cases)) > 50


def test_a_settle(raw: Redis, grounds: tuple[Ground, Ground]) -> None:
    cases: list[Case] = [
        ((clock, *states), numbers, [MINE, bumped, COUNTER_TTL])
        for clock in CLOCKS
        for bumped in (0, 1, 2)
        for pairs, numbers in ((product(STATES, STATES), [0, 1, 2]), (product(STATES, [None]), [0, 1, 1]))
        for states in pairs
    ]
    assert len(same(raw, grounds, "settle", cases)) > 100


@pytest.mark.parametrize("fence", [None, "run", "run 12", f"run {LATER}"])
def test_an_ensure_behind_a_fence(raw: Redis, grounds: tuple[Ground, Ground], fence: str | None) -> None:
    asked = [10_000, COUNTER_TTL, COUNTER_TTL, 20_000, 30_000]
    cases: list[Case] = [
        ((clock, fence, site, state), [0, 1, 2, *rest], asked[: 2 + len(rest)])
        for clock in CLOCKS
        for sites, rest in ((STATES, [2, 3]), (STATES[:4], [3]), (STATES[:4], [2, 3, 3]))
        for site, state in product(sites, STATES)
    ]
    assert len(same(raw, grounds, "ensure", cases)) > 50


def test_an_ensure_without_a_fence(raw: Redis, grounds: tuple[Ground, Ground]) -> None:
    asked = [-1, 0, COUNTER_TTL, 20_000, 30_000]
    cases: list[Case] = [
        ((clock, *states), [0, *rest], asked[: 2 + len(rest)])
        for clock in CLOCKS
        for pairs, rest in ((product(STATES, STATES), [1, 2]), (product(STATES, [None]), [1, 1, 2]))
        for states in pairs
    ]
    assert len(same(raw, grounds, "ensure", cases)) > 100


USUAL: Final[dict[str, Case]] = {
    "lease": ((f"{OLD}", None), [0, 1], [MINE, 10_000, COUNTER_TTL]),
    "settle": ((f"{OLD}", f"{OLD}{TOKENS[0]}", f"0{TOKENS[0]}"), [0, 1, 2], [MINE, 2, COUNTER_TTL]),
    "ensure": (
        (f"{OLD}", "run", f"{OLD}", None),
        [0, 1, 2, 2, 3],
        [10_000, COUNTER_TTL, COUNTER_TTL, COUNTER_TTL],
    ),
}


@pytest.mark.parametrize("step", USUAL)
def test_the_plain_case_is_the_usual_one(raw: Redis, grounds: tuple[Ground, Ground], step: str) -> None:
    """What would need the words behind it fails here."""
    full, rest = whole(step)
    alone = full.removesuffix(rest) + "return redis.error_reply('not plain')"
    found = [
        ground.after(raw.script_load(text), *USUAL[step])
        for ground, text in zip(grounds, (alone, rest), strict=True)
    ]
    assert found[0] == found[1]
