"""A process with Django set up that forks actors: each test has processes of its own, born within milliseconds.

    python -P -m tests.races.nursery <descriptor of a socket>

For each descriptor that arrives over the socket, a child is forked that is an actor at its other end. The nursery
itself has one thread and never opens a connection, so nothing is shared but code.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys

import django


def main() -> None:
    """Fork for whoever asks, until they go away."""
    asking = socket.socket(fileno=int(sys.argv[1]))
    django.setup()
    from django.db import connections  # noqa: PLC0415 - Django is set up now

    from genscache.stores.opening import open_stores  # noqa: PLC0415
    from tests.races import blocks, changes, readers, writers  # noqa: F401, PLC0415 - Django is set up now: they register themselves
    from tests.races.actor import serve  # noqa: PLC0415

    # Loaded once, and left alone by the children's garbage collectors, an actor begins its work at once.
    open_stores("redis://127.0.0.1:1/0", prefix="")  # loads the client, and connects to nothing
    for alias in connections:
        connections[alias].features  # noqa: B018 - loads the driver
    gc.collect()
    gc.freeze()
    # Nobody waits for the children: the controller sees at the socket that one has ended.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    asking.sendall(b"r")
    while True:
        word, descriptors, _, _ = socket.recv_fds(asking, 1, 1)
        if not word:
            return
        if os.fork() == 0:
            asking.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with socket.socket(fileno=descriptors[0]) as pipe:
                serve(pipe)
        os.close(descriptors[0])


if __name__ == "__main__":
    main()
