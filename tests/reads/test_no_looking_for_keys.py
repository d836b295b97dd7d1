"""No line of the package looks for keys in a store, or flushes one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import genscache

ROOT = Path(str(genscache.__file__)).parent
COMMANDS = "KEYS|SCAN|HSCAN|SSCAN|ZSCAN|FLUSHDB|FLUSHALL|SWAPDB|RANDOMKEY|DBSIZE"
# A command as the first word of a quoted text; ``KEYS[1]`` is how a script names its keys.
FORBIDDEN = re.compile(
    rf"""(["'])(?:{COMMANDS}|{COMMANDS.lower().replace("keys|scan|", "")})(?:\1|\ )"""
    r"""|\.(?:scan_iter|[hsz]scan|flush(?:db|all)|randomkey|dbsize)\b"""
    r"""|\bcaches?(?:\[.*\])?\.clear\("""
)


def sources() -> list[Path]:
    return [
        path
        for path in sorted(ROOT.rglob("*"))
        if path.suffix in {".py", ".lua"} and "demo" not in path.parts
    ]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_line_does(path: Path) -> None:
    found = [line for line in path.read_text().splitlines() if FORBIDDEN.search(line)]

    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        'client.execute_command("KEYS", "gc:*")',
        "redis.call('SCAN', cursor)",
        'commands += [("flushdb",)]',
        "for key in client.scan_iter():",
        "client.flushall()",
        'caches["default"].clear()',
        "cache.clear()",
    ],
)
def test_the_pattern_would_find_it(line: str) -> None:
    assert FORBIDDEN.search(line)


def test_the_scripts_are_among_what_is_read() -> None:
    assert {path.suffix for path in sources()} == {".py", ".lua"}
