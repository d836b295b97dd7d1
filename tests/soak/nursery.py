"""A process with Django set up that forks writers and readers: ``python -P -m tests.soak.nursery``.

A line ``<index> <how many before>`` on its input makes a process, whose id goes out. When its input ends, so does it,
and its children with it.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys

import django

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Make the tables, then fork for whoever asks."""
    django.setup()
    from tests.soak.orders import Orders  # noqa: PLC0415 - Django is set up now

    orders = Orders.given()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if os.fork() == 0:
        from tests.soak.world import create  # noqa: PLC0415

        create()
        print("ready", flush=True)  # noqa: T201 - the answer
        os._exit(0)
    from tests.soak.actor import Actor  # noqa: PLC0415

    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        index, born = map(int, line.split())
        child = os.fork()
        if child:
            print(child, flush=True)  # noqa: T201 - the answer
            continue
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        actor = Actor(orders, index, born)
        (actor.write if index < orders.writers else actor.read)()
        os._exit(0)


if __name__ == "__main__":
    main()
