"""Django's pool of PostgreSQL connections, and workers that multiprocessing spawns: each in a process of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from tests.fences import age
from tests.fixtures import ROOT
from tests.site.news.models import Section

SECTIONS: Any = Section.objects

SET_UP = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
sys.path.append(os.getcwd())
import django
from django.conf import settings
url, prefix, database, pk = sys.argv[1:5]
settings.GENSCACHE = {"STORE": url, "PREFIX": prefix}
settings.DATABASES["postgres"] = json.loads(database)
django.setup()
from django.db import connections, transaction
from tests.site.news.models import Section
from genscache import stats

def write(sql):
    rows = Section.objects.using("postgres").filter(pk=pk)
    with transaction.atomic(using="postgres"):
        number = int(rows.select_for_update().get().name) + 1
        if sql:
            with connections["postgres"].cursor() as cursor:
                cursor.execute("UPDATE news_section SET name = %s WHERE id = %s", [str(number), pk])
        else:
            rows.update(name=str(number))
    return number

def read():
    return int(Section.objects.using("postgres").cache().get(pk=pk).name)
"""

POOL = f"""{SET_UP}
import threading
newest, wrong, lock = [0], [], threading.Lock()

def returned(number):
    with lock:
        newest[0] = max(newest[0], number)

def work(writes):
    try:
        for turn in range(60):
            if writes and turn % 3 == 0:
                returned(write(sql=turn % 2))
            floor = newest[0]
            found = read()
            if found < floor:
                wrong.append((found, floor))
            connections.close_all()  # back into the pool, for whoever comes next
    except Exception as error:
        wrong.append(repr(error))

threads = [threading.Thread(target=work, args=(number < 2,)) for number in range(6)]
for each in threads:
    each.start()
for each in threads:
    each.join()
pool = connections["postgres"].pool
print(json.dumps([wrong, newest[0], read(), stats().get("hit", 0), len(pool._pool) <= 3]))
connections.close_all()
connections["postgres"].close_pool()
"""

SPAWN = f"""{SET_UP}
import multiprocessing

def turn(number):
    written = write(sql=number % 2)
    found = read()
    return [written, found, found >= written]

if __name__ == "__main__":
    before = read(), read()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        turns = pool.map(turn, range(20))
        newest = max(each[0] for each in turns)
        print(json.dumps([[each for each in turns if not each[2]], newest, read(), stats().get("hit", 0), True]))
"""


@pytest.mark.django_db(transaction=True, databases=["postgres"])
@pytest.mark.parametrize(("script", "writes", "options"), [
    pytest.param(POOL, 40, {"pool": {"min_size": 1, "max_size": 3, "timeout": 30}}, id="pool"),
    pytest.param(SPAWN, 20, {}, id="spawn"),
])  # fmt: skip
def test_nobody_is_given_what_was(
    script: str, writes: int, options: dict[str, object], valkey_url: str, tmp_path: Path
) -> None:
    if options:
        pytest.importorskip("psycopg_pool")
    section = SECTIONS.using("postgres").create(name="0")
    prefix = f"t{secrets.token_hex(6)}"
    age(valkey_url, prefix)
    database = {**connections["postgres"].settings_dict, "OPTIONS": options, "CONN_MAX_AGE": 0}
    program = tmp_path / "program.py"
    program.write_text(script)
    done = subprocess.run(
        [
            sys.executable,
            str(program),
            valkey_url,
            prefix,
            json.dumps(database, default=str),
            str(section.pk),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    wrong, newest, last, hits, kept = json.loads(done.stdout)
    assert wrong == []
    assert newest == last == writes
    assert hits
    assert kept, "the pool is larger than it may be"
