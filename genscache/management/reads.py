"""Doing a read once, as the program would, and hearing what it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from asgiref.sync import async_to_sync
from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist

from genscache.decorators import AsyncCachedFunction, CachedFunction
from genscache.engine import Engine
from genscache.events import Event, Read
from genscache.management.targets import Target


def read_once(engine: Engine, target: Target) -> list[Read]:
    """Do a read and return what it and the reads inside it were, in the order in which they were answered.

    Raises:
        Exception: What the read raises, but for an object that is not there or not alone.
    """
    heard: list[Read] = []

    def hear(event: Event) -> None:
        if isinstance(event, Read):
            heard.append(event)

    stop = engine.hub.subscribe(hear)
    try:
        _read(target)
    except (ObjectDoesNotExist, MultipleObjectsReturned):
        # The rows were read all the same.
        pass
    finally:
        stop()
    return heard


def _read(target: Target) -> None:
    if isinstance(target.what, AsyncCachedFunction):
        async_to_sync(target.what)(*target.args, **target.kwargs)
    elif isinstance(target.what, CachedFunction):
        target.what(*target.args, **target.kwargs)
    elif target.args == ("list",):
        list(cast("list[object]", target.what))
    else:
        method = cast("Callable[..., object]", getattr(target.what, str(target.args[0])))
        method(*target.args[1:], **target.kwargs)
