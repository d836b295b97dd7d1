"""A made-up Django project in a directory of its own, and what runs in it, each in a process of its own."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import Block
from tests.fences import age

ROOT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("runner.py")
WRITTEN_URL = "redis://127.0.0.1:6379/0"
"""The store that the pages name; the server of the test run takes its place."""

SETTINGS = """
SECRET_KEY = "made up"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "blog"]
MIGRATION_MODULES = {"blog": None}
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "default.sqlite3"},
    "archive": {"ENGINE": "django.db.backends.sqlite3", "NAME": "archive.sqlite3"},
    "replica": {"ENGINE": "django.db.backends.sqlite3", "NAME": "default.sqlite3"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["*"]
MIDDLEWARE = []
"""

MODELS = """
from django.db import models
from django.utils import timezone


class Author(models.Model):
    name = models.CharField(max_length=100)


class Post(models.Model):
    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    published = models.DateTimeField(default=timezone.now)
    category = models.CharField(max_length=50, default="news")
    views = models.IntegerField(default=0)


class Report(models.Model):
    name = models.CharField(max_length=100)
    total = models.IntegerField(default=0)
"""

SETTINGS_END = """
GENSCACHE = {{"PREFIX": "{prefix}", "STORE": "{url}", **globals().get("GENSCACHE", {{}})}}
INSTALLED_APPS += [] if "genscache" in INSTALLED_APPS else ["genscache"]
"""

MIGRATE = """
from django.core.management import call_command
for alias in ("default", "archive"):
    call_command("migrate", run_syncdb=True, verbosity=0, database=alias)
"""

ROWS = """
from blog.models import Author, Post, Report
ann = Author.objects.create(name="Ann")
for number in range(1, 4):
    Post.objects.create(title=f"Post {number}", author=ann)
Report.objects.create(name="views")
"""


class Project:
    """A Django project.

    Args:
        directory: Where.
        url: The store that takes the place of the one that the pages name.
    """

    def __init__(self, directory: Path, url: str) -> None:
        self.directory = directory
        self._url = url
        self._prefix = f"docs-{secrets.token_hex(6)}"
        if url.startswith("redis"):
            # A page that begins with nothing has the default prefix.
            for prefix in (self._prefix, "gc"):
                age(url, prefix)

    def make_blog(self) -> None:
        """Make what the guides take for granted: settings without genscache, and a blog with three posts."""
        self.write("settings.py", SETTINGS)
        self.write("urls.py", "urlpatterns = []\n")
        self.write("blog/__init__.py", "")
        self.write("blog/models.py", MODELS)
        self.run("settings", [Block("python", MIGRATE + ROWS, 1, runs=True)])

    def begin_as(self, other: Project) -> None:
        """Be a copy of another project."""
        shutil.copytree(other.directory, self.directory, dirs_exist_ok=True)

    def write(self, path: str, text: str) -> None:
        """Write a file, or append to it."""
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as stream:
            stream.write(text.replace(WRITTEN_URL, self._url))

    def write_files(self, page: list[Block]) -> None:
        """Write the files that a page has."""
        for each in page:
            if each.runs and each.path is not None:
                self.write(each.path, each.source)

    def install(self) -> None:
        """Put genscache into the settings where the page has not done so, with keys of this project's own."""
        self.write("settings.py", SETTINGS_END.format(prefix=self._prefix, url=self._url))

    def manage(self, settings: str, *arguments: str) -> str:
        """Run a command of Django's in a process of its own; return what it says."""
        return self._python("manage", settings, *arguments)

    def start(self, *arguments: str) -> str:
        """Run ``django-admin`` in the project's directory."""
        return self._python("manage", "", *arguments)

    def run(self, settings: str, blocks: list[Block]) -> str:
        """Run blocks of Python in one process, one after the other, in one namespace."""
        session = self.directory / "session.json"
        rows = [
            {"kind": each.kind, "source": each.source.replace(WRITTEN_URL, self._url), "line": each.line}
            for each in blocks
        ]
        session.write_text(json.dumps(rows), encoding="utf-8")
        return self._python("session", settings, str(session))

    def _python(self, *arguments: str) -> str:
        command = [sys.executable, "-P", "-W", "error", str(RUNNER), str(ROOT), *arguments]
        done = subprocess.run(
            command, cwd=self.directory, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr
