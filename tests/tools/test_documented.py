"""The reference has everything that ``explain`` says and everything that the command takes."""

from __future__ import annotations

import dataclasses
from io import StringIO
from types import ModuleType

import pytest
from django.core.management import call_command

import genscache.testing
from genscache import explaining
from genscache.explanations import DependencyState, Explanation
from genscache.querysets import explaining as asking
from tests.docs.pages import DOCS


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("module", [explaining, asking])
def test_every_reason_is_documented(module: ModuleType) -> None:
    text = page("reference/events-and-statistics.md")
    for name, value in vars(module).items():
        if name.isupper() and isinstance(value, str):
            assert f"`{value}`" in text, name


def test_every_part_of_an_explanation_is_documented() -> None:
    section = page("reference/api.md").split("### `explain(")[1].split("\n### ")[0]
    for item in (*dataclasses.fields(Explanation), *dataclasses.fields(DependencyState)):
        assert f"`{item.name}`" in section, item.name


def test_every_name_for_tests_is_documented() -> None:
    text = page("reference/api.md")
    for name in genscache.testing.__all__:
        assert f"`{name}" in text or f".{name}`" in text, name


@pytest.mark.parametrize("action", ["invalidate", "explain", "stats"])
def test_every_option_is_documented(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("genscache", action, "--help", stdout=StringIO())
    ours = capsys.readouterr().out.split("--version")[0] + capsys.readouterr().out
    text = page("reference/command.md")
    assert f"## `{action} " in text
    for option in ("--name", "--table", "--all", "--dry-run", "--op", "--cache", "--run", "--json"):
        assert option not in ours or option in text, option
