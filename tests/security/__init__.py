"""Hostile bytes, names, servers and networks."""
