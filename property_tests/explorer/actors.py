"""Where actors can stand, as numbers: a tree of histories, grown as far as the search gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from property_tests.explorer.process import FORGETFUL, Machinery, Memo, Task
from property_tests.explorer.steps import Begins, Said, Step

DEAD = 0
"""The node of every actor that was killed."""

Edge: TypeAlias = tuple[int, tuple[Said, ...]]
"""The node that an answer leads to, and what the actor has to say on the way."""


@dataclass(frozen=True, slots=True)
class Script:
    """What one actor does.

    Attributes:
        name: Its column in a timeline.
        tasks: One after the other. Between two of them, only what its process remembers counts.
        memo: What its process remembers at first.
    """

    name: str
    tasks: tuple[Task, ...]
    memo: Memo = FORGETFUL


@dataclass(frozen=True, slots=True)
class Node:
    """Where an actor stands.

    Attributes:
        actor: Its number.
        step: What it is about to do; ``None``: it has done everything.
        begins: The reads that begin with the step.
        task: The number of its task.
        memo: What its process remembered when the task began.
        answers: What it was told since.
    """

    actor: int
    step: Step | None
    begins: tuple[Begins, ...]
    task: int
    memo: Memo
    answers: tuple[object, ...]


class Nodes:
    """All nodes that were reached.

    Args:
        scripts: What each actor does.
        machinery: Runs them.
    """

    def __init__(self, scripts: Sequence[Script], machinery: Machinery) -> None:
        self._scripts = scripts
        self._machinery = machinery
        self.all: list[Node] = [Node(-1, None, (), 0, FORGETFUL, ())]
        self._numbers: dict[tuple[int, int, Memo, tuple[object, ...]], Edge] = {}
        self._edges: dict[tuple[int, object], Edge] = {}
        self._done: dict[int, int] = {}

    def root(self, actor: int) -> int:
        """Return the node at which an actor begins."""
        return self._node(actor, 0, self._scripts[actor].memo, ())[0]

    def after(self, number: int, answer: object) -> Edge:
        """Return where an answer leads to."""
        known = self._edges.get((number, answer))
        if known is None:
            node = self.all[number]
            known = self._node(node.actor, node.task, node.memo, (*node.answers, answer))
            self._edges[number, answer] = known
        return known

    def _node(self, actor: int, task: int, memo: Memo, answers: tuple[object, ...]) -> Edge:
        known = self._numbers.get((actor, task, memo, answers))
        if known is not None:
            return known
        script = self._scripts[actor]
        stand = self._machinery.replay(script.name, script.tasks[task], memo, answers)
        said = tuple(event for event in stand.events if not isinstance(event, Begins))
        if stand.step is not None:
            begins = tuple(event for event in stand.events if isinstance(event, Begins))
            edge = self._add(Node(actor, stand.step, begins, task, memo, answers)), said
        elif task + 1 < len(script.tasks):
            number, more = self._node(actor, task + 1, stand.memo, ())
            edge = number, said + more
        else:
            edge = self._finished(actor), said
        self._numbers[actor, task, memo, answers] = edge
        return edge

    def _finished(self, actor: int) -> int:
        if actor not in self._done:
            self._done[actor] = self._add(Node(actor, None, (), 0, FORGETFUL, ()))
        return self._done[actor]

    def _add(self, node: Node) -> int:
        self.all.append(node)
        return len(self.all) - 1
