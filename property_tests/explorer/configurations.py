"""Who acts, what may go wrong, and what must hold: the configurations that are explored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from property_tests.explorer.faults import Fault, Fence
from property_tests.explorer.process import Setup, Task
from property_tests.explorer.scripts import commits, reads, reads_in_snapshot, writes

A, B = 0, 1
"""The rows: a section and an author."""

Tasks = tuple[Task, ...]


@dataclass(frozen=True)
class Configuration:
    """One.

    Attributes:
        name: As the command takes it.
        words: Who acts, and what goes wrong.
        others: What writers, and readers unlike all others, do; by name.
        readers: What readers do that are all alike.
        count: How many of these there are.
        level: Of the promise, which must hold.
        faults: What may go wrong.
        most: How many of these.
        expiries: How often all leases may run out.
        hasty: They may also run out between lease and COMMIT, although the writer lives.
        equal: A read inside a snapshot must be given what the snapshot shows.
        fence: What whoever comes first does when the store has come back.
        told: The library knows of everything that is written.
        warm: All has been read before, and is in the store.
        setup: The settings.
        broken: The promise does not hold: the search must find out.
        full: Only part of the long form.
    """

    name: str
    words: str
    others: Mapping[str, Tasks]
    readers: Tasks = (reads(A),)
    count: int = 3
    level: int = 2
    faults: frozenset[Fault] = frozenset()
    most: int = 1
    expiries: int = 0
    hasty: bool = False
    equal: bool = True
    fence: Fence = Fence.NONE
    told: bool = True
    warm: bool = True
    setup: Setup = field(default_factory=Setup)
    broken: bool = False
    full: bool = False


STORE = frozenset({Fault.LOST, Fault.DOWN, Fault.LATE})
COMMIT = frozenset({Fault.REFUSED, Fault.COMMITTED, Fault.NEVER, Fault.LATER})
CRASH = frozenset({Fault.CRASH})
EVICT = frozenset({Fault.EVICT, Fault.EVICT_CLOCK})
ALL = STORE | COMMIT | CRASH | EVICT
RESTART = frozenset({Fault.RESTART})

ONE = {"writer 1": (commits(A),)}
TWO = {"writer 1": (commits(A),), "writer 2": (writes(A),)}
BOTH = {"writer 1": (commits(A, B),), "writer 2": (commits(B),)}
SNAPSHOT = {"writer 1": (commits(A),), "writer 2": (writes(A),), "snapshot": (reads_in_snapshot((A,), (A,)),)}
NO_LEASES = Setup(leases=False)
COPIES = Setup(copies=True)

HOLDING = (
    Configuration("two writers", "two writers of one row; all has been read before", TWO),
    Configuration("cold", "the same; nothing has been read before", TWO, warm=False),
    Configuration(
        "two rows",
        "two rows; one transaction writes both, another one of them; an entry is made of both by two queries",
        BOTH,
        readers=(reads(A, B),),
    ),
    Configuration(
        "discovered",
        "what is read depends on tables that are found while it runs",
        ONE,
        readers=(reads(A, discover=True),),
        warm=False,
    ),
    Configuration("twice", "every reader reads twice", TWO, readers=(reads(A), reads(A)), count=2),
    Configuration("snapshot", "one of the readers reads twice in a snapshot", SNAPSHOT, count=2),
    Configuration(
        "snapshot, cold",
        "one of the readers reads in a snapshot; nothing has been read before",
        {"writer": (writes(A),), "snapshot": (reads_in_snapshot((A,)),)},
        count=2,
        warm=False,
    ),
    Configuration(
        "snapshot writers",
        "both writers' transactions read snapshots: one fails where it comes too late",
        {"writer 1": (commits(A, B, snapshot=True),), "writer 2": (commits(B, snapshot=True),)},
        readers=(reads(A, B),),
        count=2,
    ),
    Configuration(
        "own writes",
        "a writer reads what it has written before it commits, another before it rolls back",
        {"writer 1": (commits(A, peeks=(A,)),), "writer 2": (commits(A, peeks=(A,), roll_back=True),)},
        count=2,
    ),
    Configuration(
        "trigger, rolled back",
        "a write reaches another table than it names; its transaction reads that, and is rolled back",
        {"writer 1": (commits(A, also=(B,), peeks=(B,), roll_back=True),)},
        readers=(reads(B),),
        warm=False,
        told=False,
    ),
    Configuration(
        "any fault",
        "two writers; any one thing goes wrong, and leases may run out",
        TWO,
        count=2,
        faults=ALL,
        expiries=1,
    ),
    Configuration(
        "any fault, cold",
        "the same; nothing has been read before",
        TWO,
        count=2,
        warm=False,
        faults=ALL,
        expiries=1,
    ),
    Configuration(
        "any fault, snapshot",
        "the same with a reader in a snapshot",
        SNAPSHOT,
        count=1,
        faults=ALL,
        expiries=1,
        full=True,
    ),
    Configuration(
        "any two faults",
        "one writer; any two things go wrong, and leases may run out twice",
        ONE,
        count=2,
        faults=ALL,
        most=2,
        expiries=2,
    ),
    Configuration(
        "fence",
        "the store comes back without the last bumps and leases; site bumped and leased by the fence",
        TWO,
        count=2,
        faults=RESTART,
        expiries=1,
        fence=Fence.QUARANTINE,
    ),
    Configuration(
        "fence, crash",
        "the same, and an actor is killed",
        ONE,
        count=2,
        faults=RESTART | CRASH,
        most=2,
        expiries=2,
        fence=Fence.QUARANTINE,
    ),
    Configuration(
        "fence, snapshot",
        "the store comes back so; one of the readers reads in a snapshot",
        {"writer": (writes(A),), "snapshot": (reads_in_snapshot((A,), (A,)),)},
        count=1,
        faults=RESTART,
        expiries=1,
        fence=Fence.QUARANTINE,
    ),
    Configuration(
        "copies", "two writers of one row; every reader has a copy of the entry", TWO, setup=COPIES
    ),
    Configuration(
        "copies, two rows",
        "two rows, two writers, and copies of an entry that is made of both",
        BOTH,
        readers=(reads(A, B),),
        count=2,
        setup=COPIES,
    ),
    Configuration(
        "copies, twice",
        "every reader reads twice, and keeps a copy in between",
        TWO,
        readers=(reads(A), reads(A)),
        count=2,
        setup=COPIES,
    ),
    Configuration(
        "copies, snapshot",
        "two writers; one of the readers reads twice in a snapshot, all others have a copy",
        SNAPSHOT,
        count=2,
        setup=COPIES,
    ),
    Configuration(
        "copies, any fault",
        "two writers and readers with copies; any one thing goes wrong, and leases may run out",
        TWO,
        count=2,
        faults=ALL,
        expiries=1,
        setup=COPIES,
    ),
    Configuration(
        "any fault, three readers", "any fault, with a third reader", TWO, faults=ALL, expiries=1, full=True
    ),
)
"""Level 2 holds."""

LEVEL_1 = (
    Configuration(
        "no leases",
        "writes take no leases; a request or an answer is lost, or a counter",
        TWO,
        count=2,
        level=1,
        setup=NO_LEASES,
        faults=STORE | EVICT,
    ),
    Configuration(
        "short leases", "leases run out between lease and COMMIT", TWO, level=1, expiries=1, hasty=True
    ),
    Configuration(
        "lost leases",
        "a counter is evicted together with its leases",
        TWO,
        level=1,
        faults=frozenset({Fault.EVICT_LEASED}),
    ),
    Configuration(
        "snapshot, no leases",
        "one of the readers reads twice in a snapshot; writes take no leases",
        SNAPSHOT,
        count=2,
        level=1,
        setup=NO_LEASES,
        equal=False,
    ),
    Configuration(
        "fence, no quarantine",
        "the store comes back so; the fence only bumps the site",
        TWO,
        count=2,
        level=1,
        faults=RESTART,
        expiries=1,
        fence=Fence.BUMP,
    ),
    Configuration(
        "snapshot, others",
        "one of the readers reads in a snapshot, and only the others are judged; nothing has been read before",
        {"writer": (writes(A),), "snapshot": (reads_in_snapshot((A,)),)},
        count=2,
        level=1,
        equal=False,
        warm=False,
    ),
    Configuration(
        "owed",
        "a bump reaches the store neither the first nor the second time; its process reads on",
        {"writer 1": (reads(A), writes(A), reads(A))},
        count=0,
        level=1,
        setup=NO_LEASES,
        faults=frozenset({Fault.DOWN}),
        most=2,
    ),
)
"""Level 1 holds."""

BROKEN = (
    Configuration("no leases, level 2", "writes take no leases", TWO, setup=NO_LEASES, broken=True),
    Configuration(
        "short leases, level 2",
        "leases run out between lease and COMMIT",
        TWO,
        expiries=1,
        hasty=True,
        broken=True,
    ),
    Configuration(
        "lost leases, level 2",
        "a counter is evicted together with its leases",
        TWO,
        faults=frozenset({Fault.EVICT_LEASED}),
        broken=True,
    ),
    Configuration(
        "snapshot, no leases, equal",
        "a hit inside a snapshot differs from it, where writes take no leases",
        SNAPSHOT,
        count=1,
        level=1,
        setup=NO_LEASES,
        broken=True,
    ),
    Configuration(
        "fence, no quarantine, level 2",
        "the store comes back so; the fence only bumps the site",
        TWO,
        count=2,
        faults=RESTART,
        expiries=1,
        fence=Fence.BUMP,
        broken=True,
    ),
    Configuration(
        "restart",
        "the store comes back without the last bumps, and there is no fence",
        ONE,
        level=1,
        faults=RESTART,
        broken=True,
    ),
)
"""The promise does not reach so far."""

CONFIGURATIONS: tuple[Configuration, ...] = (*HOLDING, *LEVEL_1, *BROKEN)

SHORT = (
    "two writers",
    "cold",
    "two rows",
    "discovered",
    "snapshot, cold",
    "own writes",
    "no leases",
    "restart",
)
"""Names of the short form's."""
