"""A process of a made-up project: ``runner.py ROOT manage SETTINGS ARGUMENT…`` or ``… session SETTINGS FILE``.

The project comes first on ``sys.path`` and the checkout last, so that an installed genscache is found before it.
"""

from __future__ import annotations

import doctest
import json
import os
import sys
from pathlib import Path

EXACT = doctest.ELLIPSIS | doctest.REPORT_NDIFF


def manage(*arguments: str) -> None:
    """Run a command as ``manage.py`` does."""
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - the path is settled only now

    execute_from_command_line(["manage.py", *arguments])


def session(file: str) -> None:
    """Run blocks in one namespace; what a session of the interpreter shows must be what comes out."""
    import django  # noqa: PLC0415 - the path is settled only now

    django.setup()
    names: dict[str, object] = {"__name__": "session"}
    for block in json.loads(Path(file).read_text(encoding="utf-8")):
        if block["kind"] == "pycon":
            _compare(block["source"], block["line"], names)
        else:
            # Empty lines in front, so that an error names the line of the page.
            source = "\n" * (block["line"] - 1) + block["source"]
            exec(compile(source, "page", "exec"), names)  # noqa: S102 - that is what the page is for


def _compare(source: str, line: int, names: dict[str, object]) -> None:
    test = doctest.DocTestParser().get_doctest(source, {}, "page", "page", line - 1)
    test.globs = names
    runner = doctest.DocTestRunner(optionflags=EXACT)
    runner.run(test, clear_globs=False)
    if runner.failures:
        sys.exit(1)


if __name__ == "__main__":
    root, action, settings, *arguments = sys.argv[1:]
    sys.path[:0] = [str(Path.cwd())]
    sys.path.append(root)
    if settings:
        os.environ["DJANGO_SETTINGS_MODULE"] = settings
    if action == "manage":
        manage(*arguments)
    else:
        session(*arguments)
