"""Each deliberate bug still fits the code: its text is there once, and what it makes of it is Python."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from property_tests.explorer.bugs import BUGS
from property_tests.mutants import MUTATIONS, ROOT
from property_tests.mutations import Edit

HOME = ROOT / "genscache"
EVERY: dict[str, tuple[Edit, ...]] = {
    **{f"mutant: {each.name}": each.edits for each in MUTATIONS},
    **{f"bug: {each.name}": each.edits for each in BUGS if each.edits},
}


@pytest.fixture(scope="module")
def texts() -> dict[Path, str]:
    return {path: path.read_text() for path in sorted(HOME.rglob("*")) if path.suffix in (".py", ".lua")}


@pytest.mark.parametrize("name", EVERY)
def test_a_bug_fits(name: str, texts: dict[Path, str]) -> None:
    wrong = dict(texts)
    for edit in EVERY[name]:
        places = [path for path, text in wrong.items() if edit.old in text]
        assert len(places) == 1, (edit.old, places)
        assert wrong[places[0]].count(edit.old) == 1, edit.old
        wrong[places[0]] = wrong[places[0]].replace(edit.old, edit.new)
    changed = [path for path, text in wrong.items() if text != texts[path]]
    assert changed
    for path in changed:
        if path.suffix == ".py":
            ast.parse(wrong[path])


@pytest.mark.parametrize("node", sorted({each.caught_by for each in MUTATIONS}))
def test_the_test_that_catches_it_is_there(node: str) -> None:
    file, _, name = node.partition("::")
    source = (ROOT / file).read_text()
    words = name.partition("[")[0].split("::")
    assert all(f"def {word}(" in source or f"class {word}" in source for word in words if word), node
