"""Inside an actor: installs an engine, and runs the scripts that the controller asks for, one at a time."""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Callable
from typing import Any

from django.apps import apps

from genscache.conf import Settings
from genscache.engine import Engine
from genscache.events import Event, Read, Survived
from genscache.stores.opening import open_stores
from tests.races.points import AsyncStoppingStore, Points, StoppingStore

Script = Callable[..., object]

_scripts: dict[str, Script] = {}
_points: list[Points] = []


def script(function: Script) -> Script:
    """Let the controller ask for a function by its name; it takes an alias first and returns what JSON can say."""
    _scripts[function.__name__] = function
    return function


def here(name: str) -> None:
    """Mark a place in a script."""
    _points[-1].trace.append(name)
    _points[-1].at(name)


def serve(pipe: socket.socket) -> None:
    """Be an actor until the controller goes away."""
    points = Points(pipe)
    _points.append(points)
    points.watch_connections()
    points.say(pid=os.getpid())
    told = points.hear()
    heard: list[Event] = []
    _install(told["store"], told["settings"], points).hub.subscribe(heard.append)
    while True:
        asked = points.hear()
        points.until, points.trace = asked["until"], []
        heard.clear()
        told = _run(_scripts[asked["run"]], asked["args"])
        points.say(
            **told,
            trace=points.trace,
            reads=[(each.what, each.outcome, each.reason) for each in heard if isinstance(each, Read)],
            survived=[each.detail for each in heard if isinstance(each, Survived)],
        )


def _install(url: str, options: dict[str, Any], points: Points) -> Engine:
    settings = Settings.of({"STORE": url, **options})
    pair = open_stores(url, prefix=settings.prefix)
    engine = Engine(
        settings,
        store=StoppingStore(pair.sync, points),
        async_store=AsyncStoppingStore(pair.asynchronous, points),
    )
    apps.get_app_config("genscache").engine = engine
    return engine


def _run(function: Script, args: list[object]) -> dict[str, object]:
    try:
        return {"end": function(*args), "raised": "", "detail": ""}
    except Exception as error:  # noqa: BLE001 - told to the controller, which decides
        return {"end": None, "raised": type(error).__name__, "detail": traceback.format_exc()}
