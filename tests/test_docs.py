"""The README and the pages run as they stand, and the reference names everything there is."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

import genscache
from genscache import answers, checks, events, exceptions, guards, sessions
from genscache.conf import Settings
from genscache.orm import reading, replicas, writing
from genscache.protocol import read
from tests.docs.pages import DOCS, Block, blocks
from tests.docs.project import Project

README = DOCS.parent / "README.md"
GUIDES = sorted(
    page for folder in ("tutorial", "howto") for page in (DOCS / folder).glob("*.md") if page.stem != "demo"
)
RUN = [README, *GUIDES, DOCS / "reference" / "api.md", DOCS / "reference" / "exceptions.md"]
FROM_NOTHING = DOCS / "tutorial" / "quickstart.md"
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)(?:#[^)]*)?\)")
PAGES = [
    README,
    README.with_name("CHANGELOG.md"),
    *(page for page in DOCS.rglob("*.md") if "_build" not in page.parts),
]


def named(page: Path) -> str:
    return page.relative_to(DOCS.parent).as_posix()


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, valkey_url: str) -> Project:
    return Project(tmp_path, valkey_url)


@pytest.fixture(scope="module")
def blog(tmp_path_factory: pytest.TempPathFactory) -> Project:
    blog = Project(tmp_path_factory.mktemp("blog"), "memory://")
    blog.make_blog()
    return blog


def play(project: Project, page: list[Block], settings: str) -> None:
    """Run the commands of a page, then the rest in one session."""
    for each in page:
        for command, shown in each.commands:
            printed = project.manage(settings, *command[1:]).splitlines()
            assert set(shown) <= set(printed), printed
    project.run(settings, [each for each in page if each.is_session])


@pytest.mark.parametrize("page", [each for each in RUN if each != FROM_NOTHING], ids=named)
def test_a_page_runs_as_it_stands(page: Path, project: Project, blog: Project) -> None:
    project.begin_as(blog)
    found = blocks(page)
    project.write_files(found)
    project.install()
    play(project, found, "settings")


def test_the_quick_start_begins_with_nothing_and_runs_as_pasted(project: Project) -> None:
    page = blocks(FROM_NOTHING)
    project.start("startproject", "mysite", ".")
    project.start("startapp", "blog")
    project.write_files(page)
    # The blog is there already.
    play(project, [each for each in page if "startapp" not in each.source], "mysite.settings")
    assert sum(each.kind == "pycon" for each in page) > 5


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_block_of_python_is_python(page: Path) -> None:
    for each in blocks(page):
        if each.kind == "python":
            compile(each.source, f"{page.name}:{each.line}", "exec", dont_inherit=True)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_internal_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_setting_is_documented() -> None:
    page = text_of("reference/settings.md")
    for item in dataclasses.fields(Settings):
        assert f"\n## `{item.name.upper()}`\n" in page, item.name
    assert len(re.findall(r"^## `", page, re.MULTILINE)) == len(dataclasses.fields(Settings))


def test_every_default_is_told_as_it_is() -> None:
    page = text_of("reference/settings.md")
    for item in dataclasses.fields(Settings):
        section = page.split(f"\n## `{item.name.upper()}`\n")[1].split("\n## ")[0]
        default = getattr(Settings(), item.name)
        assert f"\nDefault: `{_written(default)}`" in section, item.name


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return repr(list(value)).replace("'", '"')
    if isinstance(value, float):
        return f"{value:.0f}"
    return repr(value).replace("'", '"')


@pytest.mark.parametrize("name", genscache.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    assert f"`{name}(" in text_of("reference/api.md")


def test_every_check_is_documented() -> None:
    ids = set(re.findall(r"genscache\.[EW]\d{3}", inspect.getsource(checks)))
    assert ids == set(re.findall(r"genscache\.[EW]\d{3}", text_of("reference/checks.md")))


def test_every_exception_is_documented() -> None:
    page = text_of("reference/exceptions.md")
    for name, value in vars(exceptions).items():
        if inspect.isclass(value):
            assert f"`{name}`" in page, name


def test_every_count_and_reason_is_documented() -> None:
    page = text_of("reference/events-and-statistics.md")
    for kind in get_args(events.Trouble):
        assert f"`survived: {kind}`" in page, kind
    for module in (answers, guards, read, reading, replicas, sessions, writing):
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, str):
                assert f"`{value}`" in page, name
    for kind in get_args(events.Event):
        assert f"`{kind.__name__}" in page, kind


TEST_ID = re.compile(r"`((?:tests|property_tests|genscache/testing)/[\w/]+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_test_that_is_named_exists(page: Path) -> None:
    for file, function in TEST_ID.findall(page.read_text(encoding="utf-8")):
        source = (DOCS.parent / file).read_text(encoding="utf-8")
        assert not function or re.search(
            rf"^\s*(?:async )?(?:def|class) {function}\b", source, re.MULTILINE
        ), f"{file}::{function}"


def test_the_table_of_anomalies_names_tests() -> None:
    assert len(TEST_ID.findall(text_of("explanation/promises.md"))) > 25
