"""Cached querysets: what they ask, what their answer depends on, and the classes that users meet."""
