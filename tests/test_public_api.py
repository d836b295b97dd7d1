"""The public names: what ``from genscache import …`` offers, and what importing it does not do."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import genscache
import genscache.testing
from genscache.exceptions import GenscacheError

NAMES = {
    "CachedQuerySet",
    "CachedManager",
    "aexplain",
    "explain",
    "ainvalidate",
    "ainvalidate_all",
    "ainvalidate_model",
    "ainvalidate_obj",
    "batch_invalidations",
    "bypass",
    "cached",
    "invalidate",
    "invalidate_all",
    "invalidate_model",
    "invalidate_obj",
    "invalidate_tables",
    "obj",
    "snapshot",
    "stats",
}
EXCEPTIONS = {
    "GenscacheError",
    "InvalidNamespace",
    "StoreError",
    "StoreUnavailable",
    "UncacheableArgument",
    "UncacheableValue",
    "WriteRefused",
}


def test_the_names_are_these() -> None:
    assert set(genscache.__all__) == NAMES
    assert genscache.__all__ == sorted(genscache.__all__)
    assert all(getattr(genscache, name).__doc__ for name in NAMES)
    assert isinstance(genscache.__version__, str)


def test_so_are_the_exceptions_and_the_contract_for_stores() -> None:
    found = {name for name, value in vars(genscache.exceptions).items() if isinstance(value, type)}

    assert found == EXCEPTIONS
    assert all(issubclass(getattr(genscache.exceptions, name), GenscacheError) for name in found)
    assert issubclass(genscache.exceptions.UncacheableArgument, TypeError)
    assert issubclass(genscache.exceptions.UncacheableValue, TypeError)
    assert issubclass(genscache.exceptions.InvalidNamespace, ValueError)
    assert set(genscache.testing.__all__) == {
        "BlockingStore",
        "CacheProbe",
        "StoreContract",
        "assert_bypasses",
        "assert_hits",
        "assert_misses",
        "live_cache",
        "override_genscache",
    }


def test_it_says_that_it_is_typed() -> None:
    assert Path(str(genscache.__file__)).with_name("py.typed").exists()


def run(code: str) -> str:
    """Run code in a process that knows nothing of this one; return what it prints, errors included."""
    root = Path(str(genscache.__file__)).parent.parent
    done = subprocess.run(
        [sys.executable, "-W", "error", "-P", "-c", textwrap.dedent(code)],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(root), "PATH": "", "COVERAGE_PROCESS_START": ""},
        timeout=60,
    )
    return (done.stdout + done.stderr).strip()


def test_importing_reads_no_setting_and_opens_no_connection() -> None:
    found = run(
        """
        import socket, sys
        from importlib import import_module
        from pkgutil import walk_packages

        def refuse(*args, **kwargs):
            raise AssertionError("a connection was opened")

        socket.socket.connect = socket.create_connection = refuse
        import genscache
        from django.conf import settings
        from genscache import *

        @cached("prices", timeout=30)
        def decorated(number):
            return number

        assert "redis" not in sys.modules, "the driver was loaded"
        for module in walk_packages(genscache.__path__, "genscache."):
            if ".demo" not in module.name and ".management" not in module.name and "__main__" not in module.name:
                import_module(module.name)
        print("configured" if settings.configured else "nothing was read")
        """
    )
    assert found == "nothing was read"


def test_without_the_app_the_message_says_what_to_add() -> None:
    found = run(
        """
        import django
        from django.conf import settings
        settings.configure()
        django.setup()
        from genscache import cached

        @cached("prices")
        def decorated():
            return 1

        decorated()
        """
    )
    assert found.endswith(
        'ImproperlyConfigured: genscache is used, but "genscache" is not in INSTALLED_APPS. Add it there.'
    )


def test_zero_configuration_works() -> None:
    """Only the app: Django's own default cache is LocMem."""
    found = run(
        """
        import django
        from django.conf import settings
        settings.configure(INSTALLED_APPS=["genscache"], SECRET_KEY="x")
        django.setup()
        from genscache import cached, invalidate, stats
        from genscache.engine import current_engine

        runs = []

        @cached("prices")
        def decorated(number):
            runs.append(number)
            return number

        decorated(1), decorated(1), decorated(2), invalidate("prices"), decorated(1)
        print(runs, current_engine().store.capabilities.name, stats()["hit"])
        """
    )
    assert found == "[1, 2, 1] django://default 1"


def test_a_wrong_setting_is_refused_at_start() -> None:
    found = run(
        """
        import django
        from django.conf import settings
        settings.configure(INSTALLED_APPS=["genscache"], GENSCACHE={"TIMOUT": 5})
        django.setup()
        """
    )
    assert found.endswith(
        'ImproperlyConfigured: GENSCACHE["TIMOUT"] is not a setting of genscache. Did you mean "TIMEOUT"?'
    )


def test_a_store_that_is_down_at_start_hinders_nobody() -> None:
    """Nothing is connected before it is needed, and a read with a dead store is the database's answer."""
    found = run(
        """
        import django, logging
        from django.conf import settings
        settings.configure(
            INSTALLED_APPS=["genscache"], SECRET_KEY="x", GENSCACHE={"STORE": "redis://127.0.0.1:1/0"}
        )
        django.setup()
        logging.disable()
        from django.core.management import call_command
        from genscache import cached, stats

        @cached("prices")
        def decorated(number):
            return number

        call_command("check")
        print(decorated(7), stats()["bypass: the store failed"])
        """
    )
    assert found.splitlines()[-1] == "7 1"
