"""A world of querysets, and everybody in it asking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from property_tests.actors import Ground
from property_tests.orm import deeds
from property_tests.orm.questions import Question
from property_tests.orm.site import Site
from property_tests.world import Session, World

MATCH: Mapping[str, Mapping[str, object]] = {
    "news.Article": {"match": [["section"], ["views"], ["author", "section"], ["title"]]},
    "news.Tag": {"match": [["name"]]},
    "news.Section": {"match": [["name"]]},
    "news.Column": {"match": [["series"]]},
    "news.Asset": {"match": [["article"], ["path"]]},
    "news.Topic": {"match": [["parent"]]},
}
ALL: Mapping[str, Mapping[str, object]] = {"*": {"cache": "all", "timeout": 600}}
POLICIES: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "none": {},
    "all": ALL,
    "some": {"news.A*": {"cache": ["list", "get"], "lock": True}},
    "match": MATCH,
    "match and all": {**ALL, **MATCH},
}
"""Values of ``GENSCACHE["MODELS"]``."""


def make_world(ground: Ground, policy: str, *, alias: str = "default", leases: bool = True) -> World:
    """Make a world with the rows that each example begins with."""
    return World(ground, Site(alias), leases=leases, options={"MODELS": POLICIES[policy]})


def ask(world: World, session: Session, question: Question) -> None:
    """Let one actor ask, if it can; the answer is judged."""
    if not session.broken and session.actor.idle and not _undecided(world, session):
        deeds.ask(world, session, question)
        world.finish(session)


def ask_all(world: World, questions: Iterable[Question], *, but: Session | None = None) -> None:
    """Let everybody ask."""
    questions = tuple(questions)
    for session in world.sessions:
        for question in questions if session is not but else ():
            ask(world, session, question)


def write(world: World, session: Session, text: str, *, undone: bool = False) -> None:
    """Let one actor write."""
    deeds.write(world, session, text, undone=undone)
    world.finish(session)


def _undecided(world: World, session: Session) -> bool:
    """Tell whether somebody else's writes are there and will be announced only at the end of a batch."""
    return not world.leases and any(each.batching for each in world.sessions if each is not session)
