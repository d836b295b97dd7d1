"""A schedule as people read it: a line a step, a column an actor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from genscache.codec import Codec, Unreadable
from genscache.stores.base import Bump, Ensure, Fetch, Lease, Put, ReadClock, Settle
from genscache.types import CounterState
from property_tests.explorer.faults import Fault
from property_tests.explorer.moves import Happening
from property_tests.explorer.process import TABLES
from property_tests.explorer.search import Found
from property_tests.explorer.steps import Deed, Failure, Gives, Returns, Sql

NAMES = tuple(table.removeprefix("news_") for table in TABLES)
AROUND = "around them"


class Timeline:
    """Writes schedules.

    Args:
        names: Of the actors, in the order of their numbers; those of the readers that are alike come last.
        alike: How many these are.
        codec: Reads entries.
    """

    def __init__(self, names: Sequence[str], alike: int, codec: Codec) -> None:
        self._names, self._alike, self._codec = tuple(names), alike, codec
        self._generations: dict[str, str] = {}

    def write(self, found: Found, places: Sequence[int]) -> str:
        """Return the timeline of a schedule that began with the actors at ``places``."""
        first = len(self._names) - self._alike
        standing = list(places)
        lines: list[tuple[str, str]] = []
        for step in found.timeline:
            what = step.what
            who = AROUND
            if what.actor >= 0:
                index = what.actor
                if index >= first:
                    # Readers that are alike are not told apart by the search: any that stands there will do.
                    index = next(
                        each for each in range(first, len(standing)) if standing[each] == step.before
                    )
                standing[index] = step.after
                who = self._names[index]
            lines.append((who, self._text(what)))
        return self._table(lines)

    def _table(self, lines: list[tuple[str, str]]) -> str:
        present = {who for who, _ in lines}
        columns = [name for name in (*self._names, AROUND) if name in present]
        widths = [max([len(name), *(len(text) for who, text in lines if who == name)]) for name in columns]
        rows = [columns, ["-" * width for width in widths]]
        rows += [[text if who == name else "" for name in columns] for who, text in lines]
        return "\n".join(
            f"{str(number - 1) if number > 1 else '':>3}  "
            + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for number, row in enumerate(rows)
        )

    # -- words

    def _text(self, what: Happening) -> str:
        if what.fault is Fault.CRASH:
            return "killed"
        text = self._around(what) if what.actor < 0 else self._step(what)
        if what.fault is not None and what.actor >= 0:
            text = f"{text} [{what.fault.value}]"
        for event in what.said:
            match event:
                case Gives():
                    text += f" => is given {_versions(event.found)}"
                case Returns():
                    text += " => returns"
        return text

    def _around(self, what: Happening) -> str:  # noqa: PLR0911  one case a thing that can happen
        match what.step:
            case "commit":
                return "the database commits"
            case "time":
                return "all leases run out"
            case "save":
                return "the store is saved"
            case "restart":
                return "the store comes back as it was saved"
            case "clock":
                return "the bump clock is evicted"
            case str(key):
                return f"{_counter(key)} is evicted"
            case operation:
                return f"arrives late: {self._operation(operation, None)}"

    def _step(self, what: Happening) -> str:
        if isinstance(what.step, Sql):
            return self._sql(what.step, what.answer)
        return self._operation(what.step, None if isinstance(what.answer, Failure) else what.answer)

    @staticmethod
    def _sql(sql: Sql, answer: object) -> str:
        rows = ", ".join(NAMES[row] for row in sql.rows)
        match sql.deed:
            case Deed.QUERY:
                return f"SELECT {rows}: {_versions(answer)}"
            case Deed.COMMIT | Deed.AUTOCOMMIT if isinstance(answer, tuple) and answer:
                made = ", ".join(f"{NAMES[row]} v{v}" for row, v in zip(sql.rows, answer, strict=True))
                return f"{'COMMIT' if sql.deed is Deed.COMMIT else 'UPDATE'}: {made}"
            case Deed.AUTOCOMMIT | Deed.UPDATE:
                return f"UPDATE {rows}"
            case deed:
                return str(deed.value)

    def _operation(self, operation: Any, answer: Any) -> str:  # noqa: PLR0911  one case an operation
        match operation:
            case Fetch(counters=counters, entry=entry):
                states = "" if answer is None else self._states(counters, answer.states)
                held = "" if answer is None or entry is None else self._held(entry, answer.entry)
                return f"fetch {', '.join(filter(None, (states, held)))}"
            case Ensure(counters=counters):
                return f"ensure {'' if answer is None else self._states(counters, answer)}".rstrip()
            case Bump(counters=counters):
                return f"bump {_counters(counters)}"
            case Lease(counters=counters):
                return f"lease {_counters(counters)}"
            case Settle(bump=bump, release=release):
                return "settle, " + (f"bump {_counters(bump)}" if bump else f"release {_counters(release)}")
            case Put(items=((key, payload), *_)):
                return f"put {self._held(key, payload)}"
            case ReadClock():
                return f"clock {self._generation(str(answer))}"
            case other:
                return type(other).__name__

    def _states(self, counters: Sequence[str], states: Sequence[CounterState | None]) -> str:
        return ", ".join(
            f"{_counter(key)} {self._state(state)}" for key, state in zip(counters, states, strict=True)
        )

    def _state(self, state: CounterState | None) -> str:
        if state is None:
            return "missing"
        return self._generation(str(state.generation)) + (" leased" if state.leased else "")

    def _held(self, key: str, payload: bytes | None) -> str:
        vector = key.rpartition(":g=")[2]
        if ":h:" in key:
            return "hint" if payload else "no hint"
        under = ".".join(self._generation(each) for each in vector.split("."))
        if payload is None:
            return f"no entry {under}"
        value = self._codec.decode(payload, key=key)
        return f"entry {under} = {'unreadable' if isinstance(value, Unreadable) else _versions(value)}"

    def _generation(self, number: str) -> str:
        if number == "0":
            return "no generation"
        return self._generations.setdefault(number, f"g{len(self._generations) + 1}")


def _counters(keys: Sequence[str]) -> str:
    return ", ".join(_counter(key) for key in keys)


def _counter(key: str) -> str:
    if key.endswith(":site"):
        return "site"
    found = re.search(r"news_(\w+)}:(\w+)", key)
    if found is None:
        return key
    return found[1] if found[2] == "model" else f"{found[1]} {found[2]}"


def _versions(found: object) -> str:
    return ", ".join(f"v{each}" for each in found) if isinstance(found, tuple) else str(found)
