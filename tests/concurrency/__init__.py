"""Threads, forks, tasks that are cancelled, and processes that end: everybody is given what they asked for."""
