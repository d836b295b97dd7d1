"""Runs of the matrix, each in a process of its own, on servers that are there."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.matrix.findings import Findings
from tests.matrix.orders import Orders
from tests.servers import MariaDB, Postgres, Server, Valkey

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SERVERS: Final[dict[str, type[Server]]] = {"postgres": Postgres, "mariadb": MariaDB}


class RunFailed(Exception):
    """A run ended without findings."""


def run(orders: Orders, *, home: Path = ROOT) -> Findings:
    """Play what is ordered in a database that is made for it.

    Args:
        orders: What to do; the name of the database is chosen here.
        home: The folder whose ``genscache`` is looked at; another one holds a copy with a bug in it.

    Raises:
        RunFailed: The process failed.
    """
    name = f"matrix_{secrets.token_hex(6)}"
    paths = [str(home)] if home != ROOT else []
    with tempfile.TemporaryDirectory(prefix="genscache-matrix-") as directory:
        orders = replace(orders, name=str(Path(directory, name)) if orders.database == "sqlite" else name)
        environment = {**os.environ, **orders.environment()}
        # As here, so that an installed genscache is found before the folder of that name.
        environment["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, sys.path), str(ROOT)])
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tests.matrix.child"],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RunFailed(f"The run on {orders.database} failed:\n{done.stderr[-3000:]}")
    return Findings.of_json(json.loads(done.stdout))


@contextmanager
def servers(databases: list[str], store: str) -> Iterator[tuple[dict[str, int], str]]:
    """Start what is needed, and yield the ports of the databases and the URL of the store.

    Args:
        databases: "sqlite", "postgres", "mariadb".
        store: "memory" or "valkey".

    Raises:
        RunFailed: A server is not installed.
    """
    with ExitStack() as stack:
        ports = {"sqlite": 0}
        for name in databases:
            if name in SERVERS:
                ports[name] = stack.enter_context(_there(SERVERS[name])).port
        url = "memory://"
        if store == "valkey":
            stack.enter_context(valkey := _there(Valkey))
            url = f"redis://127.0.0.1:{valkey.port}/0"
        yield ports, url


def _there(kind: type[Server]) -> Server:
    if kind.binary() is None:
        raise RunFailed(f"{kind.name} is not installed; leave it out with --database or --store.")
    return kind()
