"""``manage.py genscache audit``: reads through the cache, each hit compared with the database."""

from __future__ import annotations

import ast
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

from django.apps import apps
from django.core.management import CommandError
from django.db import DatabaseError, models

from genscache.auditing import every_hit, nines
from genscache.engine import Engine
from genscache.events import Audited, Event
from genscache.management.reads import read_once
from genscache.management.targets import Target, target
from genscache.management.unseen import SETTLING, Suspicion, TableStatistics
from genscache.namespaces import Catalog
from genscache.tables import chain

SAMPLE = 20
"""Rows of each model, the youngest, that are read one by one."""


@dataclass(slots=True)
class Findings:
    """What a run has found.

    Attributes:
        verdicts: How often a read was right, a violation, inconclusive, or not to be audited, by read.
        reasons: Why audits were inconclusive, and how often.
        errors: Reads that raised, with what.
        unseen: Tables that were written by somebody who told nobody, as far as statistics can say.
        silent: Databases that tell no such statistics.
    """

    verdicts: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    errors: dict[str, str] = field(default_factory=dict)
    unseen: list[Suspicion] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Return the sums as ``stats()`` counts them."""
        total = sum(self.verdicts.values(), Counter[str]())
        return {f"audit: {verdict}": count for verdict, count in total.items()}

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain values that ``json`` takes."""
        return {
            "verdicts": {name: dict(counts) for name, counts in self.verdicts.items()},
            "reasons": dict(self.reasons),
            "errors": self.errors,
            "unseen": [asdict(each) for each in self.unseen],
            "silent": self.silent,
            "counts": self.counts,
            "summary": self.text,
        }

    @property
    def text(self) -> str:
        """Return the sums in one line."""
        return nines(self.counts)


class Run:
    """One run of the command.

    Args:
        engine: The engine.
        what: Models, objects and calls of cached functions; nothing: every tracked model.
        sample: Rows of each model.
        settling: Seconds for which generations must have stood still before statistics that moved say something.

    Raises:
        CommandError: There is no such thing.
    """

    def __init__(
        self, engine: Engine, what: Sequence[str], *, sample: int = SAMPLE, settling: float = SETTLING
    ) -> None:
        self._engine = engine
        self._what = what
        self._sample = sample
        self._statistics = TableStatistics(engine, settling=settling)
        self.findings = Findings(silent=self._statistics.silent)
        # What cannot be read at all is refused before anything is.
        for each in what:
            _parsed(engine, each)

    def go(self, seconds: float, *, now: Callable[[], float] = time.monotonic) -> Findings:
        """Read everything once, and again and again for ``seconds``; look at the statistics before and after."""
        end = now() + seconds
        self._look()
        while True:
            for name, read in self._reads():
                self._audit(name, read)
            self._look()
            if now() >= end:
                # What is suspected for the first time wants a second look.
                self._look()
                return self.findings

    def _look(self) -> None:
        try:
            self.findings.unseen += self._statistics.look()
        except DatabaseError as error:
            self.findings.errors["statistics"] = f"{type(error).__name__}: {error}"

    def _audit(self, name: str, read: Target) -> None:
        """Read once, which may fill, and if that was no audited hit, once more."""
        verdicts = self.findings.verdicts.setdefault(name, Counter())
        heard: list[Audited] = []
        hit = False

        def hear(event: Event) -> None:
            if isinstance(event, Audited):
                heard.append(event)

        stop = self._engine.hub.subscribe(hear)
        try:
            with every_hit():
                hit = self._is_hit(read) or self._is_hit(read)
        except Exception as error:  # noqa: BLE001 - a function of the user's, which the report names
            self.findings.errors[name] = f"{type(error).__name__}: {error}"
        finally:
            stop()
        verdicts.update(each.outcome for each in heard)
        self.findings.reasons.update(each.reason for each in heard if each.reason)
        if not hit:
            verdicts["no hit"] += 1

    def _is_hit(self, read: Target) -> bool:
        """Read once; tell whether that was a hit. What it called inside was answered before it."""
        reads = read_once(self._engine, _again(read))
        return bool(reads) and reads[-1].outcome == "hit"

    def _reads(self) -> Iterator[tuple[str, Target]]:
        for each in self._what or [model._meta.label for model in _tracked(self._engine.catalog)]:
            model, read = _parsed(self._engine, each)
            if model is None:
                yield each, read
            else:
                yield from self._of_model(model)

    def _of_model(self, model: type[models.Model]) -> Iterator[tuple[str, Target]]:
        """Yield the reads of a model: the number of its rows, and the youngest of them one by one."""
        label = model._meta.label
        rows = model._default_manager.all()
        cached = rows.cache()  # type: ignore[attr-defined]  # every manager's querysets have it
        yield f"{label}.count", Target(cached, ("count",))
        youngest = rows.nocache().order_by("-pk").values_list("pk", flat=True)  # type: ignore[attr-defined]  # as above
        for pk in youngest[: self._sample]:
            yield f"{label}.get", Target(cached.filter(pk=pk), ("get",))


def _again(read: Target) -> Target:
    """Return the same read of a queryset that has no rows yet."""
    if isinstance(read.what, models.QuerySet):
        return Target(read.what.all(), read.args, read.kwargs)
    return read


def _tracked(catalog: Catalog) -> Iterator[type[models.Model]]:
    for model in apps.get_models():
        tables = [catalog.tables.get(name) for name in chain(model)]
        if (
            not model._meta.proxy
            and tables
            and all(each and each.tracked and each.managed for each in tables)
        ):
            yield model


def _parsed(engine: Engine, what: str) -> tuple[type[models.Model] | None, Target]:
    """Return what a word of the command line names: a model, or one read."""
    path, given = _call(what)
    read = target(engine, path, given, op=None, cache=False)
    if isinstance(read.what, models.QuerySet):
        if ":" not in path:
            return read.what.model, read
        return None, Target(read.what.cache(), read.args)  # type: ignore[attr-defined]  # every queryset has it
    return None, read


def _call(what: str) -> tuple[str, list[str]]:
    """Split ``blog.views.front_page(10, limit=5)`` into the path and what ``explain`` takes as arguments."""
    if not what.endswith(")"):
        return what, []
    try:
        found = ast.parse(what, mode="eval").body
    except SyntaxError:
        found = None
    if not isinstance(found, ast.Call):
        raise CommandError(
            f"{what!r} is no call. Write blog.views.front_page(10, limit=5), quoted for the shell."
        )
    named = [f"{each.arg}={ast.unparse(each.value)}" for each in found.keywords]
    return ast.unparse(found.func), [*map(ast.unparse, found.args), *named]
