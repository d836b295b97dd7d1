"""A process that writes or reads until it is told to end, and checks each read when it has it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import connections

from tests.soak import reading, writing
from tests.soak.board import Board
from tests.soak.diary import Diary
from tests.soak.libraries import library
from tests.soak.orders import Orders
from tests.soak.slots import ARTICLES, GONE, ONE_LEVEL, TAGS_AT

PAUSE = 0.01
"""Seconds between two writes, so that there is something to hit."""


class Actor:
    """One process.

    Args:
        orders: What to do.
        index: Which cells of the board are its own.
        born: How many processes there were before it: part of the seed.
    """

    def __init__(self, orders: Orders, index: int, born: int) -> None:
        self.orders = orders
        self.index = index
        self.board = Board(Path(orders.directory, "board"), orders.actors)
        self.diary = Diary(orders.directory)
        self.chance = Random(f"{orders.seed} {index} {born}")
        self.loop = asyncio.new_event_loop()
        self.library = library(orders)
        self.heard: list[str] = []
        self.board.set_window(index, False)
        if orders.library == "genscache":
            self._listen()

    def _listen(self) -> None:
        from tests.soak.listening import listen  # noqa: PLC0415 - genscache may not be installed

        listen(self.heard, bug=self.orders.bug)

    def write(self) -> None:
        """Write until the end."""
        ways: Sequence[Any] = writing.COMMON
        if self.orders.library == "genscache":
            ways = [*ways, *writing.OWN]
        write = writing.Write(self.chance, self.library, self._window, self.loop)
        while not self.board.over:
            self._write(self.chance.choice(ways), write)
            # Not a synchronisation: the share of writes.
            time.sleep(PAUSE)

    def _window(self, slots: Sequence[int]) -> None:
        self.board.set_window(self.index, True)
        self.diary.note("window", slots=list(slots))

    def _write(self, way: Any, write: writing.Write) -> None:
        try:
            made = way(write)
            self.library.written(_keys(made))
        except Exception as error:  # noqa: BLE001 - faults are what a soak is about; a write that raised is not promised
            refused = type(error).__name__ == "WriteRefused"
            self.diary.note("refused" if refused else "failed", how=way.__name__, error=_told(error))
            self.board.count(self.index, "refused" if refused else "failed")
            connections.close_all()
        else:
            # In this order: a read that is judged by the floor must find in the diary who has raised it.
            self.diary.note("returned", how=way.__name__, versions=made)
            self.board.returned(self.index, made)
            self.board.count(self.index, "writes")
        self.board.set_window(self.index, False)

    def read(self) -> None:
        """Read until the end."""
        ways: Sequence[Any] = reading.GETS if self.orders.library == "naive" else reading.COMMON
        if self.orders.library == "genscache":
            ways = [*ways, *reading.OWN]
        given = reading.Reading(self.chance, self.library, self.loop)
        while not self.board.over:
            self._read(self.chance.choice(ways), given)

    def _read(self, way: Any, given: reading.Reading) -> None:
        self.heard.clear()
        given.total = None
        begin = time.monotonic_ns()
        floors = self.board.floors()
        try:
            versions = way(given)
        except ObjectDoesNotExist as error:
            self.diary.note("missing", how=way.__name__, error=_told(error))
            self.board.count(self.index, "stale1")
            return
        except Exception as error:  # noqa: BLE001 - faults are what a soak is about
            self.diary.note("failed", how=way.__name__, error=_told(error))
            self.board.count(self.index, "failed")
            connections.close_all()
            return
        self.board.seen(self.index, ((slot, version) for slot, version in versions if version != GONE))
        self._check(way.__name__, begin, floors, versions, given.total)

    def _check(
        self,
        how: str,
        begin: int,
        floors: tuple[list[int], list[int]],
        versions: writing.Versions,
        total: int | None,
    ) -> None:
        facts = {"how": how, "by": list(self.heard), "begin": begin}
        self.board.count(self.index, "reads")
        self.board.count(self.index, "checked", len(versions) + (total is not None))
        for outcome in self.heard:
            self.board.count(self.index, outcome)
        returned, seen = floors
        for slot, version in versions:
            if version < returned[slot]:
                self._stale(1, facts, versions, slot=slot, version=version, floor=returned[slot])
            elif version < seen[slot] and slot not in ONE_LEVEL:
                self._stale(2, facts, versions, slot=slot, version=version, floor=seen[slot])
        if total is not None and total < sum(seen[:ARTICLES]):
            level = 1 if total < sum(returned[:ARTICLES]) else 2
            floor = sum((returned if level == 1 else seen)[:ARTICLES])
            self._stale(level, facts, versions, slot=-1, version=total, floor=floor)
        self.diary.note("read", versions=versions, **facts, **({} if total is None else {"total": total}))

    def _stale(self, level: int, facts: dict[str, Any], versions: writing.Versions, **which: int) -> None:
        self.board.count(self.index, f"stale{level}")
        self.diary.note("stale", level=level, **facts, **which)


def _keys(made: writing.Versions) -> list[str]:
    return [f"article:{slot}" if slot < TAGS_AT else f"asset:{slot - 2 * ARTICLES}" for slot, _ in made]


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
