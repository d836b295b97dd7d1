"""What actors do: ask a question, twice, and write; and how their answers are judged."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.core.exceptions import FieldError, MultipleObjectsReturned, ObjectDoesNotExist
from django.db import connections, transaction
from django.db.models.query import QuerySet
from django.utils import timezone

from genscache import bypass
from genscache.exceptions import GenscacheError
from property_tests.orm.content import outcome, shared, spoil
from property_tests.orm.questions import Question
from property_tests.orm.speech import cached, compiled, names, plain, said
from property_tests.world import Session, World


def ask(world: World, session: Session, question: Question) -> None:
    """Begin to ask a question of the cache and, at the same moment, of the database: both must say the same.

    Whoever asks spoils the answer afterwards, as a careless caller would.
    """

    def task() -> object:
        given, answer = _asked(world, session, question, uncached=False)
        with bypass():
            right, _ = _asked(world, session, question, uncached=True)
        assert given == right, (
            f"{session.actor.name} asked {question}\n    and was given       {given}\n    the database says   {right}"
        )
        spoil(answer)
        return given

    world.begin(session, task, lambda given: _broken(session, given))


def glance(world: World, session: Session, question: Question, keep: Callable[[object], None]) -> None:
    """Begin to ask the cache alone: somebody may write in between, so the answer is not judged; it is kept."""

    def task() -> object:
        given, answer = _asked(world, session, question, uncached=False)
        keep(answer)
        return given

    world.begin(session, task, lambda given: _broken(session, given))


def part(answers: list[object]) -> None:
    """Let nobody have been given what somebody else was given, too; then spoil all."""
    for index, one in enumerate(answers):
        for other in answers[:index]:
            assert not shared(one, other), f"two callers were given the same objects: {shared(one, other)}"
    for each in answers:
        spoil(each)


def write(world: World, session: Session, text: str, *, undone: bool = False) -> None:
    """Begin to write; with ``undone``, in a block that is rolled back."""
    alias = world.database.alias
    code = compiled(text, statements=True)

    def task() -> None:
        meaning = names(alias, _as_it_is, session.actor.name)
        try:
            with _undoing(alias) if undone else nullcontext():
                said(code, meaning)
        except (ObjectDoesNotExist, MultipleObjectsReturned, FieldError, ValueError):
            assert not isinstance(sys.exception(), GenscacheError), sys.exception()
            # Nothing was written, or nothing is left of it; an ``atomic`` block inside may have to be rolled back.
            session.broken = session.broken or connections[alias].needs_rollback

    def failed() -> None:
        session.broken = bool(session.frames)

    world.begin(session, task, lambda _: None, failed)


def isolate(world: World, session: Session) -> None:
    """Let the transaction that has just begun read one snapshot (PostgreSQL)."""
    alias = world.database.alias

    def task() -> None:
        with connections[alias].cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    world.begin(session, task)


def _asked(world: World, session: Session, question: Question, *, uncached: bool) -> tuple[object, object]:
    alias = world.database.alias
    meaning = names(alias, plain if uncached else cached(question.manner), session.actor.name)
    code = compiled(question.text)
    with timezone.override(question.zone):
        return outcome(lambda: said(code, meaning), ordered=question.fixed)


@contextmanager
def _undoing(alias: str) -> Iterator[None]:
    """Roll back what is written in the block."""
    with transaction.atomic(using=alias):
        yield
        transaction.set_rollback(True, using=alias)


def _broken(session: Session, given: object) -> None:
    """Note that a database refused a question, and with it the whole transaction."""
    if isinstance(given, tuple) and given[0] in {
        "OperationalError",
        "ProgrammingError",
        "DataError",
        "DatabaseError",
    }:
        session.broken = bool(session.frames)


def _as_it_is(queryset: QuerySet[Any]) -> QuerySet[Any]:
    return queryset
