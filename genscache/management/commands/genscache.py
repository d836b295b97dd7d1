"""``manage.py genscache``: invalidate, explain, stats, audit."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import cast

from django.core.management import BaseCommand, CommandError

from genscache.describing import described
from genscache.engine import Engine, current_engine
from genscache.exceptions import StoreError
from genscache.explaining import explain
from genscache.invalidation import announce
from genscache.keys import Namespace
from genscache.management.audits import SAMPLE, Run
from genscache.management.printing import findings, written
from genscache.management.reads import read_once
from genscache.management.reports import whole_report
from genscache.management.targets import namespaces, target
from genscache.management.unseen import SETTLING

PROCESS_ONLY = "Its store, {name}, belongs to one process: what runs elsewhere, such as the server, {what}."


class Command(BaseCommand):
    """One command with four actions."""

    help = "Invalidate entries, explain why a read is cached or not, or show the cache's state."
    requires_system_checks = ()
    """None: what it prints is what was asked for."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the four actions."""
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="invalidate | explain | stats | audit"
        )
        self._invalidate_arguments(
            actions.add_parser("invalidate", help="invalidate models, objects, names, tables or everything")
        )
        self._explain_arguments(
            actions.add_parser(
                "explain", help="tell whether a read would be a hit, a miss or a bypass, and why"
            )
        )
        actions.add_parser("stats", help="show the store, the settings in force and the cached models")
        self._audit_arguments(actions.add_parser("audit", help="compare hits with the database"))
        for each in actions.choices.values():
            each.add_argument("--json", action="store_true", help="print JSON")

    def _invalidate_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("label", nargs="*", help="a model (blog.Post) or an object (blog.Post:5)")
        parser.add_argument(
            "--name", action="append", default=[], help="a name that functions depend on; repeatable"
        )
        parser.add_argument("--table", action="append", default=[], help="a table, as in SQL; repeatable")
        parser.add_argument("--all", action="store_true", help="everything on this site")
        parser.add_argument("--dry-run", action="store_true", help="only show what would be invalidated")

    def _explain_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "what", help="blog.Post, blog.Post:5, or a cached function: blog.views.front_page"
        )
        parser.add_argument(
            "given",
            nargs="*",
            metavar="argument",
            help="field=value for a model, arguments for a function; Python literals, else texts",
        )
        parser.add_argument("--op", help="what is asked of the model: list, get, count, exists, first, ...")
        parser.add_argument(
            "--cache", action="store_true", help="as if .cache() had been called on the queryset"
        )
        parser.add_argument(
            "--run", action="store_true", help="do the read once, as the program would, and say what it was"
        )

    def _audit_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "what",
            nargs="*",
            help="blog.Post, blog.Post:5, blog.views.front_page or 'blog.views.front_page(10)'; default: every model",
        )
        parser.add_argument(
            "--seconds", type=float, default=0.0, help="again and again for so long; default: once"
        )
        parser.add_argument(
            "--sample", type=int, default=SAMPLE, help=f"rows of each model; default: {SAMPLE}"
        )
        parser.add_argument(
            "--settling",
            type=float,
            default=SETTLING,
            help="seconds after a bump in which PostgreSQL's statistics say nothing; "
            f"default: {SETTLING:.0f}",
        )

    def handle(self, **options: object) -> None:
        """Do what was asked for.

        Raises:
            CommandError: It cannot be done; the message says what to do instead.
        """
        actions = {
            "invalidate": self._invalidate,
            "explain": self._explain,
            "stats": self._stats,
            "audit": self._audit,
        }
        actions[str(options["action"])](current_engine(), options)

    # -- the actions

    def _invalidate(self, engine: Engine, options: dict[str, object]) -> None:
        found = namespaces(
            engine,
            cast("list[str]", options["label"]),
            cast("list[str]", options["name"]),
            cast("list[str]", options["table"]),
            everything=bool(options["all"]),
        )
        dry = bool(options["dry_run"])
        if not dry:
            self._announce(engine, found)
        rows = [
            {"what": described(engine.catalog, each), "counter": engine.keys.counter(each)}
            for each in sorted(found)
        ]
        if options["json"]:
            self._print({"dry_run": dry, "namespaces": rows})
        else:
            self._say(f"{'Would invalidate' if dry else 'Invalidated'} {_counted(len(rows))}:")
            for row in rows:
                self._say(f"  {row['what']}\n    {row['counter']}")
        self._warn_of_own_store(engine, "was not reached")

    def _explain(self, engine: Engine, options: dict[str, object]) -> None:
        asked = target(
            engine,
            str(options["what"]),
            cast("list[str]", options["given"]),
            op=cast("str | None", options["op"]),
            cache=bool(options["cache"]),
        )
        try:
            explanation = explain(asked.what, *asked.args, **asked.kwargs)
        except (TypeError, ValueError) as error:
            raise CommandError(str(error)) from error
        reads = read_once(engine, asked) if options["run"] else []
        if options["json"]:
            shown = [{"what": each.what, "outcome": each.outcome, "reason": each.reason} for each in reads]
            self._print({**explanation.as_dict(), **({"reads": shown} if options["run"] else {})})
        else:
            self._say(str(explanation))
            if options["run"]:
                self._say(
                    "What it was when it was run, with what it called:"
                    if reads
                    else "It was run, and read nothing through the cache."
                )
            for each in reads:
                self._say(f"  {each.outcome.upper():<6}  {each.what}{each.reason and ': '}{each.reason}")
        self._warn_of_own_store(engine, "has another one")

    def _stats(self, engine: Engine, options: dict[str, object]) -> None:
        report = whole_report(engine)
        if options["json"]:
            self._print(report)
        else:
            self._say(written(report))
        store = cast("dict[str, object]", report["store"])
        if not store["reachable"]:
            raise CommandError(f"The store does not answer: {store['error']}")

    def _audit(self, engine: Engine, options: dict[str, object]) -> None:
        run = Run(
            engine,
            cast("list[str]", options["what"]),
            sample=cast("int", options["sample"]),
            settling=cast("float", options["settling"]),
        )
        found = run.go(cast("float", options["seconds"]))
        if options["json"]:
            self._print(found.as_dict())
        else:
            self._say(findings(found))
        self._warn_of_own_store(engine, "has another one")
        wrong = found.counts.get("audit: violation", 0)
        if wrong:
            raise CommandError(f"{wrong} proven violations. The log says what is known of each.")

    # -- inside

    def _announce(self, engine: Engine, found: set[Namespace]) -> None:
        try:
            announce(engine, found)
        except StoreError as error:
            raise CommandError(f"Nothing is sure to be invalidated: {error}") from error
        if engine.unsettled:
            # ON_OUTAGE = "proceed": another process would go on and tell the store later. This one ends.
            raise CommandError(
                "Nothing is sure to be invalidated: the store does not answer. Try again when it does."
            )

    def _warn_of_own_store(self, engine: Engine, what: str) -> None:
        capabilities = engine.store.capabilities
        if not capabilities.shared:
            self.stderr.write(PROCESS_ONLY.format(name=capabilities.name, what=what))

    def _print(self, value: object) -> None:
        self._say(json.dumps(value, indent=2, ensure_ascii=False))

    def _say(self, text: str) -> None:
        self.stdout.write(text)


def _counted(number: int) -> str:
    return "1 namespace" if number == 1 else f"{number} namespaces"
