"""What a run has found: a cell for each pair, and what the cells add up to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final, Self

KEPT: Final = "."
"""Fresh, and the entry survived the write."""

ASKED: Final = "o"
"""Fresh, and the database was asked again."""

UNCACHED: Final = "-"
"""Not cached at all: the database was asked before the write, too."""

STALE: Final = "X"
"""Not what the database answers."""

BROKEN: Final = "E"
"""It raised what it must not."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One pair.

    Attributes:
        sign: One of the above.
        changed: The write changed the result.
        unrelated: The write touched no table that the shape reads.
        detail: What is wrong, where something is.
    """

    sign: str
    changed: bool
    unrelated: bool
    detail: str = ""


@dataclass(slots=True)
class Findings:
    """The cells of one run.

    Attributes:
        title: Which database, mode and store.
        shapes: The rows.
        writes: The columns.
        cells: By write, then as ``shapes``.
        seconds: How long it took.
    """

    title: str
    shapes: tuple[str, ...]
    writes: tuple[str, ...]
    cells: dict[str, list[Cell]] = field(default_factory=dict)
    seconds: float = 0.0

    def pairs(self) -> Iterator[tuple[str, str, Cell]]:
        """Yield shape, write and cell."""
        for write, column in self.cells.items():
            for shape, cell in zip(self.shapes, column, strict=True):
                yield shape, write, cell

    def wrong(self) -> list[tuple[str, str, Cell]]:
        """Return the pairs that are stale or broken."""
        return [pair for pair in self.pairs() if pair[2].sign in {STALE, BROKEN}]

    def uncached(self) -> list[str]:
        """Return the shapes that were not cached at least once."""
        return sorted({shape for shape, _, cell in self.pairs() if cell.sign == UNCACHED})

    def lost(self) -> list[tuple[str, str]]:
        """Return the pairs whose entry did not survive a write that it has nothing to do with."""
        return [
            (shape, write) for shape, write, cell in self.pairs() if cell.unrelated and cell.sign == ASKED
        ]

    def totals(self) -> Totals:
        """Count."""
        cells = [cell for _, _, cell in self.pairs()]
        cached = [cell for cell in cells if cell.sign in {KEPT, ASKED}]
        unrelated = [cell for cell in cached if cell.unrelated]
        unchanged = [cell for cell in cached if not cell.changed]
        return Totals(
            pairs=len(cells),
            stale=sum(cell.sign == STALE for cell in cells),
            broken=sum(cell.sign == BROKEN for cell in cells),
            uncached=sum(cell.sign == UNCACHED for cell in cells),
            changed=sum(cell.changed for cell in cells),
            unrelated=len(unrelated),
            unrelated_kept=sum(cell.sign == KEPT for cell in unrelated),
            unchanged=len(unchanged),
            unchanged_kept=sum(cell.sign == KEPT for cell in unchanged),
        )

    def as_json(self) -> dict[str, object]:
        """Return what ``of_json`` takes."""
        return asdict(self)

    @classmethod
    def of_json(cls, given: Mapping[str, object]) -> Self:
        """Return the findings of another process."""
        found = cls(**given)  # type: ignore[arg-type]
        found.cells = {
            write: [Cell(**cell) for cell in column]  # type: ignore[arg-type]
            for write, column in found.cells.items()
        }
        found.shapes, found.writes = tuple(found.shapes), tuple(found.writes)
        return found


@dataclass(frozen=True, slots=True)
class Totals:
    """What the cells add up to.

    Attributes:
        pairs: All pairs.
        stale: Pairs whose answer was not the database's.
        broken: Pairs that raised.
        uncached: Pairs whose shape was not cached.
        changed: Pairs in which the write changed the result.
        unrelated: Cached pairs in which the write touched no table that the shape reads.
        unrelated_kept: Those of them whose entry survived.
        unchanged: Cached pairs in which the write did not change the result.
        unchanged_kept: Those of them whose entry survived.
    """

    pairs: int
    stale: int
    broken: int
    uncached: int
    changed: int
    unrelated: int
    unrelated_kept: int
    unchanged: int
    unchanged_kept: int

    @property
    def isolation(self) -> float:
        """The share of entries that survived a write to tables that they have nothing to do with."""
        return self.unrelated_kept / max(1, self.unrelated)

    @property
    def granularity(self) -> float:
        """The share of entries that survived a write that did not change their result."""
        return self.unchanged_kept / max(1, self.unchanged)


def grid(findings: Findings) -> str:
    """Return the table: a row a shape, a column a write."""
    width = max(len(shape) for shape in findings.shapes)
    number = {write: f"{index + 1:02}" for index, write in enumerate(findings.cells)}
    head = [" " * width + "  " + "".join(label[place] for label in number.values()) for place in (0, 1)]
    rows = [
        f"{shape:<{width}}  " + "".join(column[index].sign for column in findings.cells.values())
        for index, shape in enumerate(findings.shapes)
    ]
    return "\n".join([*head, *rows, "", *legend(tuple(findings.cells))])


def legend(writes: Sequence[str]) -> Iterator[str]:
    """Yield lines that say which column is which write."""
    labels = [f"{index + 1:02} {write}" for index, write in enumerate(writes)]
    third = -(-len(labels) // 3)
    for row in range(third):
        yield "".join(f"{label:<42}" for label in labels[row::third]).rstrip()


def summary(found: Sequence[Findings]) -> str:
    """Return a line for each run."""
    lines = [
        f"{'':34}{'pairs':>7}{'stale':>7}{'changed':>9}{'unrelated kept':>18}{'unchanged kept':>18}{'seconds':>9}"
    ]
    for each in found:
        total = each.totals()
        unrelated = f"{total.unrelated_kept}/{total.unrelated} {total.isolation:.0%}"
        unchanged = f"{total.unchanged_kept}/{total.unchanged} {total.granularity:.0%}"
        lines.append(
            f"{each.title:34}{total.pairs:>7}{total.stale + total.broken:>7}{total.changed:>9}"
            f"{unrelated:>18}{unchanged:>18}{each.seconds:>9.0f}"
        )
    return "\n".join(lines)
