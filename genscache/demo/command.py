"""The command line of ``python -m genscache``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from django.apps import apps

import genscache
from genscache.demo.project import BadStore, project
from genscache.exceptions import StoreError, WriteRefused

BROKEN_PROMISE: Final = 1
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        arguments: What follows ``python -m genscache``; ``None``: as this process was called.

    Returns:
        0; 1 where the demo did not go as promised or its store failed on the way; 2 for arguments or a store that
        cannot be used; 130 after Ctrl-C.
    """
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return _demo(given)
    except BadStore as error:
        return _fail(str(error), BAD_INPUT)
    except (StoreError, WriteRefused) as error:
        return _fail(f"The store failed on the way: {error}", BROKEN_PROMISE)
    except KeyboardInterrupt:
        return _fail("Interrupted; the files and keys of this run are removed.", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has gone; Python must not try to flush into the same pipe at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PROMISE


def _demo(given: argparse.Namespace) -> int:
    with project(given.store) as store:
        # What imports models can be imported only now that Django is set up.
        from genscache.demo.report import tell, tell_json  # noqa: PLC0415
        from genscache.demo.stage import Stage  # noqa: PLC0415

        config = apps.get_app_config("genscache")
        news = sys.stderr if given.json else sys.stdout
        stage = Stage(store, config.engine, news, given.articles, given.entries)  # type: ignore[attr-defined]
        kept = (tell_json if given.json else tell)(stage, sys.stdout)
    return 0 if kept else BROKEN_PROMISE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m genscache", description=genscache.__doc__)
    parser.add_argument("--version", action="version", version=f"genscache {genscache.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="show on a small news site what the cache does and what it costs",
        description="Make a news site in a temporary directory, measure, replay a race, and leave nothing behind.",
    )
    demo.add_argument(
        "--store",
        metavar="URL",
        help="redis://host:6379/0, rediss://... or unix://...; keys of its own, taken away at the end "
        "(default: the memory of this process)",
    )
    demo.add_argument(
        "--articles",
        metavar="N",
        type=_number("articles", 10, 1_000_000),
        default=20_000,
        help="how many articles the site has (default: 20000)",
    )
    demo.add_argument(
        "--entries",
        metavar="N",
        type=_number("entries", 100, 1_000_000),
        default=100_000,
        help="how many entries the largest invalidation reaches (default: 100000)",
    )
    demo.add_argument(
        "--json", action="store_true", help="print one JSON document; progress goes to standard error"
    )
    return parser


def _number(what: str, least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(
                f"must be a number of {what} from {least} to {most}, got {text!r}. Leave it out for the default."
            )
        return int(text)

    return number


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"genscache demo: {message}\n")
    return code


def _terminated(number: int, _: object) -> NoReturn:
    """Leave by an exception, so that files and keys are removed on the way out."""
    raise SystemExit(128 + number)
