"""Connections on which SQL text has changed what later SQL means: the same statement now gives somebody else's rows.

``SET search_path``, ``SET ROLE``, ``USE``, a setting that a row-level policy reads (``SET app.tenant``): none of them
is part of a fingerprint. ``KEY_CONTEXT`` tells tenants apart; without it, such a connection does without the cache
until it is closed, since one tenant would be served what was stored for another.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

from django.db.backends.base.base import BaseDatabaseWrapper

from genscache.engine import Engine
from genscache.transactions import Transaction, state_of

CHANGED = 'SQL text has changed what a connection sees, and GENSCACHE["KEY_CONTEXT"] is not set'

_changed: ContextVar[tuple[weakref.ref[BaseDatabaseWrapper], ...]] = ContextVar(
    "genscache_changed", default=()
)


def change(connection: BaseDatabaseWrapper, state: Transaction, *, local: bool) -> None:
    """Note a statement that changes what later ones on this connection mean.

    Args:
        connection: Where it will run.
        state: The state of the connection.
        local: It is undone at the end of the transaction. Everything else ends with the connection: RESET may be
            rolled back, and what there was to go back to is not known.
    """
    if local:
        state.locally_changed = True
    else:
        state.session_changed = True
    # A coroutine that waits for this thread is told through the context, which asgiref carries back to it.
    known = _changed.get()
    if not any(each() is connection for each in known):
        _changed.set((*(each for each in known if each() is not None), weakref.ref(connection)))


def unfit(engine: Engine, state: Transaction) -> str:
    """Say why what a connection reads cannot be told apart from what others read; empty where it can."""
    return CHANGED if _differs(state) and engine.settings.key_context is None else ""


def is_waited_for() -> bool:
    """Tell whether a connection of another thread was changed, on behalf of which this one may run."""
    return bool(_changed.get())


def forbidden(engine: Engine, own: Sequence[BaseDatabaseWrapper]) -> str:
    """Say why no read here may use the cache; empty where it may.

    Nobody knows which connection a cached function will use, so one is enough.

    Args:
        engine: The engine.
        own: The connections of this thread.
    """
    if engine.settings.key_context is not None:
        return ""
    for state in _states(own):
        if _differs(state):
            return CHANGED
    return ""


def _differs(state: Transaction) -> bool:
    return state.session_changed or state.locally_changed


def _states(own: Sequence[BaseDatabaseWrapper]) -> Iterator[Transaction]:
    changed = _changed.get()
    waiting = [found for each in changed if (found := each()) is not None] if changed else ()
    for connection in (*own, *waiting):
        state = state_of(connection)
        if state is not None and connection.connection is not None:
            yield state
