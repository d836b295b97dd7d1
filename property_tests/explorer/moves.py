"""All that can happen next: an actor's step, with everything that can go wrong with it, or an event around them.

Everything is a number here: the world (store, database, time, what may still go wrong) and each actor's place in it
(node, what its read must not fall short of, its snapshot). What can happen depends on the world and one place only, so
it is worked out once for each pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from genscache.stores.base import Bump, Fetch, Lease, Operation, ReadClock
from property_tests.explorer import database
from property_tests.explorer.actors import DEAD, Nodes
from property_tests.explorer.database import Database
from property_tests.explorer.faults import CHANGING, COMMIT_FAULTS, Fault, Fence
from property_tests.explorer.judge import Floors, judge, returned
from property_tests.explorer.process import SITE_KEY
from property_tests.explorer.shelf import Shelf
from property_tests.explorer.steps import Deed, Failure, Returns, Said, Sql, Versions

LEASE = 10_000_000
"""Microseconds."""

LATER = 100
"""Added to an actor's number: its connection is gone, and the server will yet commit."""

COMMITTING = (Deed.COMMIT, Deed.AUTOCOMMIT)


class World(NamedTuple):
    """What all actors share.

    Attributes:
        store: Number of the store's state.
        database: What is committed and locked.
        returned: The version of each row that a writer's caller knows of (level 1).
        exposed: The actors between lease and COMMIT, as bits.
        now: The store's time in µs.
        faults: How many things may yet go wrong.
        expiries: How often all leases may yet run out.
        wire: An operation that will reach the store later.
        saved: Number of the state in which the store comes back.
    """

    store: int
    database: Database
    returned: Versions
    exposed: int
    now: int
    faults: int
    expiries: int
    wire: Operation[Any] | None
    saved: int


class Place(NamedTuple):
    """Where one actor is: its node, what its read must not fall short of, and its transaction's snapshot."""

    node: int
    floors: Floors
    snapshot: Versions | None


class Happening(NamedTuple):
    """What happened, for a timeline."""

    actor: int
    step: object
    answer: object
    fault: Fault | None
    said: tuple[Said, ...]


Move: TypeAlias = tuple[int, int, Happening, str]
"""The numbers of the world and the place after it, what happened, and how the promise is broken (empty: it is not)."""


@dataclass(frozen=True)
class Rules:
    """What may go wrong, and what must hold.

    Attributes:
        level: Of the promise.
        faults: What may go wrong.
        hasty: Leases may also run out between lease and COMMIT.
        equal: A read inside a snapshot is given what the snapshot shows.
        fence: What whoever comes first does when the store has come back.
        told: The library knows of everything that is written.
    """

    level: int
    faults: frozenset[Fault]
    hasty: bool
    equal: bool = True
    fence: Fence = Fence.NONE
    told: bool = True


class Moves:
    """Works out what can happen.

    Args:
        nodes: Where actors can stand.
        shelf: The store.
        rules: What may go wrong, and what must hold.
    """

    def __init__(self, nodes: Nodes, shelf: Shelf, rules: Rules) -> None:
        self._nodes, self._shelf, self._rules = nodes, shelf, rules
        self.worlds: list[World] = []
        self.places: list[Place] = []
        self._world_numbers: dict[World, int] = {}
        self._place_numbers: dict[Place, int] = {}
        self.dead = self.place(Place(DEAD, None, None))

    def world(self, world: World) -> int:
        """Return the number of a world."""
        found = self._world_numbers.get(world)
        if found is None:
            found = self._world_numbers[world] = len(self.worlds)
            self.worlds.append(world)
        return found

    def place(self, place: Place) -> int:
        """Return the number of a place."""
        found = self._place_numbers.get(place)
        if found is None:
            found = self._place_numbers[place] = len(self.places)
            self.places.append(place)
        return found

    def over(self, places: tuple[int, ...]) -> bool:
        """Tell whether every actor is done or dead."""
        return all(self._nodes.all[self.places[place].node].step is None for place in places)

    def of(self, world_number: int, place_number: int) -> tuple[Move, ...]:
        """Return what one actor can do, and what can happen to it."""
        world, place = self.worlds[world_number], self.places[place_number]
        node = self._nodes.all[place.node]
        if node.step is None:
            return ()
        for reads in node.begins:
            seen = world.database.versions if self._rules.level == 2 else world.returned
            place = place._replace(floors=tuple(seen[row] for row in reads.rows))
        found: list[Move] = []
        if isinstance(node.step, Sql):
            if not database.waits(world.database, node.actor, node.step):
                self._sql(world, place, node.step, found)
        else:
            self._operation(world, place, node.step, found)
        if world.faults and Fault.CRASH in self._rules.faults:
            after = world._replace(
                database=database.roll_back(world.database, node.actor), faults=world.faults - 1
            )
            if not any(owner == LATER + node.actor for owner in world.database.owners):
                after = after._replace(exposed=world.exposed & ~(1 << node.actor))
            what = Happening(node.actor, node.step, None, Fault.CRASH, ())
            found.append((self.world(after), self.dead, what, ""))
        return tuple(found)

    # -- steps in the store

    def _operation(self, world: World, place: Place, operation: Any, found: list[Move]) -> None:
        actor = self._nodes.all[place.node].actor
        answer, store = self._shelf.do(world.store, operation, world.now)
        done = world._replace(store=store)
        if isinstance(operation, Lease):
            done = done._replace(exposed=world.exposed | 1 << actor)
        self._go(done, place, operation, answer, None, found)
        if not world.faults:
            return
        if Fault.LOST in self._rules.faults:
            # A read whose answer is lost is one that did not arrive.
            self._go(
                done._replace(faults=world.faults - 1),
                place,
                operation,
                Failure.UNAVAILABLE,
                Fault.LOST,
                found,
            )
        failed = world._replace(faults=world.faults - 1)
        if Fault.DOWN in self._rules.faults and not isinstance(operation, Fetch | ReadClock):
            self._go(failed, place, operation, Failure.UNAVAILABLE, Fault.DOWN, found)
        if Fault.LATE in self._rules.faults and isinstance(operation, CHANGING) and world.wire is None:
            failed = failed._replace(wire=operation)
            self._go(failed, place, operation, Failure.UNAVAILABLE, Fault.LATE, found)

    # -- steps in the database

    def _sql(self, world: World, place: Place, sql: Sql, found: list[Move]) -> None:
        actor = self._nodes.all[place.node].actor
        answer, base, snapshot = database.execute(world.database, actor, sql, place.snapshot)
        ended = world.exposed & ~(1 << actor)
        done = world._replace(database=base)
        if sql.deed in COMMITTING or sql.deed is Deed.ROLLBACK:
            done = done._replace(exposed=ended)
        self._go(done, place._replace(snapshot=snapshot), sql, answer, None, found)
        if not world.faults or sql.deed not in COMMITTING or not sql.rows:
            return
        place = place._replace(snapshot=None)
        rolled_back = database.roll_back(world.database, actor)
        for fault in COMMIT_FAULTS:
            if fault not in self._rules.faults:
                continue
            failure, after = Failure.UNKNOWN, world._replace(faults=world.faults - 1, exposed=ended)
            match fault:
                case Fault.REFUSED:
                    failure, after = Failure.REFUSED, after._replace(database=rolled_back)
                case Fault.COMMITTED:
                    after = after._replace(database=base)
                case Fault.NEVER:
                    after = after._replace(database=rolled_back)
                case _:
                    owners = tuple(
                        LATER + actor if row in sql.rows else owner
                        for row, owner in enumerate(rolled_back.owners)
                    )
                    later = Database(world.database.versions, owners)
                    after = after._replace(database=later, exposed=world.exposed)
            self._go(after, place, sql, failure, fault, found)

    def _go(
        self, world: World, place: Place, step: object, answer: object, fault: Fault | None, found: list[Move]
    ) -> None:
        """Add the move of an actor that is told an answer."""
        actor = self._nodes.all[place.node].actor
        node, said = self._nodes.after(place.node, answer)
        wrong = ""
        floors = place.floors
        for event in said:
            if isinstance(event, Returns):
                if self._rules.level == 1:
                    world = world._replace(returned=returned(world.returned, event))
            else:
                if event.snapshot and not self._rules.equal:
                    continue
                told = self._rules.told
                wrong = wrong or judge(event, floors, place.snapshot, world.database, actor, told=told)
                floors = None
        after = self.place(Place(node, floors, place.snapshot))
        found.append((self.world(world), after, Happening(actor, step, answer, fault, said), wrong))

    # -- what happens around them

    def around(self, number: int) -> tuple[tuple[int, Happening], ...]:
        """Return what can happen without any actor: the numbers of the worlds after it, and what happened."""
        return tuple((self.world(after), what) for after, what in self._around(self.worlds[number]))

    def _around(self, world: World) -> Iterator[tuple[World, Happening]]:
        if world.wire is not None:
            store = self._shelf.do(world.store, world.wire, world.now)[1]
            yield world._replace(store=store, wire=None), Happening(-1, world.wire, None, Fault.LATE, ())
        late = {owner for owner in world.database.owners if owner >= LATER}
        for owner in late:
            after = database.commit(world.database, owner)
            exposed = world.exposed & ~(1 << (owner - LATER))
            yield (
                world._replace(database=after, exposed=exposed),
                Happening(-1, "commit", owner - LATER, None, ()),
            )
        if world.expiries and (self._rules.hasty or not world.exposed):
            later = world._replace(now=world.now + 2 * LEASE, expiries=world.expiries - 1)
            yield later, Happening(-1, "time", None, None, ())
        if world.faults:
            yield from self._losses(world._replace(faults=world.faults - 1), world)

    def _losses(self, after: World, world: World) -> Iterator[tuple[World, Happening]]:
        faults, shelf = self._rules.faults, self._shelf
        for fault in (Fault.EVICT, Fault.EVICT_LEASED):
            if fault in faults:
                for key in shelf.counters(world.store, world.now, leased=fault is Fault.EVICT_LEASED):
                    store = shelf.without(world.store, key)
                    yield after._replace(store=store), Happening(-1, key, None, fault, ())
        if Fault.EVICT_CLOCK in faults:
            # The server's time has passed the last reading by then.
            clock = max(world.now, shelf.state(world.store)[0]) + 1
            store = shelf.without_clock(world.store)
            yield after._replace(store=store, now=clock), Happening(-1, "clock", None, Fault.EVICT_CLOCK, ())
        if Fault.RESTART in faults and world.saved < 0:
            yield world._replace(saved=world.store), Happening(-1, "save", None, None, ())
        elif Fault.RESTART in faults and world.saved != world.store:
            clock = max(world.now, shelf.state(world.store)[0]) + 1
            after = after._replace(store=self._fenced(world.saved, clock), now=clock, saved=-1)
            yield after, Happening(-1, "restart", None, Fault.RESTART, ())

    def _fenced(self, store: int, now: int) -> int:
        """Return the state that a store has come back in, and in which somebody has fenced it.

        Every connection is a new one then, and none does anything else before it has asked for the run id. What the
        fence does is one step. So nothing comes between.
        """
        if self._rules.fence is not Fence.NONE:
            store = self._shelf.do(store, Bump((SITE_KEY,)), now)[1]
        if self._rules.fence is Fence.QUARANTINE:
            store = self._shelf.do(store, Lease((SITE_KEY,), "fence", LEASE // 1000), now)[1]
        return store
