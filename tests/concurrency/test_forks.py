"""Processes that are forked from one that has used the cache (gunicorn's ``preload_app``), and processes that end."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings
from redis import Redis

from genscache import cached, invalidate, stats
from genscache.engine import Engine, current_engine
from tests.fences import age
from tests.fixtures import ROOT
from tests.site.news.models import Section

SECTIONS: Any = Section.objects
"""With ``.cache()``, of which no stub knows."""

CHILDREN = 3
TURNS = 50

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


@pytest.fixture(
    params=[
        pytest.param("?max_connections=1", id="one connection"),
        pytest.param("", id="unlimited", marks=pytest.mark.whole),
    ]
)
def engine(request: pytest.FixtureRequest, valkey_url: str) -> Iterator[Engine]:
    """The engine on Valkey."""
    options = {"STORE": f"{valkey_url}{request.param}", "PREFIX": f"t{secrets.token_hex(6)}"}
    age(valkey_url, options["PREFIX"])
    with override_settings(GENSCACHE=options):
        yield current_engine()
        current_engine().close()


@cached("names", lock=True)
def echo(who: int, turn: int) -> tuple[int, int]:
    """Return what was asked for."""
    return who, turn


def right(who: int) -> bool:
    """Ask for this process's own and for what all ask for; tell whether every answer was to its question."""
    for turn in range(TURNS):
        if echo(who, turn) != (who, turn) or echo(-1, turn % 10) != (-1, turn % 10):
            return False
        if turn % 20 == who:
            invalidate("names")
    return not [kind for kind in stats() if kind.startswith(("survived", "outage"))]


def test_children_and_parent_use_the_cache_at_once(engine: Engine) -> None:
    """The parent's connection is open when they are born, and a thread of the parent is in the middle of a read."""
    assert right(0)
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            echo(99, 1)

    busy = threading.Thread(target=go_on)
    busy.start()
    children = []
    for who in range(1, CHILDREN + 1):
        child = os.fork()
        if child == 0:
            os._exit(0 if right(who) else 1)
        children.append(child)
    assert right(0)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    stop.set()
    busy.join()
    assert ends == [0] * CHILDREN


@pytest.mark.django_db(transaction=True, databases=["postgres"])
def test_children_write_and_the_parent_reads(engine: Engine, valkey_url: str) -> None:
    """Each child has connections of its own to the database; no lease is left."""
    section = SECTIONS.using("postgres").create(name="0")
    assert SECTIONS.using("postgres").cache().get(pk=section.pk).name == "0"
    # What a preloading server does before it forks.
    connections.close_all()
    children = []
    for who in range(1, CHILDREN + 1):
        child = os.fork()
        if child == 0:
            good = True
            try:
                for turn in range(10):
                    SECTIONS.using("postgres").filter(pk=section.pk).update(name=f"{who}.{turn}")
                    good = good and SECTIONS.using("postgres").cache().get(pk=section.pk).name != "0"
            finally:
                os._exit(0 if good else 1)
        children.append(child)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert ends == [0] * CHILDREN
    now = SECTIONS.using("postgres").get(pk=section.pk).name
    assert SECTIONS.using("postgres").cache().get(pk=section.pk).name == now
    with Redis.from_url(valkey_url) as raw:
        values = [raw.get(key) or b"" for key in raw.keys(f"{engine.settings.prefix}:*") if b":e:" not in key]
    assert not [value for value in values if b"@" in value]


ENDING = """
import os, sys, threading, time
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
from django.conf import settings
settings.GENSCACHE = {"STORE": sys.argv[1], "PREFIX": sys.argv[2], "ON_OUTAGE": "proceed"}
django.setup()
from genscache import cached, invalidate

@cached("names")
def echo(number):
    return number

def work(who):
    number = 0
    while True:
        number += 1
        assert echo((who, number)) == (who, number)
        if number % 5 == 0:
            invalidate("names")
        started.set()

started = threading.Event()
for who in range(6):
    threading.Thread(target=work, args=(who,), daemon=True).start()
started.wait(30)
if sys.argv[3] == "owing":
    from genscache.engine import current_engine
    current_engine().unsettled.owe(["%s:1:{names}:named" % sys.argv[2]])
print("ending", flush=True)
raise SystemExit(7)
"""


@pytest.mark.parametrize("way", ["plain", "owing"])
@pytest.mark.parametrize("store", ["valkey", "nobody"])
def test_a_process_ends_while_daemon_threads_read_and_write(way: str, store: str, valkey_url: str) -> None:
    """It ends at once, with its own exit code; what it owes is delivered, or said to be lost."""
    url = valkey_url if store == "valkey" else "redis://127.0.0.1:1/0"
    prefix = f"t{secrets.token_hex(6)}"
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", ENDING, url, prefix, way],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=40,
    )
    assert done.returncode == 7, done.stderr[-3000:]
    assert done.stdout == "ending\n"
    assert "Fatal Python error" not in done.stderr
    assert time.monotonic() - began < 30
    lost = "ends and owes the store" in done.stderr
    assert lost == (store == "nobody"), done.stderr[-3000:]
