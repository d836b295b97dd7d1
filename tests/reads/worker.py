"""A process of its own that calls cached functions when it is told to.

    python -P -m tests.reads.worker <store> <prefix> <seconds that a lock lasts>

Reads one command a line (the name of a function below) and prints one line for each thing that happens. ``slow`` and
its like wait for a line of input while they compute.
"""

from __future__ import annotations

import os
import sys
import threading

import django
from django.conf import settings


def say(*words: object) -> None:
    """Print one line at once."""
    print(*words, flush=True)  # noqa: T201 - this is how it speaks


def set_up() -> None:
    """Load the tests' settings with another store."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    settings.GENSCACHE = {"STORE": sys.argv[1], "PREFIX": sys.argv[2]}
    django.setup()


def main() -> None:
    """Do what is asked until the input ends."""
    set_up()
    from genscache import answers, cached, stats  # noqa: PLC0415 - Django must be set up
    from genscache.engine import current_engine  # noqa: PLC0415
    from tests.site.news.models import Section  # noqa: PLC0415

    answers.LOCK_PATIENCE = float(sys.argv[3])

    def compute() -> int:
        say("computing")
        sys.stdin.readline()
        return os.getpid()

    @cached("slow", lock=True)
    def slow() -> int:
        return compute()

    @cached(lock=True)
    def discovered() -> tuple[int, int]:
        count = Section.objects.count()
        return compute(), count

    @cached("quick")
    def quick() -> int:
        return 7

    def fork() -> str:
        """Fork while another thread fills; the child must neither wait for it nor repeat its parent's tokens."""
        quick()
        started, go_on = threading.Event(), threading.Event()

        @cached("quick")
        def held() -> int:
            if os.getpid() == parent:
                started.set()
                go_on.wait(60)
            return os.getpid()

        parent = os.getpid()
        leader = threading.Thread(target=held)
        leader.start()
        started.wait(60)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, f"{held() == os.getpid()} {quick()} {current_engine().token()}".encode())
            os._exit(0)
        os.waitpid(child, 0)
        go_on.set()
        leader.join()
        own, served, token = os.read(reading, 1000).decode().split()
        return f"{own} {served} {token != current_engine().token()} {quick()} {stats()['hit']}"

    functions = {each.__name__: each for each in (slow, discovered, quick, fork)}
    say("ready")
    for line in sys.stdin:
        say("asking")
        say(functions[line.strip()]())


if __name__ == "__main__":
    main()
