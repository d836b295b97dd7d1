"""How tests move a world: one actor to its end, or as far as a point where others may overtake it."""

from __future__ import annotations

from collections.abc import Callable

from property_tests import blocks, deeds
from property_tests.world import LEASE, Session, World


def do(world: World, deed: Callable[..., None], number: int, *args: object, **options: object) -> None:
    """Let one actor do something from its beginning to its end."""
    deed(world, world.sessions[number], *args, **options)
    world.finish(world.sessions[number])


def begin(
    world: World, deed: Callable[..., None], number: int, *args: object, at: object, **options: object
) -> None:
    """Let one actor begin something and go as far as ``at``."""
    deed(world, world.sessions[number], *args, **options)
    go_to(world, world.sessions[number], at)


def go_to(world: World, session: Session, where: object) -> None:
    """Let one actor go on until it stops at a label, or at an operation of a type."""
    assert comes_to(world, session, where), f"it never came to {where!r}"


def comes_to(world: World, session: Session, where: object) -> bool:
    """Let one actor go on until it stops there, or has ended; tell whether it has come there."""
    while not session.actor.idle:
        world.step(session)
        at = session.actor.at
        if not session.actor.idle and (at == where or (isinstance(where, type) and isinstance(at, where))):
            return True
    return False


def end(world: World, number: int) -> None:
    """Let one actor go on to the end."""
    world.finish(world.sessions[number])


def both_processes_read(world: World, name: str) -> None:
    """Let both processes read; each read is judged."""
    for number in (1, 2):
        do(world, deeds.read, number, name)


def all_idle_read(world: World, name: str, *, direct: bool = False) -> None:
    """Let everybody read who can; with ``direct``, the first of them asks the database, which all then know."""
    for session in tuple(world.sessions):
        if session.actor.idle and not session.broken:
            deeds.read(world, session, name, direct=direct)
            world.finish(session)
            direct = False


def come_to_rest(world: World, *, well: bool = False) -> None:
    """Let everybody end, whatever is open, and all leases run out.

    Args:
        world: The world.
        well: Commit what is open, where that can be.
    """
    for index in range(len(world.sessions)):
        while not world.sessions[index].actor.idle:
            end(world, index)
        world.sessions[index].actor.faults.clear()
        if world.sessions[index].cursor:
            do(world, deeds.unpin, index)
        while world.sessions[index].contexts:
            do(world, blocks.leave, index, well=well and not world.sessions[index].broken)
    if world.late:
        world.late_commit(commit=True)
    world.ground.advance(LEASE + 1000)
