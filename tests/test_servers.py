"""The servers that other tests lean on: mistreated as those tests will, and never left behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests import requirements
from tests.requirements import KINDS, VARIABLE, demand
from tests.servers import Server, ServerFailed, Valkey
from tests.servers.processes import HOST, is_gone, wait_until

ROOT = Path(__file__).resolve().parent.parent
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)

ABANDON = """
import sys
from tests.servers import Valkey
server = Valkey().start()
print(server.pid, server.directory, flush=True)
sys.stdin.read()
"""


class Absent(Valkey):
    """A kind of server that is installed nowhere."""

    @classmethod
    def binary(cls) -> Path | None:
        return None


def family(server: Server) -> list[psutil.Process]:
    parent = psutil.Process(server.pid)
    return [parent, *parent.children(recursive=True)]


def listens(server: Server) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, server.port)) == 0


@every_kind
def test_stop_leaves_neither_process_nor_directory(kind: type[Server]) -> None:
    demand(kind)
    server = kind().start()
    processes, directory = family(server), server.directory
    assert listens(server)

    server.stop()

    assert all(map(is_gone, processes))
    assert not directory.exists()
    assert not listens(server)


@every_kind
def test_kill_ends_the_children_too_and_restart_keeps_the_port(kind: type[Server]) -> None:
    demand(kind)
    with kind() as server:
        processes, port = family(server), server.port

        server.kill()

        assert not server.running
        assert not any(psutil.pid_exists(process.pid) for process in processes)
        server.restart()
        assert server.port == port
        assert listens(server)


@every_kind
def test_pause_freezes_all_processes_and_a_frozen_server_can_be_stopped(kind: type[Server]) -> None:
    demand(kind)
    with kind() as server:
        server.pause()
        assert {process.status() for process in family(server)} == {psutil.STATUS_STOPPED}

        server.resume()
        server.restart()
        server.pause()
        processes = family(server)

    assert all(map(is_gone, processes))


def test_a_server_that_cannot_start_shows_its_log() -> None:
    demand(Valkey)
    server = Valkey(options=["--no-such-option", "1"])

    with pytest.raises(ServerFailed, match="no-such-option"):
        server.start()

    assert not server.running


@pytest.mark.parametrize("end", ["exit", "killed"])
def test_servers_do_not_outlive_the_interpreter_that_started_them(end: str) -> None:
    demand(Valkey)
    with subprocess.Popen(
        [sys.executable, "-c", ABANDON],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as interpreter:
        assert interpreter.stdout is not None
        pid, directory = interpreter.stdout.readline().split()
        server = psutil.Process(int(pid))
        if end == "killed":
            interpreter.send_signal(signal.SIGKILL)
        _, complaints = interpreter.communicate("")

    assert complaints == ""
    wait_until(lambda: is_gone(server), seconds=10, what="The end of the server")
    wait_until(lambda: not Path(directory).exists(), seconds=10, what="The removal of its directory")


def test_a_fork_that_exits_leaves_its_parents_servers_alone() -> None:
    demand(Valkey)
    script = ABANDON.replace(
        "sys.stdin.read()", "import os\nif os.fork() == 0: sys.exit()\nos.wait()\nprint(server.running)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert done.stdout.splitlines()[1] == "True"


def test_a_missing_server_is_skipped_unless_the_run_requires_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="valkey is not installed"):
        demand(Absent)

    monkeypatch.setenv(VARIABLE, "redis, valkey")
    with pytest.raises(pytest.fail.Exception, match="must be there"):
        demand(Absent)


def test_requiring_a_server_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "postgresql")

    with pytest.raises(pytest.UsageError, match="postgresql"):
        requirements.required()
