"""``python -m genscache demo`` as a newcomer runs it: a process of its own, in a directory of its own."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as Client

import genscache
from genscache.demo.progress import Progress, spaced
from genscache.demo.tables import WIDTH, prose, table
from tests.fences import age

HOME = Path(str(genscache.__file__)).resolve().parent.parent
EXAMPLE = Path(__file__).resolve().parent.parent / "docs" / "examples" / "news"
SMALL = ("--articles", "200", "--entries", "1000")
FORBIDDEN = ("flushall", "flushdb", "keys", "scan", "swapdb", "del")


def environment(directory: Path, **more: str) -> dict[str, str]:
    """Return an environment in which temporary files end up in ``directory``, as bare as a newcomer's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "GENSCACHE"))}
    # In a checkout as in an installed package: what the tests import is what the process imports.
    return {**kept, "PYTHONPATH": str(HOME), "TMPDIR": str(directory), "NO_COLOR": "1", **more}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-P", "-m", "genscache", *arguments]


def run(
    directory: Path, *arguments: str, prefix: Sequence[str] = (), **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, *command(*arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=directory,
        env=environment(directory, **more),
    )


@contextmanager
def started(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a demo and read its output while it runs."""
    with subprocess.Popen(
        command("demo", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=directory,
        env=environment(directory, PYTHONUNBUFFERED="1"),
        # Whatever runs the tests in the background may have it ignored, and a child inherits that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one call, no locks
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], beginning: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return
    raise AssertionError(f"The output ended before {beginning!r}.")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what a small demo prints where only ASCII can be shown; checks that it ended well and left no file."""
    directory = tmp_path_factory.mktemp("demo")
    done = run(directory, "demo", *SMALL, PYTHONIOENCODING="ascii", DJANGO_SETTINGS_MODULE="not.there")
    assert (done.returncode, done.stderr) == (0, "")
    assert list(directory.iterdir()) == []
    return done.stdout


def check_document(document: dict[str, Any]) -> None:
    """Check what every run must have measured, whichever store it ran on."""
    ways = {(page["page"], page["way"]): page for page in document["reads"]["pages"]}
    front = "front page (20 articles)"
    assert [(way["queries"], way["round_trips"]) for way in ways.values()] == [(4, 0), (0, 1), (1, 0), (0, 1)]
    assert 0 < ways[front, "cached"]["median_ms"] < ways[front, "uncached"]["median_ms"]
    invalidations = document["invalidation"]["calls"]
    assert [each["entries"] for each in invalidations] == [10, 100, 1000]
    assert [each["served_before"] for each in invalidations] == [10, 100, 100]
    assert {(each["served_after"], each["round_trips"]) for each in invalidations} == {(0, 1)}
    assert all(each["median_ms"] > 0 for each in invalidations)
    verdicts = [(look["after"].split()[0], look["verdict"]) for look in document["raw_sql"]["looks"]]
    assert verdicts == [
        ("nothing", "fresh"),
        ("raw", "STALE"),
        ("invalidate_model(Article)", "fresh"),
        ("raw", "fresh"),
    ]
    counts = [(each["leases"], each["clock"], each["bumps"]) for each in document["batch"]["ways"]]
    assert counts == [(1000, 0, 1000), (1, 0, 1), (1, 1, 1), (0, 0, 1000), (0, 0, 1)]
    assert [each["round_trips"] for each in document["batch"]["ways"]] == [2000, 2, 3, 1000, 1]
    assert all(each["fresh"] for each in document["batch"]["ways"])
    assert document["race"]["naive"]["verdict"] == "STALE"
    assert document["race"]["genscache"]["verdict"] == "fresh"
    assert document["kept"] is True
    assert document["stats"]["hit"] > 100


def test_every_number_is_in_the_json_document_and_progress_is_not(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", *SMALL, "--json")

    assert done.returncode == 0
    document = json.loads(done.stdout)
    check_document(document)
    assert document["store"] == "memory://"
    assert document["articles"] == 200
    assert "Writing articles: 200 in" in done.stderr


def test_a_server_is_used_and_left_as_it_was(tmp_path: Path, own_valkey: Any) -> None:
    with Client.from_url(own_valkey.url) as client:
        client.set("somebody's", "own")
        client.config_resetstat()
        done = run(tmp_path, "demo", *SMALL, "--json", "--store", own_valkey.url)

        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        check_document(document)
        assert document["store"] == own_valkey.url
        used = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
        assert {"mget", "evalsha", "set", "unlink"} <= used
        assert not used & set(FORBIDDEN)
        assert client.keys() == [b"somebody's"]
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_used_and_never_shown(tmp_path: Path, own_valkey: Any) -> None:
    with Client.from_url(own_valkey.url) as client:
        client.config_set("requirepass", "sesame")
        address = own_valkey.url.removeprefix("redis://")
        done = run(tmp_path, "demo", *SMALL, "--store", f"redis://:sesame@{address}")
        refused = run(tmp_path, "demo", "--store", f"redis://:mellon@{address}")

    assert done.returncode == 0, done.stderr
    assert f"store: redis://:***@{address}" in done.stdout
    assert refused.returncode == 2
    assert not re.search("sesame|mellon", done.stdout + done.stderr + refused.stdout + refused.stderr)


def test_the_report_can_be_read_in_any_terminal(text: str) -> None:
    assert text.isascii()
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", text)
    assert max(map(len, text.splitlines())) <= WIDTH


def test_the_report_has_every_chapter(text: str) -> None:
    assert "A news site with 200 articles." in text
    assert "  Writing articles: 200 in " in text
    headings = re.findall(r"^\d\. (.*)\n-+$", text, re.MULTILINE)
    assert headings == [
        "A cached page",
        "Invalidating a model, with few entries in the store and with very many",
        "Raw SQL",
        "Very many writes",
        "A race: the reader is slower than the writer",
    ]
    assert re.search(
        r"^  front page \(20 articles\)  cached +[\d.]+ +[\d.]+ +0 +1 +[\d.]+ x$", text, re.MULTILINE
    )
    assert re.search(r"^ +1 000 +100 of 100 +0 of 100 +[\d.]+ +[\d.]+ +1$", text, re.MULTILINE)
    assert re.search(
        r"^  raw SQL through the driver's own cursor .* Written unseen +STALE$", text, re.MULTILINE
    )
    assert re.search(r"UPDATEs in a batch +1 +1 +2 ", text)
    assert "What stats() says of this run" in text
    assert "What to read next: README.md" in text


def test_the_race_is_told_in_two_columns(text: str) -> None:
    naive, ours = text.split("  A hand-written cache on the same store:")[1].split("\n  genscache:", 1)

    steps = re.findall(r"^ *\d+  (.*)$", naive, re.MULTILINE)
    writer = [step.strip() for step in steps if step.startswith(" " * 40)]
    reader = [step for step in steps if not step.startswith(" ")]
    assert writer == ["UPDATE title to 'New title', committed", "cache.delete()"]
    assert reader == [
        "cache.get() -> None",
        "SELECT title -> 'Corrected 1'",
        "cache.set('Corrected 1')",
        "(later) cache.get() -> 'Corrected 1'",
    ]
    assert '  naive: STALE (served "Corrected 1", the database has "New title")\n' in naive
    assert '  genscache: fresh (served "New title", as the database has it)\n' in ours


def test_the_reader_stores_under_what_it_read_and_the_next_one_asks_under_something_else(text: str) -> None:
    ours = " ".join(text.split("\n  genscache:")[1].split())

    made, asked = re.findall(r"youngest \.\.(\d{6})", ours)
    assert re.findall(r"stores its result under \.\.(\d{6})", ours) == [made, asked]
    assert made != asked
    order = ["SELECT title -> 'Corrected 2'", "leases", "UPDATE", "bumps", "stores its result", "(later)"]
    assert [ours.index(step) for step in order] == sorted(ours.index(step) for step in order)


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("nonsense", "Use redis://127.0.0.1:6379/0"),
        ("", "Use redis://127.0.0.1:6379/0"),
        ("http://127.0.0.1:80", "leave --store out"),
        ("http://me:secret@[::1", "leave --store out"),
        ("django://default", "leave --store out"),
        ("memory://here", "Use memory://"),
        ("redis://127.0.0.1:6379/first", "Use a form like redis://"),
        ("redis://127.0.0.1:1/0", "Start a server there"),
        ("redis://me:secret@127.0.0.1:1/0", "Start a server there"),
        ("unix:///not/there.sock", "Start a server there"),
    ],
)
def test_a_store_that_cannot_be_used_ends_with_a_cure(tmp_path: Path, url: str, cure: str) -> None:
    done = run(tmp_path, "demo", "--store", url)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("genscache demo: ")
    assert done.stderr.count("\n") == 1
    assert cure in done.stderr
    assert "secret" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_refuses_writes_is_found_out_at_once(tmp_path: Path, own_valkey: Any) -> None:
    with Client.from_url(own_valkey.url) as client:
        client.config_set("maxmemory", "1")
        done = run(tmp_path, "demo", "--store", own_valkey.url)

    assert (done.returncode, done.stdout) == (2, "")
    assert "leave --store out" in done.stderr


def test_a_store_with_too_little_memory_is_said_and_breaks_no_promise(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", *SMALL, "--store", "memory://?max_bytes=300000")

    assert done.returncode == 0
    assert "has not kept all" in done.stdout
    assert "all are served" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "required: COMMAND"),
        (("demos",), "invalid choice: 'demos'"),
        (("demo", "--articles", "9"), "from 10 to 1000000, got '9'"),
        (("demo", "--articles", "many"), "got 'many'. Leave it out"),
        (("demo", "--entries", "-5"), "from 100 to 1000000, got '-5'"),
        (("demo", "--stor"), "expected one argument"),
    ],
)
def test_bad_arguments_end_with_a_message(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    done = run(tmp_path, *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_help_and_version(tmp_path: Path) -> None:
    assert "--store URL" in run(tmp_path, "demo", "--help").stdout
    assert run(tmp_path, "--version").stdout == f"genscache {genscache.__version__}\n"


def test_a_broken_promise_is_said_and_is_the_exit_code(tmp_path: Path) -> None:
    script = (
        "import sys, genscache.invalidation as i; i.invalidate_model = lambda *_: None; "
        f"from genscache.demo.command import main; sys.exit(main(['demo', *{SMALL!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
        env=environment(tmp_path),
    )

    assert done.returncode == 1
    assert done.stdout.count("THIS IS NOT WHAT IS PROMISED") == 2


def test_a_store_that_dies_on_the_way_is_said(tmp_path: Path, own_valkey: Any) -> None:
    with started(tmp_path, "--store", own_valkey.url) as process:
        read_until(process, "2. ")
        own_valkey.kill()
        _, errors = process.communicate(timeout=100)

    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith("genscache demo: The store failed on the way: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_whoever_stops_it_finds_nothing_left(
    tmp_path: Path, own_valkey: Any, number: signal.Signals, code: int
) -> None:
    with started(tmp_path, "--store", own_valkey.url) as process:
        read_until(process, "2. ")
        process.send_signal(number)
        _, errors = process.communicate(timeout=100)

    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
    with Client.from_url(own_valkey.url) as client:
        assert client.dbsize() == 0


def test_a_reader_who_leaves_early_does_no_harm(tmp_path: Path) -> None:
    with started(tmp_path, *SMALL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
        process.wait(timeout=100)

    assert (process.returncode, errors) == (1, "")
    assert list(tmp_path.iterdir()) == []


def test_on_a_terminal_the_progress_line_rewrites_itself(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("demo", *SMALL), stdout=theirs, cwd=tmp_path, env=environment(tmp_path, TERM="xterm")
    ) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: read_some(ours), b""))
    os.close(ours)

    assert process.returncode == 0
    assert re.search(
        rb"\r  Writing articles: 200 of 200 \(100 %\)\r  Writing articles: 200 in [\d.]+ s +\r\n", shown
    )
    assert b"\x1b" not in shown


def read_some(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        # The other end of a pseudo-terminal has been closed.
        return b""


def test_elsewhere_a_long_step_is_told_in_quarters() -> None:
    stream = io.StringIO()
    progress = Progress(stream, "Writing", 20_000)
    for done in range(0, 20_001, 1000):
        progress.at(done)
    progress.end()

    assert stream.getvalue().splitlines()[:3] == [
        "  Writing: 5 000 of 20 000 (25 %)",
        "  Writing: 10 000 of 20 000 (50 %)",
        "  Writing: 15 000 of 20 000 (75 %)",
    ]
    assert re.fullmatch(r"  Writing: 20 000 in \d+\.\d s", stream.getvalue().splitlines()[3])


def test_a_table_is_aligned() -> None:
    assert table(("what", "ms"), [("a", "1.000"), ("longer", "10.000")]) == (
        "  what        ms",
        "  ------  ------",
        "  a        1.000",
        "  longer  10.000",
    )
    assert max(map(len, prose("word " * 100))) <= WIDTH
    assert spaced(1_234_567) == "1 234 567"


@pytest.mark.parametrize("store", ["memory", "valkey"])
def test_the_example_project_runs(tmp_path: Path, store: str, request: pytest.FixtureRequest) -> None:
    more = {}
    if store == "valkey":
        more["GENSCACHE_STORE"] = url = request.getfixturevalue("valkey_url")
        age(url, "gc")
    # A copy: the commands write a database and bytecode beside the files.
    site = Path(shutil.copytree(EXAMPLE, tmp_path / "news"))
    for arguments in (["makemigrations", "--check"], ["migrate"], ["seed"], ["test"]):
        done = subprocess.run(
            [sys.executable, "-W", "error", "manage.py", *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=100,
            cwd=site,
            env=environment(tmp_path, **more),
        )
        assert done.returncode == 0, done.stderr
    assert "Ran 6 tests" in done.stderr
