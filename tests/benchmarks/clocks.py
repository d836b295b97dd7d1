"""Processor time of servers, and on which processor it is spent."""

from __future__ import annotations

import os

import psutil


def used(process: psutil.Process) -> float:
    """Return the seconds that a server has used, its children included; those that ended, too."""
    found = 0.0
    for each in (process, *process.children(recursive=True)):
        times = each.cpu_times()
        found += times.user + times.system
    return found + process.cpu_times().children_user + process.cpu_times().children_system


def pin(processor: int | None) -> bool:
    """Keep this process, and all that it starts from now on, on one processor; return whether that can be done.

    Args:
        processor: Its number; ``None``: the last of those that this process may use.
    """
    if not hasattr(os, "sched_setaffinity"):
        return False
    try:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0)) if processor is None else processor})
    except OSError:
        return False
    return True
