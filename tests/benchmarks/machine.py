"""What a benchmark ran on: processor, servers, and the versions of everything."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis

import genscache


def machine(store: str, database: int, kind: str, *, pinned: bool) -> dict[str, object]:
    """Describe what it was measured on."""
    client = Redis.from_url(store)
    info: Any = client.info("server")
    client.close()
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "django": _version("Django"),
        "redis_py": _version("redis"),
        "psycopg": _version("psycopg"),
        "store": f"{kind.capitalize()} {info.get('valkey_version') or info['redis_version']}",
        "database": f"PostgreSQL {_postgres(database)}",
        "genscache": genscache.__version__,
        "cacheops": _version("django-cacheops"),
        "cachalot": _version("django-cachalot"),
        "pinned": pinned,
        "load": round(os.getloadavg()[0], 2),
        "date": time.strftime("%Y-%m-%d"),
    }


def _postgres(port: int) -> str:
    with psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres") as session:
        return f"{session.info.server_version // 10_000}.{session.info.server_version % 10_000}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
