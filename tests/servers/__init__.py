"""Real servers for tests: each in a directory of its own, on a free loopback port, ended by its own process id."""

from __future__ import annotations

from tests.servers.base import Server
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.processes import ServerFailed
from tests.servers.resp import Redis, Valkey

__all__ = ["MariaDB", "Postgres", "Redis", "Server", "ServerFailed", "Valkey"]
