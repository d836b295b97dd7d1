"""What a process expects the store to answer, so that one fetch asks for counters and entry together.

An expectation may be outdated at any time: it decides what is asked, never what is believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from genscache.stores.base import Fetch, Memo
from genscache.types import NO_GENERATION, CounterState, Fetched, Generation

if TYPE_CHECKING:
    from genscache.keys import KeySpace
    from genscache.protocol.memory import Copy, Memory
    from genscache.protocol.read import Question


class Expectation:
    """A question, and the vector under which its entry was met or ought to be.

    Args:
        question: What is asked.
        keys: How keys are written.
        vector: ``None`` where this process knows too little.
        epoch: That of the memory which knew it.

    Attributes:
        key: Where the entry is expected; ``None``: nobody knows.
        newest: The youngest generation in the vector.
        again: It was asked before.
        met: That the entry was met under the vector is remembered.
    """

    __slots__ = (
        "_marked",
        "_states",
        "_whole",
        "again",
        "counters",
        "epoch",
        "key",
        "met",
        "newest",
        "vector",
    )

    def __init__(
        self, question: Question, keys: KeySpace, vector: tuple[Generation, ...] | None, epoch: int
    ) -> None:
        self.counters = question.counters
        self.vector = vector
        self.epoch = epoch
        self.key = None if vector is None else keys.entry(question.owner, question.fingerprint, vector)
        self.newest = max(vector or (), default=NO_GENERATION)
        self.again = False
        self.met = False
        self._states: tuple[CounterState | None, ...] = tuple(
            CounterState(each, leased=False) for each in vector or ()
        )
        self._whole = Fetch(self.counters, self.key)
        self._marked: Fetch | None = None

    def repeat(self) -> None:
        """It is asked again: what is worked out from now on is kept."""
        if not self.again:
            self._whole = Fetch(self.counters, self.key, memo=Memo())
            self.again = True

    def fetch(self, copy: Copy | None) -> Fetch:
        """Return what to ask for: the entry, or where there is a copy, whether it is still the same."""
        if copy is None:
            return self._whole
        marked = self._marked
        if marked is None or marked.mark != copy.mark:
            marked = self._marked = Fetch(self.counters, self.key, copy.mark, Memo())
        return marked

    def is_met(self, fetched: Fetched) -> bool:
        """Tell whether counters are what was expected, and none of them has a lease."""
        if fetched.states is not self._states:
            if self.vector is None or fetched.states != self._states:
                return False
            # The very same object comes next time, if the store notes what it has read.
            self._states = fetched.states
        return True


class Glance(NamedTuple):
    """One fetch, as it is to be asked, with what makes sense of the answer."""

    expected: Expectation
    copy: Copy | None

    @property
    def fetch(self) -> Fetch:
        """What to ask."""
        return self.expected.fetch(self.copy)


def glance(question: Question, keys: KeySpace, memory: Memory) -> Glance:
    """Return the first fetch of a read."""
    name = (question.owner, question.fingerprint)
    epoch = memory.epoch
    found = memory.expectations.get(name)
    if found is None or found.epoch != epoch:
        found = _renewed(question, keys, memory, found, epoch)
    else:
        found.repeat()
    copies = memory.copies
    if not copies.room or found.key is None:
        return Glance(found, None)
    return Glance(found, copies.get(found.key))


def _renewed(
    question: Question, keys: KeySpace, memory: Memory, found: Expectation | None, epoch: int
) -> Expectation:
    """Return an expectation that agrees with what was learned since."""
    vector = memory.expect(question.counters)
    if found is not None:
        if found.vector == vector:
            found.epoch = epoch
            found.repeat()
            return found
        if found.key is not None:
            memory.copies.drop(found.key)
    made = Expectation(question, keys, vector, epoch)
    if vector is not None:
        memory.expectations.put((question.owner, question.fingerprint), made)
    return made
